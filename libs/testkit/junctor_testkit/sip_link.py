"""A test phone's connection to its server: UDP, TCP, TLS or WebSocket, with packet loss on request (UDP)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Receive = Callable[[bytes], None]


class SipLink:
    """Open with `await SipLink.open(...)`. `host` and `port` are what goes into Via and Contact; `local_host` is the
    address of this machine that the server sees."""

    def __init__(self, transport: str, server: tuple[str, int], receive: Receive, loss: float, seed: int) -> None:
        self.transport, self.server = transport, server
        self.host, self.port = "", 0
        self.local_host = _facing(server)
        self._receive, self._loss, self._random = receive, loss, random.Random(seed)
        self._datagrams: asyncio.DatagramTransport | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._socket: ClientConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(
        cls,
        transport: str,
        server: tuple[str, int],
        receive: Receive,
        *,
        loss: float = 0.0,
        seed: int = 0,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> SipLink:
        """`loss` is the share of datagrams dropped in each direction. Raises OSError where nobody listens."""
        link = cls(transport, server, receive, loss, seed)
        if transport == "udp":
            loop = asyncio.get_running_loop()
            link._datagrams, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(link._lossy_receive), local_addr=(link.local_host, port)
            )
            link.host, link.port = link._datagrams.get_extra_info("sockname")[:2]
        elif transport in ("tcp", "tls"):
            reader, link._writer = await asyncio.open_connection(*server, ssl=tls if transport == "tls" else None)
            link.host, link.port = link._writer.get_extra_info("sockname")[:2]
            link._spawn(link._read_stream(reader))
        else:
            url = f"{transport}://{server[0]}:{server[1]}"
            link._socket = await connect(url, ssl=tls, subprotocols=[Subprotocol("sip")], compression=None)
            link.host, link.port = "phone.invalid", 0
            link._spawn(link._read_socket(link._socket))
        return link

    def send(self, data: bytes, to: tuple[str, int] | None = None) -> None:
        if self._datagrams is not None:
            if self._random.random() >= self._loss and not self._datagrams.is_closing():
                self._datagrams.sendto(data, to or self.server)
        elif self._writer is not None:
            self._writer.write(data)
        elif self._socket is not None:
            self._spawn(self._send_socket(self._socket, data))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._datagrams is not None:
            self._datagrams.close()
        if self._writer is not None:
            self._writer.close()
        if self._socket is not None:
            await self._socket.close()

    def _lossy_receive(self, data: bytes) -> None:
        if self._random.random() >= self._loss:
            self._receive(data)

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read_stream(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lstrip(b"\r\n")
                length = 0
                for line in head.split(b"\r\n"):
                    name, _, value = line.partition(b":")
                    if name.strip().lower() == b"content-length":
                        length = int(value)
                if head:
                    self._receive(head + await reader.readexactly(length))

    async def _read_socket(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                self._receive(message.encode() if isinstance(message, str) else message)

    async def _send_socket(self, socket: ClientConnection, data: bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            await socket.send(data.decode())


def _facing(server: tuple[str, int]) -> str:
    """The address of this machine that the server sees; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(server)
        return str(probe.getsockname()[0])


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._receive(data)
