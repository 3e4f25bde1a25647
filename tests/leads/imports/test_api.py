"""Imports over HTTP, and the job that works through them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db, execute, fetch_dict, fetch_dicts, fetch_value
from outrider.kit.edge import Edge
from outrider.kit.jobs import JobContext, run_due_jobs
from outrider.leads.imports.jobs import end_given_up, import_leads
from tests.support import make
from tests.support.client import ApiClient, Rollback
from tests.support.make import VAULT

CSV = {"content-type": "text/csv"}


class Killed(BaseException):
    """What a process that is killed in the middle looks like from inside."""


class Fragile(Database):
    """A database that dies after so many transactions have been committed, before the next one commits."""

    def __init__(self, database: Database, *, commits: int) -> None:
        super().__init__(database.url, database.pool)
        self._left = commits

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Db]:
        async with super()._transaction() as db:
            yield db
            if self._left == 0:
                raise Killed
            self._left -= 1

    def transaction(self) -> AbstractAsyncContextManager[Db]:
        return self._transaction()


class FragileRollback(Rollback):
    """The same inside the transaction of the test."""

    def __init__(self, db: Db, *, commits: int) -> None:
        super().__init__(db)
        self._left = commits

    def transaction(self) -> AbstractAsyncContextManager[Db]:
        if self._left == 0:
            raise Killed
        self._left -= 1
        return super().transaction()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


@pytest.fixture
def context(settings: Settings, clock: Clock, http: httpx.AsyncClient) -> Callable[[Database], JobContext]:
    def make_context(database: Database) -> JobContext:
        return JobContext(database, settings, clock, VAULT, http)

    return make_context


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


async def start(api: ApiClient, campaign_id: int, table: str | bytes, *, status: int = 200, **params: Any) -> Any:
    raw = table.encode() if isinstance(table, str) else table
    answer = await api.post(f"/campaigns/{campaign_id}/leads/import", content=raw, headers=CSV, params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


async def progress(api: ApiClient, campaign_id: int, import_id: int, **params: Any) -> Any:
    answer = await api.get(f"/campaigns/{campaign_id}/leads/import/{import_id}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def run(db: Db, context: Callable[[Database], JobContext], import_id: int) -> None:
    await import_leads(context(Rollback(db)), import_id)


async def people(db: Db, campaign_id: int) -> list[dict[str, Any]]:
    return await fetch_dicts(
        db,
        """
        SELECT leads.*
        FROM campaign_leads
        JOIN leads ON leads.id = lead_id
        WHERE campaign_id = %(id)s
        ORDER BY campaign_leads.id
        """,
        {"id": campaign_id},
    )


async def test_an_import_is_queued_and_tells_what_became_of_every_row(
    api: ApiClient, db: Db, context: Callable[[Database], JobContext], *, campaign_id: int
) -> None:
    await api.post("/leads/add-domain-block-list", json={"domain_block_list": ["blocked.co"]})
    body = await start(
        api,
        campaign_id,
        "E-Mail;First Name;Title\n"
        "Ada@hexly.io;Ada;CTO\n"
        "bo@tarn.dev;Bo;\n"
        "\n"
        "nora@@hexly;Nora;CEO\n"
        "ada@hexly.io;Adah;CEO\n"
        "x@blocked.co;Xi;COO\n"
        "cy@tarn.dev;Cy;CFO;surplus\n",
        file_name="nordic.csv",
    )
    import_id = body.pop("import_id")
    assert body == {"ok": True, "status": "QUEUED"}
    before = await progress(api, campaign_id, import_id)
    assert (before["status"], before["row_count"], before["done_count"]) == ("QUEUED", 6, 0)
    await run(db, context, import_id)
    assert await progress(api, campaign_id, import_id) == {
        "ok": True,
        "import_id": import_id,
        "campaign_id": campaign_id,
        "file_name": "nordic.csv",
        "status": "COMPLETED",
        "row_count": 6,
        "done_count": 6,
        "added_count": 2,
        "skipped_count": 4,
        "skipped_by_reason": {
            "Invalid email": 1,
            "Duplicate in upload": 1,
            "On global block list": 1,
            "More cells than the header has": 1,
        },
        "skipped_leads": [
            {"row": 5, "email": "nora@@hexly", "reason": "Invalid email"},
            {"row": 6, "email": "ada@hexly.io", "reason": "Duplicate in upload"},
            {"row": 7, "email": "x@blocked.co", "reason": "On global block list"},
            {"row": 8, "email": "cy@tarn.dev", "reason": "More cells than the header has"},
        ],
        "mapping": {"E-Mail": "email", "First Name": "first_name", "Title": "Title"},
        "error": None,
        "created_at": "2026-03-02T09:00:00.000Z",
        "updated_at": "2026-03-02T09:00:00.000Z",
    }
    rows = await people(db, campaign_id)
    assert [(row["email"], row["first_name"], row["custom_fields"]) for row in rows] == [
        ("ada@hexly.io", "Ada", {"Title": "CTO"}),
        ("bo@tarn.dev", "Bo", {}),
    ]


async def test_the_rows_left_out_come_in_pages(
    api: ApiClient, db: Db, context: Callable[[Database], JobContext], *, campaign_id: int
) -> None:
    body = await start(api, campaign_id, "email\n" + "\n".join(f"wrong{number}" for number in range(5)) + "\n")
    await run(db, context, body["import_id"])
    page = await progress(api, campaign_id, body["import_id"], offset=1, limit=2)
    assert [row["email"] for row in page["skipped_leads"]] == ["wrong1", "wrong2"]
    assert page["skipped_count"] == 5


async def test_the_rows_left_out_are_a_file(
    api: ApiClient, other_api: ApiClient, *, db: Db, context: Callable[[Database], JobContext], campaign_id: int
) -> None:
    """As they may be opened in a spreadsheet: no cell is a formula."""
    body = await start(api, campaign_id, 'email,x\nbo@tarn.dev,\n"nora,quist",\n=1+1,\nbo@tarn.dev,\n')
    path = f"/campaigns/{campaign_id}/leads/import/{body['import_id']}/skipped"
    assert (await api.get(path)).text == "row,email,reason\n"  # so far nothing was left out
    await run(db, context, body["import_id"])
    answer = await api.get(path)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f"attachment; filename=import_{body['import_id']}_skipped.csv"
    assert answer.text.splitlines() == [
        "row,email,reason",
        '3,"nora,quist",Invalid email',
        "4,'=1+1,Invalid email",
        "5,bo@tarn.dev,Duplicate in upload",
    ]
    assert (await other_api.get(path)).status_code == 404
    assert (await api.get(f"/campaigns/{campaign_id}/leads/import/999/skipped")).status_code == 404


async def test_imports_of_a_campaign_are_listed_newest_first(
    api: ApiClient, other_api: ApiClient, *, db: Db, context: Callable[[Database], JobContext], campaign_id: int
) -> None:
    first = (await start(api, campaign_id, "email\na@b.io\nx\n", file_name="a.csv"))["import_id"]
    await run(db, context, first)
    second = (await start(api, campaign_id, "email\nb@b.io\n", file_name="b.csv"))["import_id"]
    body = (await api.get(f"/campaigns/{campaign_id}/leads/import")).json()
    shown = [(row["import_id"], row["file_name"], row["status"], row["skipped_count"]) for row in body["data"]]
    assert shown == [(second, "b.csv", "QUEUED", 0), (first, "a.csv", "COMPLETED", 1)]
    assert body["data"][1]["skipped_by_reason"] == {"Invalid email": 1}
    assert "skipped_leads" not in body["data"][1]
    page = (await api.get(f"/campaigns/{campaign_id}/leads/import", params={"offset": 1, "limit": 5})).json()
    assert (page["total_count"], [row["import_id"] for row in page["data"]]) == (2, [first])
    assert (await other_api.get(f"/campaigns/{campaign_id}/leads/import")).status_code == 404


async def test_a_preview_says_how_a_file_was_understood_and_imports_nothing(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    table = "E-Mail;Vorname;Titel;\nada@hexly.io;Ada;CTO;\n;Bo;;\nnora@@hexly;Nora;CEO;;x\n"
    path = f"/campaigns/{campaign_id}/leads/import/preview"
    answer = await api.post(path, content=table.encode(), headers=CSV, params={"file_name": "de.csv"})
    assert answer.json() == {
        "ok": True,
        "file_name": "de.csv",
        "encoding": "utf-8",
        "delimiter": ";",
        "has_header": True,
        "row_count": 3,
        "unreadable_count": 2,
        "mapping": {"E-Mail": "email", "Vorname": "first_name", "Titel": "Titel"},
        "columns": [
            {"name": "E-Mail", "field": "email", "samples": ["ada@hexly.io", "nora@@hexly"]},
            {"name": "Vorname", "field": "first_name", "samples": ["Ada", "Bo", "Nora"]},
            {"name": "Titel", "field": "Titel", "samples": ["CTO", "CEO"]},
            {"name": "", "field": None, "samples": []},
        ],
        "sample_leads": [
            {"row": 2, "email": "ada@hexly.io", "first_name": "Ada", "custom_fields": {"Titel": "CTO"}},
            {"row": 3, "email": "", "first_name": "Bo", "custom_fields": {}},
            {"row": 4, "email": "nora@@hexly", "first_name": "Nora", "custom_fields": {"Titel": "CEO"}},
        ],
    }
    mapped = await api.post(path, content=table.encode(), headers=CSV, params={"mapping": '{"Titel": null}'})
    assert mapped.json()["mapping"]["Titel"] is None
    refused = await api.post(path, content=b"Who,Where\nAda,Lund\n", headers=CSV)
    assert (refused.status_code, refused.json()["message"].partition(".")[0]) == (
        400,
        "No column holds email addresses",
    )
    assert await fetch_value(db, "SELECT count(*) FROM lead_imports") == 0


async def test_a_form_brings_the_file_and_the_options(
    api: ApiClient, db: Db, context: Callable[[Database], JobContext], *, campaign_id: int
) -> None:
    await api.post("/leads/add-domain-block-list", json={"domain_block_list": ["hexly.io"]})
    table = "Kontakt,Name,Notiz\nkaethe@hexly.io,Käthe,geheim\n".encode("cp1252")
    answer = await api.post(
        f"/campaigns/{campaign_id}/leads/import/",
        data={
            "mapping": json.dumps({"Kontakt": "email", "Name": "firstName", "Notiz": None}),
            "ignore_global_block_list": "true",
        },
        files={"file": ("leute.csv", table)},
    )
    assert answer.status_code == 200, answer.text
    await run(db, context, answer.json()["import_id"])
    body = await progress(api, campaign_id, answer.json()["import_id"])
    assert (body["file_name"], body["added_count"]) == ("leute.csv", 1)
    (row,) = await people(db, campaign_id)
    assert (row["first_name"], row["custom_fields"]) == ("Käthe", {})


async def test_options_may_stand_in_the_query(
    api: ApiClient, db: Db, context: Callable[[Database], JobContext], *, campaign_id: int
) -> None:
    raw = "Кто#Где\nСергей#s@hexly.io\n".encode("cp1251")
    body = await start(
        api,
        campaign_id,
        raw,
        encoding="windows-1251",
        delimiter="#",
        mapping=json.dumps({"Где": "email", "Кто": "first_name"}),
    )
    await run(db, context, body["import_id"])
    (row,) = await people(db, campaign_id)
    assert (row["email"], row["first_name"]) == ("s@hexly.io", "Сергей")


@pytest.mark.parametrize(
    ("table", "params", "message"),
    [
        ("", {}, "The file is empty."),
        ("email,name\n", {}, "The file has no rows below its header."),
        ("Who,Where\nAda,Lund\n", {}, 'No column holds email addresses. Name it in "mapping", or take another file.'),
        ("email\na@b.io\n", {"mapping": '{"Mail": "email"}'}, "The file has no column Mail."),
        ("email\na@b.io\n", {"mapping": '{"email": 5}'}, '"mapping.email" must be a string'),
        ("email\na@b.io\n", {"mapping": "[1]"}, '"mapping" must be of type object'),
        ("email\na@b.io\n", {"delimiter": "::"}, '"delimiter" must be one character'),
        ("email\na@b.io\n", {"encoding": "klingon"}, "The encoding klingon is not known."),
        ("email\na@b.io\n", {"ignore_unsubscribe_list": "x"}, '"ignore_unsubscribe_list" must be a boolean'),
        ('email,n\na@b.io,"x\n', {}, "The file ends inside a quoted text that begins in row 2."),
    ],
)
async def test_a_file_that_cannot_be_imported_is_refused_at_once(
    api: ApiClient, db: Db, *, campaign_id: int, table: str, params: dict[str, str], message: str
) -> None:
    body = await start(api, campaign_id, table, status=400, **params)
    assert body["message"] == message
    assert await fetch_value(db, "SELECT count(*) FROM lead_imports") == 0


async def test_without_a_file_there_is_no_import(api: ApiClient, campaign_id: int) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}/leads/import", json={"mapping": {}})
    assert (answer.status_code, answer.json()["message"]) == (400, '"file" is required')


async def test_strangers_neither_import_nor_look(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, *, db: Db, campaign_id: int
) -> None:
    import_id = (await start(api, campaign_id, "email\na@b.io\n"))["import_id"]
    for stranger in (other_api, client_api):
        body = await start(stranger, campaign_id, "email\na@b.io\n", status=404)
        assert body["error"] == "Campaign not found - Invalid campaign_id."
        assert (await stranger.get(f"/campaigns/{campaign_id}/leads/import/{import_id}")).status_code == 404
    other = await make.campaign(db, api.user_id)
    answer = await api.get(f"/campaigns/{other}/leads/import/{import_id}")
    assert (answer.status_code, answer.json()["error"]) == (404, "Import not found - Invalid import_id.")


async def test_the_key_of_a_client_imports_into_its_own_campaigns(
    client_api: ApiClient, db: Db, context: Callable[[Database], JobContext]
) -> None:
    own = await make.campaign(db, client_api.user_id, client_id=client_api.client_id)
    body = await start(client_api, own, "email\na@b.io\n")
    await run(db, context, body["import_id"])
    assert (await progress(client_api, own, body["import_id"]))["added_count"] == 1


async def test_the_job_run_twice_adds_nothing_twice(
    api: ApiClient, db: Db, context: Callable[[Database], JobContext], *, campaign_id: int
) -> None:
    body = await start(api, campaign_id, "email\na@b.io\nb@b.io\n")
    for _ in range(2):
        await run(db, context, body["import_id"])
    assert (await progress(api, campaign_id, body["import_id"]))["added_count"] == 2
    assert len(await people(db, campaign_id)) == 2
    row = await fetch_dict(db, "SELECT source FROM lead_imports")
    assert row == {"source": None}


async def test_a_file_that_cannot_be_read_any_more_ends_the_import_with_a_reason(
    api: ApiClient, db: Db, context: Callable[[Database], JobContext], *, campaign_id: int
) -> None:
    body = await start(api, campaign_id, "email\na@b.io\n")
    await execute(db, "UPDATE lead_imports SET source = '\\xff'")
    await run(db, context, body["import_id"])
    after = await progress(api, campaign_id, body["import_id"])
    assert (after["status"], after["error"]) == ("FAILED", "The file is not in the encoding utf-8.")


async def test_an_import_that_was_given_up_says_so_and_goes_on_when_it_is_told_to(
    api: ApiClient, db: Db, context: Callable[[Database], JobContext], *, campaign_id: int
) -> None:
    rows = "".join(f"lead{number}@b.io\n" for number in range(2_500))
    import_id = (await start(api, campaign_id, f"email\n{rows}"))["import_id"]
    resume = f"/campaigns/{campaign_id}/leads/import/{import_id}/resume"
    await end_given_up(context(Rollback(db)))  # it is queued
    assert (await progress(api, campaign_id, import_id))["status"] == "QUEUED"
    assert (await api.post(resume)).json()["message"] == "Only an import that was given up can be resumed"
    with pytest.raises(Killed):
        await import_leads(context(FragileRollback(db, commits=1)), import_id)
    await execute(db, "DELETE FROM procrastinate_jobs WHERE task_name = 'leads.import'")
    await end_given_up(context(Rollback(db)))
    about = await progress(api, campaign_id, import_id)
    assert (about["status"], about["done_count"]) == ("FAILED", 2_000)
    assert about["error"] == (
        "The import stopped after 2000 of 2500 rows: the program failed there several times. "
        "Nothing was imported twice. Resume it, or import the other rows as a file of their own."
    )
    assert (await api.post(resume)).json() == {"ok": True, "import_id": import_id, "status": "QUEUED"}
    assert await fetch_value(db, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'leads.import'") == 1
    await run(db, context, import_id)
    about = await progress(api, campaign_id, import_id)
    assert (about["status"], about["added_count"], about["skipped_count"]) == ("COMPLETED", 2_500, 0)
    assert (await api.post(resume)).status_code == 400


async def test_an_import_into_a_deleted_campaign_ends_quietly(
    api: ApiClient, db: Db, context: Callable[[Database], JobContext], *, campaign_id: int
) -> None:
    body = await start(api, campaign_id, "email\na@b.io\n")
    await api.delete(f"/campaigns/{campaign_id}")
    await run(db, context, body["import_id"])
    assert await fetch_value(db, "SELECT count(*) FROM leads") == 0


async def test_20_000_rows_survive_kills_at_the_borders_of_chunks(
    database: Database,
    make_app: Callable[..., Edge],
    connect: Callable[..., Awaitable[ApiClient]],
    context: Callable[[Database], JobContext],
) -> None:
    """Killed before the first commit, after one chunk and after four; the last run comes from the queue."""
    async with database.transaction() as db:
        api = await connect(make_app(database), db)
        campaign_id = await make.campaign(db, api.user_id)
    lines = [f"lead{number}@hexly{number % 97}.io,Lead {number}" for number in range(20_000)]
    lines[19_999] = "lead0@hexly0.io,a repetition of the first row"
    lines[10_000] = "nonsense,x"
    import_id = (await start(api, campaign_id, "email,first_name\n" + "\n".join(lines)))["import_id"]
    done = []
    for commits in (0, 1, 3):
        with pytest.raises(Killed):
            await import_leads(context(Fragile(database, commits=commits)), import_id)
        done.append((await progress(api, campaign_id, import_id))["done_count"])
    assert done == [0, 2_000, 8_000]
    await run_due_jobs(context(database))
    body = await progress(api, campaign_id, import_id)
    assert (body["status"], body["row_count"], body["done_count"]) == ("COMPLETED", 20_000, 20_000)
    assert (body["added_count"], body["skipped_by_reason"]) == (
        19_998,
        {"Invalid email": 1, "Duplicate in upload": 1},
    )
    assert [row["row"] for row in body["skipped_leads"]] == [10_002, 20_001]
    async with database.connection() as db:
        assert await fetch_value(db, "SELECT count(*) FROM campaign_leads") == 19_998
        in_order = "SELECT count(*) FROM leads WHERE email = 'lead' || substr(first_name, 6) || '@' || domain"
        assert await fetch_value(db, in_order) == 19_998
