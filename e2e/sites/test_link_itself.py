"""A link does to a connection what its name says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from e2e.sites.link import Link


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1000):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_cut_holds_what_is_under_way_until_it_is_mended_and_other_ways_go_on(echo: str) -> None:
    link = Link()
    ends = [link.between("a", "b", echo), link.between("a", "w", echo)]
    await link.start()
    (one, into_one), (other, into_other) = [await asyncio.open_connection(*end.split(":")) for end in ends]
    assert await _asked(one, into_one, b"1") == b"1"
    link.cut("b", "a")
    into_one.write(b"2")
    waiting = asyncio.create_task(one.readexactly(1))
    assert await _asked(other, into_other, b"3") == b"3"
    assert not waiting.done()
    link.mend("a", "b")
    assert await asyncio.wait_for(waiting, 30) == b"2"
    for writer in (into_one, into_other):
        writer.close()
    await link.stop()


async def test_a_slow_link_is_late_by_its_round_trip_and_keeps_the_order(echo: str) -> None:
    link = Link(seed=3)
    end = link.between("a", "b", echo)
    link.slow("a", "b", round_trip=0.25, loss=0.2)
    await link.start()
    reader, writer = await asyncio.open_connection(*end.split(":"))
    await _asked(reader, writer, b"0")
    began = time.monotonic()
    sent = b"".join(bytes([number]) for number in range(40))
    for number in range(40):
        writer.write(sent[number : number + 1])
        await writer.drain()
        await asyncio.sleep(0)
    assert await asyncio.wait_for(reader.readexactly(40), 60) == sent
    assert time.monotonic() - began >= 0.25
    writer.close()
    await link.stop()


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: bytes) -> bytes:
    writer.write(what)
    return await asyncio.wait_for(reader.readexactly(len(what)), 30)
