"""What happened, in the order in which it did, and the dice that decided it."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random


@dataclass
class Story:
    """One seed, one story."""

    seed: int
    random: Random = field(init=False)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - the same story for the same seed

    def tell(self, at: datetime, text: str) -> None:
        self.lines.append(f"{at:%Y-%m-%d %H:%M:%S} {text}")

    def happens(self, probability: float) -> bool:
        return self.random.random() < probability

    def about(self, *names: str) -> str:
        """The lines that name one of these: the shortest story of a failure."""
        return "\n".join(line for line in self.lines if any(name in line for name in names))


class Broken(AssertionError):
    """An invariant (product behaviour 16, by its number) does not hold. `names`: whom it is about."""

    def __init__(self, number: int, text: str, *names: str) -> None:
        super().__init__(f"Invariant {number}: {text}")
        self.number = number
        self.names = names
