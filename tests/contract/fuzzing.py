"""Calls that nobody has thought of: made by schemathesis from the OpenAPI document, aimed at an estate of real objects.

No answer is 500 or higher, and none contradicts the document. Each call runs in a transaction that is rolled back, so
that the next one finds the estate as it was. `python -m tests.contract.fuzzing --calls 20000` is the long run.
"""

import argparse
import asyncio
import logging
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import schemathesis
import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, load_all_checks, not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from outrider.asgi import APIS, api_routes, create_app
from outrider.config import load_settings
from outrider.kit.clock import Clock
from outrider.kit.crypto import set_vault
from outrider.kit.db import Database, Db
from outrider.kit.openapi import document_of
from outrider.users import actions
from tests.support.client import ApiClient, Rollback, fresh_account, fresh_client
from tests.support.database import TestServer, make_database, make_template
from tests.support.estate import Estate, build
from tests.support.make import NOW, VAULT
from tests.support.network import cut_off
from tests.test_isolation import BODIES, QUERIES

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""Whether what is right is accepted and what is wrong refused is not asked: requests are read leniently, and whether
an object is in a state for something no document says. The tests of each slice do."""

NEEDS_A_POOL = {"engine_show_forecast": "works on a scratch copy, which a transaction of somebody else cannot have"}
"""These change nothing, so they need not be rolled back."""

SHOTS = 5
"""Calls for each case: with other keys, other ids, other parts of a body that is known to be good. Making a case costs
several times as much as a call."""

_NAMES = {
    "email_lead_map_id": "lead_map_id",
    "campaign_lead_map_id": "lead_map_id",
    "email_campaign_id": "campaign_id",
    "parent_campaign_id": "campaign_id",
    "email_account_ids": "email_account_id",
    "email_accounts_ids": "email_account_id",
    "fromEmailId": "email_account_id",
    "selectedEmailAccountId": "email_account_id",
    "email_lead_id": "lead_id",
    "lead_ids": "lead_id",
    "campaign_ids": "campaign_id",
    "campaignIds": "campaign_id",
    "tag_ids": "tag_id",
    "clientId": "client_id",
    "client_ids": "client_id",
    "email_stats_id": "stats_id",
}
"""What stands for which id of the estate, beside the names that paths have."""


@dataclass(slots=True)
class Tally:
    """What became of the calls."""

    calls: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    by_operation: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    """The first of each kind: operation and what is wrong, with the call that shows it."""


@dataclass(frozen=True, slots=True)
class Ground:
    """An account with an estate, a client's key for it, and the two ways to call the application."""

    db: Db
    estate: Estate
    keys: Sequence[str | None]
    rolled_back: ApiClient
    pooled: ApiClient


@asynccontextmanager
async def ground(url: str) -> AsyncIterator[Ground]:
    """In a database of its own, for the estate is committed: what works on a pool sees it too."""
    set_vault(VAULT)
    given_settings = load_settings({"OUTRIDER_RATE_LIMIT_REQUESTS": "0", "OUTRIDER_FAILED_AUTH_PER_MINUTE": "0"})
    clock = Clock.starting_at(NOW, speed=1e-9)
    pool = await Database.open(url, max_size=4)
    try:
        async with pool.connection() as db:
            app = create_app(given_settings, Rollback(db), clock)
            async with db.transaction():
                user_id = await fresh_account(db, NOW)
                client_id = await fresh_client(db, user_id, NOW)
                main = await actions.create_key(db, user_id, name="Main", client_id=None, now=NOW)
                owner = ApiClient(app, user_id=user_id, key=main.text, key_id=main.id)
                estate = await build(db, owner, client_id)
                clients = await actions.create_key(db, user_id, name="Client", client_id=client_id, now=NOW)
            pooled = ApiClient(create_app(given_settings, pool, clock), user_id=user_id, key=main.text, key_id=main.id)
            yield Ground(db, estate, [main.text] * 8 + [clients.text, None], owner, pooled)
            for client in (owner, pooled):
                await client.aclose()
    finally:
        await pool.close()


def make_cases(operation: Any, mode: GenerationMode, *, count: int, number: int) -> list[Any]:
    """Cases of one operation; the same for the same number."""
    found: list[Any] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        found.append(case)

    collect()
    return found[:count]


class Aim:
    """Puts ids of the estate where a call names objects, mostly, and finishes bodies that would not get far."""

    def __init__(self, estate: Estate, chance: random.Random) -> None:
        self._estate, self._chance = estate, chance
        self._made: dict[int, tuple[Any, Any, Any]] = {}
        self._good = {
            f"{name.replace('.', '_')}": body for name, body in BODIES.items() if isinstance(body, dict | list)
        }

    def forget(self) -> None:
        """The cases so far; as what they were made is known as long as they are there."""
        self._made.clear()

    def at(self, case: Any) -> Any:
        operation_id = case.operation.definition.raw["operationId"]
        path, query, body = self._made.setdefault(id(case), (case.path_parameters, case.query, case.body))
        case.path_parameters = {name: self._id(name, value) for name, value in (path or {}).items()}
        slice_name, _, _ = operation_id.partition("_")
        known = dict(
            pair.split("=")
            for pair in (QUERIES.get(slice_name) or "").split("&")
            if pair and self._chance.random() < 0.8
        )
        case.query = {**known, **self._filled(dict(query or {}))}
        case.query.pop("api_key", None)  # whose the call is, is chosen by us
        if case.body is not NOT_SET:
            case.body = self._body(operation_id, body)
        return case

    def _body(self, operation_id: str, body: Any) -> Any:
        good = self._good.get(operation_id)
        if isinstance(good, dict) and isinstance(body, dict) and self._chance.random() < 0.5:
            kept = {key: value for key, value in body.items() if self._chance.random() < 0.3}
            body = {**self._estate.filled(good), **kept}
        return self._filled(body)

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._id(key, self._filled(each)) for key, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        return value

    def _id(self, name: str, value: Any) -> Any:
        wanted = self._estate.ids.get(_NAMES.get(name, name))
        if wanted is None or self._chance.random() < 0.15:
            return value
        return [wanted] if isinstance(value, list) else wanted


