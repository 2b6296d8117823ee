"""What lies between the places: TCP relays that a test cuts, slows and makes lossy, for each pair of places by itself.

A cut link is silent, as one whose packets vanish: connections stay, new ones are taken and lead nowhere, and what was under
way goes on when it is mended. Loss costs time, as it does to TCP: a lost segment is sent again after a time-out.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from junctor_local.ports import free_port

HOST = "127.0.0.1"
_CHUNK = 64 * 1024
# The least time-out after which Linux sends a segment again (tcp(7), RFC 6298 with its 200 ms floor).
_LEAST_RETRANSMISSION = 0.2


@dataclass
class Quality:
    """Of one way between two places: `delay` in seconds one way, `loss` as a share of segments."""

    delay: float = 0.0
    loss: float = 0.0
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()


class Link:
    """Meets `junctor_local.two_sites.Network`: a relay for each address that one place uses in another."""

    def __init__(self, seed: int = 1) -> None:
        self._ways: dict[frozenset[str], Quality] = {}
        self._relays: dict[tuple[str, str, str], int] = {}
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()
        self._chance = random.Random(seed)

    def between(self, source: str, target: str, address: str) -> str:
        """See `Network.between`."""
        key = (source, target, address)
        if key not in self._relays:
            self._relays[key] = free_port(HOST)
        return f"{HOST}:{self._relays[key]}"

    async def start(self) -> None:
        """Opens all relays that were asked for by now."""
        for (source, target, address), port in self._relays.items():
            way = self._way(source, target)

            async def take(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                way: Quality = way,
                address: str = address,
            ) -> None:
                task = asyncio.current_task()
                assert task is not None
                self._open.add(task)
                try:
                    await self._connection(way, address, reader, writer)
                except asyncio.CancelledError:
                    return  # By `stop`: the streams' own callback cannot bear a cancelled task.
                finally:
                    self._open.discard(task)

            self._servers.append(await asyncio.start_server(take, HOST, port))

    async def stop(self) -> None:
        """Closes them."""
        for server in self._servers:
            server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def cut(self, one: str, other: str) -> None:
        """From now on nothing passes between the two, in either direction."""
        self._way(one, other).open.clear()

    def mend(self, one: str, other: str) -> None:
        """What waited goes on."""
        self._way(one, other).open.set()

    def slow(self, one: str, other: str, *, round_trip: float, loss: float = 0.0) -> None:
        """`round_trip` in seconds, added to what there is."""
        way = self._way(one, other)
        way.delay, way.loss = round_trip / 2, loss

    def _way(self, one: str, other: str) -> Quality:
        return self._ways.setdefault(frozenset((one, other)), Quality())

    async def _connection(
        self, way: Quality, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host, _, port = address.rpartition(":")
        further: asyncio.StreamWriter | None = None
        try:
            await way.open.wait()
            await asyncio.sleep(2 * way.delay)
            back, further = await asyncio.open_connection(host, int(port))
            one = asyncio.create_task(self._pass_on(way, reader, further))
            two = asyncio.create_task(self._pass_on(way, back, writer))
            try:
                await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (one, two):
                    task.cancel()
                await asyncio.gather(one, two, return_exceptions=True)
        except OSError:
            return
        finally:
            for end in (writer, further):
                if end is not None:
                    end.close()

    async def _pass_on(self, way: Quality, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """In order, each chunk as late as its way was slow when it came; a lost one holds up those behind it."""
        loop = asyncio.get_running_loop()
        pipe: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def take() -> None:
            latest = 0.0
            while chunk := await reader.read(_CHUNK):
                latest = max(latest, loop.time() + way.delay + self._repeats(way))
                await pipe.put((latest, chunk))
            await pipe.put((latest, b""))

        taking = asyncio.create_task(take())
        try:
            while True:
                due, chunk = await pipe.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await way.open.wait()
                if not chunk:
                    return
                writer.write(chunk)
                await writer.drain()
        except OSError:
            return
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    def _repeats(self, way: Quality) -> float:
        lost = 0
        while lost < 8 and self._chance.random() < way.loss:
            lost += 1
        return sum(max(_LEAST_RETRANSMISSION, 3 * way.delay) * 2.0**n for n in range(lost))

    @contextlib.contextmanager
    def cut_off(self, one: str, other: str) -> Iterator[None]:
        """Cut for as long as the block lasts."""
        self.cut(one, other)
        try:
            yield
        finally:
            self.mend(one, other)
