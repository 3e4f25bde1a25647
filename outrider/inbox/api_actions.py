"""Routes of the inbox that change conversations (contract: master-inbox, Actions)."""

from starlette.responses import Response

from outrider.inbox import actions, store, wire
from outrider.kit.http import Api, Context, Ctx, PathId, reply
from outrider.leads import conversations, subsequences
from outrider.leads.conversations import Conversation
from outrider.leads.models import CannotResume, DocumentedFailure
from outrider.users import store as users

api = Api("master-inbox", writes_need="reply_master_inbox")


@api.patch("/master-inbox/change-read-status", also=["/master-inbox/read-status"])
async def change_read_status(ctx: Ctx, body: wire.ReadStatus) -> Response:
    """Change Read Status"""
    return await _set_read(ctx, body, is_read=body.read_status)


@api.patch("/master-inbox/mark-unread")
async def mark_unread(ctx: Ctx, body: wire.Target) -> Response:
    """Mark a conversation as unread"""
    return await _set_read(ctx, body, is_read=False)


async def _set_read(ctx: Context, body: wire.Target, *, is_read: bool) -> Response:
    place = await _load(ctx, body)
    await conversations.set_unread(ctx.db, ctx.user_id, [place.id], is_unread=not is_read)
    return reply(wire.read(is_read=is_read))


@api.patch("/master-inbox/mark-important")
async def mark_important(ctx: Ctx, body: wire.Important) -> Response:
    """Mark a conversation as important"""
    place = await _load(ctx, body)
    await conversations.set_important(ctx.db, ctx.user_id, place.id, is_important=body.is_important)
    what = "important" if body.is_important else "not important"
    return reply(wire.done(f"Lead marked as {what} successfully", updated=1))


@api.patch("/master-inbox/archive")
async def archive(ctx: Ctx, body: wire.Archive) -> Response:
    """Archive a conversation

    Until the lead writes again.
    """
    place = await _load(ctx, body)
    await conversations.set_archived(ctx.db, ctx.user_id, place.id, is_archived=body.is_archived)
    what = "archived" if body.is_archived else "unarchived"
    return reply(wire.done(f"Lead {what} successfully", updated=1))


@api.patch("/master-inbox/snooze")
async def snooze(ctx: Ctx, body: wire.Snooze) -> Response:
    """Snooze a conversation

    Then it is back in the inbox, unread. null brings it back now.
    """
    place = await _load(ctx, body)
    await conversations.snooze(ctx.db, ctx.user_id, place.id, until=body.snooze_until)
    what = "unsnoozed" if body.snooze_until is None else "snoozed"
    return reply(wire.done(f"Lead {what} successfully", updated=1))


@api.patch("/master-inbox/update-category")
async def update_category(ctx: Ctx, body: wire.CategoryChange) -> Response:
    """Update Lead Category"""
    place = await _load(ctx, body)
    name = body.category if body.category_id is None else None
    await actions.change_category(ctx.db, place, body.category_id, name=name, now=ctx.now)
    return reply(wire.done("Lead category updated successfully", updated=1))


@api.patch("/master-inbox/update-revenue")
async def update_revenue(ctx: Ctx, body: wire.Revenue) -> Response:
    """Update Lead Revenue"""
    place = await _load(ctx, body)
    await conversations.set_revenue(ctx.db, ctx.user_id, place.id, revenue=body.amount())
    return reply(wire.done("Lead revenue updated successfully", updated=1))


@api.post("/master-inbox/update-team-member", also=["PATCH"])
async def update_team_member(ctx: Ctx, body: wire.Member) -> Response:
    """Update Team Member To Lead"""
    place = await _load(ctx, body)
    await actions.assign(ctx.db, place, body.team_member_id)
    return reply({"ok": True, "message": "Lead team member updated successfully"})


@api.post("/master-inbox/push-to-subsequence")
async def push_to_subsequence(ctx: Ctx, body: wire.Push) -> Response:
    """Push Lead To Subsequence"""
    place = await _load(ctx, body)
    delay_days = await subsequences.push(
        ctx.db,
        ctx.user_id,
        place.id,
        body.sub_sequence_id,
        delay_days=body.sub_sequence_delay_time,
        ends_on_parent_reply=body.stop_lead_on_parent_campaign_reply,
        client_id=ctx.client_id,
        now=ctx.now,
    )
    return reply(wire.pushed(body.sub_sequence_id, delay_days))


@api.patch("/master-inbox/resume-lead")
async def resume_lead(ctx: Ctx, body: wire.Resume) -> Response:
    """Resume Lead"""
    place = await _load(ctx, wire.Target(email_lead_map_id=body.email_lead_map_id, lead_id=body.lead_id))
    days = 1.0 if body.resume_delay_days is None else body.resume_delay_days
    try:
        following = await actions.resume(
            ctx.db, place, campaign_id=body.campaign_id, delay_days=days, scope=ctx.client_id, now=ctx.now
        )
    except CannotResume as problem:
        if ctx.settings.strict_compat:
            raise DocumentedFailure(problem.text) from problem
        raise
    return reply(
        {
            "ok": True,
            "message": "Lead resumed successfully",
            "data": {"status": "success", "nextSeqId": following},
        }
    )


