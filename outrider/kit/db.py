"""PostgreSQL by hand-written SQL: a pool, transactions, and rows as dataclasses.

`Db` is an open transaction by convention: transactions open at the edges only (request, job, engine step),
everything below takes a `Db` and never commits. `%` in SQL is always written `%%`, with or without parameters.
"""

import asyncio
import select
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, LiteralString, Self, TypeVar, get_args, get_type_hints

import orjson
from psycopg import AsyncConnection, AsyncCursor, OperationalError, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

Db = AsyncConnection[Any]
T = TypeVar("T")
_NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})
_CONNECT_SECONDS = 10
_LAYOUTS: dict[type[Any], tuple[list[str], list[tuple[str, Callable[[Any], Enum]]]]] = {}
_ADVICE: tuple[tuple[type[BaseException], str, str], ...] = (
    # failures while connecting have no SQLSTATE, only the words of the server or of libpq
    (
        errors.DiskFull,
        "No space left on device",
        "The disk of the database is full. Free some space there, then try again; nothing stored is lost.",
    ),
    (
        errors.InvalidPassword,
        "password authentication failed",
        "The database refuses the user or password. Correct them in OUTRIDER_DATABASE_URL.",
    ),
    (
        errors.InvalidAuthorizationSpecification,
        "no pg_hba.conf entry",
        "The database does not let this user in from here. Allow it in pg_hba.conf, or correct OUTRIDER_DATABASE_URL.",
    ),
    (
        errors.InvalidCatalogName,
        "does not exist",
        "The database or role named in OUTRIDER_DATABASE_URL does not exist. Create it, then start again.",
    ),
    (
        errors.TooManyConnections,
        "too many clients",
        "The database has no free connections. Raise its max_connections, or lower OUTRIDER_POOL_SIZE.",
    ),
    (
        errors.InsufficientPrivilege,
        "",
        "The database user lacks a right. Make it the owner of the database in OUTRIDER_DATABASE_URL.",
    ),
    (
        PoolTimeout,
        "",
        "All database connections stayed busy, or the database is away. See that it runs; raise OUTRIDER_POOL_SIZE.",
    ),
    (
        OperationalError,
        "",
        "The database cannot be reached. See that it runs and that OUTRIDER_DATABASE_URL is right, then try again.",
    ),
)

set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)


class _Pool(AsyncConnectionPool[Db]):
    """Gives out connections whose server process lives. Its own `check` would wait for seconds after a dead one."""

    async def getconn(self, timeout: float | None = None) -> Db:  # noqa: ASYNC109 - the signature is inherited
        cancellations = _count_cancellations()
        while True:
            db = await super().getconn(timeout)
            if _count_cancellations() > cancellations:  # the pool loses one that comes together with the connection
                await self.putconn(db)
                raise asyncio.CancelledError
            try:
                _raise_if_gone(db)
            except OperationalError:
                await self.putconn(db)  # it is replaced
            else:
                return db


def _count_cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


class Database:
    """A pool of connections. A connection whose server process has gone is replaced before it is handed out."""

    def __init__(self, url: str, pool: AsyncConnectionPool[Db]) -> None:
        self.url = url
        self.pool = pool

    @classmethod
    async def open(
        cls, url: str, *, min_size: int = 1, max_size: int = 10, settings: Mapping[str, str] = _NO_PARAMETERS
    ) -> Self:
        """Connect, or raise psycopg.OperationalError with the true reason (see `describe_failure`).

        `settings` are PostgreSQL's, for these connections only.
        """
        conninfo = connection_text(url, settings)
        probe = await AsyncConnection.connect(conninfo)  # the pool itself would only report a time-out
        await probe.close()
        pool = _Pool(
            conninfo,
            min_size=min_size,
            max_size=max_size,
            timeout=_CONNECT_SECONDS,
            configure=_autocommit,  # not by kwargs: procrastinate opens further connections with these
            open=False,
        )
        await pool.open(wait=True, timeout=_CONNECT_SECONDS)
        return cls(url, pool)

    async def close(self) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Db]:
        async with self.pool.connection() as db, db.transaction():
            yield db

    def transaction(self) -> AbstractAsyncContextManager[Db]:
        """An open transaction: commits at the end of the block, rolls back on any exception."""
        return self._transaction()

    def connection(self) -> AbstractAsyncContextManager[Db]:
        """A connection on which each statement commits by itself."""
        return self.pool.connection()


def connection_text(url: str, settings: Mapping[str, str] = _NO_PARAMETERS) -> str:
    """The conninfo we connect with: times come back in UTC, a silent server is given up after some seconds."""
    given = conninfo_to_dict(url)
    wanted = [f"-c {name}={value}" for name, value in {"timezone": "UTC", **settings}.items()]
    options = " ".join([str(given.get("options") or ""), *wanted]).strip()
    defaults: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "application_name": "outrider"}
    return make_conninfo("", **{**defaults, **given, "options": options})


async def _autocommit(db: Db) -> None:
    await db.set_autocommit(True)


