"""TCP, TLS and WebSocket transports. An open connection is a flow; a message to a flow that is gone is reported.

Flow numbers start at a random place, so that a record written by another process never names a connection of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from junctor_cti.adapters.sip.peer import Peer, Transport

MAX_HEAD = 32 << 10
MAX_BODY = 64 << 10
MAX_UNSENT = 1 << 20
MAX_FLOWS = 10_000
BODY_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
SUBPROTOCOL = Subprotocol("sip")

Receive = Callable[[bytes, Peer], None]


class Streams:
    """`receive` gets each whole message; `closed` each flow that ended; `failed` the peer that could not be reached."""

    def __init__(
        self,
        receive: Receive,
        closed: Callable[[Peer], None],
        failed: Callable[[Peer], None],
        counters: Counter[str],
        client_tls: ssl.SSLContext | None = None,
    ) -> None:
        self._receive, self._closed, self._failed, self._counters = receive, closed, failed, counters
        self._client_tls = client_tls
        self._numbers = itertools.count((secrets.randbits(40) << 16) + 1)
        self._flows: dict[int, Callable[[bytes], None]] = {}
        self._outgoing: dict[tuple[str, str, int], asyncio.Queue[bytes]] = {}
        self._listeners: list[asyncio.Server | WebSocketServer] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, transport: Transport, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Returns the bound port. Raises `OSError`, naming the address, where it cannot listen; `ValueError` without
        the TLS context that the transport needs."""
        if transport in ("tls", "wss") and tls is None:
            raise ValueError(f"SIP over {transport} needs a certificate")
        context = tls if transport in ("tls", "wss") else None
        listener: asyncio.Server | WebSocketServer
        try:
            if transport in ("tcp", "tls"):
                listener = await asyncio.start_server(
                    lambda r, w: self._serve_stream(transport, r, w), host, port, ssl=context, limit=MAX_HEAD
                )
            else:
                listener = await serve(
                    lambda c: self._serve_websocket(transport, c),
                    host,
                    port,
                    ssl=context,
                    subprotocols=[SUBPROTOCOL],
                    max_size=MAX_HEAD + MAX_BODY,
                    compression=None,
                )
        except OSError as error:
            raise OSError(error.errno, f"SIP over {transport} cannot listen on {host}:{port}: {error}") from error
        self._listeners.append(listener)
        bound: int = next(iter(listener.sockets)).getsockname()[1]
        return bound

    def alive(self, flow: int) -> bool:
        return flow in self._flows

    def send(self, data: bytes, peer: Peer) -> None:
        """Writes to the peer's flow, or to a connection that is opened to its address (TCP and TLS only)."""
        if peer.flow:
            write = self._flows.get(peer.flow)
            if write is None:
                self._counters["flow_gone"] += 1
                self._failed(peer)
            else:
                write(data)
        elif peer.transport in ("ws", "wss"):
            self._failed(peer)
        else:
            self._send_outgoing(data, peer)

    async def close(self) -> None:
        for listener in self._listeners:
            listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._listeners:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(listener.wait_closed(), 2.0)

    def _send_outgoing(self, data: bytes, peer: Peer) -> None:
        key = (peer.transport, peer.host, peer.port)
        queue = self._outgoing.get(key)
        if queue is None:
            queue = self._outgoing[key] = asyncio.Queue(maxsize=1000)
            self._spawn(self._connect(peer, key, queue))
        try:
            queue.put_nowait(data)
        except asyncio.QueueFull:
            self._counters["send_failed"] += 1

    async def _connect(self, peer: Peer, key: tuple[str, str, int], queue: asyncio.Queue[bytes]) -> None:
        try:
            tls = self._client_tls or ssl.create_default_context() if peer.transport == "tls" else None
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(peer.host, peer.port, ssl=tls, limit=MAX_HEAD)
        except (OSError, TimeoutError):
            self._outgoing.pop(key, None)
            self._counters["connect_failed"] += 1
            self._failed(peer)
            return
        pump = asyncio.create_task(self._pump(queue, writer))
        try:
            await self._serve_stream(peer.transport, reader, writer)
        finally:
            self._outgoing.pop(key, None)
            pump.cancel()

    @staticmethod
    async def _pump(queue: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(await queue.get())

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_stream(
        self, transport: Transport, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._flows) >= MAX_FLOWS:
            self._counters["flows_refused"] += 1
            writer.close()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        name = writer.get_extra_info("peername") or ("", 0)
        peer = Peer(transport, name[0], name[1], next(self._numbers))
        self._flows[peer.flow] = lambda data: self._write(writer, data)
        try:
            while await self._read_message(reader, writer, peer):
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError):
            self._counters["flow_broken"] += 1
        except asyncio.CancelledError:
            self._counters["flow_closed"] += 1
        finally:
            self._flows.pop(peer.flow, None)
            self._closed(peer)
            writer.close()

    async def _read_message(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> bool:
        """One message, framed by Content-Length (RFC 3261 18.3). False: the stream can no longer be followed."""
        head = (await reader.readuntil(b"\r\n\r\n")).lstrip(b"\r\n")
        if not head:
            self._counters["keep_alive"] += 1
            writer.write(b"\r\n")
            return True
        length = _content_length(head)
        if length is None or length > MAX_BODY:
            self._counters["malformed.framing"] += 1
            self._receive(head, peer)
            return False
        body = b""
        if length:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await reader.readexactly(length)
        self._receive(head + body, peer)
        return True

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if writer.transport.get_write_buffer_size() > MAX_UNSENT:
            self._counters["flow_stalled"] += 1
            writer.transport.abort()
        else:
            writer.write(data)

    async def _serve_websocket(self, transport: Transport, connection: ServerConnection) -> None:
        name = connection.remote_address or ("", 0)
        peer = Peer(transport, name[0], name[1], next(self._numbers))
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1000)
        writer = asyncio.create_task(self._write_websocket(queue, connection))
        self._flows[peer.flow] = lambda data: self._queue(queue, connection, data)
        try:
            async for message in connection:
                data = message.encode() if isinstance(message, str) else message
                if not data.strip(b"\r\n"):
                    self._counters["keep_alive"] += 1
                    self._queue(queue, connection, b"\r\n")
                else:
                    self._receive(data, peer)
        except ConnectionClosed:
            self._counters["flow_broken"] += 1
        finally:
            self._flows.pop(peer.flow, None)
            writer.cancel()
            self._closed(peer)

    def _queue(self, queue: asyncio.Queue[bytes], connection: ServerConnection, data: bytes) -> None:
        try:
            queue.put_nowait(data)
        except asyncio.QueueFull:
            self._counters["flow_stalled"] += 1
            self._spawn(connection.close(1008, "too slow"))

    @staticmethod
    async def _write_websocket(queue: asyncio.Queue[bytes], connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                data = await queue.get()
                await connection.send(data.decode("utf-8", "replace"))


def _content_length(head: bytes) -> int | None:
    """The declared length, 0 without one, None for one that is no number or is given twice."""
    found: set[bytes] = set()
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() in (b"content-length", b"l"):
            found.add(value.strip())
    if not found:
        return 0
    value = found.pop()
    return int(value) if not found and value.isdigit() and len(value) < 9 else None
