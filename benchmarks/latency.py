"""One way of asking the API: how long its slowest answers take, with much and with little in the account."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Latency:
    """`value` and `yardstick` are seconds (p95); less is better. `must` and `aim` bound `compared`."""

    name: str
    what: str
    value: float
    yardstick: float
    against: str
    must: float
    aim: float
    is_ratio: bool
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        return self.value / self.yardstick

    @property
    def compared(self) -> float:
        """The ratio, or the seconds themselves."""
        return self.ratio if self.is_ratio else self.value

    @property
    def is_reached(self) -> bool:
        return self.compared <= self.must

    @property
    def verdict(self) -> str:
        if not self.is_reached:
            return "MISSED"
        return "aim reached" if self.compared <= self.aim else "must reached"

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "what": self.what,
            "unit": "s",
            "value": round(self.value, 4),
            "yardstick": round(self.yardstick, 4),
            "against": self.against,
            "ratio": round(self.ratio, 2),
            "must": self.must,
            "aim": self.aim,
            "is_reached": self.is_reached,
            "notes": list(self.notes),
        }

    def lines(self) -> Iterable[str]:
        """As people read it."""
        bound = "times" if self.is_ratio else "s"
        yield f"{self.name}  {self.what}"
        yield f"    product    {self.value * 1000:>10,.1f} ms"
        yield f"    yardstick  {self.yardstick * 1000:>10,.1f} ms   {self.against}; ratio {self.ratio:.2f}"
        yield f"    must ≤ {self.must} {bound}, aim ≤ {self.aim} {bound}: {self.verdict}"
        for note in self.notes:
            yield f"    {note}"


def p95(seconds: Sequence[float]) -> float:
    """The time that 95 of 100 answers do not exceed."""
    ranked = sorted(seconds)
    return ranked[-(-len(ranked) * 95 // 100) - 1]
