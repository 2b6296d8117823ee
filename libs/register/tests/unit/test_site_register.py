"""The port `Leadership` on the register: what owners are told, and when. In virtual time, with the library's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from junctor_journal.errors import LogUnavailable
from junctor_journal.leadership import Grant, Handover, Leadership
from junctor_register.holdings import Register, Versioned
from junctor_register.rules import Seat
from junctor_register.site_register import SiteRegister
from junctor_register.voter import MemoryVoter, VoterUnavailable, Written
from junctor_testkit.virtual_loop import in_virtual_time

NAMES = ("a", "b", "witness")


class Link:
    """A voter as one site reaches it: away, silent, or there."""

    def __init__(self, voter: MemoryVoter) -> None:
        self.voter = voter
        self.away = False
        self.silent = False
        self.broken = False

    async def _pass(self) -> None:
        if self.broken:
            raise RuntimeError("an adapter with a fault")
        if self.away:
            raise VoterUnavailable("it is away")
        if self.silent:
            await asyncio.sleep(3600)

    async def read(self) -> Versioned:
        await self._pass()
        return await self.voter.read()

    async def write(self, value: Register, version: str) -> Written:
        await self._pass()
        return await self.voter.write(value, version)


class Scene:
    def __init__(self) -> None:
        self.voters = {name: MemoryVoter() for name in NAMES}
        self.links: dict[str, dict[str, Link]] = {}
        self.registers: dict[str, SiteRegister] = {}
        self.told: dict[str, list[tuple[int, Grant | None]]] = {}

    async def site(self, name: str, **seat: object) -> SiteRegister:
        links = self.links[name] = {voter: Link(found) for voter, found in self.voters.items()}
        preferred = frozenset({0}) if name == "a" else frozenset()
        made = SiteRegister(Seat(name, f"kafka-{name}", NAMES, (0,), preferred, **seat), links)  # type: ignore[arg-type]
        self.registers[name] = made
        told = self.told[name] = []
        made.watch(lambda partition: told.append((partition, made.granted(partition))))
        await made.start()
        return made


async def until(ask: Callable[[], bool], limit: float = 30.0) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    while not ask():
        assert loop.time() < deadline
        await asyncio.sleep(0.01)


def test_a_grant_is_told_renewed_and_ends_by_itself() -> None:
    async def scene() -> None:
        world = Scene()
        register: Leadership = await world.site("a")
        a, loop = world.registers["a"], asyncio.get_running_loop()
        assert not a.ready
        await until(lambda: register.granted(0) is not None)
        assert a.ready
        assert world.told["a"] == [(0, Grant(1))]
        first = register.confirmed_until(0)
        await asyncio.sleep(5)
        assert register.confirmed_until(0) > first + 3
        for link in world.links["a"].values():
            link.silent = True
        ends = register.confirmed_until(0)
        await until(lambda: register.granted(0) is None)
        assert ends <= loop.time() <= ends + 0.05
        assert register.confirmed_until(0) == float("-inf")
        await asyncio.sleep(0)
        assert world.told["a"] == [(0, Grant(1)), (0, None)]
        await until(lambda: not a.ready)
        assert set(a.away) == set(NAMES)
        for link in world.links["a"].values():
            link.silent = False
        await until(lambda: register.granted(0) == Grant(1), 3)
        await a.stop(0)

    in_virtual_time(scene)


def test_a_voter_that_is_silent_or_broken_does_not_stop_the_rounds() -> None:
    async def scene() -> None:
        world = Scene()
        a = await world.site("a")
        await until(lambda: a.granted(0) is not None)
        world.links["a"]["witness"].silent = True
        await asyncio.sleep(30)
        assert a.granted(0) == Grant(1)
        world.links["a"]["witness"].silent, world.links["a"]["witness"].broken = False, True
        await asyncio.sleep(30)
        assert a.granted(0) == Grant(1)
        assert "an adapter with a fault" in a.away["witness"]
        await a.stop(0)

    in_virtual_time(scene)


def test_a_hand_over_is_a_grant_with_the_place_and_giving_up_returns_it() -> None:
    async def scene() -> None:
        world = Scene()
        a, b = await world.site("a"), await world.site("b")
        await until(lambda: a.granted(0) is not None)
        await a.hand_over(0, 1, "b", 77, b"hash")
        assert a.granted(0) is None
        assert world.told["a"][-1] == (0, None)
        await until(lambda: b.granted(0) is not None, 3)
        assert b.granted(0) == Grant(2, Handover("a", 77, b"hash"))
        await b.give_up(0, 1)
        assert b.granted(0) is not None, "another epoch is not given up"
        await b.give_up(0, 2)
        assert b.granted(0) is None
        await until(lambda: a.granted(0) == Grant(3), 3)
        await a.stop(0)
        await b.stop(0)

    in_virtual_time(scene)


def test_a_hand_over_that_no_majority_heard_is_said_and_nothing_is_held() -> None:
    async def scene() -> None:
        world = Scene()
        a = await world.site("a")
        await until(lambda: a.granted(0) is not None)
        with pytest.raises(ValueError, match="site a holds partition 0 already"):
            await a.hand_over(0, 1, "a", 1, b"")
        with pytest.raises(LogUnavailable, match="does not hold partition 0 under epoch 9"):
            await a.hand_over(0, 9, "b", 1, b"")
        for name in ("b", "witness"):
            world.links["a"][name].away = True
        with pytest.raises(LogUnavailable, match="no majority of voters heard"):
            await a.hand_over(0, 1, "b", 1, b"")
        assert a.granted(0) is None
        await a.stop(0)

    in_virtual_time(scene)


def test_what_a_journal_shows_makes_a_lower_grant_stale() -> None:
    async def scene() -> None:
        world = Scene()
        a = await world.site("a")
        await until(lambda: a.granted(0) is not None)
        a.seen(0, 1)
        await asyncio.sleep(5)
        assert a.granted(0) == Grant(1)
        a.seen(0, 12)
        await until(lambda: a.granted(0) is None, 2)
        assert "journal shows epoch 12" in a.refusals[0]
        await until(lambda: a.granted(0) == Grant(13))
        assert a.refusals == []
        await a.stop(0)

    in_virtual_time(scene)


def test_the_voters_are_those_of_the_seat() -> None:
    with pytest.raises(ValueError, match="the voters are a, b, witness, not a"):
        SiteRegister(Seat("a", "kafka-a", NAMES, (0,)), {"a": MemoryVoter()})
