"""The people of the world: who they are, what they have received, and what they do about it when their time comes."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

from outrider.kit.clock import Clock
from outrider.kit.log import get_logger
from outrider.sandbox import letters
from outrider.sandbox.bounces import delivery_report
from outrider.sandbox.browser import USER_AGENTS, Browser, Visit, images, is_here, links, unsubscribe_links
from outrider.sandbox.letters import Letter, Person
from outrider.sandbox.mails import ReceivedMail
from outrider.sandbox.people import Behaviour, Pace, People, ReplyKind, UnsubscribeBy, dice
from outrider.sandbox.plan import Intention, intentions, is_last_word
from outrider.sandbox.tally import Act, ActKind

log = get_logger("sandbox")

Outcome = tuple[bool, str]


class Crowd:
    """`crowd[address]` is that person's behaviour; assigning to it overrides what was drawn."""

    def __init__(
        self,
        people: People,
        *,
        seed: str,
        pace: Pace,
        clock: Clock,
        deliver: Callable[[Letter], Awaitable[bool]],
        record: Callable[[Act], None],
    ) -> None:
        self._world = people
        self._seed = seed
        self._pace = pace
        self._clock = clock
        self._deliver = deliver
        self._record = record
        self._browser = Browser()
        self._behaviours: dict[str, Behaviour] = {}
        self._received: Counter[str] = Counter()
        self._silent: set[str] = set()
        self._busy: set[asyncio.Task[None]] = set()

    def __getitem__(self, address: str) -> Behaviour:
        person = address.lower()
        if person not in self._behaviours:
            self._behaviours[person] = self._world.draw(dice(self._seed, person))
        return self._behaviours[person]

    def __setitem__(self, address: str, behaviour: Behaviour) -> None:
        self._behaviours[address.lower()] = behaviour
        self._silent.discard(address.lower())

    def receive(self, mail: ReceivedMail) -> None:
        """The mail is in the person's inbox; what follows happens by itself."""
        behaviour = self[mail.recipient]
        self._received[mail.recipient] += 1
        nth = self._received[mail.recipient]
        if mail.recipient in self._silent:
            return
        if is_last_word(behaviour, nth=nth) and not behaviour.keeps_on:
            self._silent.add(mail.recipient)
        random = dice(self._seed, mail.recipient, nth)
        pace = behaviour.pace or self._pace
        plan = intentions(behaviour, nth=nth, pace=pace, random=random)
        if plan:
            task = asyncio.create_task(self._live(mail, behaviour, plan, pace, random))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

    @property
    def pending(self) -> int:
        """Mails on which somebody has still something to do."""
        return len(self._busy)

    async def settle(self) -> None:
        """Wait until everybody has done everything."""
        while self._busy:
            await asyncio.wait(set(self._busy))

    async def close(self) -> None:
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        await self._browser.close()

    async def _live(
        self, mail: ReceivedMail, behaviour: Behaviour, plan: tuple[Intention, ...], pace: Pace, random: Random
    ) -> None:
        elapsed = 0.0
        least = pace.least_wall_seconds * self._clock.speed
        for intention in plan:
            due = max(intention.after, least)
            await self._clock.sleep(max(0.0, due - elapsed))
            elapsed = due
            is_done, note = await self._try(intention.kind, mail, behaviour, random)
            now = self._clock.now()
            self._record(
                Act(kind=intention.kind, recipient=mail.recipient, at=now, mail=mail, is_done=is_done, note=note)
            )

    async def _try(self, kind: ActKind, mail: ReceivedMail, behaviour: Behaviour, random: Random) -> Outcome:
        try:
            return await self._do(kind, mail, behaviour, random)
        except Exception as error:  # one odd mail must not stop the others
            log.exception("sandbox_act_failed", act=kind.value, mail=mail.number)
            return False, repr(error)

    async def _do(self, kind: ActKind, mail: ReceivedMail, behaviour: Behaviour, random: Random) -> Outcome:
        match kind:
            case ActKind.OPENED:
                return await self._open(mail, _agent_of(mail.recipient))
            case ActKind.CLICKED:
                return await self._click(mail, _agent_of(mail.recipient), random)
            case ActKind.UNSUBSCRIBED:
                return await self._unsubscribe(mail, behaviour, random)
            case ActKind.OUT_OF_OFFICE | ActKind.BOUNCED_LATER if not mail.envelope_sender:
                return False, "no return path"  # RFC 5321 §4.5.5: never answered by a machine
            case _:
                return await self._write(self._letter(kind, mail, behaviour, random))

    def _letter(self, kind: ActKind, mail: ReceivedMail, behaviour: Behaviour, random: Random) -> Letter:
        person, now = _person(mail, behaviour), self._clock.now()
        if kind is ActKind.REPLIED and behaviour.replies:
            return letters.reply(mail, behaviour.replies, person=person, now=now, random=random)
        if kind is ActKind.BOUNCED_LATER and behaviour.bounces_later:
            return delivery_report(mail, behaviour.bounces_later, now=now)
        return letters.out_of_office(mail, person=person, now=now, random=random)

    async def _write(self, letter: Letter) -> Outcome:
        if await self._deliver(letter):
            return True, letter.message_id
        return False, f"no mailbox {letter.recipient}"

    async def _open(self, mail: ReceivedMail, agent: str) -> Outcome:
        """Read it with images."""
        visits = [await self._browser.get(url, agent=agent) for url in images(mail.html) if is_here(url)]
        fetched = [visit for visit in visits if visit.has_worked]
        return (True, fetched[0].url) if fetched else (False, _failure(visits, "no image on this machine"))

    async def _click(self, mail: ReceivedMail, agent: str, random: Random) -> Outcome:
        tracked = [url for url in links(mail.html) if is_here(url) and url not in mail.unsubscribe_addresses]
        if not tracked:
            return False, "no link on this machine"
        return _outcome(await self._browser.get(random.choice(tracked), agent=agent))

    async def _unsubscribe(self, mail: ReceivedMail, behaviour: Behaviour, random: Random) -> Outcome:
        """The preferred way first, then the others; the last resort is to write back."""
        person = _person(mail, behaviour)
        for way in sorted(UnsubscribeBy, key=lambda way: way is not behaviour.unsubscribes):
            outcome = await self._unsubscribe_by(way, mail, person)
            if outcome is not None:
                return outcome
        now = self._clock.now()
        return await self._write(letters.reply(mail, ReplyKind.REMOVE_ME, person=person, now=now, random=random))

    async def _unsubscribe_by(self, way: UnsubscribeBy, mail: ReceivedMail, person: Person) -> Outcome | None:
        """None if the mail does not offer this way."""
        pages = [url for url in mail.unsubscribe_addresses if is_here(url)]
        mailtos = [url for url in mail.unsubscribe_addresses if url.lower().startswith("mailto:")]
        linked = [url for url in unsubscribe_links(mail.html) if is_here(url)] + pages
        if way is UnsubscribeBy.ONE_CLICK and mail.offers_one_click and pages:
            return _outcome(await self._browser.post_one_click(pages[0]))
        if way is UnsubscribeBy.PAGE and linked:
            return _outcome(await self._browser.press_button(linked[0], agent=_agent_of(person.address)))
        if way is UnsubscribeBy.MAIL and mailtos:
            now = self._clock.now()
            return await self._write(letters.removal_request(mail, mailtos[0], person=person, now=now))
        return None


def _person(mail: ReceivedMail, behaviour: Behaviour) -> Person:
    return Person(mail.recipient, behaviour.language)


def _agent_of(address: str) -> str:
    return dice(address).choice(USER_AGENTS)


def _outcome(visit: Visit) -> Outcome:
    return (True, visit.url) if visit.has_worked else (False, _failure([visit], ""))


def _failure(visits: list[Visit], otherwise: str) -> str:
    if not visits:
        return otherwise
    return f"{visits[0].url} answered {visits[0].status or 'nothing'}"
