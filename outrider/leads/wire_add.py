"""The contract's spellings of adding leads: the body, row by row, and the answer (contract: leads, Add leads …).

Rows are read by hand, not by pydantic: 350 rows with twelve fields each are the hottest body of the API. What is wrong
is found again by `_problem`, slowly and in the order of the reference.
"""

from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

from pydantic import AliasChoices, Field
from pydantic.alias_generators import to_camel

from outrider.kit.validation import Flag, Id, ListOf, StrictWire, decoded, reject
from outrider.leads.judging import Addition, NewLead, Rules, Verdict
from outrider.leads.models import LEAD_FIELDS
from outrider.leads.wire import MAX_CUSTOM_FIELDS, custom_field_problem

MAX_LEADS = 400
_REASONS = {
    Verdict.INVALID: "Invalid email",
    Verdict.REPEATED: "Duplicate in upload",
    Verdict.IN_CAMPAIGN: "Already exists in this campaign",
    Verdict.UNSUBSCRIBED: "Unsubscribed",
    Verdict.BLOCKED: "On global block list",
    Verdict.BOUNCED: "On community bounce list",
    Verdict.ELSEWHERE: "Exists in another campaign",
}
_SPELLINGS: dict[str, str] = {
    **{name: name for name in LEAD_FIELDS},
    **{to_camel(name): name for name in LEAD_FIELDS},
    "phone": "phone_number",
    "company": "company_name",
}
_EMAIL = "email"
_CUSTOM_FIELDS = frozenset({"custom_fields", "customFields"})


class Settings(StrictWire):
    ignore_global_block_list: Flag | None = None
    ignore_unsubscribe_list: Flag | None = None
    ignore_community_bounce_list: Flag | None = None
    ignore_duplicate_leads_in_other_campaign: Flag | None = None
    return_lead_ids: Flag | None = None


class AddLeads(StrictWire):
    """Some clients put the flags beside `settings` instead of into it; `allow_duplicate` has no effect."""

    lead_list: Annotated[ListOf[Any], Field(min_length=1, max_length=MAX_LEADS)] | None = Field(
        default=None, validation_alias=AliasChoices("lead_list", "leads")
    )
    lead_list_ids: ListOf[Id] | None = None
    type: Any = None
    settings: Settings = Settings()
    ignore_global_block_list: Flag | None = None
    ignore_unsubscribe_list: Flag | None = None
    ignore_community_bounce_list: Flag | None = None
    ignore_duplicate_leads_in_other_campaign: Flag | None = None
    return_lead_ids: Flag | None = None
    allow_duplicate: Any = None

    def rules(self) -> Rules:
        return Rules(
            ignore_global_block_list=self._flag("ignore_global_block_list"),
            ignore_unsubscribe_list=self._flag("ignore_unsubscribe_list"),
            ignore_community_bounce_list=self._flag("ignore_community_bounce_list"),
            ignore_duplicate_leads_in_other_campaign=self._flag("ignore_duplicate_leads_in_other_campaign"),
        )

    @property
    def wants_lead_ids(self) -> bool:
        return self._flag("return_lead_ids")

    def _flag(self, name: str) -> bool:
        inside: bool | None = getattr(self.settings, name)
        return bool(getattr(self, name) if inside is None else inside)

    def rows(self) -> list[NewLead]:
        """The leads as given; raises for the first one that is malformed. A bad address is counted later."""
        if self.lead_list is None:
            reject('"lead_list" is required', key="lead_list")
        return read_rows(self.lead_list, name="lead_list")


def read_rows(items: Sequence[Any], *, name: str) -> list[NewLead]:
    """The leads of a list that is called so; raises for the first one that is malformed."""
    return [_row(item) or _refuse(item, f"{name}[{position}]") for position, item in enumerate(items)]


def _row(item: Any) -> NewLead | None:
    """A lead of the upload, or None if something is wrong with it."""
    if not isinstance(item, dict):
        return None
    email: Any = None
    fields: dict[str, str] = {}
    custom_fields: dict[str, Any] | None = {}
    for key, value in item.items():
        if key == _EMAIL:
            email = "" if value is None else value
        elif (name := _SPELLINGS.get(key)) is not None:
            text = _text(value, name)
            if text is None:
                return None
            if text and (name not in fields or key == name):  # the documented spelling wins over others
                fields[name] = text
        elif key in _CUSTOM_FIELDS:
            custom_fields = _custom_fields(value)
        else:
            return None
    if not isinstance(email, str) or custom_fields is None:
        return None
    return NewLead(email, fields, custom_fields)