async def call(on: Ground, case: Any, key: str | None) -> httpx.Response:
    """One call; whatever it did is undone."""
    prepared = case.as_transport_kwargs(base_url="http://outrider.test")
    request = requests_to_httpx(prepared, key)
    if case.operation.definition.raw["operationId"] in NEEDS_A_POOL:
        return await on.pooled.send(request)
    async with on.db.transaction(force_rollback=True):
        answer = await on.rolled_back.send(request)
        await on.db.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as a commit would
    return answer


def requests_to_httpx(prepared: dict[str, Any], key: str | None) -> httpx.Request:
    headers = {
        name: value
        for name, value in (prepared.get("headers") or {}).items()
        if isinstance(value, str) and name.lower() not in {"authorization", "x-api-key"}
    }
    if key is not None:
        headers["x-api-key"] = key
    given_body = {name: prepared[name] for name in ("json", "data", "files") if prepared.get(name) is not None}
    if isinstance(given_body.get("data"), bytes | str):
        given_body["content"] = given_body.pop("data")
    return httpx.Request(
        prepared["method"], prepared["url"], params=prepared.get("params"), headers=headers, **given_body
    )


async def fuzz(
    url: str, *, calls: int, number: int, shots: int = SHOTS, tell: Callable[[Tally], None] = lambda _: None
) -> Tally:
    """So many calls, spread over all operations of the document."""
    load_all_checks()
    document = document_of(api_routes(APIS))
    schema = schemathesis.openapi.from_dict(document)
    operations = [each.ok() for each in schema.get_all_operations()]
    chance = random.Random(number)  # noqa: S311 - chance of a test
    chance.shuffle(operations)
    tally = Tally()
    with cut_off():
        async with ground(url) as on:
            aim = Aim(on.estate, chance)
            for place, operation in enumerate(operations):
                share = calls * (place + 1) // len(operations) - tally.calls
                cases = list(_cases(operation, count=-(-share // shots), number=number))
                aim.forget()
                for shot in range(share):
                    await _try(on, aim, cases[shot % len(cases)], chance.choice(on.keys), tally)
                tell(tally)
    return tally


def _cases(operation: Any, *, count: int, number: int) -> Iterator[Any]:
    """Half of them as the document allows, half as it does not; where nothing can be wrong, all of the first kind."""
    wrong: list[Any] = []
    if operation.definition.raw.get("parameters") or operation.definition.raw.get("requestBody"):
        wrong = make_cases(operation, GenerationMode.NEGATIVE, count=count // 2, number=number) if count > 1 else []
    right: list[Any] = []
    while len(right) < count - len(wrong):  # who has nothing to vary makes one case
        more = make_cases(operation, GenerationMode.POSITIVE, count=count - len(wrong) - len(right), number=number)
        right += more
    yield from (*right, *wrong)


async def _try(on: Ground, aim: Aim, case: Any, key: str | None, tally: Tally) -> None:
    case = aim.at(case)
    operation_id = case.operation.definition.raw["operationId"]
    tally.calls += 1
    tally.by_operation[operation_id] += 1
    try:
        answer = await call(on, case, key)
        tally.statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
    except FailureGroup as group:
        for failure in group.exceptions:
            title = getattr(failure, "title", str(failure))
            shown = f"{_shown(case)}\n{failure}"[:2500]
            tally.failures.setdefault(f"{operation_id}: {title}", shown)
    except Exception:  # noqa: BLE001 - told with the call that brought it about
        tally.failures.setdefault(
            f"{operation_id}: {sys.exc_info()[1]!r}"[:200], f"{_shown(case)}\n{traceback.format_exc()[-2500:]}"
        )


def _shown(case: Any) -> str:
    return f"{case.method} {case.formatted_path} query={case.query!r} body={case.body!r}"[:1500]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.contract.fuzzing", description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other calls")
    parser.add_argument("--shots", type=int, default=SHOTS, help="calls for each case that is made")
    options = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        processors=[structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer()],
    )
    warnings.simplefilter("ignore")  # those of the tool itself
    started_at = time.monotonic()
    server = TestServer.start()
    try:
        url = make_database(server.url, f"fuzz_{options.seed}", asyncio.run(make_template(server.url)))
        tally = asyncio.run(fuzz(url, calls=options.calls, number=options.seed, shots=options.shots, tell=_tell))
    finally:
        server.stop()
    for what, shown in tally.failures.items():
        say(f"\n== {what}\n{shown}")
    say(f"{tally.calls} calls of {len(tally.by_operation)} operations in {time.monotonic() - started_at:.0f} s")
    say(f"answers by status: {dict(sorted(tally.statuses.items()))}")
    sys.exit(1 if tally.failures else 0)


def _tell(tally: Tally) -> None:
    say(f"{tally.calls} calls, {len(tally.failures)} failures {list(tally.failures)[-1:]}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
