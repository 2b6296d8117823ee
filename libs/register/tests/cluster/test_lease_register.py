"""Two sites whose three voters are Leases of a real API server: one is granted the lead, and the other takes it over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from junctor_register.lease_voter import LeaseVoter
from junctor_register.rules import Seat
from junctor_register.site_register import SiteRegister
from junctor_register.voter import Voter
from kubernetes.client import ApiClient

NAMES = ("a", "b", "witness")
LIMIT = 90.0


class Sites:
    """A register for each site that is asked for, on voters that all of them share."""

    def __init__(self, client: ApiClient, namespaces: dict[str, str]) -> None:
        self._client, self._namespaces = client, namespaces
        self._running: list[SiteRegister] = []

    def voters(self) -> dict[str, Voter]:
        return {name: LeaseVoter(self._client, space, "router") for name, space in self._namespaces.items()}

    async def start(self, name: str) -> SiteRegister:
        preferred = frozenset({0}) if name == "a" else frozenset()
        register = SiteRegister(Seat(name, f"kafka-{name}", NAMES, (0,), preferred), self.voters())
        await register.start()
        self._running.append(register)
        return register

    async def stop(self) -> None:
        for register in self._running:
            await register.stop(0)


@pytest.fixture
async def sites(client: ApiClient, new_namespace: Callable[[], str]) -> AsyncIterator[Sites]:
    made = Sites(client, {name: new_namespace() for name in NAMES})
    yield made
    await made.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.05)


async def renewed(voter: Voter) -> int:
    return (await voter.read()).value.partitions[0].renewed


async def test_a_lead_is_granted_refused_to_the_other_and_taken_over_when_it_ends(sites: Sites) -> None:
    loop = asyncio.get_running_loop()
    a = await sites.start("a")
    await until(lambda: a.granted(0) is not None)
    b = await sites.start("b")
    await until(lambda: b.ready)
    witness, before = sites.voters()["witness"], await renewed(sites.voters()["witness"])
    async with asyncio.timeout(LIMIT):
        while await renewed(witness) < before + 3:
            assert b.granted(0) is None
            await asyncio.sleep(0.2)
    held = a.granted(0)
    assert held is not None
    assert a.confirmed_until(0) > loop.time()
    await a.stop(0)
    ends = a.confirmed_until(0)
    await until(lambda: b.granted(0) is not None)
    assert loop.time() >= ends, "two sites would have led at once"
    taken = b.granted(0)
    assert taken is not None
    assert taken.site_epoch > held.site_epoch
    again = await sites.start("a")
    await until(lambda: again.ready)
    assert again.granted(0) is None
    kept = (await witness.read()).value
    assert (kept.partitions[0].holder, kept.partitions[0].epoch) == ("b", taken.site_epoch)
    assert kept.sites == {"a": "kafka-a", "b": "kafka-b"}
