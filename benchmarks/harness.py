"""One figure of a benchmark: the product's value, the yardstick of the same run, and what their ratio has to reach."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class CannotMeasure(Exception):
    """Something the benchmark needs is missing; the text says what to install or do."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """`value` and `yardstick` are in the same `unit`; more is better."""

    name: str
    what: str
    unit: str
    value: float
    yardstick: float
    against: str
    must: float
    aim: float
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        return self.value / self.yardstick

    @property
    def is_reached(self) -> bool:
        return self.ratio >= self.must

    @property
    def verdict(self) -> str:
        if not self.is_reached:
            return "MISSED"
        return "aim reached" if self.ratio >= self.aim else "must reached"

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "value": round(self.value, 1),
            "yardstick": round(self.yardstick, 1),
            "against": self.against,
            "ratio": round(self.ratio, 3),
            "must": self.must,
            "aim": self.aim,
            "is_reached": self.is_reached,
            "notes": list(self.notes),
        }

    def lines(self) -> Iterable[str]:
        """As people read it."""
        yield f"{self.name}  {self.what}"
        yield f"    product    {self.value:>10,.0f} {self.unit}"
        yield f"    yardstick  {self.yardstick:>10,.0f} {self.unit}   {self.against}"
        yield f"    ratio      {self.ratio:>10.3f}   must {self.must}, aim {self.aim}: {self.verdict}"
        for note in self.notes:
            yield f"    {note}"
