"""Every figure once more: slow, in plain Python, straight from a history. It shares nothing with what it checks.

Days are not windows here: a mail belongs to the day that a clock on the wall of the zone shows when it is sent.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any

from tests.analytics.history import CATEGORY_NAMES, SENTIMENTS, History, Mail

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Question:
    start: date
    end: date
    zone_name: str
    zone: tzinfo
    client_ids: tuple[int, ...] | None = None
    campaign_ids: tuple[int, ...] | None = None
    is_agency: bool = False

    @property
    def query(self) -> dict[str, str]:
        given = {"start_date": str(self.start), "end_date": str(self.end), "timezone": self.zone_name}
        if self.client_ids is not None:
            given["client_ids"] = ",".join(map(str, self.client_ids))
        if self.campaign_ids is not None:
            given["campaign_ids"] = ",".join(map(str, self.campaign_ids))
        return given | ({"is_agency": "true"} if self.is_agency else {})

    @property
    def days(self) -> list[date]:
        return [self.start + timedelta(days=number) for number in range((self.end - self.start).days + 1)]

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def has(self, at: datetime | None) -> bool:
        return at is not None and self.start <= self.day(at) <= self.end


def percent(part: int, whole: int) -> str:
    return f"{_quotient(part * 100, whole, '0.01')}%"


def _quotient(part: int, whole: int, places: str) -> Decimal:
    if whole == 0:
        return Decimal(places) * 0
    return (Decimal(part) / Decimal(whole)).quantize(Decimal(places), ROUND_HALF_UP)


def length(span: timedelta) -> str:
    minutes, seconds = divmod(span // _SECOND, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h {minutes}m {seconds}s"


LeadKey = tuple[int, str]


def key(mail: Mail) -> LeadKey:
    return mail.campaign_id, mail.lead


def opened(mail: Mail) -> datetime | None:
    return mail.first("OPEN")


def clicked(mail: Mail) -> datetime | None:
    return mail.first("CLICK")


def replied(mail: Mail) -> datetime | None:
    return mail.first("REPLY")


def bounced(mail: Mail) -> datetime | None:
    return mail.first("BOUNCE")


def unsubscribed(mail: Mail) -> datetime | None:
    return mail.first("UNSUBSCRIBE")


class Recount:
    """The answers to one question about one history."""

    def __init__(self, history: History, question: Question, user_id: int) -> None:
        self.history = history
        self.question = question
        self.user_id = user_id
        self.campaigns = [campaign for campaign in history.campaigns if self._is_asked(campaign.id, campaign.client_id)]
        ids = {campaign.id for campaign in self.campaigns}
        self.mails = [
            mail
            for mail in history.mails
            if mail.campaign_id in ids and (mail.campaign_id, mail.step) not in history.dropped
        ]
        self.cohort = [mail for mail in self.mails if question.has(mail.sent_at)]

    def _is_asked(self, campaign_id: int, client_id: int | None) -> bool:
        question = self.question
        return (
            (question.client_ids is None or client_id in question.client_ids)
            and (question.campaign_ids is None or campaign_id in question.campaign_ids)
            and not (question.is_agency and client_id is None)
        )

    def category(self, mail: Mail) -> int | None:
        lead = self.history.lead(mail.campaign_id, mail.lead)
        return lead.category_id if lead else None

    def sentiment(self, mail: Mail) -> str | None:
        category = self.category(mail)
        return SENTIMENTS[category] if category else None

    def is_positive(self, mail: Mail) -> bool:
        return self.sentiment(mail) == "positive"

    # --- counts ---

    def counts(self, mails: Sequence[Mail]) -> dict[str, Any]:
        found: dict[str, Any] = {
            "sent": len(mails),
            "opened": sum(opened(mail) is not None for mail in mails),
            "replied": sum(replied(mail) is not None for mail in mails),
            "bounced": sum(bounced(mail) is not None for mail in mails),
            "unsubscribed": sum(unsubscribed(mail) is not None for mail in mails),
            "unique_lead_count": len({key(mail) for mail in mails}),
            "unique_open_count": len({key(mail) for mail in mails if opened(mail)}),
            "positive_replied": len({key(mail) for mail in mails if replied(mail) and self.is_positive(mail)}),
        }
        is_by_openers = found["unique_open_count"] > 0 and all(mail.is_tracked for mail in mails)
        found["open_rate"] = percent(found["unique_open_count"], found["unique_lead_count"])
        found["reply_rate"] = percent(
            found["replied"], found["unique_open_count"] if is_by_openers else found["unique_lead_count"]
        )
        found["positive_reply_rate"] = percent(found["positive_replied"], found["replied"])
        found["bounce_rate"] = percent(found["bounced"], found["unique_lead_count"])
        found["client_health"] = percent(found["positive_replied"], found["unique_lead_count"])
        return found

    def groups(self, of: Callable[[Mail], Any]) -> dict[Any, list[Mail]]:
        found: dict[Any, list[Mail]] = defaultdict(list)
        for mail in self.cohort:
            found[of(mail)].append(mail)
        return found

    def first_replies(self) -> dict[LeadKey, datetime]:
        """When each lead answered for the first time, in its whole life."""
        found: dict[LeadKey, datetime] = {}
        for mail in self.mails:
            at = replied(mail)
            if at and (key(mail) not in found or at < found[key(mail)]):
                found[key(mail)] = at
        return found

    def first_positive_replies(self) -> list[datetime]:
        positive = {key(mail) for mail in self.mails if self.is_positive(mail)}
        return [at for lead, at in self.first_replies().items() if lead in positive]

    # --- the reports ---

    def overall(self) -> dict[str, Any]:
        found = self.counts(self.cohort)
        found["positive_replied"] = sum(self.question.has(at) for at in self.first_positive_replies())
        found["positive_reply_rate"] = percent(found["positive_replied"], found["replied"])
        return {"overall_stats": without(found, "unsubscribed", "client_health")}

    def day_rows(self, metrics: Callable[[date], dict[str, Any]]) -> dict[str, Any]:
        return {
            "day_wise_stats": [
                {
                    "date": f"{day.day} {MONTHS[day.month - 1]}",
                    "day_name": WEEKDAYS[day.weekday()],
                    "email_engagement_metrics": metrics(day),
                    "iso_date": str(day),
                }
                for day in self.question.days
            ]
        }

    def on(self, day: date, of: Callable[[Mail], datetime | None]) -> int:
        return sum(at is not None and self.question.day(at) == day for at in map(of, self.mails))

    def event_days(self) -> dict[str, Any]:
        return self.day_rows(
            lambda day: {
                "sent": self.on(day, lambda mail: mail.sent_at),
                "opened": self.on(day, opened),
                "replied": self.on(day, replied),
                "bounced": self.on(day, bounced),
                "unsubscribed": self.on(day, unsubscribed),
            }
        )

    def of_day(self, day: date) -> dict[str, Any]:
        return self.counts([mail for mail in self.cohort if self.question.day(mail.sent_at) == day])

    def sent_days(self) -> dict[str, Any]:
        def metrics(day: date) -> dict[str, Any]:
            found = self.of_day(day)
            names = ("sent", "opened", "replied", "bounced", "unsubscribed", "positive_replied")
            return {name: found[name] for name in names} | {"unique_lead_reached": found["unique_lead_count"]}

        return self.day_rows(metrics)

    def positive_days(self) -> dict[str, Any]:
        replies = Counter(self.question.day(at) for at in self.first_positive_replies())
        return self.day_rows(lambda day: {"positive_replied": replies[day]})

    def positive_sent_days(self) -> dict[str, Any]:
        return self.day_rows(lambda day: {"positive_replied": self.of_day(day)["positive_replied"]})

    def campaign_rows(self) -> dict[str, Any]:
        rows = [
            {"id": campaign_id, "campaign_name": self.history.campaign(campaign_id).name}
            | without(self.counts(mails), "unsubscribed", "client_health")
            for campaign_id, mails in self.groups(lambda mail: mail.campaign_id).items()
        ]
        return {"campaign_wise_performance": sorted(rows, key=lambda row: (-row["sent"], row["id"]))}

    def responses(self) -> dict[str, Any]:
        rows = []
        for campaign_id, mails in self.groups(lambda mail: mail.campaign_id).items():
            answered = [mail for mail in mails if replied(mail)]
            by = Counter(self.sentiment(mail) for mail in answered)
            name = self.history.campaign(campaign_id).name
            leads, answering = {key(mail) for mail in mails}, {key(mail) for mail in answered}
            rows.append(
                {
                    "email_campaign_id": campaign_id,
                    "email_campaign_name": name,
                    "leads_contacted": len(leads),
                    "not_replied": len(leads - answering),
                    "total_response": len(answered),
                    "total_unique_response": len(answering),
                    "unrecognised_response": by[None],
                    "total_positive_response": by["positive"],
                    "total_negative_response": by["negative"],
                    "total_neutral_response": by["neutral"],
                    "campaign_id": campaign_id,
                    "campaign_name": name,
                    "positive_reply": by["positive"],
                    "neutral_reply": by["neutral"],
                    "negative_reply": by["negative"],
                }
            )
        rows.sort(key=lambda row: (-row["total_response"], row["campaign_id"]))
        return {"campaign_wise_response_stats": rows}

    def client_rows(self) -> dict[str, Any]:
        rows = []
        for client_id, mails in self.groups(lambda mail: self.history.campaign(mail.campaign_id).client_id).items():
            if client_id is None:
                continue
            found = self.counts(mails)
            rows.append(
                {
                    "client_id": client_id,
                    "client_name": next(client.name for client in self.history.clients if client.id == client_id),
                    "total_campaigns_count": str(len({mail.campaign_id for mail in mails})),
                    "campaign_stats": without(found, "bounced", "unsubscribed", "bounce_rate"),
                }
            )
        rows.sort(key=lambda row: (-row["campaign_stats"]["sent"], row["client_id"]))
        return {"client_wise_performance": rows}

    def follow_ups(self) -> dict[str, Any]:
        later = [mail for mail in self.cohort if mail.step >= 2]
        answered = [mail for mail in later if replied(mail)]
        rate = percent(len(answered), len(later))
        campaigns = len({mail.campaign_id for mail in self.cohort})
        return {
            "followup_reply_rate": rate,
            "followup_stats": {
                "total_followups": len(later),
                "followup_replies": len(answered),
                "followup_reply_rate": rate,
                "avg_followups_per_campaign": float(_quotient(len(later), campaigns, "0.01")),
            },
        }

    def reply_times(self) -> dict[str, Any]:
        spans = []
        for lead, at in self.first_replies().items():
            its = [mail for mail in self.mails if key(mail) == lead]
            if any(replied(mail) == at and self.question.has(mail.sent_at) for mail in its):
                spans.append(at - min(mail.sent_at for mail in its))
        hours = (0, 1, 6, 24, 72, 168, 10**6)
        names = ("0-1h", "1-6h", "6-24h", "1-3d", "3-7d", "7d+")
        return {
            "lead_to_reply_time": {
                "average_time_diff": length(sum(spans, timedelta()) // len(spans) if spans else timedelta()),
                "median_time_diff": length(median(spans) if spans else timedelta()),
                "distribution": [
                    {
                        "time_range": name,
                        "count": sum(timedelta(hours=low) <= span < timedelta(hours=high) for span in spans),
                    }
                    for name, low, high in zip(names, hours, hours[1:], strict=False)
                ],
            }
        }

    def leads_for_reply(self) -> dict[str, Any]:
        leads = {key(mail) for mail in self.cohort}
        answering = {key(mail) for mail in self.cohort if replied(mail)}
        return {"leads_take_for_first_reply": int(_quotient(len(leads), len(answering), "1"))}

    def category_rows(self) -> dict[str, Any]:
        by = Counter(self.category(mail) for mail in self.cohort if replied(mail))
        total = sum(by.values())
        order = [None, "positive", "neutral", "negative"]
        rows = []
        for category in sorted(by, key=lambda each: (order.index(SENTIMENTS.get(each or 0)), -by[each], each or 0)):
            name = CATEGORY_NAMES[category] if category else "Uncategorized"
            share = f"{_quotient(by[category] * 100, total, '0.01').normalize():f}%"
            row = {"total_response": by[category], "name": name, "percentage": share, "category": name}
            if sentiment := SENTIMENTS.get(category or 0):
                row["sentiment_type"] = sentiment
            rows.append(row)
        filters = [{"sentiment_type": word} for word in ("positive", "neutral", "negative")]
        return {"lead_responses_by_category": {"filter": filters, "leadResponseGrouping": rows}}

    def lead_stats(self) -> dict[str, Any]:
        leads = {key(mail) for mail in self.cohort}
        old = {key(mail) for mail in self.mails if self.question.day(mail.sent_at) < self.question.start}
        total, new = len(leads), len(leads - old)
        share = int(_quotient(new * 100, total, "1"))
        return {
            "lead_stats": {
                "count": {"total": total, "new": new, "follow_up": total - new},
                "percentage": {"new": f"{share}%", "follow_up": f"{100 - share if total else 0}%"},
            }
        }

    def address(self, mail: Mail) -> str:
        return self.history.mailbox(mail.mailbox_id).address.lower()

    def health(self, of: Callable[[Mail], str], *names: str) -> list[dict[str, Any]]:
        rows = [
            dict.fromkeys(names, group) | without(self.counts(mails), "unsubscribed", "client_health")
            for group, mails in self.groups(of).items()
        ]
        return sorted(rows, key=lambda row: (-row["sent"], row[names[0]]))

    def domains(self) -> dict[str, Any]:
        return {"domain_health_metrics": self.health(lambda mail: self.address(mail).split("@")[1], "domain")}

    def addresses(self) -> dict[str, Any]:
        return {"email_health_metrics": self.health(self.address, "from_email", "email_account")}

    def providers(self) -> dict[str, Any]:
        def shown(mails: list[Mail], provider: str) -> dict[str, Any]:
            names = {"GMAIL": "Gmail", "OUTLOOK": "Outlook"}
            found = without(self.counts(mails), "unsubscribed", "client_health")
            texts = {name: str(value) for name, value in found.items()}
            return {"email_provider": provider, "provider": names.get(provider, provider)} | texts

        by_type = self.groups(lambda mail: self.history.mailbox(mail.mailbox_id).type)
        overall = [shown(mails, provider) for provider, mails in by_type.items()]
        overall.sort(key=lambda row: (-int(row["sent"]), row["email_provider"]))
        tagged = []
        for provider, mails in by_type.items():
            for tag_id, name, color in self.history.tags:
                its = [mail for mail in mails if tag_id in self.history.mailbox(mail.mailbox_id).tags]
                if its:
                    tag = {"tag_id": tag_id, "tag_name": name, "tag_color": color, "tag": name}
                    tagged.append(shown(its, provider) | tag)
        tagged.sort(key=lambda row: (row["email_provider"], -int(row["sent"]), row["tag_id"]))
        return {"email_providers_performance_overview": {"overall": overall, "tag_wise": tagged}}

    def team(self) -> dict[str, Any]:
        rows = []
        for id_, name in self.history.people:
            its = [
                mail
                for mail in self.cohort
                if (lead := self.history.lead(mail.campaign_id, mail.lead)) and lead.member_id == id_
            ]
            found, waits = self.counts(its), self.waits({key(mail) for mail in its})
            rows.append(
                {
                    "id": id_,
                    "name": name,
                    "profile_pic_url": None,
                    "lead_count": found["unique_lead_count"],
                    "campaign_count": len({mail.campaign_id for mail in its}),
                    "reply_count": found["replied"],
                    "positive_reply_count": found["positive_replied"],
                    "reply_rate": found["reply_rate"] if its else 0,
                    "positive_reply_rate": found["positive_reply_rate"] if found["replied"] else 0,
                    "average_reply_time": length(sum(waits, timedelta()) // len(waits)) if waits else 0,
                    "unique_open_count": found["unique_open_count"],
                    "sent": found["sent"],
                    "opened": found["opened"],
                    "replied": found["replied"],
                    "bounced": found["bounced"],
                }
            )
        rows.sort(key=lambda row: (-row["reply_count"], -row["lead_count"], row["id"]))
        return {"team_board_stats": rows}

    def waits(self, leads: set[LeadKey]) -> list[timedelta]:
        """From the newest word of such a lead to our answer."""
        found = []
        for answer in self.history.manual_replies:
            lead = (answer.campaign_id, answer.lead)
            words = [
                event.at
                for mail in self.history.mails
                if key(mail) == lead
                for event in mail.events
                if event.type == "REPLY" and event.at < answer.at
            ]
            if lead in leads and words:
                found.append(answer.at - max(words))
        return found

    def answers(self) -> dict[str, Any]:
        """Path → `data`."""
        return {
            "overall-stats-v2": self.overall(),
            "day-wise-overall-stats": self.event_days(),
            "day-wise-overall-stats-by-sent-time": self.sent_days(),
            "day-wise-positive-reply-stats": self.positive_days(),
            "day-wise-positive-reply-stats-by-sent-time": self.positive_sent_days(),
            "campaign/overall-stats": self.campaign_rows(),
            "campaign/response-stats": self.responses(),
            "client/overall-stats": self.client_rows(),
            "campaign/follow-up-reply-rate": self.follow_ups(),
            "campaign/lead-to-reply-time": self.reply_times(),
            "campaign/leads-take-for-first-reply": self.leads_for_reply(),
            "lead/category-wise-response": self.category_rows(),
            "lead/overall-stats": self.lead_stats(),
            "mailbox/domain-wise-health-metrics": self.domains(),
            "mailbox/name-wise-health-metrics": self.addresses(),
            "mailbox/provider-wise-overall-performance": self.providers(),
            "team-board/overall-stats": self.team(),
        }

    # --- one campaign ---

    def cut(self, mails: Iterable[Mail]) -> dict[str, int]:
        """As the rows of one campaign show it."""
        its = list(mails)
        return {
            "sent_count": len(its),
            "open_count": sum(opened(mail) is not None for mail in its),
            "click_count": sum(clicked(mail) is not None for mail in its),
            "reply_count": len({mail.lead for mail in its if replied(mail)}),
            "bounce_count": sum(bounced(mail) is not None for mail in its),
            "sender_bounce_count": sum(mail.first("SENDER_BOUNCE") is not None for mail in its),
            "unsubscribed_count": sum(unsubscribed(mail) is not None for mail in its),
            "positive_reply_count": len({mail.lead for mail in its if replied(mail) and self.is_positive(mail)}),
        }

    def top_level(self, campaign_id: int) -> dict[str, int]:
        its = [mail for mail in self.mails if mail.campaign_id == campaign_id]
        return without(self.cut(its), "sender_bounce_count", "positive_reply_count") | {
            "unique_sent_count": len({mail.lead for mail in its}),
            "unique_open_count": len({mail.lead for mail in its if opened(mail)}),
            "unique_click_count": len({mail.lead for mail in its if clicked(mail)}),
        }

    def happened(self, campaign_id: int) -> dict[str, int]:
        """Of one campaign in the days that are asked for, each event where it happened."""
        has = self.question.has
        its = [mail for mail in self.mails if mail.campaign_id == campaign_id]
        return {
            "sent_count": sum(has(mail.sent_at) for mail in its),
            "unique_sent_count": len({mail.lead for mail in its if has(mail.sent_at)}),
            "open_count": sum(has(opened(mail)) for mail in its),
            "unique_open_count": len({mail.lead for mail in its if has(opened(mail))}),
            "click_count": sum(has(clicked(mail)) for mail in its),
            "unique_click_count": len({mail.lead for mail in its if has(clicked(mail))}),
            "reply_count": len({mail.lead for mail in its if has(replied(mail))}),
            "bounce_count": sum(has(bounced(mail)) for mail in its),
            "unsubscribed_count": sum(has(unsubscribed(mail)) for mail in its),
            "positive_reply_count": len({mail.lead for mail in its if has(replied(mail)) and self.is_positive(mail)}),
        }


def without(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in names}
