"""How figures are written: rates, percentages, lengths of time (contract: analytics, Number and label formats).

Rounded half up in whole numbers, so that no binary fraction decides a digit.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from outrider.config import ReplyRateOf

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def percent(part: int, whole: int) -> str:
    """`"12.50%"`; of nothing it is `"0.00%"`. It may exceed 100 %."""
    hundredths = _rounded(part * 10_000, whole)
    return f"{hundredths // 100}.{hundredths % 100:02}%"


def short_percent(part: int, whole: int) -> str:
    """Without zeros at the end: `"78.2%"`, `"5%"`."""
    return percent(part, whole).rstrip("%").rstrip("0").rstrip(".") + "%"


def whole_percent(part: int, whole: int) -> int:
    return _rounded(part * 100, whole)


def quotient(part: int, whole: int) -> float:
    """With two decimals at most."""
    return _rounded(part * 100, whole) / 100


def rounded_quotient(part: int, whole: int) -> int:
    return _rounded(part, whole)


def _rounded(part: int, whole: int) -> int:
    """Half up; 0 of nothing."""
    return (2 * part + whole) // (2 * whole) if whole else 0


def length(span: timedelta) -> str:
    """`"4d 6h 12m 9s"`, whole seconds, the rest cut off."""
    seconds = span // timedelta(seconds=1)
    return f"{seconds // _DAY}d {seconds % _DAY // _HOUR}h {seconds % _HOUR // _MINUTE}m {seconds % _MINUTE}s"


def rates(counts: Mapping[str, Any], of: ReplyRateOf) -> dict[str, str]:
    """The rates of a group of mails. Replies are divided by openers where every mail of the group could be seen."""
    leads, openers = counts["unique_lead_count"], counts["unique_open_count"]
    is_by_openers = of is ReplyRateOf.VENDOR and counts["is_all_tracked"] and openers > 0
    return {
        "open_rate": percent(openers, leads),
        "reply_rate": percent(counts["replied"], openers if is_by_openers else leads),
        "positive_reply_rate": percent(counts["positive_replied"], counts["replied"]),
        "bounce_rate": percent(counts["bounced"], leads),
        "client_health": percent(counts["positive_replied"], leads),
    }
