"""Never two sites at once, no epoch twice, and a leader soon after the faults end: in simulated worlds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junctor_register import rounds, rules
from junctor_register.holdings import Release, SealedAt
from junctor_register.times import Times
from lease_simulation import VOTERS, Process, World

LINKS = [f"{site}-{voter}" for site in "ab" for voter in VOTERS]
ALONE = {site: [link for link in LINKS if link.startswith(site)] for site in "ab"}
SECONDS = st.floats(0.1, 9.0)


@st.composite
def phases(draw: st.DrawFn) -> list[Callable[[World], None]]:
    """Some seconds each, with what fails in them."""
    found: list[Callable[[World], None]] = []
    for _ in range(draw(st.integers(1, 14))):
        seconds = draw(SECONDS)
        loss = draw(st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.4]))
        repeat = draw(st.sampled_from([0.0, 0.3]))
        delay = draw(st.sampled_from([0.001, 0.02, 0.125, 0.5]))
        cut = draw(
            st.one_of(st.just([]), st.sampled_from(list(ALONE.values())), st.lists(st.sampled_from(LINKS), max_size=5))
        )
        down = draw(st.one_of(st.just([]), st.lists(st.sampled_from(VOTERS), max_size=2)))
        process = draw(st.integers(0, 3))
        event = draw(st.sampled_from(["", "", "pause", "kill", "start", "hand over", "give up"]))
        pause = draw(st.floats(0.5, 12.0))

        def phase(
            world: World,
            seconds: float = seconds,
            loss: float = loss,
            repeat: float = repeat,
            delay: float = delay,
            cut: list[str] = cut,
            down: list[str] = down,
            process: int = process,
            event: str = event,
            pause: float = pause,
        ) -> None:
            world.faults.loss, world.faults.repeat, world.faults.delay = loss, repeat, delay
            world.cut(*cut)
            world.down = set(down)
            victim = world.processes[process % len(world.processes)]
            if event == "pause":
                victim.paused_until = world.now + pause
            elif event == "kill":
                victim.kill()
            elif event == "start" and not victim.up:
                victim.start()
            elif event in {"hand over", "give up"} and len(world.processes) == 2:
                let_go(victim, "" if event == "give up" else "b" if victim.site == "a" else "a")
            world.run(seconds)

        found.append(phase)
    return found


def let_go(process: Process, to: str) -> None:
    """All that the process holds. Where a site has several, the others learn it from the voters: that is not judged here."""
    for partition in process.world.partitions:
        held = process.rounds.grant(partition, process.local())
        if process.up and held is not None and process.world.now >= process.paused_until:
            process.rounds.let_go(partition, held.epoch, Release(to, SealedAt(process.site, 1, b"x")))


def two_sites(seed: int, rates: list[float], times: Times | None = None) -> World:
    """Partition 0 is preferred by a, partition 1 by b; as many processes as rates, of both sites in turn."""
    world = World(seed, partitions=2)
    for number, rate in enumerate(rates):
        site = "ab"[number % 2]
        preferred = frozenset({number % 2})
        world.process(site, rate, offset=1000.0 * number, preferred=preferred, times=times or Times())
    return world


def mend(world: World) -> None:
    world.faults.loss = world.faults.repeat = 0.0
    world.faults.delay = 0.02
    world.cut()
    world.down = set()
    for process in world.processes:
        process.paused_until = min(process.paused_until, world.now)
        if not process.up:
            process.start()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.lists(st.floats(1.0, 1.25), min_size=2, max_size=4), phases())
def test_one_site_at_a_time_and_soon_one(seed: int, rates: list[float], faults: list[Callable[[World], None]]) -> None:
    """Messages lost, late and repeated; links cut; voters, processes away; pauses; clocks that differ by a quarter."""
    world = two_sites(seed, rates)
    for phase in faults:
        phase(world)
        assert world.violations == []
    mend(world)
    # Rates are 1 and above, so six seconds of any clock are at most six seconds.
    assert world.run(Times().ttl + 3.0, lambda: len(world.holders()) == 2), (world.now, world.holders())
    world.run(20)
    assert world.violations == []
    assert len(world.holders()) == 2


def hostile(seed: int, times: Times | None = None, ratio: float = 1.25, wipe: bool = False) -> World:
    """The holder is alone again and again, on the slowest clock, and processes stop; the other site takes over when it can."""
    world = two_sites(seed, [1.0, ratio], times)
    for _ in range(12):
        world.run(world.chance.uniform(8.0, 14.0))
        holder = world.holders().get(0, "a")
        kept = world.chance.choice(VOTERS)
        if wipe:
            # The holder keeps its own voter and the one that will forget; the other site sees that one and its own.
            other = "b" if holder == "a" else "a"
            world.cut(f"{holder}-{other}", f"{other}-{holder}")
            world.run(world.chance.uniform(8.0, 10.0))
            world.voters["witness"] = type(world.voters["witness"])()
            world.cut(*ALONE[holder], f"{other}-{holder}")
        else:
            world.cut(*(link for link in ALONE[holder] if link != f"{holder}-{kept}"))
        world.run(world.chance.uniform(5.0, 9.0))
        world.cut()
        if world.violations:
            break
    return world


@pytest.mark.parametrize("wipe", [False, True])
def test_a_hostile_world_breaks_nothing(wipe: bool) -> None:
    for seed in range(12):
        assert hostile(seed, wipe=wipe).violations == []


def any_violation(**hostility: object) -> bool:
    return any(hostile(seed, **hostility).violations for seed in range(20))  # type: ignore[arg-type]


def test_a_validity_as_long_as_the_time_to_live_is_not_safe() -> None:
    assert any_violation(times=Times(validity=5.99))


def test_clocks_that_differ_by_more_than_a_third_are_not_safe() -> None:
    assert any_violation(ratio=1.6)


def test_without_waiting_for_the_time_to_live_it_is_not_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (rounds, rules):
        monkeypatch.setattr(module, "replaceable", lambda *_: True)
    assert any_violation()


def test_a_voter_that_forgot_and_votes_at_once_is_not_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = rules.replaceable

    def hasty(seat, seen, voter, partition, floor, now):  # type: ignore[no-untyped-def]
        return seen.at(voter, partition) is None or honest(seat, seen, voter, partition, floor, now)

    for module in (rounds, rules):
        monkeypatch.setattr(module, "replaceable", hasty)
    assert any_violation(wipe=True)
