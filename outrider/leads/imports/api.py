"""Routes of imports: ours, beyond the reference."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from outrider.campaigns.store import load_campaign
from outrider.kit.exchange import current_exchange
from outrider.kit.http import Api, Ctx, PathId, reply, stream_csv
from outrider.kit.pagination import Page, paging
from outrider.leads.imports import actions, store, wire
from outrider.leads.imports.models import ImportStatus

api = Api("leads", writes_need="leads")


@api.post("/campaigns/{campaign_id}/leads/import")
async def start_import(
    ctx: Ctx, campaign_id: PathId, query: Annotated[wire.ImportOptions, Query()], body: wire.ImportOptions
) -> Response:
    """Import leads from a CSV file

    The file is the body (text/csv) or a part of a form. Columns are matched by their names; what is not known becomes
    a custom field. `mapping` is an object column → field, null for columns to leave out.
    """
    options = query.completed_by(body)
    import_id = await actions.start(
        ctx.db,
        ctx.user_id,
        campaign_id,
        options.source(current_exchange.get()),
        options.rules(),
        client_id=ctx.client_id,
        now=ctx.now,
    )
    return reply({"ok": True, "import_id": import_id, "status": ImportStatus.QUEUED})


@api.post("/campaigns/{campaign_id}/leads/import/preview")
async def preview_import(
    ctx: Ctx, campaign_id: PathId, query: Annotated[wire.ImportOptions, Query()], body: wire.ImportOptions
) -> Response:
    """Look at a CSV file before it is imported

    Takes what an import takes, and says how the file was understood: which column becomes which field (`mapping`, to be
    changed and sent along with the import), the first rows as leads, and how many rows have no address.
    """
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    source = query.completed_by(body).source(current_exchange.get())
    return reply(wire.outlook(source.file_name, actions.look(source)))


@api.get("/campaigns/{campaign_id}/leads/import")
async def list_imports(ctx: Ctx, campaign_id: PathId, page: Annotated[Page, Depends(paging(max=100))]) -> Response:
    """List imports of a campaign

    Newest first, without the rows that were left out.
    """
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    total, rows = await store.list_imports(ctx.db, ctx.user_id, campaign_id, offset=page.offset, limit=page.limit)
    return reply({"ok": True, "total_count": total, "data": [wire.about(row) for row in rows]})


@api.post("/campaigns/{campaign_id}/leads/import/{import_id}/resume")
async def resume_import(ctx: Ctx, campaign_id: PathId, import_id: PathId) -> Response:
    """Resume an import that was given up"""
    await actions.resume(ctx.db, ctx.user_id, campaign_id, import_id, client_id=ctx.client_id, now=ctx.now)
    return reply({"ok": True, "import_id": import_id, "status": ImportStatus.QUEUED})


@api.get("/campaigns/{campaign_id}/leads/import/{import_id}/skipped", text="text/csv")
async def download_skipped(ctx: Ctx, campaign_id: PathId, import_id: PathId) -> Response:
    """Rows that an import left out, as CSV

    Number of the row as a spreadsheet shows it, address, reason.
    """
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    about = await store.load_import(ctx.db, ctx.user_id, campaign_id, import_id)
    return stream_csv(f"import_{import_id}_skipped.csv", wire.skipped_lines(about))


@api.get("/campaigns/{campaign_id}/leads/import/{import_id}")
async def get_import(
    ctx: Ctx,
    campaign_id: PathId,
    import_id: PathId,
    page: Annotated[Page, Depends(paging(max=10_000, default=1000))],
) -> Response:
    """Progress of an import

    `offset` and `limit` page through the rows that were left out.
    """
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    about = await store.load_import(ctx.db, ctx.user_id, campaign_id, import_id)
    return reply(wire.progress(about, offset=page.offset, limit=page.limit))
