"""Routes of clients and their API keys (contract: clients)."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.responses import Response

from outrider.clients import actions, keys, store, wire
from outrider.clients.models import KeyGone
from outrider.kit.crypto import Vault, vault
from outrider.kit.errors import NotAllowed
from outrider.kit.http import ANY_KEY, MAIN_KEY, Api, Context, Ctx, PathId, reply
from outrider.kit.pagination import Page, paging
from outrider.kit.validation import Id, reject
from outrider.users import client_keys
from outrider.users.client_keys import ClientKey

api = Api("clients")

KeyId = Annotated[PathId, Path(alias="id")]


@api.post("/client/save", also=["/client", "/clients"], needs=ANY_KEY)
async def save_client(ctx: Ctx, body: wire.ClientSave) -> Response:
    """Add Client To System (Whitelabel or not)

    With an id it is changed. A client's key may change the client's own password, and nothing else.
    """
    if ctx.client_id is not None and (body.id != ctx.client_id or not body.is_own_password):
        raise NotAllowed
    if body.id:
        client = await actions.update(
            ctx.db, ctx.user_id, body.id, body.changes(), password=body.password, scope=ctx.client_id, now=ctx.now
        )
    else:
        body.check_completeness()
        client = await actions.create(ctx.db, ctx.user_id, body.changes(), password=body.password, now=ctx.now)
    return reply(wire.saved(client, body.password))


@api.get("/client", also=["/clients"])
async def list_clients(
    ctx: Ctx,
    query: Annotated[wire.ClientFilter, Query()],
    page: Annotated[Page, Depends(paging(max=1000, default=None))],
) -> Response:
    """Fetch all clients"""
    clients = await store.list_clients(
        ctx.db, ctx.user_id, scope=ctx.client_id, search=query.search, offset=page.offset, limit=page.limit
    )
    return reply([wire.client_object(client) for client in clients])


@api.get("/client/{client_id}")
async def get_client(ctx: Ctx, client_id: PathId) -> Response:
    """Get Client"""
    return reply(wire.client_object(await store.load_client(ctx.db, ctx.user_id, client_id, scope=ctx.client_id)))


@api.delete("/client/{client_id}", needs=MAIN_KEY)
async def delete_client(ctx: Ctx, client_id: PathId) -> Response:
    """Delete Client"""
    return await _delete(ctx, client_id)


@api.delete("/client", needs=MAIN_KEY)
async def delete_named_client(
    ctx: Ctx, query: Annotated[wire.ClientReference, Query()], body: wire.ClientReference
) -> Response:
    """Delete the client of the body"""
    return await _delete(ctx, _required(body.id or query.id))


@api.post("/client/api-key", also=["/client/{client_id}/api-key", "/clients/{client_id}/api-keys"], needs=ANY_KEY)
async def create_key(ctx: Ctx, body: wire.KeyCreate, client_id: Id | None = None) -> Response:
    """Create New Client API Key

    Shown in full here and when it is reset, and never again.
    """
    wanted = client_id or body.client_id or ctx.client_id
    if wanted is None:
        reject('"clientId" is required', key="clientId")
    if ctx.client_id not in (None, wanted):
        raise NotAllowed
    key = await keys.create(ctx.db, _vault(ctx), ctx.user_id, wanted, name=body.key_name, now=ctx.now)
    return reply(wire.done("API key created successfully", data=wire.key_object(key)))


@api.get("/client/api-key")
async def list_keys(
    ctx: Ctx,
    query: Annotated[wire.KeyFilter, Query()],
    page: Annotated[Page, Depends(paging(max=1000, default=None))],
) -> Response:
    """Get Clients API Keys"""
    if ctx.client_id is not None and query.client_id not in (None, ctx.client_id):
        return _listed(ctx, [])
    return await _list(ctx, query.client_id or ctx.client_id, query, page)


@api.get("/client/{client_id}/api-key", also=["/client/{client_id}/api-keys", "/clients/{client_id}/api-keys"])
async def list_keys_of_client(
    ctx: Ctx,
    client_id: PathId,
    query: Annotated[wire.KeyFilter, Query()],
    page: Annotated[Page, Depends(paging(max=1000, default=None))],
) -> Response:
    """Get the API keys of the client of the path"""
    await store.load_client(ctx.db, ctx.user_id, client_id, scope=ctx.client_id)
    return await _list(ctx, client_id, query, page)


@api.delete(
    "/client/api-key/{id}",
    also=["/client/{client_id}/api-key/{id}", "/clients/{client_id}/api-keys/{id}"],
    needs=ANY_KEY,
)
async def delete_key(ctx: Ctx, key_id: KeyId, client_id: Id | None = None) -> Response:
    """Delete Client API Key"""
    return await _revoke(ctx, key_id, client_id)


@api.delete("/client/api-key", needs=ANY_KEY)
async def delete_named_key(ctx: Ctx, query: Annotated[wire.KeyReference, Query()], body: wire.KeyReference) -> Response:
    """Delete the API key of the body"""
    return await _revoke(ctx, _required(body.id or query.id), None)


@api.put(
    "/client/api-key/reset/{id}",
    also=[
        "/client/api-key/{id}/reset",
        "/client/{client_id}/api-key/{id}/reset",
        "/clients/{client_id}/api-keys/{id}/reset",
    ],
    needs=ANY_KEY,
)
async def reset_key(ctx: Ctx, key_id: KeyId, client_id: Id | None = None) -> Response:
    """Reset Client API Key"""
    return await _reset(ctx, key_id, client_id)


@api.put("/client/api-key", needs=ANY_KEY)
async def reset_named_key(ctx: Ctx, query: Annotated[wire.KeyReference, Query()], body: wire.KeyReference) -> Response:
    """Reset the API key of the body"""
    return await _reset(ctx, _required(body.id or query.id), None)


async def _delete(ctx: Context, client_id: int) -> Response:
    await actions.delete(ctx.db, ctx.user_id, client_id, now=ctx.now)
    return reply(wire.done("Client deleted successfully"))


async def _list(ctx: Context, client_id: int | None, query: wire.KeyFilter, page: Page) -> Response:
    found = await client_keys.list_keys(
        ctx.db,
        ctx.user_id,
        client_id=client_id,
        is_revoked=query.status == "inactive",
        name=query.key_name,
        offset=page.offset,
        limit=page.limit,
    )
    return _listed(ctx, found)


def _listed(ctx: Context, found: Sequence[ClientKey]) -> Response:
    rows = [wire.key_object(keys.shown(row, _vault(ctx))) for row in found]
    return reply(wire.done("API keys fetched successfully", data=rows))


async def _revoke(ctx: Context, key_id: int, client_id: int | None) -> Response:
    await keys.revoke(ctx.db, ctx.user_id, key_id, client_id=_whose(ctx, client_id), now=ctx.now)
    return reply(wire.done("API key deleted successfully"))


async def _reset(ctx: Context, key_id: int, client_id: int | None) -> Response:
    key = await keys.reset(ctx.db, _vault(ctx), ctx.user_id, key_id, client_id=_whose(ctx, client_id), now=ctx.now)
    return reply(wire.done("API key reset successfully", api_key=key.text, data=wire.key_object(key)))


def _whose(ctx: Context, client_id: int | None) -> int | None:
    """Whose key it has to be; a client finds its own only."""
    if ctx.client_id is not None and client_id not in (None, ctx.client_id):
        raise KeyGone
    return client_id or ctx.client_id


def _vault(ctx: Context) -> Vault | None:
    return vault() if ctx.settings.client_keys_plaintext else None


def _required(given: int | None) -> int:
    if given is None:
        reject('"id" is required', key="id")
    return given
