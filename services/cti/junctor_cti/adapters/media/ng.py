"""Client of the `ng` control protocol (rtpengine, junctor-media): bencode over UDP, matched by cookie."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from typing import Any

from junctor_service.bencode import BencodeError, decode, encode

from junctor_cti.application.ports.media_errors import MediaCallUnknown, MediaError, UnusableSdp

log = logging.getLogger(__name__)
WAITS = (0.25, 0.5, 0.75, 1.0)
"""Seconds to wait after each sending. A repeat carries the same cookie, which the server answers from its cache."""
_UNUSABLE = ("failed to parse sdp", "no supported codec", "unsupported protocol", "no usable audio")
_LATER = ("ran out of ports", "no free ports", "load limit", "overload", "parallel session limit")

Reply = dict[str, Any]


class NgClient(asyncio.DatagramProtocol):
    """One connected socket; any number of commands at once."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._numbers = itertools.count(1)
        self._prefix = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._transport: asyncio.DatagramTransport | None = None
        self.repeats = 0
        """Commands sent again."""

    @classmethod
    async def open(cls, address: tuple[str, int]) -> NgClient:
        """Connect to the control socket. That succeeds without a server too: `ping` tells."""
        _, client = await asyncio.get_running_loop().create_datagram_endpoint(cls, remote_addr=address)
        return client

    def close(self) -> None:
        for future in self._waiting.values():
            future.cancel()
        if self._transport is not None:
            self._transport.close()

    async def command(self, name: str, /, **keys: object) -> Reply:
        """Send a command and return the reply. The keyword `call_id` becomes the key `call-id`; None is left out.

        Raises MediaError (retryable: no answer within 2.5 s, no free ports), MediaCallUnknown or UnusableSdp.
        """
        message = {"command": name}
        message.update({key.replace("_", "-"): value for key, value in keys.items() if value is not None})  # type: ignore[misc]
        cookie = f"{self._prefix}-{next(self._numbers)}"
        reply = await self._exchange(name, cookie, cookie.encode() + b" " + encode(message))
        if reply.get("result") == "error":
            raise _refusal(name, str(reply.get("error-reason", "no reason given")))
        return reply

    async def _exchange(self, name: str, cookie: str, data: bytes) -> Reply:
        if self._transport is None or self._transport.is_closing():
            raise MediaError(name, "the control socket is closed")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = future
        try:
            for number, wait in enumerate(WAITS):
                self.repeats += number > 0
                self._transport.sendto(data)
                done, _ = await asyncio.wait([future], timeout=wait)
                if done:
                    return future.result()
        finally:
            self._waiting.pop(cookie, None)
        raise MediaError(name, f"no answer within {sum(WAITS)} s", retryable=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def error_received(self, exc: Exception) -> None:
        """Nobody listens at present: the repeats go on, a restarted server is back within milliseconds."""

    def datagram_received(self, data: bytes, addr: object) -> None:
        cookie, _, body = data.partition(b" ")
        future = self._waiting.get(cookie.decode("ascii", "replace"))
        if future is None or future.done():
            return
        try:
            reply = decode(body)
        except BencodeError as error:
            log.warning("media reply not readable", extra={"error": str(error)})
            return
        if isinstance(reply, dict):
            future.set_result(reply)


def _refusal(command: str, reason: str) -> MediaError:
    lower = reason.lower()
    if lower.startswith("unknown call-id"):
        return MediaCallUnknown(command, reason)
    if lower.startswith(_UNUSABLE):
        return UnusableSdp(command, reason)
    return MediaError(command, reason, retryable=any(text in lower for text in _LATER))
