"""The mail servers of the simulation: they take, put off, refuse, and lose connections before and after the final dot.

Every mail that is handed over passes here, so this is where the invariants on mails are looked at, from what the
servers saw and nothing else.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from email import message_from_bytes
from zoneinfo import ZoneInfo

from outrider.engine.outbound import Ready
from outrider.mail.codes import Reason, Scope
from outrider.mail.smtp import Accepted, Deferred, Outcome, Rejected, Unknown
from outrider.sandbox.mails import ReceivedMail
from tests.simulation.story import Broken, Story
from tests.simulation.world import DAY, CampaignFacts, World, in_force

_GREYLISTED = Deferred(451, "4.7.1", "451 4.7.1 Greylisted", Scope.RECIPIENT, Reason.GREYLISTED)
_BUSY = Deferred(421, "4.3.2", "421 4.3.2 Too busy", Scope.SENDER, Reason.SERVER_BUSY)
_QUOTA = Deferred(452, "4.2.2", "452 4.2.2 Daily limit", Scope.SENDER, Reason.SENDER_QUOTA)
_LOST_BEFORE = Deferred(None, None, "The connection was lost.", Scope.CONNECTION, Reason.UNREACHABLE)
_LOST_AFTER = Unknown(None, None, "The connection was lost after the final dot.", Scope.CONNECTION, Reason.UNREACHABLE)
_NO_SUCH_USER = Rejected(550, "5.1.1", "550 5.1.1 User unknown", Scope.RECIPIENT, Reason.UNKNOWN_RECIPIENT)
_SPAM = Rejected(554, "5.7.1", "554 5.7.1 Rejected as spam", Scope.MESSAGE, Reason.CONTENT)
_BAD_PASSWORD = Rejected(535, "5.7.8", "535 5.7.8 Wrong password", Scope.SENDER, Reason.AUTHENTICATION)
_TAKEN = Accepted(250, "2.0.0", "250 2.0.0 taken")
_FAULTS = (_GREYLISTED, _BUSY, _QUOTA, _LOST_BEFORE, _LOST_AFTER, _NO_SUCH_USER, _SPAM, _BAD_PASSWORD)


@dataclass(frozen=True)
class Submission:
    """A mail that came to a server. `is_counted`: it uses up caps; `is_taken`: the server has it, whatever was said."""

    at: datetime
    campaign_lead_id: int
    campaign_id: int
    mailbox_id: int
    step_id: int
    step_number: int
    is_first: bool
    has_subject: bool
    address: str
    outcome: Outcome
    is_taken: bool
    mail: ReceivedMail

    @property
    def is_counted(self) -> bool:
        return not isinstance(self.outcome, Deferred) and self.outcome is not _BAD_PASSWORD


class Servers:
    """`fault_rate` 0: everything is taken."""

    def __init__(self, story: Story, world: World, *, fault_rate: float) -> None:
        self._story = story
        self._world = world
        self._fault_rate = fault_rate
        self.submissions: list[Submission] = []
        self._by_lead: dict[int, list[Submission]] = defaultdict(list)
        self._by_mailbox: dict[int, list[Submission]] = defaultdict(list)
        self._copies: Counter[tuple[int, int]] = Counter()

    def submit(self, ready: Ready) -> Outcome:
        attempt, world = ready.attempt, self._world
        outcome = self._roll()
        is_taken = isinstance(outcome, Accepted) or (outcome is _LOST_AFTER and self._story.happens(0.5))
        made = Submission(
            at=world.now,
            campaign_lead_id=attempt.lead.id,
            campaign_id=attempt.campaign.id,
            mailbox_id=attempt.mailbox_id,
            step_id=attempt.step.id,
            step_number=attempt.step.number,
            is_first=attempt.is_first_mail,
            has_subject=False,
            address=attempt.lead.email,
            outcome=outcome,
            is_taken=is_taken,
            mail=ReceivedMail(
                number=len(self.submissions) + 1,
                at=world.now,
                login=None,
                envelope_sender=world.mailboxes[attempt.mailbox_id].address,
                recipient=attempt.lead.email,
                raw=ready.rendered.data,
            ),
        )
        self._story.tell(
            world.now,
            f"{made.mail.envelope_sender} → {made.address}: step {made.step_number} of campaign {made.campaign_id}: "
            f"{outcome.text}{' (taken)' if is_taken and outcome is _LOST_AFTER else ''}",
        )
        self._look_at(made)
        self.submissions.append(made)
        self._by_lead[made.campaign_lead_id].append(made)
        self._by_mailbox[made.mailbox_id].append(made)
        if is_taken:
            self._world.known_mails[world.origin(made.campaign_lead_id)].append(made.mail.message_id)
        return outcome

    def _roll(self) -> Outcome:
        if not self._story.happens(self._fault_rate):
            return _TAKEN
        return self._story.random.choice(_FAULTS)

    def sent_to(self, campaign_lead_id: int) -> list[Submission]:
        return self._by_lead[campaign_lead_id]

    def _look_at(self, made: Submission) -> None:
        self._look_at_copies(made)
        self._look_at_person(made)
        self._look_at_caps(made)
        self._look_at_window(made)
        self._look_at_mailbox(made)
        self._look_at_thread(made)

    def _look_at_copies(self, made: Submission) -> None:
        key = made.campaign_lead_id, made.step_id
        if self._copies[key]:
            raise Broken(1, f"step {made.step_number} comes twice to {made.address}", made.address)
        if made.is_taken or isinstance(made.outcome, Unknown):
            self._copies[key] += 1

    def _look_at_person(self, made: Submission) -> None:
        why = self._world.why_barred(made.campaign_lead_id, made.address)
        if why:
            raise Broken(2, f"{made.address} is mailed although: {why}", made.address)

    def _look_at_caps(self, made: Submission) -> None:
        box = self._world.mailboxes[made.mailbox_id]
        campaign = self._world.campaigns[made.campaign_id]
        before = self._by_mailbox[made.mailbox_id]
        of_a_day = [each for each in before if each.is_counted and each.at > made.at - DAY]
        cap = max(in_force(box.caps, made.at - DAY))
        if made.is_counted and len(of_a_day) >= cap:
            raise Broken(3, f"{box.address} sends {len(of_a_day) + 1} mails in 24 hours, {cap} allowed", box.address)
        if not before:
            return
        self._look_at_gap(made.at - before[-1].at, in_force(box.gaps, before[-1].at), box.address)
        same = [each for each in before if each.campaign_id == made.campaign_id]
        if same:
            self._look_at_gap(made.at - same[-1].at, in_force(campaign.gaps, same[-1].at), box.address)

    def _look_at_gap(self, pause: timedelta, allowed: list[int], address: str) -> None:
        if pause < timedelta(minutes=min(allowed)):
            raise Broken(3, f"{address} sends after {pause}, {min(allowed)} min are the least", address)

    def _look_at_window(self, made: Submission) -> None:
        campaign = self._world.campaigns[made.campaign_id]
        local = made.at.astimezone(ZoneInfo(campaign.zone))
        if _hour_is_strange(local):
            return  # tests/engine/test_schedule.py has a table for these
        is_open = time.fromisoformat(campaign.start_hour) <= local.time() < time.fromisoformat(campaign.end_hour)
        if not is_open or (local.weekday() + 1) % 7 not in campaign.days:
            raise Broken(4, f"sent at {local:%a %H:%M %Z}, outside of campaign {campaign.id}'s hours", made.address)
        self._look_at_new_leads(made, campaign, local)

    def _look_at_new_leads(self, made: Submission, campaign: CampaignFacts, local: datetime) -> None:
        if not made.is_first:
            return
        zone = ZoneInfo(campaign.zone)
        today = [
            each
            for each in self.submissions
            if each.campaign_id == campaign.id
            and each.is_first
            and each.is_counted
            and each.at.astimezone(zone).date() == local.date()
        ]
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        if made.is_counted and len(today) >= max(in_force(campaign.new_caps, midnight)):
            raise Broken(
                3, f"campaign {campaign.id} begins with {len(today) + 1} leads on {local.date()}", made.address
            )

    def _look_at_mailbox(self, made: Submission) -> None:
        heard = [each for each in self._of_conversation(made) if each.is_taken or isinstance(each.outcome, Unknown)]
        before = {each.mailbox_id for each in heard}
        ids = {made.campaign_lead_id, self._world.origin(made.campaign_lead_id)}
        if before - {made.mailbox_id} and not ids & self._world.reallocated:
            raise Broken(5, f"{made.address} hears from another mailbox", made.address)

    def _of_conversation(self, made: Submission) -> list[Submission]:
        """What went to the lead before, in the parent and in its other subsequences too."""
        origin = self._world.origin(made.campaign_lead_id)
        parts = {origin, made.campaign_lead_id, *self._world.in_subsequences(origin)}
        return [each for part in sorted(parts) for each in self.sent_to(part)]

    def _look_at_thread(self, made: Submission) -> None:
        before = [each for each in self.sent_to(made.campaign_lead_id) if each.is_taken]
        doubtful = [each for each in self.sent_to(made.campaign_lead_id) if isinstance(each.outcome, Unknown)]
        message = message_from_bytes(made.mail.raw)
        answered = message["In-Reply-To"]
        if answered is None or doubtful or not before:
            if answered is None and made.mail.subject.startswith("Re: "):
                raise Broken(6, f"{made.address} gets a 'Re:' that answers nothing", made.address)
            if answered is not None and made.campaign_lead_id in self._world.origins:
                self._look_at_latest(made, answered.strip(" <>"))
            return
        last = before[-1].mail.message_id
        answers = answered.strip(" <>")
        if answers in {each.mail.message_id for each in before} - {last}:
            raise Broken(6, f"{made.address} gets an answer to another mail than the last one", made.address)
        # else to one that was lost with its engine: nobody knows that it never came
        if answers == last and last not in (message["References"] or ""):
            raise Broken(6, f"the References of a mail to {made.address} lack the last one", made.address)
        if made.mail.subject != f"Re: {made.mail.thread_subject}":
            raise Broken(6, f"{made.address} gets the subject {made.mail.subject!r}", made.address)

    def _look_at_latest(self, made: Submission, answered: str) -> None:
        """The first mail of a subsequence answers what was written last, by whomever."""
        if any(isinstance(each.outcome, Unknown) for each in self._of_conversation(made)):
            return
        known = self._world.known_mails[self._world.origin(made.campaign_lead_id)]
        if answered in known[:-1]:
            raise Broken(6, f"{made.address} gets an answer to {answered}, the latest is {known[-1]}", made.address)


def _hour_is_strange(local: datetime) -> bool:
    """Whether the clock is changed within some hours of it."""
    hours = timedelta(hours=4)
    return len({(local + step).astimezone(local.tzinfo).utcoffset() for step in (-hours, hours)}) > 1 or (
        local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    )
