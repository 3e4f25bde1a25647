"""The routes of the web app, and the pages of those who are logged in. Nearly all show only; the API changes things."""

from collections.abc import Container
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outrider.analytics import store as analytics
from outrider.analytics.cohorts import NOTHING, count_all, count_by
from outrider.analytics.grouping import By
from outrider.analytics.mails import Scope
from outrider.analytics.windows import ALWAYS
from outrider.engine import survey
from outrider.mailboxes.state import is_engine_running
from outrider.messages.history import list_history
from outrider.messages.verdicts import list_verdicts
from outrider.web import entrance, mails, store, untracked, wording
from outrider.web.shell import FILES, SAFE, STATIC, NotHere, Visit, in_words, number_of, page, show
from outrider.web.store import CampaignLine, LeadLine
from outrider.web.wording import State

_CAMPAIGNS, _MAILBOXES, _LEADS, _EVENTS, _REPLIES = 20, 50, 50, 20, 50
_MOST_ROWS = 2000


@dataclass(frozen=True, slots=True)
class More:
    """A link to more rows of a table."""

    shown: int
    total: int
    address: str


@page
async def overview(visit: Visit) -> Response:
    """Every campaign and mailbox with its state, and what happened last."""
    most_campaigns = _row_count(visit, "campaigns", _CAMPAIGNS)
    most_mailboxes = _row_count(visit, "mailboxes", _MAILBOXES)
    lines = await store.list_campaigns(visit.db, visit.user_id, now=visit.now, limit=most_campaigns)
    scope = Scope(user_id=visit.user_id, campaign_ids=[line.id for line in lines])
    totals = {row["campaign_id"]: row for row in await count_by(visit.db, scope, ALWAYS, By.CAMPAIGN)}
    campaigns = [(line, wording.campaign_state(line, visit.now), totals.get(line.id, NOTHING)) for line in lines]
    boxes = await store.list_mailboxes(visit.db, visit.user_id, now=visit.now, limit=most_mailboxes)
    mailboxes = [(line, wording.mailbox_state(line, visit.now)) for line in boxes]
    return show(
        visit,
        "overview.html",
        campaigns=campaigns,
        campaign_summary=wording.summary([state for _, state, _ in campaigns]),
        more_campaigns=_more(visit, "campaigns", _CAMPAIGNS, len(lines), lines[0].total if lines else 0),
        mailboxes=mailboxes,
        mailbox_summary=wording.summary([state for _, state in mailboxes]),
        more_mailboxes=_more(visit, "mailboxes", _MAILBOXES, len(boxes), boxes[0].total if boxes else 0),
        events=await store.list_events(visit.db, visit.user_id, limit=_EVENTS),
        event_words=wording.EVENTS,
        is_engine_silent=not await is_engine_running(visit.db, visit.clock.wall()),
    )


@page
async def campaign(visit: Visit) -> Response:
    """One campaign: figures of each step, its mailboxes, its leads with the reason why the next email does not go."""
    line = await _load_campaign(visit, number_of(visit.request.path_params["campaign_id"]))
    status = _choice(visit, "status", wording.LEAD_STATUSES)
    did = _choice(visit, "did", wording.LEAD_DEEDS)
    most_leads = _row_count(visit, "leads", _LEADS)
    total, leads = await store.list_leads(visit.db, visit.user_id, line.id, status=status, did=did, limit=most_leads)
    boxes = await store.list_mailboxes(visit.db, visit.user_id, now=visit.now, limit=_MOST_ROWS, campaign_id=line.id)
    people = await analytics.load_lead_totals(visit.db, visit.user_id, line.id)
    scope = Scope(user_id=visit.user_id, campaign_ids=[line.id])
    counts = {row["step_id"]: row for row in await count_by(visit.db, scope, ALWAYS, By.STEP)}
    steps = await store.list_steps(visit.db, visit.user_id, line.id)
    return show(
        visit,
        "campaign.html",
        campaign=line,
        state=wording.campaign_state(line, visit.now),
        totals=await count_all(visit.db, scope),
        statuses=[(name, word, people[key]) for name, (key, word) in wording.LEAD_STATUSES.items() if people[key]],
        steps=[(step, counts.get(step.id, NOTHING)) for step in steps if step.id in counts or not step.is_removed],
        mailboxes=[(box, wording.mailbox_state(box, visit.now)) for box in boxes],
        leads=await _with_states(visit, line.id, leads),
        filtered_by=status or did,
        more_leads=_more(visit, "leads", _LEADS, len(leads), total),
        is_engine_silent=not await is_engine_running(visit.db, visit.clock.wall()),
    )


