"""Human or machine, sign by sign."""

from datetime import UTC, datetime, timedelta

import pytest

from outrider.tracking.models import Hit, HitKind
from outrider.tracking.verdict import judge

SENT = datetime(2026, 3, 2, 10, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize(
    ("kind", "agent", "seconds", "method", "recent", "machine", "reason"),
    [
        ("OPEN", BROWSER, 60, "GET", [], False, "BROWSER"),
        ("OPEN", GMAIL, 60, "GET", [], False, "DISPLAY_PROXY"),
        ("OPEN", GMAIL, 1, "GET", [], False, "DISPLAY_PROXY"),  # fetched when shown, however soon
        ("OPEN", BROWSER, 4, "GET", [], True, "TOO_EARLY"),
        ("OPEN", BROWSER, 5, "GET", [], False, "BROWSER"),
        ("OPEN", "Mozilla/5.0", 600, "GET", [], True, "APPLE_PREFETCH"),
        ("CLICK", "Mozilla/5.0", 600, "GET", [], False, "BROWSER"),
        ("OPEN", None, 600, "GET", [], True, "NO_USER_AGENT"),
        ("OPEN", "", 600, "GET", [], True, "NO_USER_AGENT"),
        ("CLICK", BROWSER, 600, "HEAD", [], True, "HEAD_REQUEST"),
        ("CLICK", "Barracuda Sentinel (EE)", 600, "GET", [], True, "SCANNER"),
        ("CLICK", "python-requests/2.32", 600, "GET", [], True, "SCANNER"),
        ("CLICK", BROWSER, 600, "GET", ["https://a.example", "https://b.example"], True, "BURST"),
        ("CLICK", BROWSER, 600, "GET", ["https://a.example", "https://a.example"], False, "BROWSER"),
        ("CLICK", BROWSER, 600, "GET", ["https://c.example", "https://a.example"], False, "BROWSER"),
    ],
)
def test_a_sign_gives_a_machine_away(
    *, kind: str, agent: str | None, seconds: int, method: str, recent: list[str], machine: bool, reason: str
) -> None:
    url = "https://c.example" if kind == "CLICK" else None
    hit = Hit(1, HitKind(kind), url, method, "127.0.0.1", agent, SENT + timedelta(seconds=seconds))
    verdict = judge(hit, handed_over_at=SENT, recent_urls=recent)
    assert (verdict.is_machine, verdict.reason) == (machine, reason)
