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
    if hit.method == "HEAD":
        return Verdict(is_machine=True, reason="HEAD_REQUEST")
    if not agent:
        return Verdict(is_machine=True, reason="NO_USER_AGENT")
    is_display_proxy = any(proxy in agent for proxy in _DISPLAY_PROXIES)
    if hit.kind is HitKind.OPEN and agent == _APPLE_PREFETCH:
        return Verdict(is_machine=True, reason="APPLE_PREFETCH")
    if not is_display_proxy and _is_crawler(agent):
        return Verdict(is_machine=True, reason="SCANNER")
    if hit.at - handed_over_at < _TOO_EARLY and not is_display_proxy:
        return Verdict(is_machine=True, reason="TOO_EARLY")
    if hit.kind is HitKind.CLICK and len({*recent_urls, hit.url}) >= _BURST_LINKS:
        return Verdict(is_machine=True, reason="BURST")
    return Verdict(is_machine=False, reason="DISPLAY_PROXY" if is_display_proxy else "BROWSER")


@lru_cache(maxsize=10_000)
def _is_crawler(agent: str) -> bool:
    """A look-up costs a millisecond, and people share few user agents."""
    return bool(_detector.isCrawler(agent))
