"""Human or machine: what a hit's request gives away (contract: analytics, Machine opens and bot clicks).

Every hit is kept with its verdict and reason; only human ones count, stop sequences or start webhooks.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from crawlerdetect import CrawlerDetect

from outrider.tracking.models import Hit, HitKind, Verdict

_TOO_EARLY = timedelta(seconds=5)
BURST = timedelta(seconds=2)
_BURST_LINKS = 3
_DISPLAY_PROXIES = ("GoogleImageProxy", "YahooMailProxy")  # fetch when the mail is shown, not before
_APPLE_PREFETCH = "Mozilla/5.0"

_detector = CrawlerDetect()


def judge(hit: Hit, *, handed_over_at: datetime, recent_urls: Sequence[str]) -> Verdict:
    """`recent_urls`: links of the same mail clicked within the burst time before this hit."""
    agent = hit.user_agent or ""
    is_display_proxy = any(proxy in agent for proxy in _DISPLAY_PROXIES)
    signs = (
        ("HEAD_REQUEST", hit.method == "HEAD"),
        ("NO_USER_AGENT", not agent),
        ("APPLE_PREFETCH", hit.kind is HitKind.OPEN and agent == _APPLE_PREFETCH),
        ("TOO_EARLY", not is_display_proxy and hit.at - handed_over_at < _TOO_EARLY),
        ("BURST", hit.kind is HitKind.CLICK and len({*recent_urls, hit.url}) >= _BURST_LINKS),
        ("SCANNER", bool(agent) and not is_display_proxy and _is_crawler(agent)),
    )
    reason = next((name for name, is_seen in signs if is_seen), None)
    if reason:
        return Verdict(is_machine=True, reason=reason)
    return Verdict(is_machine=False, reason="DISPLAY_PROXY" if is_display_proxy else "BROWSER")


@lru_cache(maxsize=10_000)
def _is_crawler(agent: str) -> bool:
    """A look-up costs a millisecond, and people share few user agents."""
    return bool(_detector.isCrawler(agent))
