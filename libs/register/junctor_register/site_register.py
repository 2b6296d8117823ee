"""The lease of one process: rounds at the voters for as long as it runs, and what they grant, as the owners ask for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping

from junctor_journal.errors import LogUnavailable
from junctor_journal.leadership import Grant, Handover

from junctor_register.holdings import Release, SealedAt
from junctor_register.rounds import Ask, Held, Rounds
from junctor_register.rules import Seat
from junctor_register.voter import Voter, VoterUnavailable, Written
from junctor_register.wire import Unreadable

log = logging.getLogger(__name__)

_LET_GO_ROUNDS = 3


class SiteRegister:
    """The port `Leadership`, on the register of two sites. Start and stop it in the event loop that uses it.

    The grants are those of this process: each process of a site that decides has one of these, and renews for the site. A
    grant is good only while the loop's clock is below `confirmed_until`, however long the process stood still.
    """

    name = "register"

    def __init__(self, seat: Seat, voters: Mapping[str, Voter]) -> None:
        """`voters` by the names in the seat."""
        if set(voters) != set(seat.voters):
            raise ValueError(f"the voters are {', '.join(seat.voters)}, not {', '.join(sorted(voters))}")
        self._seat = seat
        self._voters = dict(voters)
        self._rounds = Rounds(seat)
        self._listeners: dict[int, Callable[[int], None]] = {}
        self._told: dict[int, Grant] = {}
        self._sooner = asyncio.Event()
        self._after_round: asyncio.Event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._refusals: list[str] = []
        self._away: dict[str, str] = {}

    # -- a component --

    @property
    def ready(self) -> bool:
        """Whether a majority of voters answered the last round: only then is anything said about who leads."""
        return len(self._rounds.seen.fresh) >= self._seat.majority

    async def start(self) -> None:
        """Begins the rounds; does not wait for a voter."""
        self._task = asyncio.create_task(self._live(), name="register")

    async def stop(self, deadline: float) -> None:
        """Ends the rounds. What was held stays this site's until the time to live has passed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._expiry is not None:
            self._expiry.cancel()

    # -- the port `Leadership` --

    def granted(self, partition: int) -> Grant | None:
        """See `Leadership.granted`."""
        held = self._held(partition)
        if held is None:
            return None
        sealed = held.took_over
        return Grant(held.epoch, Handover(sealed.from_site, sealed.sequence, sealed.hash) if sealed else None)

    def confirmed_until(self, partition: int) -> float:
        """See `Leadership.confirmed_until`."""
        held = self._held(partition)
        return held.until if held is not None else -math.inf

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `Leadership.watch`."""
        key = id(listener)
        self._listeners[key] = listener

        def end() -> None:
            self._listeners.pop(key, None)

        return end

    def seen(self, partition: int, site_epoch: int) -> None:
        """See `Leadership.seen`."""
        self._rounds.journal_shows(partition, site_epoch)

    async def give_up(self, partition: int, site_epoch: int) -> None:
        """See `Leadership.give_up`."""
        if self._rounds.let_go(partition, site_epoch, Release("")):
            self._tell()
            await self._let_go(partition)

    async def hand_over(self, partition: int, site_epoch: int, to_site: str, seq: int, hash: bytes) -> None:
        """See `Leadership.hand_over`. ValueError for this site itself; `LogUnavailable` also where the epoch is not held."""
        if to_site == self._seat.site:
            raise ValueError(f"site {to_site} holds partition {partition} already")
        sealed = SealedAt(self._seat.site, seq, hash)
        if not self._rounds.let_go(partition, site_epoch, Release(to_site, sealed)):
            raise LogUnavailable(f"site {self._seat.site} does not hold partition {partition} under epoch {site_epoch}")
        self._tell()
        if not await self._let_go(partition):
            raise LogUnavailable(f"no majority of voters heard that partition {partition} goes to site {to_site}")

    # -- for people --

    @property
    def refusals(self) -> list[str]:
        """Why this site does not lead what it otherwise could: a sentence for a person each."""
        return list(self._refusals)

    @property
    def away(self) -> Mapping[str, str]:
        """The voters that did not answer the last round, and why."""
        return dict(self._away)

    # -- rounds --

    def _held(self, partition: int) -> Held | None:
        return self._rounds.grant(partition, asyncio.get_running_loop().time())

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._sooner.clear()
            again = await self._round()
            self._tell()
            self._after_round.set()
            self._after_round = asyncio.Event()
            left = began + self._seat.times.renewal - loop.time()
            if again or left <= 0:
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), left)

    async def _round(self) -> bool:
        loop = asyncio.get_running_loop()
        asks = self._rounds.begin(loop.time())
        away: dict[str, str] = {}
        tasks = [asyncio.create_task(self._ask(ask, away)) for ask in asks]
        _, late = await asyncio.wait(tasks, timeout=self._seat.times.round)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        again = self._rounds.conclude(loop.time())
        self._report(away)
        return again

    async def _ask(self, ask: Ask, away: dict[str, str]) -> None:
        """Asks one voter until it has nothing more to be asked. Cancelled where the round ends first."""
        loop = asyncio.get_running_loop()
        voter, name = self._voters[ask.voter], ask.voter
        away[name] = "It did not answer in time."
        more: Ask | None = ask
        while more is not None:
            try:
                if more.value is None:
                    answer = Written(False, await voter.read())
                else:
                    answer = await voter.write(more.value, more.version)
            except (VoterUnavailable, Unreadable) as error:
                away[name] = str(error)
                return
            except Exception as error:
                # Rounds go on whatever one voter's adapter does: the other two may be a majority.
                log.exception("voter failed", extra={"voter": name})
                away[name] = f"{type(error).__name__}: {error}"
                return
            more = self._rounds.heard(name, answer.now, answer.written, loop.time())
        del away[name]

    async def _let_go(self, partition: int) -> bool:
        for _ in range(_LET_GO_ROUNDS):
            self._sooner.set()
            await self._after_round.wait()
            if self._rounds.is_let_go(partition):
                return True
        return False

    # -- telling --

    def _tell(self) -> None:
        """Tells listeners what changed, and again when the first grant runs out."""
        now = asyncio.get_running_loop().time()
        ends = []
        for partition in self._seat.partitions:
            grant = self.granted(partition)
            if grant is not None:
                ends.append(self.confirmed_until(partition))
            if grant == self._told.get(partition):
                continue
            log.info(
                "lead changed",
                extra={"partition": partition, "site": self._seat.site, "site_epoch": grant.site_epoch if grant else 0},
            )
            if grant is None:
                del self._told[partition]
            else:
                self._told[partition] = grant
            for listener in list(self._listeners.values()):
                listener(partition)
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(min(ends) - now, self._tell) if ends else None

    def _report(self, away: dict[str, str]) -> None:
        refusals = self._rounds.refusals()
        for sentence in refusals:
            if sentence not in self._refusals:
                log.error("this site does not lead", extra={"reason": sentence})
        self._refusals = refusals
        for voter in away.keys() - self._away.keys():
            log.warning("voter is away", extra={"voter": voter, "reason": away[voter]})
        for voter in self._away.keys() - away.keys():
            log.info("voter is back", extra={"voter": voter})
        self._away = away
