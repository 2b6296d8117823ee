"""The process: the `ng` socket with its cache of replies, the digits' log, and the sweep of dead calls."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from junctor_service.bencode import BencodeError, decode, encode

from junctor_local.media.commands import Commands
from junctor_local.media.events import DIGITS, Event
from junctor_local.media.ports import PortPool
from junctor_local.media.side import Side

log = logging.getLogger("junctor_media")
REPLIES_KEPT = 10.0
"""Seconds a reply is kept for a repeated cookie; the client's last repeat comes well before."""
SWEEP_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class MediaOptions:
    """`ng`, `dtmf_log`: UDP addresses; `port_low` to `port_high`: RTP and RTCP; `timeout`: seconds without packets."""

    ng: tuple[str, int]
    dtmf_log: tuple[str, int] | None
    port_low: int
    port_high: int
    interface: str = "127.0.0.1"
    timeout: float = 300.0


class MediaServer(asyncio.DatagramProtocol):
    """`await start()`, then it runs by the loop's callbacks until `close()`."""

    def __init__(self, options: MediaOptions) -> None:
        self._options = options
        self._loop = asyncio.get_running_loop()
        ports = PortPool(options.interface, options.port_low, options.port_high)
        self._commands = Commands(ports, self._report_digit, self._loop)
        self._replies: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._transport: Any = None
        self._digits: socket.socket | None = None
        self._sweep_every = min(SWEEP_EVERY, options.timeout / 2)
        self._sweep: asyncio.TimerHandle | None = None

    async def start(self) -> tuple[str, int]:
        """Bind the `ng` socket; its address. Raises OSError where it is in use."""
        family = socket.AF_INET6 if ":" in self._options.ng[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.bind(self._options.ng)
        except OSError:
            sock.close()
            raise
        await self._loop.create_datagram_endpoint(lambda: self, sock=sock)
        if self._options.dtmf_log is not None:
            family = socket.AF_INET6 if ":" in self._options.dtmf_log[0] else socket.AF_INET
            self._digits = socket.socket(family, socket.SOCK_DGRAM)
            self._digits.setblocking(False)
        address = sock.getsockname()
        return address[0], address[1]

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._commands.close()
        if self._digits is not None:
            self._digits.close()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def error_received(self, exc: Exception) -> None:
        log.debug("control peer unreachable", extra={"error": str(exc)})

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        cookie, space, body = data.partition(b" ")
        if not space or not cookie or len(cookie) > 255:
            log.warning("control message without a cookie", extra={"bytes": len(data)})
            return
        now = time.monotonic()
        self._forget(now)
        known = self._replies.get(cookie)
        if known is not None:
            self._transport.sendto(known[1], addr)
            return
        try:
            reply = self._commands.handle(decode(body))
        except BencodeError as error:
            reply = {"result": "error", "error-reason": f"Could not decode bencode dictionary: {error}"}
        except Exception:
            log.exception("control command failed")
            reply = {"result": "error", "error-reason": "Internal error"}
        if reply["result"] == "error":
            log.warning("control command refused", extra={"reason": reply["error-reason"]})
        answer = cookie + b" " + encode(reply)
        self._replies[cookie] = (now, answer)
        self._transport.sendto(answer, addr)
        if self._sweep is None and self._commands.calls:
            self._sweep = self._loop.call_later(self._sweep_every, self._sweep_calls)

    def _forget(self, now: float) -> None:
        while self._replies:
            cookie, (at, _) = next(iter(self._replies.items()))
            if now - at < REPLIES_KEPT:
                return
            del self._replies[cookie]

    def _sweep_calls(self) -> None:
        for call_id in self._commands.sweep(self._options.timeout):
            log.warning("call deleted after silence", extra={"call_id": call_id})
        self._sweep = self._loop.call_later(self._sweep_every, self._sweep_calls) if self._commands.calls else None

    def _report_digit(self, side: Side, event: Event) -> None:
        """One JSON datagram per digit, as rtpengine's `dtmf-log-dest`."""
        if self._digits is None or self._options.dtmf_log is None:
            return
        call_id, tags = self._call_of(side)
        line = {
            "callid": call_id,
            "source_tag": side.tag,
            "tags": tags,
            "type": "DTMF",
            "timestamp": int(time.time()),
            "source_ip": side.source[0] if side.source else "",
            "event": event.code,
            "digit": DIGITS[event.code],
            "duration": event.duration_ms,
            "volume": event.volume,
        }
        try:
            self._digits.sendto(json.dumps(line).encode(), self._options.dtmf_log)
        except OSError as error:
            log.warning("digit log unreachable", extra={"error": str(error)})

    def _call_of(self, side: Side) -> tuple[str, list[str]]:
        for call_id, call in self._commands.calls.items():
            if call.sides.get(side.tag) is side:
                return call_id, list(call.sides)
        return "", [side.tag]
