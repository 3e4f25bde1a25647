"""Submitting in tests: what the callback is told, as something to wait for."""

import asyncio
from collections import deque
from collections.abc import Sequence

from outrider.mail.server import Server
from outrider.mail.smtp import Connection, Envelope, Outcome, Submission, Submitter


async def submit(submitter: Submitter, server: Server, envelope: Envelope) -> Outcome:
    (outcome,) = await submit_many(submitter, server, [envelope])
    return outcome


async def submit_many(submitter: Submitter, server: Server, envelopes: Sequence[Envelope]) -> list[Outcome]:
    """All at once; each is told exactly once."""
    told = [asyncio.get_running_loop().create_future() for _ in envelopes]
    for envelope, answer in zip(envelopes, told, strict=True):
        submitter.submit(server, envelope, answer.set_result)
    return list(await asyncio.gather(*told))


async def work(connection: Connection, envelopes: Sequence[Envelope], *, at_most: int = 1000) -> list[Outcome]:
    """What the server said, as far as it came."""
    outcomes: list[Outcome] = []
    ended = asyncio.Event()
    waiting = deque(Submission(envelope, outcomes.append) for envelope in envelopes)
    connection.work(waiting, ended.set, at_most=at_most)
    await ended.wait()
    assert len(outcomes) + len(waiting) == len(envelopes)
    return outcomes