@page
async def inbox(visit: Visit) -> Response:
    """`?leadMap=`: the conversation with a lead in a campaign; without it the latest replies."""
    chosen = visit.request.query_params.get("leadMap")
    if not chosen:
        replies = await store.list_events(visit.db, visit.user_id, limit=_REPLIES, types=("REPLIED",))
        return show(visit, "replies.html", replies=replies)
    lead = await store.find_lead(visit.db, visit.user_id, number_of(chosen))
    if lead is None:
        raise NotHere
    [(lead, state)] = await _with_states(visit, lead.campaign_id, [lead])
    items = await list_history(visit.db, visit.user_id, [lead.id])
    images_of = mails.asked_images(visit)
    return show(
        visit,
        "conversation.html",
        lead=lead,
        state=state,
        mails=[mails.shown(item, images_of=images_of) for item in items],
        verdicts=await list_verdicts(visit.db, visit.user_id, [item.id for item in items if item.is_reply]),
    )


@in_words
async def static(request: Request) -> Response:
    """Files of ours; their addresses change with them."""
    name = request.path_params["name"]
    if name not in FILES:
        raise NotHere
    headers = {**SAFE, "cache-control": "public, max-age=31536000, immutable"}
    return Response(FILES[name], headers=headers, media_type=STATIC[name])


@in_words
async def unknown(_request: Request) -> Response:
    raise NotHere


routes = (
    Route("/app", overview),
    Route("/app/log-in", entrance.log_in, methods=["GET", "POST"]),
    Route("/app/log-out", entrance.log_out, methods=["POST"]),
    Route("/app/set-password/{token}", entrance.set_password, methods=["GET", "POST"]),
    Route("/app/email-campaign/{campaign_id}/analytics", campaign),
    Route("/app/master-inbox", inbox),
    Route("/app/mail/{message_id}", mails.mail),
    Route("/app/untracked-replies", untracked.untracked_list),
    Route("/app/untracked-replies/{reply_id}", untracked.untracked, methods=["GET", "POST"]),
    Route("/app/static/{name}", static),
    Route("/app/{rest:path}", unknown, methods=["GET", "POST"]),
)


async def _load_campaign(visit: Visit, campaign_id: int) -> CampaignLine:
    found = await store.list_campaigns(visit.db, visit.user_id, now=visit.now, campaign_id=campaign_id)
    if not found:
        raise NotHere
    return found[0]


async def _with_states(visit: Visit, campaign_id: int, leads: list[LeadLine]) -> list[tuple[LeadLine, State]]:
    ids = [lead.id for lead in leads]
    reasons = await survey.explain(visit.db, visit.user_id, campaign_id, visit.now, campaign_lead_ids=ids)
    by_lead = {reason.campaign_lead_id: reason for reason in reasons}
    return [(lead, wording.lead_state(lead, by_lead.get(lead.id))) for lead in leads]


def _choice(visit: Visit, name: str, choices: Container[str]) -> str | None:
    chosen = visit.request.query_params.get(name)
    return chosen if chosen in choices else None


def _row_count(visit: Visit, name: str, step: int) -> int:
    text = visit.request.query_params.get(name, "")
    return min(max(int(text[:6]), step), _MOST_ROWS) if text.isascii() and text.isdigit() else step


def _more(visit: Visit, name: str, step: int, shown: int, total: int) -> More | None:
    if shown >= min(total, _MOST_ROWS):
        return None
    url = visit.request.url.include_query_params(**{name: shown + step})
    return More(min(step, total - shown), total, f"?{url.query}#{name}")
