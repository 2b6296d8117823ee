"""The digits' log of the media process: one JSON datagram per digit, at its end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from junctor_cti.adapters.media.media import TAGS, Side

log = logging.getLogger(__name__)
DIGITS = "0123456789*#ABCD"
_SIDES = {tag: side for side, tag in TAGS.items()}


@dataclass(frozen=True, slots=True)
class Digit:
    """`digit` is one of `DIGITS`: what a person entered, so it may be secret and is never logged."""

    call_id: str
    side: Side
    digit: str
    duration_ms: int


class DtmfListener(asyncio.DatagramProtocol):
    """Calls `on_digit` on the loop, once per digit. What cannot be read is counted in `ignored` by reason."""

    def __init__(self, on_digit: Callable[[Digit], None]) -> None:
        self._on_digit = on_digit
        self._transport: asyncio.DatagramTransport | None = None
        self.ignored: Counter[str] = Counter()

    @classmethod
    async def open(cls, address: tuple[str, int], on_digit: Callable[[Digit], None]) -> DtmfListener:
        """Listen at `address` (port 0: a free one, see `port`). Raises OSError where it is in use."""
        loop = asyncio.get_running_loop()
        _, listener = await loop.create_datagram_endpoint(lambda: cls(on_digit), local_addr=address)
        return listener

    @property
    def port(self) -> int:
        assert self._transport is not None
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: object) -> None:
        digit = self._read(data)
        if digit is None:
            return
        try:
            self._on_digit(digit)
        except Exception:
            self.ignored["callback_failed"] += 1
            log.exception("digit callback failed", extra={"call_id": digit.call_id})

    def _read(self, data: bytes) -> Digit | None:
        try:
            line = json.loads(data)
            if line["type"] != "DTMF":
                self.ignored["other_type"] += 1
                return None
            event = int(line["event"])
            if event not in range(len(DIGITS)):
                self.ignored["not_a_digit"] += 1
                return None
            return Digit(str(line["callid"]), _SIDES[line["source_tag"]], DIGITS[event], int(line["duration"]))
        except (ValueError, KeyError, TypeError):
            self.ignored["malformed"] += 1
            return None
