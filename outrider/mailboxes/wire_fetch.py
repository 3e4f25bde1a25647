"""The contract's spellings of messages that are read live (contract: email-accounts, Fetch Messages)."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from outrider.kit.errors import Invalid
from outrider.kit.validation import Flag, Id, Int, Moment, Text, Wire, decoded, fault, reject
from outrider.mailboxes.fetching import Found, Letter, Wanted

_LOOKS_BACK = timedelta(hours=24)
MOST_ACCOUNTS = 10
# No mail is older or newer, and days can be added and taken away.
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class FetchFailed(Invalid):
    """Failed to fetch messages"""

    def __init__(self, mailbox_id: int, error: str) -> None:
        super().__init__(extra={"success": False, "accountId": str(mailbox_id), "error": error})


class FolderNotFound(Invalid):
    """Folder not found"""

    def __init__(self, mailbox_id: int) -> None:
        super().__init__(extra={"success": False, "accountId": str(mailbox_id)})


class FetchBody(Wire):
    limit: Annotated[Int, Field(ge=1, le=500)] = 100
    folder: Text | None = None
    include_body: Flag = Field(default=False, validation_alias=AliasChoices("includeBody", "include_body"))
    from_time: Moment | None = Field(default=None, validation_alias=AliasChoices("from", "from_time"))
    to_time: Moment | None = Field(default=None, validation_alias=AliasChoices("to", "to_time"))

    def wanted(self, now: datetime, *, prefix: str = "") -> Wanted:
        last = self.to_time or now
        first = self.from_time or (min(now, last) - _LOOKS_BACK if last > _EARLIEST else last)
        if first > last:
            key = f"{prefix}to"
            reject(f'"{key}" must be larger than or equal to "ref:from"', key=key)
        first, last = (min(max(moment, _EARLIEST), _LATEST) for moment in (first, last))
        return Wanted(first=first, last=last, folder=self.folder or None, limit=self.limit, with_body=self.include_body)


class FetchItem(FetchBody):
    account_id: Id = Field(validation_alias=AliasChoices("account_id", "email_account_id"))


def _items(given: Any) -> Any:
    """The list itself, or an object that has it as `accounts`."""
    value = decoded(given) if isinstance(given, str) else given
    if isinstance(value, Mapping) and "accounts" in value:
        value = value["accounts"]
    if not isinstance(value, list):
        raise fault("must be an array")
    return value


FetchItems = Annotated[list[FetchItem], BeforeValidator(_items), Field(min_length=1, max_length=MOST_ACCOUNTS)]


# answers -------------------------------------------------------------------------------------------------------------


def fetched(found: Found, *, with_body: bool) -> dict[str, Any]:
    counts = Counter(letter.seen.folder for letter in found.letters)
    return {
        "messages": [_message(letter, with_body=with_body) for letter in found.letters],
        "totalCount": found.total_count,
        "processedCount": len(found.letters),
        "folders": [{"name": name, "count": count} for name, count in counts.items()],
    }


def _message(letter: Letter, *, with_body: bool) -> dict[str, Any]:
    mail, folder = letter.mail, letter.seen.folder
    shown: dict[str, Any] = {
        "messageId": letter.key,
        "threadId": letter.thread_id,
        "gmailMessageId": letter.message_id,
        "internetMessageId": letter.message_id,
        "subject": mail.subject,
        "from": mail.headers.get("From") or "",
        "to": mail.headers.get("To") or "",
        "timestamp": letter.seen.received_at,
        "date": mail.headers.get("Date"),
        "folders": [{"id": folder, "name": folder}],
        "labelIds": [folder],
        "snippet": letter.snippet,
        "sizeEstimate": letter.size,
        "historyId": None,
    }
    if with_body:
        shown["body"] = {"text": mail.text or "", "html": mail.html or ""}
    return shown
