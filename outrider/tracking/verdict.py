"""Human or machine: what a hit's request, its time and its company give away (rules/machines.toml).

Every hit is kept with its verdict and reason; only human ones count, stop sequences or start webhooks.
"""

from collections.abc import Sequence
from functools import lru_cache

from crawlerdetect import CrawlerDetect

from outrider.tracking.models import Hit, HitKind, Reason, Surroundings, Verdict
from outrider.tracking.rules import NetworkKind, Rules

_detector = CrawlerDetect()


def judge(hit: Hit, around: Surroundings, rules: Rules) -> Verdict:
    """The first sign of a machine decides; without one it was a person."""
    agent = hit.user_agent or ""
    is_display = bool(agent) and bool(rules.displays.search(agent))
    reason = (
        _sign_of_itself(hit, around, rules, is_display=is_display)
        or _sign_of_time(hit, around, rules, is_display=is_display)
        or _sign_of_company(hit, around, rules)
    )
    if reason:
        return Verdict(is_machine=True, reason=reason)
    return Verdict(is_machine=False, reason=Reason.DISPLAY_PROXY if is_display else Reason.BROWSER)


def _sign_of_itself(hit: Hit, around: Surroundings, rules: Rules, *, is_display: bool) -> Reason | None:
    """What the request is, and where it comes from."""
    agent = hit.user_agent or ""
    network = rules.network_of(hit.address)
    signs = (
        (Reason.OWN_VIEW, hit.is_own),
        (Reason.TRAP, hit.kind is HitKind.TRAP or hit.address in around.trapped),
        (Reason.HEAD_REQUEST, hit.method == "HEAD"),
        (Reason.NO_USER_AGENT, not agent),
        (Reason.APPLE_PREFETCH, hit.kind is HitKind.OPEN and bool(rules.prefetches.search(agent))),
        (Reason.APPLE_PREFETCH, hit.kind is HitKind.OPEN and network is NetworkKind.PREFETCH),
        (Reason.SCANNER, not is_display and (bool(rules.scanners.search(agent)) or _is_crawler(agent))),
        (Reason.GATEWAY, not is_display and network is NetworkKind.GATEWAY),
    )
    return next((reason for reason, is_seen in signs if is_seen), None)


def _sign_of_time(hit: Hit, around: Surroundings, rules: Rules, *, is_display: bool) -> Reason | None:
    is_too_early = not is_display and hit.at - around.handed_over_at < rules.too_early
    return Reason.TOO_EARLY if is_too_early else None


def _sign_of_company(hit: Hit, around: Surroundings, rules: Rules) -> Reason | None:
    """What else happened with the same mail."""
    if hit.kind is not HitKind.CLICK:
        return None
    if hit.id in around.burst_ids:
        return Reason.BURST
    if any(_is_alone(each, around.hits, rules) for each in _burst_of(hit, around.hits, rules)):
        return Reason.CLICK_WITHOUT_OPEN
    return None


def find_bursts(hits: Sequence[Hit], rules: Rules) -> set[int]:
    """The clicks of one mail within whose span of time enough different links were followed."""
    clicks = [hit for hit in hits if hit.kind is HitKind.CLICK]
    found: set[int] = set()
    for start in clicks:
        span = [hit for hit in clicks if start.at <= hit.at <= start.at + rules.burst_time]
        if len({hit.url for hit in span}) >= rules.burst_links:
            found |= {hit.id for hit in span}
    return found


def _burst_of(hit: Hit, hits: Sequence[Hit], rules: Rules) -> list[Hit]:
    """The clicks of the same visitor at the same time, this one included."""
    return [
        hit,
        *(
            each
            for each in hits
            if each.kind is HitKind.CLICK and each.address == hit.address and abs(each.at - hit.at) <= rules.burst_time
        ),
    ]


def _is_alone(click: Hit, hits: Sequence[Hit], rules: Rules) -> bool:
    """A click from a data centre on a mail that nobody has opened just before."""
    if rules.network_of(click.address) is not NetworkKind.HOSTING:
        return False
    return not any(each.kind is HitKind.OPEN and click.at - rules.click_alone <= each.at <= click.at for each in hits)


@lru_cache(maxsize=10_000)
def _is_crawler(agent: str) -> bool:
    """A look-up costs a millisecond, and people share few user agents."""
    return bool(agent) and bool(_detector.isCrawler(agent))
