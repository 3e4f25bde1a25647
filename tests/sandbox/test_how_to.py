import asyncio
import re
import sys
from pathlib import Path

from outrider.sandbox.server import SHARES

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-sandbox.md"


async def test_the_example_of_the_how_to_runs() -> None:
    [example] = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    process = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", "-c", example)
    assert await process.wait() == 0


def test_the_how_to_names_every_share_of_people() -> None:
    assert all(f"`{name}`" in HOW_TO.read_text() for name in SHARES)