def _custom_fields(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str):
        value = decoded(value)
    if value is None or value == "":
        return {}
    if not isinstance(value, dict) or len(value) > MAX_CUSTOM_FIELDS:
        return None
    return None if any(isinstance(each, dict | list) for each in value.values()) else value


def _text(value: Any, name: str) -> str | None:
    """The text of a standard field, "" for nothing, None for what is no text."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if name == "phone_number" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _refuse(item: Any, path: str) -> NoReturn:
    where, what = _problem(item)
    reject(f'"{path}{where}" {what}', key=f"{path.replace('[', '.').replace(']', '')}{where}")


def _problem(item: Any) -> tuple[str, str]:
    """Where and what is wrong with a lead: fields in the order of the reference, unknown ones last."""
    if not isinstance(item, dict):
        return "", "must be of type object"
    if _EMAIL not in item:
        return ".email", "is required"
    if not isinstance(item[_EMAIL], str | None):
        return ".email", "must be a string"
    for name in LEAD_FIELDS:
        if any(_SPELLINGS.get(key) == name and _text(value, name) is None for key, value in item.items()):
            return f".{name}", "must be a string"
    wrong = [item[key] for key in _CUSTOM_FIELDS & item.keys() if _custom_fields(item[key]) is None]
    if wrong:
        return _custom_fields_problem(wrong[0])
    known = {_EMAIL, *_SPELLINGS, *_CUSTOM_FIELDS}
    return f".{next(key for key in item if key not in known)}", "is not allowed"


def _custom_fields_problem(value: Any) -> tuple[str, str]:
    fields = decoded(value) if isinstance(value, str) else value
    where, what = (
        custom_field_problem(fields) or ("", "") if isinstance(fields, dict) else ("", "must be of type object")
    )
    return f".custom_fields{where}", what


# out -----------------------------------------------------------------------------------------------------------------


def added(addition: Addition, *, with_lead_ids: bool) -> dict[str, Any]:
    """The answer: the original's counters, and ours from `added_count` on. All counters are numbers here."""
    counts = {verdict: addition.verdicts.count(verdict) for verdict in Verdict}
    answer: dict[str, Any] = {
        "ok": True,
        "upload_count": len(addition.verdicts),
        "total_leads": counts[Verdict.ADDED],
        "block_count": counts[Verdict.BLOCKED],
        "duplicate_count": counts[Verdict.REPEATED],
        "invalid_email_count": counts[Verdict.INVALID],
        "invalid_emails": _emails(addition, Verdict.INVALID),
        "already_added_to_campaign": counts[Verdict.IN_CAMPAIGN],
        "unsubscribed_leads": _emails(addition, Verdict.UNSUBSCRIBED),
        "is_lead_limit_exhausted": False,  # there are no quotas (decision 21)
        "lead_import_stopped_count": 0,
        "bounce_count": counts[Verdict.BOUNCED],
    }
    if with_lead_ids:
        answer["emailToLeadIdMap"] = {
            "newlyAddedLeads": _lead_ids(addition, Verdict.ADDED),
            "existingLeads": _lead_ids(addition, Verdict.IN_CAMPAIGN),
            "existingLeadsInOtherCampaigns": _lead_ids(addition, Verdict.ELSEWHERE),
        }
    skipped = [
        {"email": email, "reason": reason_of(verdict)}
        for email, verdict in zip(addition.emails, addition.verdicts, strict=True)
        if verdict is not Verdict.ADDED
    ]
    return {**answer, "added_count": counts[Verdict.ADDED], "skipped_count": len(skipped), "skipped_leads": skipped}


def reason_of(verdict: Verdict) -> str:
    """The sentence for a row that was not added."""
    return _REASONS[verdict]


def _emails(addition: Addition, wanted: Verdict) -> list[str]:
    return [email for email, verdict in zip(addition.emails, addition.verdicts, strict=True) if verdict is wanted]


def _lead_ids(addition: Addition, wanted: Verdict) -> dict[str, str]:
    rows = zip(addition.emails, addition.verdicts, addition.lead_ids, strict=True)
    return {email: str(lead_id) for email, verdict, lead_id in rows if verdict is wanted}
