"""Why something is not sent: one ordered list of reasons, used by planner, sender, API and screens alike.

Product behaviour 1.3. A gate looks at a case and returns a `Hold` (code, a sentence for a salesperson, when it is worth
looking again) or nothing. The first gate that fails is the one that people see. A new rule is one function here, one
line in `GATES` and one table of cases.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from enum import StrEnum

from outrider.campaigns.models import CampaignStatus, why_not_active
from outrider.engine import limits
from outrider.engine.facts import CampaignFacts, LeadFacts, MailboxFacts, SenderDomain
from outrider.kit.plain import plain

_LOOK_AGAIN = timedelta(hours=1)
_PROVIDER_LOOKUP = timedelta(minutes=5)


@plain(frozen=True, slots=True)
class Hold:
    """A reason not to send. `retry_at` None: not before somebody changes something."""

    code: str
    text: str
    retry_at: datetime | None = None


@plain(frozen=True, slots=True)
class Case:
    """What is asked about; parts that are not known yet are None and their gates do not apply."""

    now: datetime
    campaign: CampaignFacts | None = None
    new_count: int | None = None
    is_first_mail: bool = False
    has_steps: bool = True
    mailbox: MailboxFacts | None = None
    lead: LeadFacts | None = None
    missing: Sequence[str] = ()
    sender_domain: SenderDomain | None = None
    recipient_free_at: datetime | None = None

    @property
    def is_new(self) -> bool:
        """Whether no mailbox was chosen for the lead yet."""
        return self.lead is not None and self.lead.mailbox_id is None


class Scope(StrEnum):
    """Whose reason it is, in the order in which they are asked."""

    CAMPAIGN = "CAMPAIGN"
    LEAD = "LEAD"
    MAILBOX = "MAILBOX"


@plain(frozen=True, slots=True)
class Gate:
    scope: Scope
    check: Callable[[Case], Hold | None]


def campaign_is_active(case: Case) -> Hold | None:
    campaign = case.campaign
    if campaign is None or campaign.status == "ACTIVE":
        return None
    return Hold("CAMPAIGN_NOT_ACTIVE", why_not_active(CampaignStatus(campaign.status)))


def sequence_has_steps(case: Case) -> Hold | None:
    if case.campaign is None or case.has_steps:
        return None
    return Hold("NO_STEPS", "The sequence is empty. Add a step with a text.")


def campaign_has_mailbox(case: Case) -> Hold | None:
    if case.campaign is None or case.campaign.mailbox_count:
        return None
    return Hold("NO_MAILBOX", "No mailbox is attached to the campaign. Attach one.")


def start_time_is_reached(case: Case) -> Hold | None:
    if case.campaign is None or not (starts_at := case.campaign.schedule_start_time) or case.now >= starts_at:
        return None
    return Hold("BEFORE_START", f"The campaign starts on {starts_at:%d %b %Y %H:%M} UTC.", starts_at)


def window_is_open(case: Case) -> Hold | None:
    if case.campaign is None:
        return None
    schedule = case.campaign.schedule
    if schedule is None:
        return Hold("NO_SCHEDULE", "The campaign has no schedule. Set days and hours.")
    if case.campaign.use_lead_timezone or schedule.window_at(case.now):
        return None
    window = schedule.next_window(case.now)
    return Hold(
        "OUTSIDE_WINDOW", f"Outside the sending hours ({schedule.describe()}).", window.opens_at if window else None
    )


def new_leads_are_left_today(case: Case) -> Hold | None:
    campaign = case.campaign
    if campaign is None or not case.is_first_mail or case.new_count is None or not campaign.schedule:
        return None
    if campaign.parent_campaign_id is not None:
        return None  # a mail of a subsequence is a follow-up
    if case.new_count < campaign.max_new_leads_per_day:
        return None
    tomorrow = campaign.schedule.local_day(case.now) + timedelta(days=1)
    midnight = datetime.combine(tomorrow, time(), campaign.schedule.zone)
    window = campaign.schedule.next_window(midnight)
    text = f"Today's {campaign.max_new_leads_per_day} new leads have been contacted; the next ones follow tomorrow."
    return Hold("NEW_LEAD_CAP", text, window.opens_at if window else None)


def lead_is_in_sequence(case: Case) -> Hold | None:
    if case.lead is None or case.lead.status in ("STARTED", "INPROGRESS"):
        return None
    return Hold("LEAD_NOT_ACTIVE", f"The lead is {case.lead.status.lower()} in this campaign.")


def lead_is_not_unsubscribed(case: Case) -> Hold | None:
    lead = case.lead
    if lead is None:
        return None
    client_id = case.campaign.client_id if case.campaign else None
    if lead.is_unsubscribed or lead.is_unsubscribed_from_campaign or client_id in lead.unsubscribed_client_ids:
        return Hold("UNSUBSCRIBED", "The lead has unsubscribed.")
    return None


def lead_is_not_blocked(case: Case) -> Hold | None:
    if case.lead is None or case.lead.block_entry is None:
        return None
    return Hold("BLOCK_LIST", f"{case.lead.block_entry} is on the block list.")


def no_value_is_missing(case: Case) -> Hold | None:
    """Only where the campaign wants no gaps; else they close up."""
    if not case.missing or case.campaign is None or case.campaign.on_missing_variable != "hold":
        return None
    text = f"The lead has no {_listed(case.missing)}. Fill it in, or give the text a fallback."
    return Hold("MISSING_VARIABLE", text, case.now + _LOOK_AGAIN)


def lead_is_at_work(case: Case) -> Hold | None:
    """Where the clocks of the leads count: the same hours, wherever the lead is; if nobody knows, the campaign's."""
    campaign, lead = case.campaign, case.lead
    if campaign is None or lead is None or not campaign.use_lead_timezone:
        return None
    opens_at = limits.lead_opens_at(campaign, lead, case.now)
    if opens_at is None:
        return None
    place = lead.zone.key if lead.zone else f"{campaign.timezone}, for the lead's zone is not known"
    return Hold("OUTSIDE_LEAD_HOURS", f"Outside the sending hours where the lead is ({place}).", opens_at)


