"""One mail filled at a known moment: Monday, 30 March 2026, 08:00 in London, the day after the clocks changed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from outrider.content.template import Template, compile_template

NOW = datetime(2026, 3, 30, 7, 0, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
ADA = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com", "company_name": "Engines & Sons"}


def fill(
    template: Template | str, values: Mapping[str, object] = ADA, *, html: bool = True, seed: int | bytes = 1
) -> str:
    if isinstance(template, str):
        template = compile_template(template, html=html)
    return template.render(values, seed=seed, now=NOW, zone=LONDON)
