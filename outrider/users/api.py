"""Routes of the people of an account (contract: clients, List Team Members). They are made elsewhere, by people."""

from starlette.responses import Response

from outrider.kit.http import MAIN_KEY, Api, Ctx, reply
from outrider.users import store, wire

api = Api("clients")


@api.get("/team-members", needs=MAIN_KEY)
async def list_team_members(ctx: Ctx) -> Response:
    """List Team Members"""
    team = await store.list_team(ctx.db, ctx.user_id)
    return reply({"ok": True, "data": [wire.team_member(member) for member in team]})
