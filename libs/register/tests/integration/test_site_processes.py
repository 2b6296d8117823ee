"""Two sites and three voters as real processes that are killed and stopped: one site decides at a time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from junctor_local import health
from junctor_local.child import Child
from junctor_local.ports import free_port
from junctor_local.tokens import mint, signing_key

WORKER = Path(__file__).parents[1] / "parts" / "site_worker.py"
LIMIT = 60.0


class Sites:
    """Voters and workers, and what the workers wrote."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "jwks.json").write_text(json.dumps(signing_key(directory).jwks()))
        self.addresses = {name: f"127.0.0.1:{free_port()}" for name in ("a", "b", "witness")}
        self.voters = {name: self._voter(name) for name in self.addresses}
        self.workers = {site: self._worker(site) for site in "ab"}

    def _voter(self, name: str) -> Child:
        env = {
            "JUNCTOR_SITE": name,
            "JUNCTOR_GRPC_LISTEN": self.addresses[name],
            "JUNCTOR_STATE_DIR": str(self.directory / f"voter-{name}"),
            "JUNCTOR_JWKS": str(self.directory / "jwks.json"),
        }
        return Child(name, [sys.executable, "-m", "junctor_local.witness"], self.directory / f"{name}.log", env=env)

    def _worker(self, site: str) -> Child:
        token = mint(signing_key(self.directory), "service:router", "*", ["service", "register"])
        voters = [f"{name}={address}" for name, address in self.addresses.items()]
        command = [sys.executable, str(WORKER), site, token, str(self._output(site)), *voters]
        return Child(f"worker {site}", command, self.directory / f"worker-{site}.log")

    async def voter_up(self, name: str) -> None:
        await self.voters[name].start()
        await self.voters[name].ready(lambda: health.serving(self.addresses[name]), LIMIT)

    def _output(self, site: str) -> Path:
        return self.directory / f"decided-{site}.txt"

    def decided(self, site: str) -> list[tuple[float, int]]:
        """When, and under which epoch; a line that is being written is left out."""
        text = self._output(site).read_text() if self._output(site).exists() else ""
        return [(float(at), int(epoch)) for at, _, epoch in (line.split() for line in text.split("\n")[:-1])]

    async def decides(self, site: str, after: float) -> float:
        """When the site first decided after a moment of the monotonic clock."""
        return await until(lambda: next((at for at, _ in self.decided(site) if at > after), None))

    async def silent(self, site: str) -> None:
        """Returns when the site has decided nothing for a second."""

        async def quiet() -> bool | None:
            before = len(self.decided(site))
            await asyncio.sleep(1.0)
            return len(self.decided(site)) == before or None

        await until(quiet)

    def known_to_all(self) -> bool:
        """Whether every voter has a holding. One that never had any counts for nothing until all three are reached."""
        files = [self.directory / f"voter-{name}" / "register" / "router.json" for name in self.voters]
        return all(path.exists() and "holder" in path.read_text() for path in files)

    def signal(self, child: Child, number: int) -> None:
        assert child.pid is not None
        os.kill(child.pid, number)

    def check(self) -> None:
        """Each epoch is one site's, and who decides under a higher one begins after the last of the lower ones."""
        spans: dict[tuple[int, str], tuple[float, float]] = {}
        for site in "ab":
            for at, epoch in self.decided(site):
                first, last = spans.get((epoch, site), (at, at))
                spans[epoch, site] = (min(first, at), max(last, at))
        in_order = sorted(spans.items())
        assert len({epoch for (epoch, _), _ in in_order}) == len(in_order), spans
        for ((_, before), (_, ended)), ((_, after), (began, _)) in pairwise(in_order):
            assert before == after or ended < began, spans


async def until(ask: Callable[[], object]) -> object:
    deadline = time.monotonic() + LIMIT
    while True:
        found = ask()
        found = await found if isinstance(found, Awaitable) else found
        if found is not None:
            return found
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.02)


@pytest.fixture
async def sites(tmp_path: Path) -> AsyncIterator[Sites]:
    made = Sites(tmp_path)
    await asyncio.gather(*map(made.voter_up, made.voters))
    for worker in made.workers.values():
        await worker.start()
    # A majority makes a leader; the third voter may be a moment behind.
    await until(lambda: (made.known_to_all() and (made.decided("a") or made.decided("b"))) or None)
    yield made
    for child in (*made.workers.values(), *made.voters.values()):
        await child.kill()


async def test_one_site_decides_whoever_is_killed_or_stopped(
    sites: Sites, record_property: Callable[[str, object], None]
) -> None:
    leader, other = ("a", "b") if sites.decided("a") else ("b", "a")
    # The leader's process and its site's voter die: the other site takes over, and nothing goes back.
    killed = time.monotonic()
    await asyncio.gather(sites.workers[leader].kill(), sites.voters[leader].kill())
    taken = await sites.decides(other, killed)
    record_property("takeover_after_sigkill_s", round(taken - killed, 2))
    await sites.voter_up(leader)
    await sites.workers[leader].start()
    # The new leader stands still for longer than the time to live, and wakes up.
    stopped = time.monotonic()
    sites.signal(sites.workers[other], signal.SIGSTOP)
    back = await sites.decides(leader, stopped)
    record_property("takeover_after_sigstop_s", round(back - stopped, 2))
    sites.signal(sites.workers[other], signal.SIGCONT)
    await sites.silent(other)
    # Two voters are away: nobody decides; they come back: somebody does.
    await asyncio.gather(sites.voters["witness"].kill(), sites.voters[other].kill())
    await sites.silent(leader)
    gone = time.monotonic()
    await asyncio.gather(sites.voter_up("witness"), sites.voter_up(other))
    await until(lambda: any(at > gone for site in "ab" for at, _ in sites.decided(site)) or None)
    sites.check()
