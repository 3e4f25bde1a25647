"""The web application: every slice's routes behind one edge.

`outrider.asgi:application` is the factory for servers; one process calls it once.
"""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute

from outrider.analytics import api as analytics
from outrider.analytics import api_activities as activities
from outrider.analytics import api_campaign as analytics_campaign
from outrider.campaigns import api as campaigns
from outrider.campaigns import api_subsequences as subsequences
from outrider.campaigns import api_tags as campaign_tags
from outrider.clients import api as clients
from outrider.config import SettingError, Settings, load_settings
from outrider.engine import api as engine
from outrider.engine import api_untracked as engine_untracked
from outrider.inbox import api as inbox
from outrider.inbox import api_actions as inbox_actions
from outrider.inbox import api_replies as inbox_replies
from outrider.kit import health, metrics
from outrider.kit.clock import Clock
from outrider.kit.crypto import Vault, load_or_create_secret_key, set_vault
from outrider.kit.db import Database
from outrider.kit.edge import Edge
from outrider.kit.exchange import Services
from outrider.kit.failures import handle_failures
from outrider.kit.http import Api
from outrider.kit.jobs import use_clock
from outrider.kit.log import set_up_logging
from outrider.kit.openapi import add_reference
from outrider.kit.routing import RouteTree
from outrider.leads import api as leads
from outrider.leads import api_account as leads_of_account
from outrider.leads import api_reallocation as reallocation
from outrider.leads import api_tags as lead_tags
from outrider.leads.blocks import api as blocks
from outrider.leads.imports import api as imports
from outrider.leads.lists import api as lists
from outrider.mailboxes import api as mailboxes
from outrider.mailboxes import api_live as live
from outrider.mailboxes import api_oauth as oauth
from outrider.mailboxes import api_tags as tags
from outrider.messages import api as messages
from outrider.messages import api_single as single
from outrider.messages import files
from outrider.tracking import api as tracking
from outrider.tracking.hits import Gatherer
from outrider.users import api as users
from outrider.users.access import authenticate
from outrider.web import pages as web
from outrider.webhooks import api as webhooks
from outrider.webhooks.policy import use_settings
from outrider.wiring import wire

APIS: tuple[Api, ...] = (
    mailboxes.api,
    tags.api,
    live.api,
    oauth.api,
    campaigns.api,
    campaign_tags.api,
    subsequences.api,
    leads.api,
    reallocation.api,
    leads_of_account.api,
    lists.api,
    lead_tags.api,
    blocks.api,
    imports.api,
    messages.api,
    single.api,
    inbox.api,
    inbox_actions.api,
    inbox_replies.api,
    analytics.api,
    analytics_campaign.api,
    activities.api,
    engine.api,
    engine_untracked.api,
    tracking.api,
    webhooks.api,
    clients.api,
    users.api,
)
"""Every slice with routes under /api/v1 adds its line here."""

ROUTES: tuple[BaseRoute, ...] = (*tracking.routes, *files.routes, *web.routes)
"""What is no part of the API: no key, no envelope."""

_SMALLEST_COMPRESSED = 1025
_COMPRESSION = 5  # half the time of 9, a few per cent larger


def create_app(settings: Settings, database: Database | None, clock: Clock, *, apis: Sequence[Api] = APIS) -> Edge:
    """The ASGI application. Without a database the lifespan opens one from the settings, and closes it."""
    wire()
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=_lifespan)
    app.state.services = Services(settings=settings, clock=clock, authenticate=authenticate, database_or_none=database)
    routes = api_routes(apis)
    app.router.routes += [RouteTree(routes), *ROUTES]
    health.add_checks(app)
    app.add_route("/metrics", metrics.metrics, include_in_schema=False)
    add_reference(app, routes)
    handle_failures(app)
    return Edge(GZipMiddleware(app, minimum_size=_SMALLEST_COMPRESSED, compresslevel=_COMPRESSION), settings=settings)


def api_routes(apis: Sequence[Api]) -> list[APIRoute]:
    """In the order of registration, aliases included."""
    return [route for api in apis for route in api.router.routes if isinstance(route, APIRoute)]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    if services.database_or_none is not None:
        yield
        return
    services.database_or_none = await _open_database(services.settings)
    try:
        yield
    finally:
        gatherer: Gatherer | None = getattr(app.state, "gatherer", None)
        if gatherer is not None:
            await gatherer.close()
        database, services.database_or_none = services.database_or_none, None  # later requests are answered 503
        await database.close()


async def _open_database(settings: Settings) -> Database:
    if settings.database_url is None:
        raise SettingError("OUTRIDER_DATABASE_URL is not set. `outrider serve` brings its own PostgreSQL.")
    return await Database.open(settings.database_url, max_size=settings.pool_size)


def application() -> Edge:
    """For servers: everything from the environment."""
    settings = load_settings(os.environ)
    set_up_logging(settings.log_level)
    set_vault(Vault(settings.secret_key or load_or_create_secret_key(settings.data_dir)))
    clock = Clock.parse(settings.clock)
    use_clock(clock)
    use_settings(settings)
    return create_app(settings, None, clock)
