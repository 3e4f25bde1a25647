"""From a step's text to the bytes of a mail: filled, threaded, tracked, with a way out (product behaviour 2 and 3).

Texts are compiled once and kept until they are edited. What cannot be rendered is held, never sent, and never in the
way of the others.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from outrider.content.syntax import TemplateError
from outrider.content.variables import mail_values
from outrider.engine import threads
from outrider.engine.facts import CampaignFacts, LeadFacts, StepFacts, VariantFacts
from outrider.engine.gates import Hold
from outrider.engine.letters import Body, Letters, Wrapping
from outrider.engine.rounds import Attempt
from outrider.engine.senders import Sender, Senders
from outrider.engine.texts import Compiled, Texts
from outrider.engine.threads import Thread
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.kit.plain import plain
from outrider.messages.models import Written
from outrider.tracking import tokens

_UTC = ZoneInfo("UTC")


@plain(frozen=True, slots=True)
class Rendered:
    """A mail as it is kept and as it leaves."""

    written: Written
    data: bytes


class Mail(Protocol):
    """What a mail is made of: an attempt of the engine, or a preview. `message_id` is the row, 0 if there is none."""

    @property
    def message_id(self) -> int: ...
    @property
    def stats_id(self) -> UUID: ...
    @property
    def campaign(self) -> CampaignFacts: ...
    @property
    def step(self) -> StepFacts: ...
    @property
    def variant(self) -> VariantFacts | None: ...
    @property
    def lead(self) -> LeadFacts: ...


class Links:
    """Addresses in a mail that lead back to us."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def way_out(self, lead: LeadFacts) -> str:
        return tokens.unsubscribe_path(self._vault, lead.user_id, lead.id, lead.email)

    def click(self, message_id: int, url: str) -> str:
        return tokens.click_path(self._vault, message_id, url)

    def trap(self, message_id: int) -> str:
        return tokens.trap_path(self._vault, message_id)

    def opening(self, message_id: int) -> str:
        return tokens.open_path(self._vault, message_id)


class DeadLinks(Links):
    """Those of a preview: they count nothing and take nobody out."""

    def __init__(self) -> None:
        pass

    def way_out(self, lead: LeadFacts) -> str:  # noqa: ARG002 - the same for everybody
        return "/u/preview"

    def click(self, message_id: int, url: str) -> str:  # noqa: ARG002
        return "/c/preview"

    def trap(self, message_id: int) -> str:  # noqa: ARG002
        return "/c/preview"

    def opening(self, message_id: int) -> str:  # noqa: ARG002
        return "/o/preview.gif"


