"""Every reason not to send has a word on what to do about it, and stands in the guide."""

import re
from pathlib import Path

from outrider.leads.advice import ADVICE
from outrider.leads.models import HoldReason, LeadStatus

ROOT = Path(__file__).parents[2]
_HOLD = re.compile(r'\b(?:Hold|CannotRender|Why)\((?:\s*scope="\w+",)?\s*(?:code=)?"([A-Z_]+)"')
_STORED = re.compile(r"hold_code = '([A-Z_]+)'")
_SAID = re.compile(r"(?:THEN|ELSE) '([A-Z_]+)'")
_KINDS = {"END", "PAUSE", "HOLD", "BOX"}  # where the code itself is a column
_SCOPES = {"CAMPAIGN", "MAILBOX", "LEAD", "ENGINE"}


def codes() -> set[str]:
    """Those that the source names, and those that the ends of a lead's way have."""
    found = {*HoldReason, *(LeadStatus.PAUSED, LeadStatus.STOPPED, LeadStatus.BLOCKED)}
    for path in (ROOT / "outrider").rglob("*.py"):
        source = path.read_text("utf-8")
        found |= {*_HOLD.findall(source), *_STORED.findall(source)}
    said = _SAID.findall((ROOT / "outrider/leads/reasons.py").read_text("utf-8"))
    return {str(code) for code in (*found, *said)} - _KINDS - _SCOPES


def test_every_reason_says_what_to_do() -> None:
    found = codes()
    assert {"OUTSIDE_WINDOW", "TEMPLATE", "MANUAL_STEP", "NOT_DUE", "NO_LEADS", "REPLIED"} <= found
    assert not found - ADVICE.keys(), "Say in outrider/leads/advice.py what to do about these."


def test_the_guide_has_every_reason_with_the_same_advice() -> None:
    guide = (ROOT / "docs/how-to/see-why-nothing-is-sent.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| [^|]+ \| ([^|]+) \|$", guide, re.MULTILINE))
    assert rows == ADVICE
