"""The public routes in a mail (the pixel, the links, the way out), and the list of what came in.

In a mail: no key, no open redirect; a cookie only tells that it is somebody of the account.

RFC 8058 and product behaviour 2.6: a GET never unsubscribes, for scanners fetch links; a POST does, at once.
"""

import base64
from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from outrider.campaigns.store import load_campaign
from outrider.kit.crypto import vault
from outrider.kit.http import Api, Ctx, PathId, reply, services_of
from outrider.kit.pagination import Page, paging
from outrider.mailboxes.tracking_domains import PROBE_PATH, proof
from outrider.tracking import actions, pages, store, tokens, wire
from outrider.tracking.hits import Gatherer
from outrider.tracking.models import HitKind, Visit
from outrider.users.models import SESSION_COOKIE
from outrider.users.secrets import digest

_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_NO_STORE = {"cache-control": "no-store, private", "referrer-policy": "no-referrer"}


api = Api("campaigns")


@api.get("/campaigns/{campaign_id}/tracking-hits")
async def list_hits(
    ctx: Ctx,
    campaign_id: PathId,
    query: Annotated[wire.HitQuery, Query()],
    page: Annotated[Page, Depends(paging(max=1000))],
) -> Response:
    """List the raw opens and clicks of a campaign

    Every visit with its verdict, human or machine, the reason of it, and what revised it; the latest first.
    """
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    total, rows = await store.list_campaign_hits(
        ctx.db,
        ctx.user_id,
        campaign_id,
        lead_id=query.lead_id,
        verdict=query.verdict,
        offset=page.offset,
        limit=page.limit,
    )
    return reply(
        {
            "ok": True,
            "total": total,
            "offset": page.offset,
            "limit": page.limit,
            "data": [wire.hit_object(row) for row in rows],
        }
    )


async def open_pixel(request: Request) -> Response:
    """The 1x1 image at the end of a mail. Always an image: a broken one would show."""
    message_id = tokens.read_open(vault(), request.path_params["token"])
    if message_id is not None:
        await _record(request, message_id, HitKind.OPEN, None)
    return Response(_PIXEL, media_type="image/gif", headers=_NO_STORE)


async def follow_link(request: Request) -> Response:
    """A link of a mail: to the target that the token carries, nowhere else."""
    click = tokens.read_click(vault(), request.path_params["token"])
    if click is None:
        return HTMLResponse(pages.unknown_link(), status_code=404, headers=_NO_STORE)
    if click.is_trap:
        await _record(request, click.message_id, HitKind.TRAP, None)
        return HTMLResponse(pages.nothing_here(), headers=_NO_STORE)
    await _record(request, click.message_id, HitKind.CLICK, click.url)
    return RedirectResponse(click.url, status_code=302, headers=_NO_STORE)


async def unsubscribe(request: Request) -> Response:
    """GET shows one button; POST (the button, or one-click by the mail program) unsubscribes. Repeating is harmless."""
    token = tokens.read_unsubscribe(vault(), request.path_params["token"])
    if token is None:
        return HTMLResponse(pages.unknown_link(), status_code=404, headers=_NO_STORE)
    if request.method != "POST":
        return HTMLResponse(pages.ask(token.email), headers=_NO_STORE)
    services = services_of(request)
    async with services.database.transaction() as db:
        await actions.unsubscribe(db, token, services.clock.now())
    return HTMLResponse(pages.done(token.email), headers=_NO_STORE)


async def prove(request: Request) -> Response:
    """Under whatever name: this host leads here (mailboxes/tracking_domains asks)."""
    host = (request.url.hostname or "").lower().rstrip(".")
    return PlainTextResponse(proof(vault(), host), headers=_NO_STORE)


async def _record(request: Request, message_id: int, kind: HitKind, url: str | None) -> None:
    session = next((value for name, value in request.cookies.items() if name.endswith(SESSION_COOKIE)), None)
    await gatherer_of(request).add(
        Visit(
            message_id=message_id,
            kind=kind,
            url=url,
            method=request.method,
            address=request.client.host if request.client else None,
            user_agent=request.headers.get("user-agent"),
            session_hash=digest(session) if session else None,
            at=services_of(request).clock.now(),
        )
    )


def gatherer_of(request: Request) -> Gatherer:
    """The gatherer of this web process."""
    state = request.app.state
    if not hasattr(state, "gatherer"):
        state.gatherer = Gatherer(lambda: services_of(request).database)
    gatherer: Gatherer = state.gatherer
    return gatherer


routes = (
    Route(PROBE_PATH, prove, methods=["GET"]),
    Route("/o/{token}.gif", open_pixel, methods=["GET", "HEAD"]),
    Route("/c/{token}", follow_link, methods=["GET", "HEAD"]),
    Route("/u/{token}", unsubscribe, methods=["GET", "HEAD", "POST"]),
)
