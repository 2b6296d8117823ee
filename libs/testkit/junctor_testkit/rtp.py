"""A test phone's RTP: sends a tone (PCMA by default) and RFC 4733 digits, records and measures what comes in."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from junctor_testkit.audio import FRAME, decode, goertzel, tone_second
from junctor_testkit.pacing import PacingClock

_PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8}
_CODECS = {number: name for name, number in _PAYLOAD_TYPES.items()}
_DIGITS = "0123456789*#ABCD"
EVENT_TYPE = 101


@dataclass(frozen=True, slots=True)
class Packet:
    """One received RTP packet. `arrival` is time.monotonic() in seconds; `sequence`, `timestamp` as on the wire."""

    arrival: float
    sequence: int
    timestamp: int
    ssrc: int
    payload_type: int
    marker: bool
    payload: bytes
    source: tuple[str, int]


@dataclass(slots=True)
class _Digit:
    event: int
    frames: int
    gap: int
    done: asyncio.Future[None]
    start: int = 0
    sent: int = 0


class RtpEndpoint:
    """Open with `await RtpEndpoint.open(tone_hz=440)`, send with `connect(sdp)`, end with `close()`."""

    def __init__(self, sock: socket.socket, tone_hz: int | None, codec: str, event_type: int, keep: int) -> None:
        self.host, self.port = sock.getsockname()[:2]
        self.codec = codec
        self.event_type = event_type
        self.received: deque[Packet] = deque(maxlen=keep)
        self.digits = ""
        """Digits received as RFC 4733 events, each once."""
        self.sent = 0
        self.destination: tuple[str, int] | None = None
        self.ssrc = int.from_bytes(os.urandom(4), "big")
        self._sock = sock
        self._tone_hz = tone_hz
        self._sequence = int.from_bytes(os.urandom(2), "big")
        self._timestamp = int.from_bytes(os.urandom(4), "big")
        self._frame = 0
        self._queue: deque[_Digit] = deque()
        self._last_event: tuple[int, int] | None = None
        self._muted = False

    @classmethod
    async def open(
        cls,
        *,
        tone_hz: int | None = 440,
        codec: str = "PCMA",
        host: str = "127.0.0.1",
        port: int = 0,
        event_type: int = EVENT_TYPE,
        keep: int = 15_000,
    ) -> RtpEndpoint:
        """Bind a socket (port 0: a free one) and listen. `keep`: the newest packets that `received` holds."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind((host, port))
        endpoint = cls(sock, tone_hz, codec, event_type, keep)
        asyncio.get_running_loop().add_reader(sock.fileno(), endpoint._read)
        return endpoint

    def sdp(self, *, codecs: tuple[str, ...] = ("PCMA", "PCMU"), direction: str = "sendrecv") -> str:
        """An offer or answer with this endpoint's address, `codecs` in that order, and telephone-event."""
        numbers = [_PAYLOAD_TYPES[name] for name in codecs]
        lines = [
            "v=0",
            f"o=- {self.ssrc} 1 IN IP4 {self.host}",
            "s=-",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=audio {self.port} RTP/AVP {' '.join(map(str, numbers))} {self.event_type}",
            *(f"a=rtpmap:{number} {name}/8000" for number, name in zip(numbers, codecs, strict=True)),
            f"a=rtpmap:{self.event_type} telephone-event/8000",
            f"a=fmtp:{self.event_type} 0-15",
            f"a={direction}",
        ]
        return "\r\n".join(lines) + "\r\n"

    def connect(self, sdp: str) -> None:
        """Send to the peer's address in `sdp` with its first G.711 codec, from now on. Again: the peer has moved."""
        host, port, numbers = peer_of(sdp)
        self.codec = next((_CODECS[number] for number in numbers if number in _CODECS), self.codec)
        self.start((host, port))

    def start(self, destination: tuple[str, int]) -> None:
        self.destination = destination
        PacingClock.of_this_loop().join(self, self._tick)

    def stop(self) -> None:
        """Stop sending; go on receiving."""
        PacingClock.of_this_loop().leave(self)

    def play(self, tone_hz: int | None) -> None:
        """Change the tone that is sent (None: silence, still as packets)."""
        self._tone_hz = tone_hz

    def mute(self, muted: bool = True) -> None:
        """Send no audio packets at all (as silence suppression does); the timestamps go on."""
        self._muted = muted

    async def send_digits(self, digits: str, *, duration_ms: int = 160, gap_ms: int = 60) -> None:
        """Send each digit as an RFC 4733 event (end packet three times) and return after the last one."""
        if self.destination is None:
            raise RuntimeError("connect() comes first")
        loop = asyncio.get_running_loop()
        jobs = [
            _Digit(_DIGITS.index(digit), max(1, duration_ms // 20), gap_ms // 20, loop.create_future())
            for digit in digits.upper()
        ]
        self._queue.extend(jobs)
        for job in jobs:
            await job.done

    def level(self, hz: float, *, last_ms: int = 500) -> float:
        """Peak level at `hz` in the newest audio received: about 8000 for another endpoint's tone, near 0 without."""
        return goertzel(self.samples(last_ms=last_ms), hz)

    def samples(self, *, last_ms: int = 500) -> list[int]:
        """The newest `last_ms` of received audio, in order of arrival, decoded."""
        heard: list[int] = []
        for packet in list(self.received)[-max(1, last_ms // 20) :]:
            if packet.payload_type in _CODECS:
                heard.extend(decode(packet.payload, _CODECS[packet.payload_type]))
        return heard

    async def wait_for_tone(self, hz: float, *, within: float = 3.0, level: float = 4000) -> None:
        """Return once the last 100 ms hold the tone. Raises TimeoutError, with the level heard, after `within` s."""
        limit = time.monotonic() + within
        while True:
            fresh = self.received and time.monotonic() - self.received[-1].arrival < 0.1
            if fresh and self.level(hz, last_ms=100) >= level:
                return
            if time.monotonic() > limit:
                raise TimeoutError(f"port {self.port}: {hz} Hz at {self.level(hz, last_ms=100):.0f} of {level:.0f}")
            await asyncio.sleep(0.02)

    async def wait_for_digits(self, digits: str, *, within: float = 3.0) -> None:
        limit = time.monotonic() + within
        while self.digits != digits:
            if time.monotonic() > limit:
                raise TimeoutError(f"port {self.port}: digits {self.digits!r}, not {digits!r}")
            await asyncio.sleep(0.02)

    def worst_gap_ms(self, *, since: float = 0.0) -> float:
        """The longest time between two packets that arrived after `since` (time.monotonic()), in ms."""
        times = [packet.arrival for packet in self.received if packet.arrival >= since]
        return max((after - before for before, after in pairwise(times)), default=0.0) * 1000

    def close(self) -> None:
        self.stop()
        for job in self._queue:
            job.done.cancel()
        self._queue.clear()
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()

    def _tick(self) -> None:
        if self.destination is None:
            return
        if self._queue:
            self._tick_digit(self._queue[0])
        elif not self._muted:
            self._send(_PAYLOAD_TYPES[self.codec], self._audio(), self._timestamp)
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
        self._frame += 1

    def _tick_digit(self, job: _Digit) -> None:
        if job.sent == 0:
            job.start = self._timestamp
        job.sent += 1
        if job.sent <= job.frames:
            last = job.sent == job.frames
            body = struct.pack("!BBH", job.event, (0x80 if last else 0) | 10, min(0xFFFF, FRAME * job.sent))
            for _ in range(3 if last else 1):
                self._send(self.event_type, body, job.start, marker=job.sent == 1)
        elif not self._muted:
            self._send(_PAYLOAD_TYPES[self.codec], self._audio(), self._timestamp)
        if job.sent >= job.frames + job.gap:
            self._queue.popleft()
            if not job.done.done():
                job.done.set_result(None)

    def _audio(self) -> bytes:
        second = tone_second(self._tone_hz, self.codec)
        start = self._frame * FRAME % len(second)
        return second[start : start + FRAME]

    def _send(self, payload_type: int, body: bytes, timestamp: int, marker: bool = False) -> None:
        header = struct.pack(
            "!BBHII", 0x80, payload_type | (0x80 if marker else 0), self._sequence, timestamp, self.ssrc
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._sock.sendto(header + body, self.destination or ("", 0))
        self.sent += 1

    def _read(self) -> None:
        for _ in range(32):
            try:
                data, source = self._sock.recvfrom(2048)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue
            if len(data) < 12 or data[0] >> 6 != 2:
                continue
            _, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
            packet = Packet(
                time.monotonic(), sequence, timestamp, ssrc, second & 0x7F, second >> 7 == 1, data[12:], source
            )
            self.received.append(packet)
            if packet.payload_type == self.event_type and len(packet.payload) >= 4 and packet.payload[1] & 0x80:
                event = (ssrc, timestamp)
                if event != self._last_event and packet.payload[0] < len(_DIGITS):
                    self._last_event = event
                    self.digits += _DIGITS[packet.payload[0]]


def peer_of(sdp: str) -> tuple[str, int, list[int]]:
    """Address, port and payload types of the first audio line of an SDP. Raises ValueError without one."""
    host, audio, in_audio = "", None, False
    for line in sdp.splitlines():
        if line.startswith("m="):
            in_audio = audio is None and line.startswith("m=audio ")
            if in_audio:
                audio = line.split()
        elif line.startswith("c=") and (in_audio or not host):
            host = line.split()[-1]
    if audio is None:
        raise ValueError("an SDP without audio")
    return host, int(audio[1]), [int(number) for number in audio[3:] if number.isdecimal()]
