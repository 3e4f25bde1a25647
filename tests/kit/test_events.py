"""Events reach their subscribers in the transaction of the change."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from outrider.kit.db import Database, Db, execute, fetch_value
from outrider.kit.events import Event, emit, subscribe


@dataclass(frozen=True, slots=True)
class Opened(Event):
    message: int


@dataclass(frozen=True, slots=True)
class Clicked(Event):
    message: int


async def test_a_handler_gets_all_events_of_its_type_at_once(db: Db) -> None:
    calls: list[Sequence[Event]] = []

    async def remember(_db: Db, events: Sequence[Event]) -> None:
        calls.append(list(events))

    subscribe(Opened, remember)
    subscribe(Opened, remember)
    subscribe(Clicked, remember)
    await emit(db, Opened(1), Clicked(2), Opened(3))
    assert calls == [[Opened(1), Opened(3)], [Clicked(2)]]


async def test_an_event_without_subscribers_is_no_error(db: Db) -> None:
    @dataclass(frozen=True, slots=True)
    class Unheard(Event):
        pass

    await emit(db, Unheard())
    await emit(db)


async def test_what_a_handler_wrote_is_rolled_back_with_the_change(database: Database) -> None:
    @dataclass(frozen=True, slots=True)
    class Written(Event):
        pass

    async def write(db: Db, events: Sequence[Written]) -> None:
        await execute(db, "INSERT INTO instance (name, value) VALUES ('written', %(count)s)", {"count": len(events)})

    async def change_and_fail() -> None:
        async with database.transaction() as db:
            await emit(db, Written())
            raise ZeroDivisionError

    subscribe(Written, write)
    with pytest.raises(ZeroDivisionError):
        await change_and_fail()
    async with database.transaction() as db:
        assert await fetch_value(db, "SELECT count(*) FROM instance") == 0
        await emit(db, Written())
    async with database.connection() as db:
        assert await fetch_value(db, "SELECT value FROM instance WHERE name = 'written'") == "1"
