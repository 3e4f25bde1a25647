"""One story from its beginning to its end."""

import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from outrider.kit.clock import StandingClock
from outrider.kit.db import Database, execute
from tests.simulation import invariants
from tests.simulation.engines import Between, Died, EngineProcess
from tests.simulation.people import People
from tests.simulation.servers import Servers
from tests.simulation.story import Broken, Story
from tests.simulation.users import Users
from tests.simulation.world import build, learn_leads
from tests.support.database import Cleaner

_LONGEST = timedelta(days=120)
_MOST_TURNS = 2_000
_LAST_EDIT_AFTER = timedelta(days=8)
_MOST_MENDED = 10  # at the end
_AFTER_MENDING = timedelta(days=40)
_RENEW_EVERY = timedelta(hours=36)
_INTERFERENCE = 0.05  # of the claims
_LOOK_AT_REASONS = 0.25  # of the turns, and at the end


@dataclass
class Happening:
    """Something that is not the engine's doing. `may_hurry`: it may as well happen while a mail is prepared."""

    at: datetime
    act: Callable[[], Awaitable[None]]
    may_hurry: bool = False


@dataclass
class Run:
    """A story on a database that nobody else uses."""

    story: Story
    database: Database
    cleaner: Cleaner
    happenings: list[tuple[datetime, int, Happening]] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=count)

    async def tell(self) -> None:
        """Raises Broken."""
        await self._begin_anew()
        async with self.database.transaction() as db:
            self.world = await build(db, self.story)
        dice = self.story.random
        self.is_calm = self.story.happens(0.25)
        fault_rate = 0.0 if self.is_calm else dice.choice((0.0, 0.1, 0.3))
        self.people = People(
            self.story, self.world, self.database, activity=0.0 if self.is_calm else dice.choice((0.1, 0.5))
        )
        self.servers = Servers(self.story, self.world, fault_rate=fault_rate)
        self.users = Users(self.story, self.world, self.database)
        self.clock = StandingClock(self.world.now)
        self.between = Between(
            self.story, self._interfere, death_rate=0.0 if self.is_calm else dice.choice((0.0, 0.0, 0.05))
        )
        self._plan_edits()
        self.engine = await self._start_engine()
        try:
            await self._live()
            async with self.database.transaction() as db:
                await invariants.look_at_reasons(db, self.world)
                await invariants.look_at_counters(db, self.world)
                await invariants.look_at_subsequences(db)
                await invariants.look_at_end(db, self.world, self.servers, is_calm=self.is_calm)
        finally:
            await self.engine.stop()

    async def _begin_anew(self) -> None:
        """The same ids in every run: decisions are made by them."""
        await self.cleaner.clean()
        async with self.database.connection() as db:
            await execute(
                db,
                """
                SELECT setval(s.seqrelid::regclass, s.seqstart, false)
                FROM pg_sequence AS s
                JOIN pg_class AS c ON c.oid = s.seqrelid
                WHERE c.relnamespace = 'public'::regnamespace
                """,
            )

    def _plan_edits(self) -> None:
        if self.is_calm:
            return
        for _ in range(self.story.random.choice((0, 1, 3, 6))):
            after = timedelta(seconds=self.story.random.randint(60, int(_LAST_EDIT_AFTER.total_seconds())))
            self._expect(self.world.now + after, self.users.act)
        if self.story.happens(0.3):  # somebody who cannot make up his mind about the order of the steps
            for day in range(1, _LAST_EDIT_AFTER.days):
                self._expect(self.world.now + timedelta(days=day), self.users.rearrange)
        self._expect(self.world.now + _LAST_EDIT_AFTER, self.users.mend)
        self._expect(self.world.now + 2 * _LAST_EDIT_AFTER, self.users.mend)

    def _expect(self, at: datetime, act: Callable[[], Awaitable[None]], *, may_hurry: bool = False) -> None:
        heapq.heappush(self.happenings, (at, next(self.numbers), Happening(at, act, may_hurry)))

    async def _interfere(self) -> None:
        """Somebody answers, opens or edits between the choice of a mail and its hand-over."""
        await self._learn()
        if self.is_calm or not self.story.happens(_INTERFERENCE):
            return
        hurrying = next((each for each in sorted(self.happenings) if each[2].may_hurry), None)
        if hurrying is None:
            await self.users.hold()
            return
        self.happenings.remove(hurrying)
        heapq.heapify(self.happenings)
        await hurrying[2].act()

    async def _live(self) -> None:
        end = self.world.now + _LONGEST
        renewed_at, mended = self.world.now, 0
        for _ in range(_MOST_TURNS):
            await self._turn()
            moment = await self.engine.rehearsal.next_moment()
            following = min((at for at, _, _ in self.happenings), default=None)
            upcoming = min((each for each in (moment, following) if each), default=None)
            if upcoming is None or upcoming > end:
                if self.is_calm or mended >= _MOST_MENDED:
                    return
                mended += 1  # a password that was refused after the last look of a person waits for another
                await self.users.mend()
                end = max(end, self.world.now + _AFTER_MENDING)  # what was stuck goes on, and leads go on after it
                continue
            await self._probe(upcoming)
            self._move_to(upcoming)
            if upcoming - renewed_at > _RENEW_EVERY:
                await self.engine.renew()
                renewed_at = upcoming
            while self.happenings and self.happenings[0][0] <= upcoming:
                await heapq.heappop(self.happenings)[2].act()
        raise Broken(11, f"after {_MOST_TURNS} turns it is still not over")

    async def _turn(self) -> None:
        before = len(self.servers.submissions)
        while not await self._survives_turn():
            pass
        await self._learn()
        for made in self.servers.submissions[before:]:
            for at, act in self.people.react(made):
                self._expect(max(at, self.world.now), act, may_hurry=True)
        if self.story.happens(_LOOK_AT_REASONS):
            async with self.database.transaction() as db:
                await invariants.look_at_reasons(db, self.world)
                await invariants.look_at_subsequences(db)

    async def _learn(self) -> None:
        """Who has entered a subsequence meanwhile."""
        async with self.database.transaction() as db:
            await learn_leads(db, self.world)

    async def _survives_turn(self) -> bool:
        try:
            await self.engine.turn(self.between)
        except Died as died:
            self.story.tell(self.world.now, f"the engine dies after {died}")
            await self.engine.kill()
            self._move_to(self.world.now + timedelta(seconds=self.story.random.choice((1, 60, 7_200))))
            self.engine = await self._start_engine()
            return False
        return True

    async def _probe(self, upcoming: datetime) -> None:
        """Nothing may be due at a moment that was not foreseen."""
        if self.story.happens(0.8):
            return
        now, span = self.world.now, upcoming - self.world.now
        self._move_to(now + span * self.story.random.random())
        if await self.engine.rehearsal.claim():
            raise Broken(12, f"a mail is due at {self.world.now}, which was not foreseen ({now} to {upcoming})")

    def _move_to(self, moment: datetime) -> None:
        self.world.now = max(moment, self.world.now)
        self.clock.move_to(self.world.now)

    async def _start_engine(self) -> EngineProcess:
        engine = EngineProcess(self.story, self.database, self.clock, self.servers)
        await engine.start()
        return engine
