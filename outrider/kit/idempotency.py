"""`Idempotency-Key`: the first answer is stored for 24 hours and replayed (contract: conventions §9).

The answer is stored in the transaction of the change, so that one never exists without the other. While the first
request runs it holds an advisory lock; the second asks for it again and again, without keeping a connection.

A route without a transaction of its own announces itself by a row without a status instead. Its answer is stored after
its change: should the process die between the two, the second request runs anew.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from psycopg.types.json import Jsonb
from starlette.requests import Request
from starlette.responses import Response

from outrider.kit.db import Database, Db, execute, fetch_one, fetch_value
from outrider.kit.errors import Invalid, Problem
from outrider.kit.exchange import Exchange, Unavailable, header
from outrider.kit.replies import problem_reply
from outrider.kit.validation import reject

METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEPT = timedelta(hours=24)
LONGEST_KEY = 255
_WAIT_SECONDS = 30.0
_STEP_SECONDS = 0.1
_LONGEST_RUN = timedelta(seconds=70)  # more than any request may take: then its process has died
_SERVER_ERROR = 500


class KeyReused(Invalid):
    """Idempotency-Key reused with a different request"""


class Replayed(Exception):
    """Not an error: the stored answer ends the request."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True, slots=True)
class Claim:
    """One request under its key."""

    key_id: int
    method: str
    path: str
    idempotency_key: str
    request_hash: bytes
    wall: datetime

    @property
    def name(self) -> dict[str, str | int]:
        return {
            "key_id": self.key_id,
            "method": self.method,
            "path": self.path,
            "idempotency_key": self.idempotency_key,
        }


@dataclass(frozen=True, slots=True)
class StoredReply:
    """`status` None: the first request is still running."""

    request_hash: bytes
    status: int | None
    headers: list[list[str]] | None
    body: bytes | None
    created_at: datetime


def key_of(request: Request) -> str | None:
    if request.method not in METHODS:
        return None
    key = header(request.scope, b"idempotency-key")
    if key and len(key) > LONGEST_KEY:
        reject(
            f'"Idempotency-Key" length must be less than or equal to {LONGEST_KEY} characters long',
            key="Idempotency-Key",
            source="headers",
        )
    return key or None


def claim_of(key: str, exchange: Exchange, *, key_id: int, wall: datetime) -> Claim:
    content = repr(exchange.query).encode() + b"\n" + exchange.body_bytes
    return Claim(
        key_id=key_id,
        method=exchange.method,
        path=exchange.route_path,
        idempotency_key=key,
        request_hash=hashlib.sha256(content).digest(),
        wall=wall,
    )


@asynccontextmanager
async def claimed(database: Database, claim: Claim) -> AsyncIterator[Db]:
    """The transaction of the first request; raises Replayed for the second."""
    refusal: Problem | None = None
    async with AsyncExitStack() as stack:
        db = await _locked(database, claim, stack)
        await _is_free(db, claim)
        try:
            async with db.transaction():
                yield db
        except Problem as problem:
            if problem.status >= _SERVER_ERROR:
                raise
            refusal = problem  # it changed nothing, and is the answer all the same
            await record(db, claim, problem_reply(problem))
    if refusal is not None:
        raise refusal


async def _locked(database: Database, claim: Claim, stack: AsyncExitStack) -> Db:
    """A transaction that holds the lock of the claim, left open in `stack`."""
    for _ in range(round(_WAIT_SECONDS / _STEP_SECONDS)):
        async with AsyncExitStack() as attempt:
            db = await attempt.enter_async_context(database.transaction())
            if await _try_lock(db, claim):
                stack.push_async_exit(attempt.pop_all())
                return db
        await asyncio.sleep(_STEP_SECONDS)
    raise Unavailable(retry_after=1)


async def _try_lock(db: Db, claim: Claim) -> bool:
    name = f"{claim.key_id} {claim.method} {claim.path} {claim.idempotency_key}"
    return bool(
        await fetch_value(db, "SELECT pg_try_advisory_xact_lock(hashtextextended(%(name)s, 0))", {"name": name})
    )


