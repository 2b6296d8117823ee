"""The register of two sites: how soon the other site holds the partitions of one that is gone, or that hands them over."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from junctor_local import health
from junctor_local.child import Child
from junctor_local.ports import free_port
from junctor_local.tokens import mint, signing_key
from junctor_register.places import voters_at
from junctor_register.rules import Seat
from junctor_register.site_register import SiteRegister
from junctor_service.client import Channels
from junctor_service.token_source import StaticToken

from bench.results_file import Result, Row
from bench.samples import summary

PARTITIONS = tuple(range(12))
ROUNDS = 10
NAMES = ("a", "b", "witness")
HOW = (
    f"Three voters, each a process with a file, and two sites of one process that hold {len(PARTITIONS)} partitions, on this "
    f"machine; {ROUNDS} times each. Lost: from the end of the holder's rounds, without a word, to the moment at which the other "
    "site holds all. Handed over: from the call to the same moment."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    """The figure `register`."""
    lost: list[float] = []
    passed: list[float] = []
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="junctor-bench-")))
        places = await _voters(directory, stack)
        token = mint(signing_key(directory), "service:router", "*", ["service", "register"])
        channels = Channels(StaticToken(token))
        stack.push_async_callback(channels.close)

        def site(name: str) -> SiteRegister:
            voters = voters_at(places, "router", channels.channel)
            return SiteRegister(Seat(name, f"bench-{name}", NAMES, PARTITIONS), voters)

        holder, other = site("a"), site("b")
        names = {holder: "a", other: "b"}
        await holder.start()
        await _holds(holder)
        await other.start()
        await asyncio.sleep(2)
        for _ in range(ROUNDS):
            began = time.monotonic()
            await asyncio.gather(
                *(
                    holder.hand_over(p, grant.site_epoch, names[other], 1, b"")
                    for p in PARTITIONS
                    if (grant := holder.granted(p))
                )
            )
            await _holds(other)
            passed.append((time.monotonic() - began) * 1000)
            holder, other = other, holder
            await asyncio.sleep(1)
        for _ in range(ROUNDS):
            began = time.monotonic()
            await holder.stop(0)
            await _holds(other)
            lost.append((time.monotonic() - began) * 1000)
            name = names.pop(holder)
            holder, other = other, site(name)
            names[other] = name
            await other.start()
            await asyncio.sleep(1.3)
        await asyncio.gather(holder.stop(0), other.stop(0))
    result = Result("register", HOW)
    result.latency("lost site: the other holds all", summary(lost), 9_000)
    result.latency("hand-over: the other holds all", summary(passed))
    result.rows.append(Row("of it, waiting for the time to live", "6,000 ms"))
    result.data = {"lost_ms": summary(lost).as_json(), "handed_over_ms": summary(passed).as_json()}
    return [result]


async def _voters(directory: Path, stack: AsyncExitStack) -> list[str]:
    (directory / "jwks.json").write_text(json.dumps(signing_key(directory).jwks()))
    places = []
    for name in NAMES:
        address = f"127.0.0.1:{free_port()}"
        env = {
            "JUNCTOR_GRPC_LISTEN": address,
            "JUNCTOR_STATE_DIR": str(directory / name),
            "JUNCTOR_JWKS": str(directory / "jwks.json"),
        }
        child = Child(name, [sys.executable, "-m", "junctor_local.witness"], directory / f"{name}.log", env=env)
        await child.start()
        stack.push_async_callback(child.kill)
        await child.ready(partial(health.serving, address), 60)
        places.append(f"{name}={address}")
    return places


async def _holds(register: SiteRegister) -> None:
    changed = asyncio.Event()
    end = register.watch(lambda partition: changed.set())
    while not all(register.granted(partition) for partition in PARTITIONS):
        await changed.wait()
        changed.clear()
    end()
