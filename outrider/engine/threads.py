"""Which conversation a mail belongs to (RFC 5322 §3.6.4; product behaviour 2.1).

A mail without a subject, or with that of the conversation, goes on with it; another subject begins a new one. It
answers our last mail; in a subsequence the latest of all, the lead's own included (product behaviour 7).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from outrider.kit.db import Db
from outrider.messages.models import ThreadMail
from outrider.messages.store import list_conversations, list_threads

_PREFIX = "Re: "
_PREFIXES = re.compile(r"(?:re:\s*)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Thread:
    """The conversation that a follow-up continues: its first subject, the mail it answers, all mails so far."""

    subject: str
    in_reply_to: str
    references: tuple[str, ...]


def place(subject: str, thread: Thread | None) -> tuple[str, Thread | None]:
    """Return the subject as it is sent, and the thread that it continues. No subject and no thread: no subject."""
    if thread is None:
        return subject, None
    if not subject or (_PREFIXES.match(subject) and _bare(subject) == thread.subject):
        return _PREFIX + thread.subject, thread
    return subject, None


async def load(
    db: Db, campaign_lead_ids: Collection[int], *, in_subsequences: Collection[int] = ()
) -> dict[int, Thread]:
    """Return the latest thread of each lead: from its last mail with a subject of its own on.

    `in_subsequences`: which of them are in one, where the conversation began elsewhere.
    """
    own = [each for each in campaign_lead_ids if each not in in_subsequences]
    threads: dict[int, Thread] = {}
    for mail in await list_threads(db, own) if own else ():
        if mail.message_id is not None:
            threads[mail.campaign_lead_id] = _continued(threads.get(mail.campaign_lead_id), mail, mail.message_id)
    for mail in await list_conversations(db, list(in_subsequences)) if in_subsequences else ():
        if mail.message_id is not None:
            thread = _continued(threads.get(mail.campaign_lead_id), mail, mail.message_id)
            threads[mail.campaign_lead_id] = replace(thread, in_reply_to=mail.message_id)
    return threads


def after(thread: Thread | None, *, subject: str, is_answer: bool, message_id: str) -> Thread:
    """Return the thread after a mail of ours."""
    if thread is None or not is_answer:
        return Thread(_bare(subject), message_id, (message_id,))
    return replace(thread, in_reply_to=message_id, references=(*thread.references, message_id))


def _continued(thread: Thread | None, mail: ThreadMail, message_id: str) -> Thread:
    if thread is None or mail.direction == "OUT":
        return after(thread, subject=mail.subject or "", is_answer=mail.in_reply_to is not None, message_id=message_id)
    return replace(thread, references=(*thread.references, message_id))


def _bare(subject: str) -> str:
    """Without any Re:, so that the answer has exactly one."""
    return _PREFIXES.sub("", subject, count=1) if _PREFIXES.match(subject) else subject