def recipient_domain_is_rested(case: Case) -> Hold | None:
    """Not too many mails of a campaign to one company at once; free-mail providers are exempt."""
    if case.lead is None or case.recipient_free_at is None or case.now >= case.recipient_free_at:
        return None
    text = f"Somebody else at {case.lead.domain} was just written to; the campaign does not write to all at once."
    return Hold("RECIPIENT_DOMAIN", text, case.recipient_free_at)


def provider_is_known(case: Case) -> Hold | None:
    """A lead that was just added is looked up within a minute; after five nobody waits for that any more."""
    campaign, lead = case.campaign, case.lead
    if campaign is None or lead is None or not campaign.enable_ai_esp_matching or lead.provider or not case.is_new:
        return None
    known_at = lead.created_at + _PROVIDER_LOOKUP
    if case.now >= known_at:
        return None
    return Hold("PROVIDER_LOOKUP", "It is being looked up which provider receives the lead's mail.", known_at)


def mailbox_is_of_the_leads_provider(case: Case) -> Hold | None:
    """Strict matching only; without a mailbox of its provider a lead goes from any."""
    campaign, lead, mailbox = case.campaign, case.lead, case.mailbox
    if campaign is None or lead is None or mailbox is None or lead.provider is None or not case.is_new:
        return None
    if not campaign.is_pairing_strict or lead.provider not in campaign.providers or lead.provider == mailbox.provider:
        return None
    name = lead.provider.title()
    return Hold("OTHER_PROVIDER", f"The lead's mail is received by {name}; it waits for one of your {name} mailboxes.")


def mailbox_is_not_suspended(case: Case) -> Hold | None:
    if case.mailbox is None or not case.mailbox.is_suspended:
        return None
    return Hold("MAILBOX_SUSPENDED", "The mailbox is suspended. Unsuspend it to go on.")


def mailbox_is_connected(case: Case) -> Hold | None:
    if case.mailbox is None or case.mailbox.is_smtp_success:
        return None
    error = _unended(case.mailbox.smtp_failure_error)
    return Hold("MAILBOX_DISCONNECTED", f"The mailbox cannot log in: {error}. Reconnect it.")


def provider_lets_us_send(case: Case) -> Hold | None:
    mailbox = case.mailbox
    if mailbox is None or not mailbox.backoff_until or case.now >= mailbox.backoff_until:
        return None
    return Hold("BACKOFF", f"Waiting because {_unended(mailbox.backoff_reason)}.", mailbox.backoff_until)


