"""A router is killed with a large state: how soon the next offer is made, by the same member or by one that followed."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.message_types import unpack
from junctor_journal.reader import JournalReader, Verdict

from bench.results_file import Result, Row
from bench.router_centre import Centre, as_input, record
from bench.router_site import TENANT, RouterProcess, RouterSite, until

CENTRE = Centre(agents=50_000, queues=500, attributes=300)
WAITING = 10_000
RUNS = 2
RESTART, TAKE_OVER = 5.0, 8.0
"""Seconds promised."""
WAKE_EVERY = 0.05
HOW = (
    f"{CENTRE.agents:,} agents logged in and not ready, {WAITING:,} contacts in {CENTRE.queues} queues waiting, "
    f"{CENTRE.attributes} attributes, one pool; real Kafka on the same machine. From SIGKILL of the owning process to the "
    f"first new offer that is read in the journal; every {WAKE_EVERY * 1_000:.0f} ms an agent becomes ready, whom a waiting "
    f"contact matches. Restart: the same member is started at once. Take-over: a second process has followed and is given "
    f"the partition by the group. {RUNS} times each."
)


class Offers:
    """Follows the journal; knows the newest owner and the offers of each."""

    def __init__(self, site: RouterSite) -> None:
        self._site = site
        self._reader = JournalReader()
        self.entries = 0
        self.configured: set[tuple[str, str]] = set()
        self.offers: list[tuple[int, float]] = []
        """Owner epoch and when it was read."""

    @property
    def owner(self) -> str:
        return self._reader.place.address

    @property
    def epoch(self) -> int:
        return self._reader.place.epoch.owner

    async def follow(self) -> None:
        tail = await self._site.log.tail({self._site.journal: 0}, wait_ms=100)
        try:
            while True:
                for records in (await tail.getmany(timeout_ms=200, max_records=2_000)).values():
                    for found in records:
                        if self._reader.see(found.value) is Verdict.VALID:
                            self._entry(self._reader.record.entry)
        finally:
            await asyncio.shield(tail.close())

    def _entry(self, entry: journal_pb2.Entry) -> None:
        self.entries += 1
        for packed in entry.events:
            if packed.type_url.endswith("ReservationCreated"):
                self.offers.append((self.epoch, time.monotonic()))
            elif packed.type_url.endswith("ConfigurationApplied"):
                event: Any = unpack(packed)
                self.configured.add((event.kind, event.id))


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("router-restart", HOW)
    with tempfile.TemporaryDirectory() as directory:
        async with RouterSite(Path(directory), given.ahead) as site:
            result.notes += site.notes
            offers = Offers(site)
            following = asyncio.create_task(offers.follow())
            try:
                first = await _fill(site, offers)
                agents = _wakings()
                await _say(result, "restart of the same member", RESTART, await _restarts(site, offers, first, agents))
                await _say(result, "take-over by a follower", TAKE_OVER, await _take_overs(site, offers, agents))
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
    return [result]


async def _fill(site: RouterSite, offers: Offers) -> RouterProcess:
    await site.configure(CENTRE.values())
    router = await site.spawn("one")
    values = CENTRE.agents + 2 * CENTRE.queues + CENTRE.attributes
    await until(lambda: len(offers.configured) >= values, 600, "configuration in the journal", every=0.5)
    print("  the configuration is applied", flush=True)
    await _append(site, offers, (record(input) for input in CENTRE.log_ins(ready=False)))
    await _append(site, offers, (record(CENTRE.request(number)) for number in range(WAITING)))
    print(f"  {CENTRE.agents:,} agents are logged in, {WAITING:,} contacts wait", flush=True)
    await asyncio.sleep(8)  # the newest snapshot is closed a moment after its entry
    return router


async def _append(site: RouterSite, offers: Offers, records: Iterator[Any]) -> None:
    wanted = offers.entries
    while batch := list(itertools.islice(records, 2_000)):
        await site.log.producer().send_many(*site.inputs, batch)
        wanted += len(batch)
    await until(lambda: offers.entries >= wanted, 600, "journal of the inputs", every=0.2)


def _wakings() -> Iterator[Any]:
    for n in itertools.count():
        body: Message = pb.SetAgentStateRequest(
            tenant=TENANT, request_id=f"wake{n}", agent_id=f"agent{n}", state=pb.AGENT_STATE_READY
        )
        yield record(as_input(body, f"wake/{n}"))


async def _wake(site: RouterSite, agents: Iterator[Any]) -> None:
    while True:
        await site.log.producer().send_many(*site.inputs, [next(agents)])
        await asyncio.sleep(WAKE_EVERY)


async def _new_offer(
    site: RouterSite, offers: Offers, agents: Iterator[Any], victim: RouterProcess, again: bool
) -> Any:
    """Kills, and gives the seconds to the first offer of a new owner."""
    waking = asyncio.create_task(_wake(site, agents))
    try:
        seen = len(offers.offers)
        await until(lambda: len(offers.offers) > seen + 5, 60, "offer before the kill")
        epoch, began = offers.epoch, time.monotonic()
        await victim.kill()
        started = await site.spawn(victim.name) if again else None
        await until(lambda: offers.offers[-1][0] > epoch, 90, "offer of a new owner", every=0.01)
        at = next(at for owner, at in offers.offers if owner > epoch)
        return at - began, started
    finally:
        waking.cancel()
        await asyncio.gather(waking, return_exceptions=True)


async def _restarts(site: RouterSite, offers: Offers, router: RouterProcess, agents: Iterator[Any]) -> list[Any]:
    found = []
    for _ in range(RUNS):
        seconds, again = await _new_offer(site, offers, agents, router, again=True)
        found.append({"seconds": seconds, "memory_mb": again.memory_mb()} | again.steps())
        router = again
        await asyncio.sleep(3)
    return found


async def _take_overs(site: RouterSite, offers: Offers, agents: Iterator[Any]) -> list[Any]:
    """Two members; whichever owns the pool is killed, and started again afterwards as the one that follows."""
    found = []
    await site.spawn("two")
    await until(lambda: site.running("two").ready(), 120, "second process", every=0.2)
    for _ in range(RUNS):
        await asyncio.sleep(8)  # the group has settled
        victim = site.owner(offers.owner)
        seconds, _ = await _new_offer(site, offers, agents, victim, again=False)
        found.append({"seconds": seconds})
        again = await site.spawn(victim.name)
        await until(again.ready, 120, "process that is started again", every=0.2)
    return found


async def _say(result: Result, about: str, promised: float, runs: list[Any]) -> None:
    value = ", ".join(f"{run['seconds']:.1f}" for run in runs) + " s"
    met = max(run["seconds"] for run in runs) <= promised
    result.rows.append(Row(about, value, f"<= {promised:.0f} s", met))
    for name in runs[0]:
        if name.startswith("to "):
            each = ", ".join(f"{run[name]:.1f}" for run in runs if name in run)
            result.rows.append(Row(f"- {name}", f"{each} s"))
    result.data[about] = json.loads(json.dumps(runs))
