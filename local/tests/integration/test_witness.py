"""A voter as a process: who may call it, and what it has after it was killed."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from junctor_local import health
from junctor_local.child import Child, NotReady
from junctor_local.ports import free_port
from junctor_local.tokens import mint, signing_key
from junctor_register.grpc_voter import GrpcVoter
from junctor_register.holdings import Holding, Register, Versioned
from junctor_register.voter import VoterUnavailable


@dataclass
class Place:
    """A voter's process, its folder, and tokens for it."""

    directory: Path
    child: Child
    address: str

    def metadata(self, *roles: str) -> tuple[tuple[str, str], ...]:
        token = mint(signing_key(self.directory), "service:router", "*", ["service", *roles])
        return (("authorization", f"Bearer {token}"),)

    async def up(self) -> None:
        await self.child.start()
        await self.child.ready(lambda: health.serving(self.address), 30)

    @asynccontextmanager
    async def voter(self, *roles: str) -> AsyncIterator[GrpcVoter]:
        """With a token of these roles beside `service`; calls wait for a process that is being started."""
        carried = _Token(self.metadata(*roles))
        options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
        async with grpc.aio.insecure_channel(self.address, options, interceptors=[carried]) as channel:
            yield GrpcVoter(channel, "router", timeout=5)


class _Token(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = grpc.aio.Metadata(*metadata)

    async def intercept_unary_unary(self, continuation: Callable, details: grpc.aio.ClientCallDetails, request: object):
        return await continuation(details._replace(metadata=self._metadata), request)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    (tmp_path / "jwks.json").write_text(json.dumps(signing_key(tmp_path).jwks()))
    address = f"127.0.0.1:{free_port()}"
    command = [
        sys.executable,
        "-m",
        "junctor_cli",
        "witness",
        "--listen",
        address,
        "--directory",
        str(tmp_path / "state"),
    ]
    command += ["--jwks", str(tmp_path / "jwks.json")]
    made = Place(tmp_path, Child("witness", command, tmp_path / "witness.log"), address)
    yield made
    await made.child.kill()


async def test_what_was_answered_outlives_sigkill(place: Place) -> None:
    chance = random.Random(7)
    await place.up()
    acknowledged = tried = 0
    async with place.voter("register") as voter:
        for _ in range(4):
            found = await _answer(voter)
            killing = asyncio.create_task(_kill_after(place.child, chance.uniform(0.05, 0.3)))
            with pytest.raises(VoterUnavailable):
                while True:
                    tried += 1
                    answer = await voter.write(Register({0: Holding(tried, "a")}), found.version)
                    assert answer.written
                    acknowledged, found = tried, answer.now
            await killing
            await place.up()
            stands = (await _answer(voter)).value.partitions[0].epoch
            assert acknowledged <= stands <= tried
    assert acknowledged > 3


async def _answer(voter: GrpcVoter) -> Versioned:
    """What stands, once the channel has found the process that was started again."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return await voter.read()
        except VoterUnavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


async def _kill_after(child: Child, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await child.kill()


async def test_it_is_for_those_who_take_part_in_the_register(place: Place) -> None:
    await place.up()
    async with place.voter() as voter:
        with pytest.raises(VoterUnavailable, match=r"PERMISSION_DENIED.*register"):
            await voter.read()
        with pytest.raises(VoterUnavailable, match="PERMISSION_DENIED"):
            await voter.write(Register({0: Holding(1, "a")}), "")
    async with place.voter("register") as voter:
        assert (await voter.read()).value == Register()


async def test_it_tells_its_services(place: Place) -> None:
    await place.up()
    async with grpc.aio.insecure_channel(place.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        calls = stub.ServerReflectionInfo(iter([request]), metadata=place.metadata("register"))
        answers = [answer async for answer in calls]
    names = {service.name for answer in answers for service in answer.list_services_response.service}
    assert "junctor.register.v1.VoterService" in names


@pytest.mark.parametrize("damage", ["truncated", "one byte", "not text", "other words"])
async def test_a_damaged_object_is_refused_with_a_sentence(place: Place, damage: str) -> None:
    await place.up()
    async with place.voter("register") as voter:
        await voter.write(Register({0: Holding(41, "a")}), "")
    await place.child.stop()
    path = place.directory / "state" / "register" / "router.json"
    content = path.read_bytes()
    path.write_bytes(
        {
            "truncated": content[: len(content) // 2],
            "one byte": content.replace(b"41", b"40"),
            "not text": b"\xff" + content,
            "other words": b'{"version": "x"}',
        }[damage]
    )
    with pytest.raises(NotReady, match="router.json is damaged"):
        await place.up()
    assert place.child.returncode == 1


async def test_two_processes_never_share_a_folder(place: Place) -> None:
    await place.up()
    command = [*place.child.command]
    command[command.index("--listen") + 1] = f"127.0.0.1:{free_port()}"
    second = Child("second", command, place.directory / "second.log")
    await second.start()
    assert await second.wait() == 1
    assert "in use by another voter" in second.tail()
