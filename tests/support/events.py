"""Listening to events in a test: `with hearing(CampaignStatusChanged) as heard: …` then look at `heard.events`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from outrider.kit import events
from outrider.kit.db import Db


@dataclass(slots=True)
class Heard:
    events: list[Any] = field(default_factory=list)

    async def listen(self, _db: Db, told: Sequence[Any]) -> None:
        self.events.extend(told)


@contextmanager
def hearing(*types: type[events.Event]) -> Iterator[Heard]:
    heard = Heard()
    handler = heard.listen
    for each in types:
        events.subscribe(each, handler)
    try:
        yield heard
    finally:
        for each in types:
            events._handlers[each].remove(handler)