def _raise_if_gone(db: Db) -> None:
    """An idle connection has nothing to read, unless its server process has ended: no round trip is needed."""
    poll = select.poll()
    poll.register(db.fileno(), select.POLLIN)
    while poll.poll(0):
        db.pgconn.consume_input()  # raises OperationalError at the end of the stream


def describe_failure(error: BaseException) -> str:
    """What an operator should do about a failure of the database, in a sentence or two."""
    text = str(error).strip()
    for kind, sign, advice in _ADVICE:
        if isinstance(error, kind) or (sign and sign in text and isinstance(error, OperationalError)):
            return f"{advice} ({text.splitlines()[-1]})" if text else advice
    return f"The database reported an error: {text or type(error).__name__}"


async def fetch_all(db: Db, cls: type[T], sql: LiteralString, params: Mapping[str, Any] = _NO_PARAMETERS) -> list[T]:
    """Rows as objects of `cls`: columns are its field names, fields typed as an enum become that enum."""
    async with db.cursor(row_factory=_row_factory(cls)) as cursor:
        await cursor.execute(sql, params)
        return await cursor.fetchall()


async def fetch_one(db: Db, cls: type[T], sql: LiteralString, params: Mapping[str, Any] = _NO_PARAMETERS) -> T | None:
    """The first row as an object of `cls`, or None."""
    async with db.cursor(row_factory=_row_factory(cls)) as cursor:
        await cursor.execute(sql, params)
        return await cursor.fetchone()


async def fetch_dicts(db: Db, sql: LiteralString, params: Mapping[str, Any] = _NO_PARAMETERS) -> list[dict[str, Any]]:
    async with db.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, params)
        return await cursor.fetchall()


async def fetch_dict(db: Db, sql: LiteralString, params: Mapping[str, Any] = _NO_PARAMETERS) -> dict[str, Any] | None:
    async with db.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, params)
        return await cursor.fetchone()


async def fetch_value(db: Db, sql: LiteralString, params: Mapping[str, Any] = _NO_PARAMETERS) -> Any:
    """The first column of the first row, or None without a row."""
    async with db.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(sql, params)
        row = await cursor.fetchone()
        return row[0] if row else None


async def execute(db: Db, sql: LiteralString, params: Mapping[str, Any] = _NO_PARAMETERS) -> int:
    """Run a statement; returns how many rows it touched."""
    async with db.cursor() as cursor:
        await cursor.execute(sql, params)
        return cursor.rowcount


def as_records(rows: Sequence[Any]) -> str:
    """Dataclasses or dicts for `json_to_recordset`: one text costs a fifth of an array for each column."""
    return orjson.dumps(rows).decode()


def as_ids(ids: Iterable[int]) -> str:
    """A bigint[] as one text, for the same reason."""
    return f"{{{','.join(map(str, ids))}}}"


def _row_factory(cls: type[T]) -> Callable[[AsyncCursor[Any]], Callable[[Sequence[Any]], T]]:
    """By position where the columns are the fields in their order, which is faster; else by name."""
    names, enums = _layout(cls)

    def rows(cursor: AsyncCursor[Any]) -> Callable[[Sequence[Any]], T]:
        columns = _column_names(cursor)
        places = [(columns.index(name), member) for name, member in enums if name in columns]
        is_in_order = columns == names

        def row(values: Sequence[Any]) -> T:
            if places:
                cells = list(values)
                for place, member in places:
                    if cells[place] is not None:
                        cells[place] = member(cells[place])
                values = cells
            return cls(*values) if is_in_order else cls(**dict(zip(columns, values, strict=True)))

        return (lambda values: cls(*values)) if is_in_order and not places else row

    return rows


def _column_names(cursor: AsyncCursor[Any]) -> list[str]:
    """The same as in `cursor.description`, which makes an object of each."""
    result = cursor.pgresult
    if result is None:
        return []
    return [(result.fname(place) or b"").decode() for place in range(result.nfields)]


def _layout(cls: type[Any]) -> tuple[list[str], list[tuple[str, Callable[[Any], Enum]]]]:
    """The fields of a dataclass in order, and of those typed as an enum what gives the member of a value."""
    if cls not in _LAYOUTS:
        hints = get_type_hints(cls) if is_dataclass(cls) else {}
        found = ((name, _enum_of(hint)) for name, hint in hints.items())
        names = [each.name for each in fields(cls)] if is_dataclass(cls) else []
        enums: list[tuple[str, Callable[[Any], Enum]]] = [
            (name, cache(enum)) for name, enum in found if enum is not None
        ]
        _LAYOUTS[cls] = names, enums
    return _LAYOUTS[cls]


def _enum_of(hint: Any) -> type[Enum] | None:
    """`Status` and `Status | None` name an enum; anything else does not."""
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    candidates = [part for part in parts if part is not NoneType]
    if len(candidates) != 1 or not isinstance(candidates[0], type):
        return None
    return candidates[0] if issubclass(candidates[0], Enum) else None
