"""One call of a test phone, and how the phone behaves when it is called. Times are `time.monotonic()` seconds."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiosipua import SipRequest, SipResponse

from junctor_testkit.rtp import RtpEndpoint

if TYPE_CHECKING:
    from junctor_testkit.sip_phone import SipPhone


class PhoneError(Exception):
    """What the phone was told: `code` is the SIP status, 408 for no answer."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class Behavior:
    """What the phone does when it is called. `answer_after_ms` None rings for ever. `silent` sends nothing at all."""

    answer_after_ms: int | None = 0
    reject_with: int | None = None
    silent: bool = False
    ring: bool = True


@dataclass(slots=True, eq=False)
class PhoneCall:
    """One call as the phone sees it. `state`: calling, ringing, answered, rejected, canceled, ended.

    `times` has invite_sent, trying, ringing, answered, acknowledged (callee), ended, or invite_received for a call in.
    """

    phone: SipPhone
    outgoing: bool
    call_id: str
    local: str
    remote: str
    target: str
    rtp: RtpEndpoint
    state: str = "calling"
    code: int = 0
    cause: str = ""
    ended_by: str = ""
    cseq: int = 1
    routes: list[str] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    remote_sdp: str = ""
    renegotiations: int = 0
    invite: SipRequest | None = None
    ack: bytes = b""
    timer: asyncio.TimerHandle | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, *states: str, within: float = 5.0) -> PhoneCall:
        """Returns once the call is in one of `states`. Raises TimeoutError naming the state it is in."""
        try:
            async with asyncio.timeout(within):
                while self.state not in states:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{self.phone.user}: {self.state} {self.code}, not {' or '.join(states)}") from None
        return self

    def answer(self) -> None:
        self.phone._answer(self)

    def reject(self, code: int = 486) -> None:
        self.phone._reject(self, code)

    def cancel(self) -> None:
        self.phone._cancel(self)

    async def hang_up(self, *, within: float = 5.0) -> int:
        """Sends BYE; returns the status of its response. Raises PhoneError(408) without one."""
        return await self.phone._hang_up(self, within)

    async def send_digits(self, digits: str, **options: int) -> float:
        """Sends RFC 4733 events; returns the time of the last packet."""
        await self.rtp.send_digits(digits, **options)
        return time.monotonic()

    async def reinvite(self, direction: str = "sendrecv", *, within: float = 5.0) -> int:
        """Offers our SDP again with another direction (hold, resume); returns the final status."""
        return await self.phone._reinvite(self, direction, within)

    async def request(self, method: str, body: str = "", *, within: float = 5.0, **headers: str) -> SipResponse:
        """Any other request in the dialog; underscores in header names become hyphens."""
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        request = self.phone._in_dialog(self, method, extra, body)
        return await self.phone._exchange(request, within)

    def _to(self, state: str) -> None:
        self.state = state
        self.times.setdefault(state, time.monotonic())
        if state in ("rejected", "canceled", "ended"):
            if self.timer is not None:
                self.timer.cancel()
            self.rtp.close()
        self.changed.set()