@api.post("/master-inbox/set-reminder")
async def set_reminder(ctx: Ctx, body: wire.Reminder) -> Response:
    """Set Reminder"""
    place = await _load(ctx, body)
    row = await actions.remind(
        ctx.db,
        place,
        stats_id=body.email_stats_id or None,
        text=body.message,
        remind_at=body.reminder_time,
        now=ctx.now,
    )
    return reply(wire.done("Reminder set successfully", reminder=wire.made(row)))


@api.post("/master-inbox/create-note", also=["/master-inbox/create-lead-note"])
async def create_note(ctx: Ctx, body: wire.Note) -> Response:
    """Create Lead Note"""
    place = await _load(ctx, body)
    row = await store.insert_note(
        ctx.db,
        ctx.user_id,
        place.lead_id,
        campaign_lead_id=place.id,
        text=body.note_message,
        person_id=await _person_id(ctx),
        now=ctx.now,
    )
    return reply(wire.done("Note created successfully", note=[wire.made(row)]))


@api.post("/master-inbox/create-task", also=["/master-inbox/create-lead-task"])
async def create_task(ctx: Ctx, body: wire.Task) -> Response:
    """Create Lead Task"""
    place = await _load(ctx, body)
    row = await store.insert_task(
        ctx.db,
        ctx.user_id,
        place.lead_id,
        campaign_lead_id=place.id,
        name=body.name,
        description=body.description,
        priority=body.priority,
        due_at=body.due_date,
        person_id=await _person_id(ctx),
        now=ctx.now,
    )
    return reply(wire.done("Task created successfully", task=[wire.made(row)]))


@api.get("/crm/leads/notes/{lead_id}")
async def list_notes(ctx: Ctx, lead_id: PathId) -> Response:
    """Get lead notes"""
    rows = await store.list_notes(ctx.db, ctx.user_id, lead_id, scope=ctx.client_id)
    return reply({"ok": True, "data": [wire.note(row) for row in rows]})


@api.get("/crm/leads/tasks/{lead_id}")
async def list_tasks(ctx: Ctx, lead_id: PathId) -> Response:
    """Get lead tasks"""
    rows = await store.list_tasks(ctx.db, ctx.user_id, lead_id=lead_id, scope=ctx.client_id)
    return reply({"ok": True, "data": [wire.task(row) for row in rows]})


@api.post("/crm/leads/notes")
async def create_note_on_lead(ctx: Ctx, body: wire.LeadNote) -> Response:
    """Create a note on a lead"""
    place = await actions.load_place_of_lead(
        ctx.db, ctx.user_id, body.lead_id, campaign_id=body.campaign_id, scope=ctx.client_id
    )
    row = await store.insert_note(
        ctx.db,
        ctx.user_id,
        body.lead_id,
        campaign_lead_id=place.id if place else None,
        text=body.note,
        person_id=await _person_id(ctx),
        now=ctx.now,
    )
    return reply(wire.done("Note created successfully", note=[wire.made(row)]))


@api.post("/crm/leads/tasks")
async def create_task_on_lead(ctx: Ctx, body: wire.LeadTask) -> Response:
    """Create a task on a lead"""
    place = await actions.load_place_of_lead(
        ctx.db, ctx.user_id, body.lead_id, campaign_id=body.campaign_id, scope=ctx.client_id
    )
    row = await store.insert_task(
        ctx.db,
        ctx.user_id,
        body.lead_id,
        campaign_lead_id=place.id if place else None,
        name=body.task,
        description=body.description,
        priority=body.priority,
        due_at=body.due_date,
        person_id=await _person_id(ctx),
        now=ctx.now,
    )
    return reply(wire.done("Task created successfully", task=[wire.made(row)]))


@api.post("/crm/leads/tasks/{task_id}", also=["PATCH"])
async def change_task(ctx: Ctx, task_id: PathId, body: wire.TaskChange) -> Response:
    """Change a task"""
    row = await actions.change_task(
        ctx.db,
        ctx.user_id,
        task_id,
        status=body.status,
        name=body.name,
        description=body.description,
        priority=body.priority,
        due_at=body.due_date,
        scope=ctx.client_id,
        now=ctx.now,
    )
    return reply({"ok": True, "data": wire.task(row)})


@api.post("/master-inbox/block-domains", needs="leads")
async def block_domains(ctx: Ctx, body: wire.BlockDomains) -> Response:
    """Block Domains"""
    count = await actions.block_domains(
        ctx.db, ctx.user_id, body.domains, source=body.source or "manual", scope=ctx.client_id, now=ctx.now
    )
    return reply({"ok": True, "message": "Domains blocked successfully", "data": {"blocked_domains": count}})


async def _load(ctx: Context, body: wire.Target) -> Conversation:
    return await actions.load_conversation(
        ctx.db,
        ctx.user_id,
        body.email_lead_map_id,
        lead_id=body.lead_id,
        campaign_id=body.campaign_id,
        scope=ctx.client_id,
    )


async def _person_id(ctx: Context) -> int | None:
    """Who writes with this key (decision 47)."""
    person = await users.find_person_of_key(ctx.db, ctx.user_id, ctx.key_id)
    return person.id if person else None
