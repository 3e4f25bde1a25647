"""The generated pages of docs/ say what the program says."""

from difflib import unified_diff
from itertools import islice

import pytest

from outrider.cli.docs import DOCS, pages, schema_page
from outrider.kit.migrate import migrate
from tests.support.database import make_database

LINES_SHOWN = 40


def check(name: str, made: str) -> None:
    stored = (DOCS / name).read_text("utf-8") if (DOCS / name).exists() else ""
    if stored == made:
        return
    changes = unified_diff(
        stored.splitlines(), made.splitlines(), f"docs/{name}", "as it would be made", lineterm="", n=1
    )
    pytest.fail(
        f"docs/{name} is not up to date. Run `make docs` and commit it.\n" + "\n".join(islice(changes, LINES_SHOWN))
    )


@pytest.mark.parametrize("name", pages())
def test_a_page_is_up_to_date(name: str) -> None:
    """Whoever reads docs/ or compares two versions of the OpenAPI document sees what is served, not what once was."""
    check(name, pages()[name])


async def test_the_schema_is_up_to_date(server_url: str) -> None:
    """docs/schema.sql is the model in one piece; the migrations tell how it came about."""
    url = make_database(server_url, "architecture", "template1")
    await migrate(url)
    check("schema.sql", schema_page(url))
