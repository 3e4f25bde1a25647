"""A slice of the tests' own: routes that show what the kit does with a request."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from pydantic import AliasChoices, Field
from starlette.responses import Response

from outrider.kit.db import execute, fetch_value
from outrider.kit.errors import Conflict, NotFound
from outrider.kit.http import ANY_KEY, MAIN_KEY, Api, Ctx, FreeCtx, PathId, reply, stream_csv
from outrider.kit.pagination import Page, paging
from outrider.kit.validation import Flag, Id, Int, ListOf, StrictWire, Text, Wire

api = Api("things", writes_need=ANY_KEY)
going_on = asyncio.Event()
let_go = asyncio.Event()


class ThingNotFound(NotFound):
    """Thing not found - Invalid thing_id."""


class ThingBroken(Conflict):
    """Thing is broken"""


class Color(StrEnum):
    RED = "RED"
    BLUE = "BLUE"


class Part(Wire):
    name: Text
    size: Annotated[Int, Field(ge=1, le=9)] = 1


class ThingBody(Wire):
    name: Annotated[Text, Field(min_length=1, max_length=20)]
    color: Color = Color.RED
    is_new: Flag = False
    owner_id: Id | None = None
    parts: ListOf[Part] = Field(default_factory=list)


class ThingQuery(Wire):
    colors: ListOf[Color] = Field(default_factory=list)
    owner_id: Id | None = None
    search: Text | None = Field(default=None, validation_alias=AliasChoices("search", "q"))


class StrictBody(StrictWire):
    name: Text = ""


@api.get("/things")
async def list_things(
    ctx: Ctx, query: Annotated[ThingQuery, Query()], page: Annotated[Page, Depends(paging(max=50))]
) -> Response:
    """List Things"""
    return reply(
        {"user_id": ctx.user_id, "query": query.model_dump(mode="json"), "offset": page.offset, "limit": page.limit}
    )


@api.post("/things", also=["POST /thing", "PUT"])
async def save_thing(ctx: Ctx, body: ThingBody) -> Response:
    """Save Thing.

    What is sent comes back.
    """
    return reply({"user_id": ctx.user_id, "client_id": ctx.client_id, "body": body.model_dump(mode="json")})


@api.post("/things/strict")
async def save_strictly(_ctx: Ctx, body: StrictBody) -> Response:
    """Save Thing Strictly"""
    return reply({"name": body.name})


@api.post("/things/anything")
async def save_anything(_ctx: Ctx, body: dict[str, Any]) -> Response:
    """Save Anything"""
    return reply(body)


@api.get("/things/{thing_id}")
async def get_thing(_ctx: Ctx, thing_id: PathId) -> Response:
    """Get Thing"""
    if thing_id > 100:
        raise ThingNotFound
    return reply({"id": thing_id, "created_at": datetime(2026, 3, 30, 8, 0, 2, 117_999, tzinfo=UTC)})


@api.get("/owners/{ownerId}")
async def get_owner(_ctx: Ctx, owner_id: Annotated[PathId, Path(alias="ownerId")]) -> Response:
    """Get Owner"""
    return reply({"id": owner_id})


@api.delete("/things/{thing_id}", also=["/things"])
async def delete_thing(_ctx: Ctx, body: Part) -> Response:
    """Delete Thing"""
    return reply({"name": body.name})


@api.post("/things/{thing_id}/owner", needs=MAIN_KEY)
async def set_owner(_ctx: Ctx, thing_id: PathId, body: Part) -> Response:
    """Set Owner"""
    return reply({"id": thing_id, "name": body.name})


@api.get("/things/export", also=["POST"])
async def export_things(ctx: Ctx) -> Response:
    """Export Things"""

    async def lines() -> AsyncIterator[str]:
        yield "id,name\r\n"
        async with ctx.database.transaction() as db:
            yield f"{await fetch_value(db, 'SELECT 1')},a\r\n"

    return stream_csv('thi"ngs ä.csv', lines())


@api.get("/things/large")
async def large_thing(_ctx: Ctx) -> Response:
    """Large Thing"""
    return reply({"text": "x" * 5000})


@api.post("/marks/{name}")
async def make_mark(ctx: Ctx, name: str) -> Response:
    """Make Mark"""
    await _mark(ctx, name)
    return reply({"count": await _count_marks(ctx)})


@api.post("/marks/{name}/refused")
async def refuse_mark(ctx: Ctx, name: str) -> Response:
    """Refuse Mark"""
    await _mark(ctx, name)
    raise ThingBroken


@api.post("/marks/{name}/crash")
async def crash_mark(ctx: Ctx, name: str) -> Response:
    """Crash Mark"""
    await _mark(ctx, name)
    raise RuntimeError("a bug, with a secret inside")


@api.post("/marks/{name}/late")
async def fail_at_commit(ctx: Ctx, name: str) -> Response:
    """Fail At Commit"""
    await _mark(ctx, name)
    await execute(ctx.db, "CREATE TEMP TABLE unique_late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP")
    await execute(ctx.db, "INSERT INTO unique_late VALUES (1), (1)")
    return reply({"ok": True})


@api.post("/marks/{name}/slow")
async def mark_slowly(ctx: Ctx, name: str) -> Response:
    """Mark Slowly"""
    going_on.set()
    await let_go.wait()
    await _mark(ctx, name)
    return reply({"count": await _count_marks(ctx)})


@api.post("/errands/{name}")
async def run_errand(ctx: FreeCtx, name: str) -> Response:
    """Run Errand"""
    going_on.set()
    await let_go.wait()  # somebody outside takes his time
    if name == "refused":
        raise ThingBroken
    if name == "crash":
        raise RuntimeError("a bug")
    async with ctx.database.transaction() as db:
        await execute(
            db,
            "INSERT INTO tags (user_id, name, color, created_at) VALUES (%(user_id)s, %(name)s, '', %(now)s)",
            {"user_id": ctx.user_id, "name": name, "now": ctx.now},
        )
    return reply({"user_id": ctx.user_id, "client_id": ctx.client_id, "name": name})


async def _mark(ctx: Ctx, name: str) -> None:
    number = await _count_marks(ctx)
    await execute(
        ctx.db,
        "INSERT INTO tags (user_id, name, color, created_at) VALUES (%(user_id)s, %(name)s, %(color)s, %(now)s)",
        {"user_id": ctx.user_id, "name": name, "color": str(number), "now": ctx.now},
    )


async def _count_marks(ctx: Ctx) -> int:
    return int(
        await fetch_value(ctx.db, "SELECT count(*) FROM tags WHERE user_id = %(user_id)s", {"user_id": ctx.user_id})
    )
