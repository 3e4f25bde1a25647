"""What happened, told to whoever subscribed, inside the transaction of the change.

Slices emit; only wiring.py subscribes. Handlers write rows; what leaves the machine is sent after the commit by jobs.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from outrider.kit.db import Db


class Event:
    """Base of all events: frozen slotted dataclasses, named in the past tense."""

    __slots__ = ()


E = TypeVar("E", bound=Event)
_Handler = Callable[[Db, Sequence[Any]], Awaitable[None]]
_handlers: dict[type[Event], list[_Handler]] = {}


def subscribe(event_type: type[E], handler: Callable[[Db, Sequence[E]], Awaitable[None]]) -> None:
    """Call `handler` with all events of exactly this type of one `emit`; subscribing twice counts once."""
    handlers = _handlers.setdefault(event_type, [])
    if handler not in handlers:
        handlers.append(handler)


async def emit(db: Db, *events: Event) -> None:
    """Tell the subscribers now, in this transaction; types in the order in which they first occur."""
    by_type: dict[type[Event], list[Event]] = defaultdict(list)
    for event in events:
        by_type[type(event)].append(event)
    for event_type, same in by_type.items():
        for handler in _handlers.get(event_type, ()):
            await handler(db, same)
