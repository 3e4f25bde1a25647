"""B3: leads per second by the API in batches of 350 and by CSV, against COPY of the same rows into the same tables."""

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg

from benchmarks.harness import CannotMeasure, Measurement
from benchmarks.leads import Person, api_bodies, csv_file, people
from benchmarks.product import Api, Product

FULL = 50_000
_BATCH = 350
_CONNECTIONS = 4
_FIRST_COPIED_ID = 5_000_000_000
_NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).isoformat()


def measure(leads: int) -> list[Measurement]:
    """Each way gets an account of its own, so that every way writes the same rows, all of them new."""
    rows = list(people(leads, seed="leads"))
    bodies = api_bodies(rows, size=_BATCH)
    with tempfile.TemporaryDirectory(prefix="outrider-bench-") as name:
        product = Product(Path(name) / "data", {})
        with product.running():
            before = _copy(product, rows, "before")
            one = _timed(product, "one", lambda api, path: _post_all(api, path, bodies), leads)
            several = _timed(
                product, "several", lambda api, path: _post_side_by_side(product.port, api.key, path, bodies), leads
            )
            by_csv = _timed(product, "csv", lambda api, path: _import(api, path, csv_file(rows)), leads)
            after = _copy(product, rows, "after")
    yardstick = 2 * leads / (before + after)
    notes = (f"COPY took {before:.2f} s before and {after:.2f} s after",)
    ways = (
        (f"leads by POST in batches of {_BATCH}, one connection", one),
        (f"leads by POST in batches of {_BATCH}, {_CONNECTIONS} connections", several),
        ("leads by CSV, from the upload to the end of the import", by_csv),
    )
    return [
        Measurement(
            name="B3",
            what=f"{what}, {leads:,} leads",
            unit="leads/s",
            value=leads / seconds,
            yardstick=yardstick,
            against="COPY into leads and campaign_leads, before and after",
            must=0.15,
            aim=0.5,
            notes=notes,
        )
        for what, seconds in ways
    ]


def _timed(product: Product, name: str, add: Callable[[Api, str], int], leads: int) -> float:
    """Let `add` put the leads into a new campaign of a new account; returns the seconds it took."""
    api = Api(product.port, product.account(f"{name}@quaydesk.example"))
    campaign_id = int(api.call("POST", "/campaigns/create", {"name": name})["id"])
    started_at = time.monotonic()
    added = add(api, f"/campaigns/{campaign_id}/leads")
    seconds = time.monotonic() - started_at
    with product.database() as db:
        stored = _one(db, "SELECT count(*) FROM campaign_leads WHERE campaign_id = %s", campaign_id)
    if not added == stored == leads:
        raise CannotMeasure(f"{leads} leads, {added} reported as added, {stored} in the database.")
    return seconds


def _post_all(api: Api, path: str, bodies: Sequence[bytes]) -> int:
    return sum(int(api.call("POST", path, body)["added_count"]) for body in bodies)


def _post_side_by_side(port: int, key: str, path: str, bodies: Sequence[bytes]) -> int:
    local = threading.local()

    def connect() -> None:
        local.api = Api(port, key)

    with ThreadPoolExecutor(_CONNECTIONS, initializer=connect) as threads:
        return sum(threads.map(lambda body: int(local.api.call("POST", path, body)["added_count"]), bodies))


def _import(api: Api, path: str, file: bytes) -> int:
    return api.import_leads(int(path.split("/")[2]), file)


def _copy(product: Product, rows: Sequence[Person], name: str) -> float:
    """The yardstick: the same rows by COPY, in one transaction, into the tables with all their indexes."""
    api = Api(product.port, product.account(f"copy-{name}@quaydesk.example"))
    campaign_id = int(api.call("POST", "/campaigns/create", {"name": name})["id"])
    with product.database() as db:
        user_id = _one(db, "SELECT user_id FROM campaigns WHERE id = %s", campaign_id)
        first_id = _one(db, "SELECT greatest(max(id), %s) + 1 FROM leads", _FIRST_COPIED_ID)
        people_text = _lines(
            (
                first_id + place,
                user_id,
                row.email,
                row.first_name,
                row.last_name,
                row.company_name,
                row.website,
                row.location,
                orjson.dumps(row.custom_fields()).decode(),
                _NOW,
                _NOW,
            )
            for place, row in enumerate(rows)
        )
        maps_text = _lines(
            (user_id, campaign_id, first_id + place, "STARTED", _NOW, _NOW, _NOW) for place in range(len(rows))
        )
        started_at = time.monotonic()
        with db.transaction(), db.cursor() as cursor:
            with cursor.copy(
                """
                COPY leads (id, user_id, email, first_name, last_name, company_name, website, location, custom_fields,
                            created_at, updated_at)
                FROM STDIN
                """
            ) as copy:
                copy.write(people_text)
            with cursor.copy(
                """
                COPY campaign_leads (user_id, campaign_id, lead_id, status, due_at, created_at, updated_at)
                FROM STDIN
                """
            ) as copy:
                copy.write(maps_text)
        return time.monotonic() - started_at


def _lines(rows: Any) -> bytes:
    """Rows in COPY's text format; nothing in them needs to be escaped."""
    return "".join("\t".join(map(str, row)) + "\n" for row in rows).encode()


def _one(db: psycopg.Connection[Any], sql: Any, value: int) -> int:
    row = db.execute(sql, [value]).fetchone()
    return int(row[0]) if row else 0