class CannotRender(Exception):
    """Why a mail is held; the text is for the person who wrote the step."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.hold = Hold(code, text)


class Renderer:
    """Renders mails: those of one engine, and previews."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._letters = Letters()
        self.texts = Texts()

    async def render(
        self, db: Db, attempts: Sequence[Attempt], senders: Senders, now: datetime
    ) -> tuple[dict[int, Rendered], dict[int, Hold]]:
        """Return mails by message row, and reasons by campaign lead for those that cannot be made."""
        await self.texts.load(db, ((attempt.step, attempt.variant) for attempt in attempts))
        thread = await threads.load(
            db,
            [a.lead.id for a in attempts if not a.is_first_mail],
            in_subsequences={a.lead.id for a in attempts if a.campaign.parent_campaign_id is not None},
        )
        rendered: dict[int, Rendered] = {}
        holds: dict[int, Hold] = {}
        for attempt in attempts:
            made = self.make(attempt, senders[attempt.mailbox_id], thread.get(attempt.lead.id), now)
            if isinstance(made, Hold):
                holds[attempt.lead.id] = made
            else:
                rendered[attempt.message_id] = made
        return rendered, holds

    def make(self, mail: Mail, sender: Sender, thread: Thread | None, now: datetime) -> Rendered | Hold:
        """One mail, or why it cannot be made. Its text has been loaded."""
        try:
            return self._render(mail, sender, thread, now)
        except CannotRender as error:
            return error.hold
        except TemplateError as error:
            return Hold("TEMPLATE", f"The text of step {mail.step.number} fails: {error}")

    def _render(self, mail: Mail, sender: Sender, thread: Thread | None, now: datetime) -> Rendered:
        compiled = self.texts.get(mail.step, mail.variant)
        campaign, schedule = mail.campaign, mail.campaign.schedule
        zone = schedule.zone if schedule else _UTC
        paths = _Paths(self._links, mail)
        wrapping = _wrapping(campaign, sender, compiled)
        goodbye = wrapping.goodbye(paths.way_out)
        values = mail_values(
            mail.lead.fields(), custom=mail.lead.custom_fields, sender=sender.values, unsubscribe_text=goodbye
        )
        filling = compiled.body.begin(values, seed=mail.stats_id.bytes, now=now, zone=zone)
        body = self._letters.write(compiled.body, filling, wrapping, paths, goodbye=goodbye)
        if not body.text.strip() and "<img" not in body.html:
            raise CannotRender("EMPTY_BODY", f"The text of step {mail.step.number} is empty for this lead.")
        subject = compiled.subject.render(values, seed=mail.stats_id.bytes, now=now, zone=zone)
        subject, thread = threads.place(subject, thread)
        if not subject:
            raise CannotRender("EMPTY_SUBJECT", f"The subject of step {mail.step.number} is empty for this lead.")
        written = Written(
            id=mail.message_id,
            user_id=mail.lead.user_id,
            campaign_id=campaign.id,
            campaign_lead_id=mail.lead.id,
            lead_id=mail.lead.lead_id,
            mailbox_id=sender.mailbox.id,
            step_id=mail.step.id,
            step_number=mail.step.number,
            variant_id=mail.variant.id if mail.variant else None,
            stats_id=mail.stats_id,
            message_id=f"{mail.stats_id}@{sender.domain}",
            from_email=sender.mailbox.from_email,
            to_email=mail.lead.email,
            subject=subject,
            html=None if wrapping.is_plain else body.html,
            text=body.text if wrapping.is_plain else None,
            in_reply_to=thread.in_reply_to if thread else None,
            references=thread.references if thread else (),
            is_open_tracked=wrapping.counts_openings and not wrapping.is_plain,
        )
        return Rendered(
            written, self._compose(mail, sender, written, body=body, way_out=paths.way_out, date=now.astimezone(zone))
        )

    def _compose(
        self,
        mail: Mail,
        sender: Sender,
        written: Written,
        *,
        body: Body,
        way_out: str,
        date: datetime,
    ) -> bytes:
        token = way_out.rsplit("/", 1)[1]  # has no characters that mean something in an address
        mailto = f"{sender.mailto}?subject=unsubscribe%20{token}"
        return sender.skeleton.fill(
            to=mail.lead.email,
            subject=written.subject,
            text=body.text,
            html=body.sent,
            date=date,
            message_id=written.message_id,
            in_reply_to=written.in_reply_to,
            references=written.references,
            list_unsubscribe=(sender.tracking_url + way_out, mailto) if mail.campaign.add_unsubscribe_tag else (),
        )


class _Paths:
    """The addresses in one mail."""

    __slots__ = ("_links", "_message_id", "way_out")

    def __init__(self, links: Links, mail: Mail) -> None:
        self._links = links
        self._message_id = mail.message_id
        self.way_out = links.way_out(mail.lead)

    def click(self, url: str) -> str:
        return self._links.click(self._message_id, url)

    def trap(self) -> str:
        return self._links.trap(self._message_id)

    def opening(self) -> str:
        return self._links.opening(self._message_id)


def _wrapping(campaign: CampaignFacts, sender: Sender, text: Compiled) -> Wrapping:
    return Wrapping(
        tracking_url=sender.tracking_url,
        words=campaign.unsubscribe_text or "",
        has_footer=bool(campaign.unsubscribe_text) and not text.says_goodbye,
        is_plain=campaign.send_as_plain_text or campaign.force_plain_text,
        counts_clicks="DONT_LINK_CLICK" not in campaign.track_settings,
        counts_openings="DONT_EMAIL_OPEN" not in campaign.track_settings,
    )
