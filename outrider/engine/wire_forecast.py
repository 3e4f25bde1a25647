"""What the forecast is asked and answers. It is ours: the reference has none."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import AliasChoices, Field

from outrider.engine.forecast import Forecast, ForeseenMail, WhatIf
from outrider.engine.gates import Hold
from outrider.kit.validation import Id, Int, ListOf, Wire

DAYS = 14
_MOST_DAYS = 366
_LARGEST_CAP = 100_000
_LARGEST_GAP = 24 * 60
_FIRST_STEP = 1


class ForecastQuery(Wire):
    """`days` limits what is listed; the campaign is always foreseen to its end. The others are tried out."""

    days: Annotated[Int, Field(ge=1, le=_MOST_DAYS)] = DAYS
    max_email_per_day: Annotated[Int, Field(ge=0, le=_LARGEST_CAP)] | None = Field(
        default=None, validation_alias=AliasChoices("max_email_per_day", "message_per_day")
    )
    max_new_leads_per_day: Annotated[Int, Field(ge=0, le=_LARGEST_CAP)] | None = Field(
        default=None, validation_alias=AliasChoices("max_new_leads_per_day", "max_leads_per_day")
    )
    min_time_btw_emails: Annotated[Int, Field(ge=1, le=_LARGEST_GAP)] | None = Field(
        default=None, validation_alias=AliasChoices("min_time_btw_emails", "min_time_btwn_emails")
    )
    email_account_ids: ListOf[Id] = Field(
        default_factory=list, validation_alias=AliasChoices("email_account_ids", "emailAccountIds", "email_account_id")
    )

    def what_if(self) -> WhatIf:
        return WhatIf(
            max_email_per_day=self.max_email_per_day,
            max_new_leads_per_day=self.max_new_leads_per_day,
            min_time_between_emails=self.min_time_btw_emails,
            mailbox_ids=tuple(dict.fromkeys(self.email_account_ids)) or None,
        )


def shown(found: Forecast, *, days: int, what_if: WhatIf) -> dict[str, Any]:
    """The answer: totals over everything that was foreseen, days as far as asked for."""
    campaign = found.campaign
    last = found.since.date() + timedelta(days=days)
    return {
        "ok": True,
        "campaign_id": campaign.id,
        "campaign_name": campaign.name,
        "status": campaign.status,
        "timezone": campaign.timezone,
        "from": found.since,
        "first_email_at": found.mails[0].at if found.mails else None,
        "completed_at": found.completed_at,
        "total_emails": len(found.mails),
        "total_leads": len({mail.campaign_lead_id for mail in found.mails}),
        "limited_by": _hold(found.binds_most()),
        "by_day": [_day(day, mails, found.binds) for day, mails in _by_day(found).items() if day <= last],
        "by_step": [
            {"seq_number": number, "emails": emails}
            for number, emails in sorted(Counter(mail.step_number for mail in found.mails).items())
        ],
        "by_mailbox": [
            {"email_account_id": mailbox_id, "from_email": found.senders.get(mailbox_id), "emails": emails}
            for mailbox_id, emails in sorted(Counter(mail.mailbox_id for mail in found.mails).items())
        ],
        "not_mailed": [
            {"code": code, "text": text, "leads": leads}
            for (code, text), leads in sorted(found.left.items(), key=lambda item: (-item[1], item[0]))
        ],
        "what_if": {
            "max_email_per_day": what_if.max_email_per_day,
            "max_new_leads_per_day": what_if.max_new_leads_per_day,
            "min_time_btw_emails": what_if.min_time_between_emails,
            "email_account_ids": list(what_if.mailbox_ids) if what_if.mailbox_ids else None,
        },
    }


def _by_day(found: Forecast) -> dict[date, list[ForeseenMail]]:
    days: dict[date, list[ForeseenMail]] = {}
    for mail in found.mails:
        days.setdefault(mail.day, []).append(mail)
    return days


def _day(day: date, mails: list[ForeseenMail], binds: Mapping[date, Hold]) -> dict[str, Any]:
    return {
        "date": day.isoformat(),
        "emails": len(mails),
        "new_leads": sum(mail.step_number == _FIRST_STEP for mail in mails),
        "follow_ups": sum(mail.step_number > _FIRST_STEP for mail in mails),
        "by_step": {str(number): emails for number, emails in sorted(Counter(m.step_number for m in mails).items())},
        "by_mailbox": {str(box): emails for box, emails in sorted(Counter(m.mailbox_id for m in mails).items())},
        "limited_by": _hold(binds.get(day)),
    }


def _hold(hold: Hold | None) -> dict[str, str] | None:
    return {"code": hold.code, "text": hold.text} if hold else None
