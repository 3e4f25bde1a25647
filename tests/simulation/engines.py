"""The engine as it lives and dies: it holds its leases by the real means, and may end at every seam of a turn."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from outrider.engine.leases import Leases
from outrider.engine.recipients import RecipientLimits
from outrider.engine.rehearsal import Rehearsal
from outrider.kit.clock import StandingClock
from outrider.kit.db import Database
from tests.simulation.servers import Servers
from tests.simulation.story import Story
from tests.support import make

TRACKING_URL = "https://t.outrider.example"


class Died(Exception):
    """The process was killed: what it knew is gone, what it had committed stays."""


class EngineProcess:
    """One process of the engine."""

    def __init__(self, story: Story, database: Database, clock: StandingClock, servers: Servers) -> None:
        engine_id = uuid4()  # nothing is decided by it
        self._story = story
        self._clock = clock
        self._leases = Leases(database, clock, engine_id=engine_id)
        self.rehearsal = Rehearsal(
            database,
            clock,
            make.VAULT,
            engine_id=engine_id,
            tracking_url=TRACKING_URL,
            submit=servers.submit,
            recipients=RecipientLimits(per_minute=1, per_hour=10),
        )

    async def start(self) -> None:
        await self._leases.start()
        await self.renew()

    async def renew(self) -> None:
        await self._leases.renew()

    async def stop(self) -> None:
        await self._leases.give_up()

    async def kill(self) -> None:
        """The connection that proves it lives breaks off; nobody says goodbye."""
        if self._leases._session is not None:
            await self._leases._session.close()

    async def turn(self, between: "Between") -> int:
        """Do what is due; `between` is asked at every seam. Returns how many mails were handed over.

        What time has changed is seen before and after.
        """
        await self.rehearsal.tend()
        handed = 0
        while claimed := await self.rehearsal.claim():
            await between("a claim")
            ready = await self.rehearsal.hand_over(claimed)
            await between("a hand-over")
            results = []
            for mail in ready:
                results += self.rehearsal.submit([mail])
                await between("a submission")
            await self.rehearsal.record(results)
            handed += len(ready)
        await self.rehearsal.tend()
        return handed


class Between:
    """What may happen between two steps of a turn: the process dies, or somebody does something at that moment."""

    def __init__(self, story: Story, interfere: Callable[[], Awaitable[None]], *, death_rate: float) -> None:
        self._story = story
        self._interfere = interfere
        self._death_rate = death_rate

    async def __call__(self, moment: str) -> None:
        if self._story.happens(self._death_rate):
            raise Died(moment)
        if moment == "a claim":  # later it is too late: the mail is on its way
            await self._interfere()
