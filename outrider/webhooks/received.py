"""A mail that came in, as payloads tell of it: what is new in it and who wrote it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outrider.kit.db import Db
from outrider.mail.parse import Incoming, parse
from outrider.mail.quote import new_text_of
from outrider.mail.text import html_to_text, text_to_html
from outrider.webhooks import facts
from outrider.webhooks.correspondence import Reply
from outrider.webhooks.facts import Letter
from outrider.webhooks.spelling import identifier, offset_time

_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_TOP_OF_HTML = 20_000


@dataclass(frozen=True, slots=True)
class Received:
    """A stored mail with its headers, if they are still kept."""

    letter: Letter
    headers: Incoming | None

    @property
    def message_id(self) -> str | None:
        """None if it came without one, whatever it is stored under."""
        is_made_up = self.headers is not None and self.headers.message_id is None
        return None if is_made_up else identifier(self.letter.message_id)

    @property
    def html(self) -> str:
        """With its quotes; plain text escaped and wrapped."""
        return text_to_html(self.letter.text or "") if self.letter.html is None else self.letter.html

    @property
    def new_text(self) -> str:
        return new_text_of(self.letter.text, self.letter.html)

    @property
    def sender_detail(self) -> str:
        name = self.headers.from_name if self.headers else ""
        return f"{name} <{self.letter.from_email}>" if name else self.letter.from_email

    @property
    def reply(self) -> Reply:
        text = self.letter.text or html_to_text((self.letter.html or "")[:_TOP_OF_HTML])
        if self.headers is None:
            return Reply(tuple(filter(None, [self.letter.from_email])), None, (), text)
        return Reply(
            authors=tuple(author.address for author in self.headers.authors),
            sender=self.headers.sender.address if self.headers.sender else None,
            reply_to=tuple(each.address for each in self.headers.reply_to),
            text=text,
        )

    def message(self, text: str) -> dict[str, Any]:
        """The `reply_message` of payloads; `text` is the new text."""
        return {
            "message_id": self.message_id,
            "html": self.html,
            "text": text,
            "time": offset_time(self.letter.at),
        }


async def list_received(db: Db, user_ids: Sequence[int], message_ids: Sequence[int]) -> dict[int, Received]:
    letters = await facts.list_letters(db, user_ids, message_ids)
    heads = await facts.list_heads(db, user_ids, message_ids)
    return {number: Received(letter, _headers(heads.get(number))) for number, letter in letters.items()}


def _headers(head: bytes | None) -> Incoming | None:
    if head is None:
        return None
    end = _END_OF_HEADERS.search(head)
    return parse(head[: end.end()] if end else head)
