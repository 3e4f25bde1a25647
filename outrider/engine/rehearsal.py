"""The real engine without its loops: every step is called, on a clock that is moved from one moment to the next.

The forecast runs it on a scratch copy, the simulation on a database of its own with people and faults. There is no
second implementation of any rule: only the mail servers are played, by `submit`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from outrider.engine import foresight, survey
from outrider.engine.outbound import Outbound, Ready
from outrider.engine.recipients import UNLIMITED, RecipientLimits
from outrider.engine.record import Result
from outrider.engine.recorder import Recorder
from outrider.engine.render import Links, Renderer
from outrider.engine.rounds import Attempt, Span
from outrider.engine.senders import Senders
from outrider.kit.clock import StandingClock
from outrider.kit.crypto import Vault
from outrider.kit.db import Database
from outrider.mail.smtp import Outcome, Submitter

Submit = Callable[[Ready], Outcome]


class Rehearsal:
    """One engine that holds its leases already; `turn` does all that is due at the clock's moment."""

    def __init__(
        self,
        database: Database,
        clock: StandingClock,
        vault: Vault,
        *,
        engine_id: UUID,
        tracking_url: str,
        submit: Submit,
        recipients: RecipientLimits = UNLIMITED,
    ) -> None:
        self.clock = clock
        self.engine_id = engine_id
        self._database = database
        self._submit = submit
        self._recorder = Recorder(database, clock)
        self._outbound = Outbound(
            database,
            clock,
            vault,
            engine_id=engine_id,
            senders=Senders(vault, tracking_url=tracking_url),
            renderer=Renderer(Links(vault)),
            submitter=Submitter(),
            recorder=self._recorder,
            on_sent=lambda _mailbox_id, _raw: None,
            recipients=recipients,
        )

    async def turn(self, span: Span) -> list[Result]:
        """Send what is due in this stretch, mail after mail until nothing is; returns what became of them.

        Before it what time alone has changed; where nothing was sent, after it too: leads may have been turned down.
        """
        await self.tend()
        results: list[Result] = []
        while claimed := await self.claim(span):
            results += await self.record(self.submit(await self.hand_over(claimed)))
        if not results:
            await self.tend()
        return results

    async def claim(self, span: Span | None = None) -> list[Attempt]:
        return await self._outbound.claim_due(span)

    async def hand_over(self, claimed: Sequence[Attempt]) -> list[Ready]:
        return await self._outbound.prepare(claimed)

    def submit(self, ready: Sequence[Ready]) -> list[Result]:
        now = self.clock.now()
        return [mail.answered(self._submit(mail), max(now, mail.attempt.claimed_at)) for mail in ready]

    async def record(self, results: Sequence[Result]) -> Sequence[Result]:
        if results:
            await self._recorder.record(results)
        return results

    async def tend(self) -> None:
        """Reasons, and what else is done now and then."""
        async with self._database.transaction() as db:
            await survey.tend(db, self.engine_id, self.clock.now())

    async def next_moment(self) -> datetime | None:
        """When to come back; None if nothing is left to do."""
        span = await self.next_span(is_stretch=False)
        return span.now if span else None

    async def next_span(self, *, is_stretch: bool) -> Span | None:
        """The same; as a stretch with how long from then on every mailbox sends one mail at most."""
        async with self._database.transaction() as db:
            return await foresight.next_span(db, self.engine_id, self.clock.now(), is_stretch=is_stretch)