async def _is_free(db: Db, claim: Claim) -> bool:
    """Whether nobody is at it; raises Replayed if it was answered."""
    sql: LiteralString = """
        SELECT request_hash, status, headers, body, created_at
        FROM idempotent_replies
        WHERE key_id = %(key_id)s
          AND method = %(method)s
          AND path = %(path)s
          AND idempotency_key = %(idempotency_key)s
          AND created_at > %(kept_since)s
    """
    stored = await fetch_one(db, StoredReply, sql, {**claim.name, "kept_since": claim.wall - KEPT})
    if stored is None:
        return True
    if stored.request_hash != claim.request_hash:
        raise KeyReused
    if stored.status is None:
        return stored.created_at < claim.wall - _LONGEST_RUN
    response = Response(stored.body, stored.status)
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in stored.headers or ()]
    response.raw_headers.append((b"idempotent-replay", b"true"))
    raise Replayed(response)


@asynccontextmanager
async def announced(database: Database, claim: Claim) -> AsyncIterator[None]:
    """As `claimed`, for a request that holds no connection."""
    await _announce(database, claim)
    try:
        yield
    except Problem as problem:
        if problem.status >= _SERVER_ERROR:
            await _withdraw(database, claim)
        else:
            await record_apart(database, claim, problem_reply(problem))
        raise
    except BaseException:
        await _withdraw(database, claim)
        raise


async def _announce(database: Database, claim: Claim) -> None:
    sql: LiteralString = """
        INSERT INTO idempotent_replies (key_id, method, path, idempotency_key, request_hash, created_at)
        VALUES (%(key_id)s, %(method)s, %(path)s, %(idempotency_key)s, %(request_hash)s, %(created_at)s)
        ON CONFLICT (key_id, method, path, idempotency_key) DO UPDATE
        SET request_hash = excluded.request_hash, status = NULL, headers = NULL, body = NULL,
            created_at = excluded.created_at
    """
    for _ in range(round(_WAIT_SECONDS / _STEP_SECONDS)):
        async with database.transaction() as db:
            if await _try_lock(db, claim) and await _is_free(db, claim):
                await execute(db, sql, {**claim.name, "request_hash": claim.request_hash, "created_at": claim.wall})
                return
        await asyncio.sleep(_STEP_SECONDS)
    raise Unavailable(retry_after=1)


async def _withdraw(database: Database, claim: Claim) -> None:
    sql: LiteralString = """
        DELETE FROM idempotent_replies
        WHERE key_id = %(key_id)s
          AND method = %(method)s
          AND path = %(path)s
          AND idempotency_key = %(idempotency_key)s
          AND status IS NULL
          AND created_at = %(created_at)s
    """
    async with database.transaction() as db:
        await execute(db, sql, {**claim.name, "created_at": claim.wall})


async def record_apart(database: Database, claim: Claim, response: Response) -> None:
    async with database.transaction() as db:
        await record(db, claim, response)


async def record(db: Db, claim: Claim, response: Response) -> None:
    """Store the answer; the oldest expired ones make room for it."""
    sql: LiteralString = """
        WITH expired AS (
          DELETE FROM idempotent_replies
          WHERE ctid = ANY (ARRAY(
            SELECT ctid
            FROM idempotent_replies
            WHERE created_at < %(kept_since)s
              AND (key_id, idempotency_key) <> (%(key_id)s, %(idempotency_key)s)
            ORDER BY created_at
            LIMIT 10
            FOR UPDATE SKIP LOCKED))
        )
        INSERT INTO idempotent_replies
          (key_id, method, path, idempotency_key, request_hash, status, headers, body, created_at)
        VALUES
          (%(key_id)s, %(method)s, %(path)s, %(idempotency_key)s, %(request_hash)s, %(status)s, %(headers)s, %(body)s,
           %(created_at)s)
        ON CONFLICT (key_id, method, path, idempotency_key) DO UPDATE
        SET request_hash = excluded.request_hash, status = excluded.status, headers = excluded.headers,
            body = excluded.body, created_at = excluded.created_at
    """
    headers = [[str(name, "latin-1"), str(value, "latin-1")] for name, value in response.raw_headers]
    await execute(
        db,
        sql,
        {
            **claim.name,
            "request_hash": claim.request_hash,
            "status": response.status_code,
            "headers": Jsonb(headers),
            "body": bytes(response.body),
            "kept_since": claim.wall - KEPT,
            "created_at": claim.wall,
        },
    )
