"""Who leads, case by case: cut links (docs/two-sites.md, section 8), hand-over, forgetful voters, wrong names, persons."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from junctor_register.appointment import ROOM, NotAppointed, appoint, forget_site
from junctor_register.holdings import Holding, Register, Release, SealedAt
from junctor_register.times import Times
from junctor_register.voter import MemoryVoter, VoterUnavailable, Written
from lease_simulation import VOTERS, Process, World

TIMES = Times()
BOTH = {0: "a", 1: "b"}
T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def now() -> T:
        return await work

    return asyncio.run(now())


@pytest.fixture
def world() -> World:
    """Partition 0 is led by a, partition 1 by b."""
    made = World(seed=3, partitions=2)
    made.process("a", preferred=frozenset({0}))
    made.process("b", preferred=frozenset({1}))
    assert made.run(TIMES.ttl + 3, lambda: made.holders() == BOTH)
    return made


def stays(world: World, expected: dict[int, str], seconds: float = 60.0) -> bool:
    return not world.run(seconds, lambda: world.holders() != expected)


def epochs(world: World) -> dict[int, int]:
    return {p: epoch for p in world.partitions for epoch in world.leaders(p).values()}


# -- the link between the sites is cut (a's process no longer reaches b's voter, nor b's process a's) --


def test_cut_link_with_the_witness_reached_by_both_each_leads_what_it_led(world: World) -> None:
    before = epochs(world)
    world.cut("a-b", "b-a")
    assert stays(world, BOTH)
    assert epochs(world) == before


@pytest.mark.parametrize(("reaches", "other"), [("a", "b"), ("b", "a")])
def test_cut_link_with_the_witness_reached_by_one_that_one_leads_all(world: World, reaches: str, other: str) -> None:
    world.cut("a-b", "b-a", f"{other}-witness")
    cut_at = world.now
    assert world.run(TIMES.validity, lambda: other not in world.holders().values())
    assert world.run(cut_at + TIMES.ttl + 3 - world.now, lambda: world.holders() == {0: reaches, 1: reaches})
    assert stays(world, {0: reaches, 1: reaches})
    world.cut()
    assert stays(world, {0: reaches, 1: reaches})
    assert world.violations == []


def test_cut_link_with_the_witness_reached_by_nobody_nobody_leads(world: World) -> None:
    world.cut("a-b", "b-a", "a-witness", "b-witness")
    assert world.run(TIMES.validity, lambda: not world.holders())
    assert stays(world, {})
    world.cut()
    assert world.run(TIMES.ttl + 3, lambda: len(world.holders()) == 2)


def test_with_the_witness_lost_nothing_changes(world: World) -> None:
    before = epochs(world)
    world.down = {"witness"}
    assert stays(world, BOTH)
    assert epochs(world) == before


# -- a site is lost, a site returns --


def test_a_lost_site_is_followed_after_the_time_to_live_under_the_next_epoch(world: World) -> None:
    before = epochs(world)[0]
    world.processes[0].kill()
    world.down = {"a"}
    lost_at = world.now
    assert world.run(TIMES.ttl + 3, lambda: world.holders() == {0: "b", 1: "b"})
    assert world.now - lost_at > TIMES.ttl - TIMES.renewal
    assert epochs(world)[0] == before + 1
    world.down = set()
    world.processes[0].start()
    assert stays(world, {0: "b", 1: "b"})


def test_a_process_that_comes_back_at_once_goes_on_under_the_same_epoch(world: World) -> None:
    before = epochs(world)
    world.processes[0].kill()
    world.run(2.0)
    world.processes[0].start()
    assert world.run(1.0, lambda: world.holders() == BOTH)
    assert epochs(world) == before


def test_a_second_process_keeps_the_sites_lead(world: World) -> None:
    before = epochs(world)
    world.process("a", preferred=frozenset({0}))
    world.run(2.0)
    world.processes[0].kill()
    assert stays(world, BOTH)
    assert epochs(world) == before


def test_a_holder_that_stood_still_knows_it_by_its_own_clock(world: World) -> None:
    a = world.processes[0]
    a.paused_until = world.now + 30.0
    assert world.run(TIMES.ttl + 3, lambda: 0 in world.holders() and world.holders()[0] == "b")
    assert a.rounds.grant(0, a.local()) is None
    assert world.violations == []


# -- hand-over --

SEALED = SealedAt("a", 812, b"\x01\x02")


def hand_over(world: World, by: int, partition: int, to: str) -> None:
    process = world.processes[by]
    held = process.rounds.grant(partition, process.local())
    assert held is not None
    assert process.rounds.let_go(partition, held.epoch, Release(to, SEALED))
    assert process.rounds.grant(partition, process.local()) is None


def test_a_hand_over_needs_no_waiting_and_carries_the_place(world: World) -> None:
    before = epochs(world)[0]
    hand_over(world, by=0, partition=0, to="b")
    assert world.run(3.0, lambda: world.holders() == {0: "b", 1: "b"})
    b = world.processes[1]
    held = b.rounds.grant(0, b.local())
    assert held is not None
    assert (held.epoch, held.took_over) == (before + 1, SEALED)
    assert stays(world, {0: "b", 1: "b"})


def test_what_was_handed_over_and_given_up_goes_back_at_once(world: World) -> None:
    before = epochs(world)[0]
    hand_over(world, by=0, partition=0, to="b")
    assert world.run(3.0, lambda: world.holders() == {0: "b", 1: "b"})
    b = world.processes[1]
    assert b.rounds.let_go(0, before + 1, Release(""))
    assert world.run(3.0, lambda: world.holders() == BOTH)
    assert epochs(world)[0] == before + 2
    a = world.processes[0]
    held = a.rounds.grant(0, a.local())
    assert held is not None and held.took_over is None


def test_what_nobody_takes_its_holder_takes_back(world: World) -> None:
    world.processes[1].kill()
    hand_over(world, by=0, partition=0, to="b")
    assert world.run(TIMES.ttl + 3, lambda: world.holders().get(0) == "a")


def test_only_what_is_held_is_let_go(world: World) -> None:
    a = world.processes[0]
    assert not a.rounds.let_go(1, 1, Release("b"))
    assert not a.rounds.let_go(0, 99, Release("b"))
    assert stays(world, BOTH, 10)


# -- voters that differ --


def put(world: World, voter: str, partition: int, holding: Holding) -> None:
    now = world.voters[voter].write_now(Register(), "never").now
    assert world.voters[voter].write_now(now.value.with_partitions({partition: holding}), now.version).written


def views(world: World, partition: int) -> set[tuple[int, str]]:
    found = [world.voters[v].write_now(Register(), "never").now.value.partitions.get(partition) for v in VOTERS]
    return {(h.epoch, h.holder) if h is not None else (0, "") for h in found}


def test_a_voter_that_was_away_is_told_again(world: World) -> None:
    world.down = {"witness"}
    world.processes[0].kill()
    assert world.run(20, lambda: world.holders() == {0: "b", 1: "b"})
    world.down = set()
    assert world.run(3, lambda: len(views(world, 0)) == 1)


def test_a_failed_attempt_of_a_higher_epoch_is_outbid_by_the_holder(world: World) -> None:
    put(world, "witness", 0, Holding(9, "b"))
    assert stays(world, BOTH, TIMES.ttl - 2)
    assert world.run(TIMES.ttl + 3, lambda: views(world, 0) == {(10, "a")})
    assert world.run(2, lambda: world.holders() == BOTH)
    assert world.violations == []


def test_a_voter_that_lost_its_disk_is_told_by_the_holder(world: World) -> None:
    world.voters["witness"] = MemoryVoter()
    before = epochs(world)
    assert world.run(3, lambda: len(views(world, 0)) == 1)
    assert stays(world, BOTH)
    assert epochs(world) == before


def test_an_empty_voter_does_not_count_until_all_three_were_reached() -> None:
    world = World(seed=5)
    world.down = {"a"}
    world.process("a", preferred=frozenset({0}))
    world.process("b")
    assert stays(world, {})
    world.down = set()
    assert world.run(TIMES.ttl + 3, lambda: 0 in world.holders())


# -- who must not lead --


def test_a_site_with_anothers_name_leads_nothing_and_says_why(world: World) -> None:
    impostor = world.process("a", preferred=frozenset({0, 1}))
    impostor.kill()
    impostor.seat = type(impostor.seat)("a", "kafka-of-c", VOTERS, world.partitions, frozenset({0, 1}))
    impostor.start()
    world.processes[0].kill()
    world.processes[1].kill()
    assert stays(world, {}, 30)
    (first, *_) = impostor.rounds.refusals()
    assert "knows site a as another installation (kafka-a, this one is kafka-of-c)" in first
    assert run(forget_site(world.voters, "a")) == VOTERS
    assert world.run(TIMES.ttl + 3, lambda: world.holders() == {0: "a", 1: "a"})
    assert impostor.rounds.refusals() == []


def test_a_grant_below_what_a_journal_shows_is_stale(world: World) -> None:
    a = world.processes[0]
    a.journal[0] = 40
    assert world.run(3, lambda: 0 not in world.holders())
    assert a.rounds.refusals() == [
        "The register grants partition 0 to site a under epoch 1, but a journal shows epoch 40: that grant is stale, and the "
        "site waits for a new one."
    ]
    assert world.run(TIMES.ttl + 3, lambda: 0 in world.holders())
    assert epochs(world)[0] == 41 if world.holders()[0] == "a" else epochs(world)[0] > 1
    assert world.violations == []


def test_the_next_epoch_is_above_every_journal(world: World) -> None:
    b: Process = world.processes[1]
    b.journal[0] = 17
    world.processes[0].kill()
    assert world.run(TIMES.ttl + 3, lambda: world.holders() == {0: "b", 1: "b"})
    assert epochs(world)[0] == 18


# -- a person --


class Reached:
    """A voter as one site reaches it: `cut` voters do not answer."""

    def __init__(self, voter: MemoryVoter, cut: bool) -> None:
        self.voter = voter
        self.cut = cut

    async def read(self):  # type: ignore[no-untyped-def]
        if self.cut:
            raise VoterUnavailable("cut")
        return await self.voter.read()

    async def write(self, value: Register, version: str) -> Written:
        if self.cut:
            raise VoterUnavailable("cut")
        return await self.voter.write(value, version)


def appoint_b(world: World, *cut: str) -> Callable[[], object]:
    voters = {name: Reached(voter, name in cut) for name, voter in world.voters.items()}
    return lambda: run(appoint(voters, "b", "b", ["a", "b"], {0: 1, 1: 1}))


def test_a_person_makes_a_site_lead_that_reaches_its_own_voter_only(world: World) -> None:
    world.processes[0].kill()
    world.cut("b-a", "b-witness", "a-b", "a-witness")
    assert world.run(TIMES.validity, lambda: not world.holders())
    appoint_b(world, "a", "witness")()
    assert world.run(3, lambda: world.holders() == {0: "b", 1: "b"})
    first = epochs(world)
    assert min(first.values()) > ROOM
    assert stays(world, {0: "b", 1: "b"})
    # The others come back: they are told, one voter is no longer enough, and nothing moves.
    world.cut()
    world.processes[0].start()
    assert world.run(5, lambda: len(views(world, 0)) == 1)
    assert stays(world, {0: "b", 1: "b"})
    assert epochs(world) == first
    world.cut("b-a", "b-witness")
    assert world.run(TIMES.ttl + 3, lambda: world.holders() == {0: "a", 1: "a"})
    assert world.violations == []


def test_a_person_cannot_appoint_without_the_sites_own_voter(world: World) -> None:
    with pytest.raises(NotAppointed, match="site b itself does not answer"):
        appoint_b(world, "b")()


def test_appointments_of_both_sites_at_once_have_different_epochs(world: World) -> None:
    async def both() -> list[dict[int, int]]:
        found = []
        for site in "ab":
            voters = {name: Reached(voter, name != site) for name, voter in world.voters.items()}
            found.append(dict((await appoint(voters, site, site, ["a", "b"], {0: 1})).epochs))
        return found

    first, second = run(both())
    assert first[0] != second[0]


@pytest.fixture
def without_witness(monkeypatch: pytest.MonkeyPatch) -> World:
    import lease_simulation

    monkeypatch.setattr(lease_simulation, "VOTERS", ("a", "b"))
    made = World(seed=4)
    made.process("a", preferred=frozenset({0}), automatic=False)
    made.process("b", automatic=False)
    return made


def test_without_a_witness_the_home_site_leads_and_nothing_is_automatic(without_witness: World) -> None:
    world = without_witness
    assert world.run(3, lambda: world.holders() == {0: "a"})
    world.cut("a-b", "b-a")
    assert stays(world, {0: "a"})
    world.processes[0].kill()
    world.down = {"a"}
    assert stays(world, {})
    run(appoint({"a": Reached(world.voters["a"], True), "b": world.voters["b"]}, "b", "b", ["a", "b"], {0: 1}))
    assert world.run(3, lambda: world.holders() == {0: "b"})
    # The old site comes back: as soon as it reaches the other's voter it knows, and so it does by a mirrored journal.
    world.down = set()
    world.cut()
    world.processes[0].start()
    assert stays(world, {0: "b"})
    assert world.violations == []


def test_without_a_witness_a_mirrored_journal_keeps_the_old_site_from_leading(without_witness: World) -> None:
    world = without_witness
    assert world.run(3, lambda: world.holders() == {0: "a"})
    world.cut("a-b", "b-a")
    world.processes[0].journal[0] = 1001
    assert world.run(3, lambda: not world.holders())
    assert stays(world, {})
    assert "stale" in world.processes[0].rounds.refusals()[0]