def mailbox_has_capacity_today(case: Case) -> Hold | None:
    mailbox = case.mailbox
    if mailbox is None or mailbox.today_count < mailbox.max_email_per_day:
        return None
    if mailbox.max_email_per_day == 0:
        return Hold("DAILY_CAP", "The daily limit of the mailbox is 0. Raise it to send.")
    midnight = case.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return Hold("DAILY_CAP", f"The mailbox has sent its {mailbox.max_email_per_day} mails of today.", midnight)


def mailbox_has_capacity_in_24_hours(case: Case) -> Hold | None:
    """Keep midnight from becoming a double day."""
    mailbox = case.mailbox
    if mailbox is None or mailbox.oldest_in_cap_at is None:
        return None
    free_at = mailbox.oldest_in_cap_at + timedelta(days=1)
    if case.now >= free_at:
        return None
    text = f"The mailbox has sent its {mailbox.max_email_per_day} mails of the last 24 hours."
    return Hold("ROLLING_CAP", text, free_at)


def gap_is_over(case: Case) -> Hold | None:
    mailbox = case.mailbox
    if mailbox is None or case.now >= mailbox.next_send_at:
        return None
    return Hold("GAP", "The pause between two mails of the mailbox is not over.", mailbox.next_send_at)


def sender_domain_is_free(case: Case) -> Hold | None:
    """Only where the campaign limits domains: their mailboxes send one after the other, spread over the gap."""
    domain = case.sender_domain
    if domain is None:
        return None
    free_at = None
    if domain.last_sent_at is not None:
        free_at = domain.last_sent_at + timedelta(minutes=domain.gap_minutes) / domain.mailbox_count
    if not domain.is_in_flight and (free_at is None or case.now >= free_at):
        return None
    text = f"Another mailbox of {domain.domain} has just sent; the mailboxes of this domain take turns."
    return Hold("DOMAIN_LIMIT", text, free_at)


def nothing_is_in_flight(case: Case) -> Hold | None:
    if case.mailbox is None or not case.mailbox.in_flight_count:
        return None
    return Hold("IN_FLIGHT", "A mail of this mailbox is just being handed over.")


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and no {last}" if most else last


def _unended(text: str | None) -> str:
    """What a server said, to stand within a sentence."""
    return (text or "no reason was given").rstrip(". ")


GATES: tuple[Gate, ...] = (
    Gate(Scope.CAMPAIGN, campaign_is_active),
    Gate(Scope.CAMPAIGN, sequence_has_steps),
    Gate(Scope.CAMPAIGN, campaign_has_mailbox),
    Gate(Scope.CAMPAIGN, start_time_is_reached),
    Gate(Scope.CAMPAIGN, window_is_open),
    Gate(Scope.CAMPAIGN, new_leads_are_left_today),
    Gate(Scope.LEAD, lead_is_in_sequence),
    Gate(Scope.LEAD, lead_is_not_unsubscribed),
    Gate(Scope.LEAD, lead_is_not_blocked),
    Gate(Scope.LEAD, no_value_is_missing),
    Gate(Scope.LEAD, lead_is_at_work),
    Gate(Scope.LEAD, recipient_domain_is_rested),
    Gate(Scope.LEAD, provider_is_known),
    Gate(Scope.LEAD, mailbox_is_of_the_leads_provider),
    Gate(Scope.MAILBOX, mailbox_is_connected),
    Gate(Scope.MAILBOX, mailbox_is_not_suspended),
    Gate(Scope.MAILBOX, mailbox_has_capacity_today),
    Gate(Scope.MAILBOX, mailbox_has_capacity_in_24_hours),
    Gate(Scope.MAILBOX, gap_is_over),
    Gate(Scope.MAILBOX, sender_domain_is_free),
    Gate(Scope.MAILBOX, provider_lets_us_send),
    Gate(Scope.MAILBOX, nothing_is_in_flight),
)


_CHECKS = {scope: tuple(gate.check for gate in GATES if gate.scope is scope) for scope in Scope}


def first_hold(case: Case) -> Hold | None:
    """Return the first reason that keeps this case from being sent."""
    return next((hold for scope in Scope if (hold := first_hold_of(scope, case))), None)


def first_hold_of(scope: Scope, case: Case) -> Hold | None:
    """Return the first reason of one kind, where the others have been asked already."""
    for check in _CHECKS[scope]:
        if hold := check(case):
            return hold
    return None
