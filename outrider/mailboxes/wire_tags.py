"""The contract's spellings of tags: lenient bodies in, exact JSON out (contract: email-accounts, tags)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, Field

from outrider.kit.errors import Invalid
from outrider.kit.validation import Id, Int, ListOf, Text, Wire
from outrider.mailboxes.tags import Mapped, Tag
from outrider.mailboxes.wire import tag

_MOST_ACCOUNTS = 25

_Color = Annotated[Text, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
_Name = Annotated[Text, Field(min_length=1, max_length=255)]


class BadMapping(Invalid):
    """Validation error"""

    def __init__(self, error: str) -> None:
        super().__init__(extra={"success": False, "error": error})


class NoEmails(Invalid):
    """email_ids must be an array"""

    def __init__(self) -> None:
        super().__init__(extra={"success": False})


class StrangeEmails(Invalid):
    """One or more email accounts do not belong to this user"""

    status = 406

    def __init__(self, emails: Sequence[str]) -> None:
        super().__init__(extra={"success": False, "invalid_emails": list(emails)})


class TagMapping(Wire):
    email_account_ids: ListOf[Id] | None = None
    tag_ids: ListOf[Id] | None = None
    emails: ListOf[Text] | None = Field(default=None, validation_alias=AliasChoices("emails", "email_ids"))

    def check(self) -> None:
        accounts = ("email_account_ids", self.email_account_ids or self.emails or [])
        for name, given in (accounts, ("tag_ids", self.tag_ids or [])):
            if not given:
                raise BadMapping(f"{name} must contain at least 1 item")
            if len(given) > _MOST_ACCOUNTS:
                raise BadMapping(f"{name} must contain less than or equal to {_MOST_ACCOUNTS} items")

    def completed_by(self, query: "TagMapping") -> "TagMapping":
        """Some HTTP stacks drop the body of a DELETE."""
        both = {name: getattr(self, name) or getattr(query, name) for name in type(self).model_fields}
        return self.model_copy(update=both)


class TagCreate(Wire):
    name: _Name
    color: _Color | None = None


class TagSave(Wire):
    id: Annotated[Int, Field(ge=0)] | None = None
    name: _Name | None = None
    color: _Color | None = None


class TagList(Wire):
    email_ids: Any = None

    def emails(self) -> list[str]:
        given = [self.email_ids] if isinstance(self.email_ids, str) else self.email_ids
        if not isinstance(given, list) or not given or not all(isinstance(each, str) for each in given):
            raise NoEmails
        return [each.strip() for each in given]


class NamedTag(Wire):
    id: Id | None = None
    name: _Name | None = None
    color: _Color | None = None


class TagSet(Wire):
    email_account_ids: Annotated[ListOf[Id], Field(min_length=1)]
    tags: ListOf[NamedTag]


# answers -------------------------------------------------------------------------------------------------------------


def tag_object(shown: Tag) -> dict[str, Any]:
    return tag({"id": shown.id, "name": shown.name, "color": shown.color})


def mapping(outcomes: Sequence[Mapped], *, message: str, done: str) -> dict[str, Any]:
    """`done` is what succeeded: added or deleted."""
    rows = [_row(each, done) for each in outcomes]
    counts = Counter(row["action"] for row in rows)
    summary = {"total_processed": len(rows), done: counts[done], "skipped": counts["skipped"]}
    return {
        "success": True,
        "ok": True,
        "message": message,
        "data": {"results": rows, "summary": {**summary, "failed": counts["failed"]}},
    }


def _row(outcome: Mapped, done: str) -> dict[str, Any]:
    row: dict[str, Any] = {"email_account_id": outcome.mailbox_id, "tag_id": outcome.tag_id}
    if outcome.mapping_id is not None:
        return {**row, "action": done, "mapping_id": outcome.mapping_id}
    return {**row, "action": "skipped" if outcome.is_known else "failed", "reason": outcome.reason}


def tagged(email: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "email_account_id": row["id"],
        "email_id": email,
        "from_email": row["from_email"],
        "tags": [tag(each) for each in row["tags"]],
    }
