"""From a step's text to the bytes of a mail: filled, threaded, tracked, with a way out (product behaviour 2 and 3).

Texts are compiled once and kept until they are edited. What cannot be rendered is held, never sent, and never in the
way of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from outrider.content.html import append_before_body_end, footer, unsubscribe_text
from outrider.content.links import rewrite_links
from outrider.content.syntax import TemplateError
from outrider.content.template import Template
from outrider.content.text import to_text
from outrider.content.variables import mail_values
from outrider.engine.gates import Hold
from outrider.engine.rounds import Attempt
from outrider.engine.senders import Sender, Senders
from outrider.engine.texts import Texts
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.messages.models import ThreadMail, Written
from outrider.messages.store import list_threads
from outrider.tracking import tokens

_REPLY_PREFIX = "Re: "
_PIXEL = '<img src="{}" width="1" height="1" alt="" style="display:none">'


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as it is kept and as it leaves."""

    written: Written
    data: bytes


@dataclass(frozen=True, slots=True)
class Thread:
    """The conversation that a follow-up continues: its first subject, the mail it answers, all mails so far."""

    subject: str
    in_reply_to: str
    references: tuple[str, ...]


class CannotRender(Exception):
    """Why a mail is held; the text is for the person who wrote the step."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.hold = Hold(code, text)


class Renderer:
    """Renders the mails of one engine."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.texts = Texts()

    async def render(
        self, db: Db, attempts: Sequence[Attempt], senders: Senders, now: datetime
    ) -> tuple[dict[int, Rendered], dict[int, Hold]]:
        """Return mails by message row, and reasons by campaign lead for those that cannot be made."""
        await self.texts.load(db, ((attempt.step, attempt.variant) for attempt in attempts))
        threads = await _threads(db, [a.lead.id for a in attempts if not a.is_first_mail])
        rendered: dict[int, Rendered] = {}
        holds: dict[int, Hold] = {}
        for attempt in attempts:
            try:
                rendered[attempt.message_id] = self._render(
                    attempt, senders[attempt.mailbox_id], threads.get(attempt.lead.id), now
                )
            except CannotRender as error:
                holds[attempt.lead.id] = error.hold
            except TemplateError as error:
                holds[attempt.lead.id] = Hold("TEMPLATE", f"The text of step {attempt.step.number} fails: {error}")
        return rendered, holds

    def _render(self, attempt: Attempt, sender: Sender, thread: Thread | None, now: datetime) -> Rendered:
        compiled = self.texts.get(attempt.step, attempt.variant)
        campaign, schedule = attempt.campaign, attempt.campaign.schedule
        url = sender.tracking_url + tokens.unsubscribe_path(
            self._vault, attempt.lead.user_id, attempt.lead.id, attempt.lead.email
        )
        is_plain = campaign.send_as_plain_text or campaign.force_plain_text
        way_out = unsubscribe_text(campaign.unsubscribe_text or "", None if is_plain else url)
        values = mail_values(
            attempt.lead.fields(), custom=attempt.lead.custom_fields, sender=sender.values, unsubscribe_text=way_out
        )
        zone = schedule.zone if schedule else ZoneInfo("UTC")
        fill = partial(Template.render, values=values, seed=attempt.stats_id.bytes, now=now, zone=zone)
        html = fill(compiled.body)
        if campaign.unsubscribe_text and not compiled.says_goodbye:
            html = append_before_body_end(html, footer(way_out))
        text = to_text(html)
        if not text.strip() and "<img" not in html:
            raise CannotRender("EMPTY_BODY", f"The text of step {attempt.step.number} is empty for this lead.")
        subject, thread = _subject(attempt, fill(compiled.subject), thread)
        written = Written(
            id=attempt.message_id,
            subject=subject,
            html=None if is_plain else html,
            text=text if is_plain else None,
            in_reply_to=thread.in_reply_to if thread else None,
            references=thread.references if thread else (),
            is_open_tracked=not is_plain and "DONT_EMAIL_OPEN" not in campaign.track_settings,
        )
        tracked = None if is_plain else self._track(attempt, sender, written, keep=url)
        return Rendered(written, self._compose(attempt, sender, written, text=text, html=tracked, way_out=url, now=now))

    def _track(self, attempt: Attempt, sender: Sender, written: Written, *, keep: str) -> str:
        """The HTML as it leaves: links that are counted, and the pixel. What is kept has neither."""
        html = written.html or ""
        base, message_id = sender.tracking_url, attempt.message_id
        if "DONT_LINK_CLICK" not in attempt.campaign.track_settings:
            html = rewrite_links(
                html, lambda url, _: base + tokens.click_path(self._vault, message_id, url), keep=(keep,)
            )
        if written.is_open_tracked:
            html = append_before_body_end(html, _PIXEL.format(base + tokens.open_path(self._vault, message_id)))
        return html

    def _compose(
        self,
        attempt: Attempt,
        sender: Sender,
        written: Written,
        *,
        text: str,
        html: str | None,
        way_out: str,
        now: datetime,
    ) -> bytes:
        token = way_out.rsplit("/", 1)[1]  # has no characters that mean something in an address
        mailto = f"{sender.mailto}?subject=unsubscribe%20{token}"
        return sender.skeleton.fill(
            to=attempt.lead.email,
            subject=written.subject,
            text=text,
            html=html,
            date=now,
            message_id=f"{attempt.stats_id}@{sender.domain}",
            in_reply_to=written.in_reply_to,
            references=written.references,
            list_unsubscribe=(way_out, mailto) if attempt.campaign.add_unsubscribe_tag else (),
        )


def _subject(attempt: Attempt, subject: str, thread: Thread | None) -> tuple[str, Thread | None]:
    """No subject, or the thread's own, continues the thread; another one starts a new thread (2.1)."""
    if subject and (thread is None or subject != _REPLY_PREFIX + thread.subject):
        return subject, None
    if thread is None:
        raise CannotRender("EMPTY_SUBJECT", f"The subject of step {attempt.step.number} is empty for this lead.")
    return _REPLY_PREFIX + thread.subject, thread


async def _threads(db: Db, campaign_lead_ids: Sequence[int]) -> Mapping[int, Thread]:
    """The latest thread of each lead: from its last mail with a subject of its own on (RFC 5322 §3.6.4)."""
    threads: dict[int, Thread] = {}
    for mail in await list_threads(db, campaign_lead_ids) if campaign_lead_ids else ():
        if mail.message_id is not None:
            threads[mail.campaign_lead_id] = _continued(threads.get(mail.campaign_lead_id), mail, mail.message_id)
    return threads


def _continued(thread: Thread | None, mail: ThreadMail, message_id: str) -> Thread:
    is_ours = mail.direction == "OUT"
    if thread is None or (is_ours and mail.in_reply_to is None):
        return Thread((mail.subject or "").removeprefix(_REPLY_PREFIX), message_id, (message_id,))
    return replace(
        thread,
        in_reply_to=message_id if is_ours else thread.in_reply_to,
        references=(*thread.references, message_id),
    )
