"""A headless SIP phone for tests and the demo: registers, calls, answers, sends digits, speaks and listens by RTP.

Its small state machine shares no code with the product (aiosipua parses and writes for both), so it is a second
opinion on what the product sends. Times are `time.monotonic()` seconds.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

from aiosipua import SipDigestAuth, SipMessage, SipRequest, SipResponse, parse_address, stringify_uri
from aiosipua.auth import answer_challenge

from junctor_testkit.rtp import RtpEndpoint
from junctor_testkit.sip_call import Behavior, PhoneCall, PhoneError
from junctor_testkit.sip_link import SipLink

__all__ = ["Behavior", "PhoneCall", "PhoneError", "SipPhone"]
_REASONS = {100: "Trying", 180: "Ringing", 200: "OK", 481: "Call Does Not Exist", 486: "Busy Here", 487: "Terminated"}


@dataclass(slots=True, eq=False)
class _Sent:
    """A request on its way: repeated with doubled intervals until a response comes (UDP)."""

    request: SipRequest
    data: bytes
    done: asyncio.Future[SipResponse]
    interval: float
    until: float
    provisional: Callable[[SipResponse], None] | None = None
    timer: asyncio.TimerHandle | None = None


class SipPhone:
    """Open with `await SipPhone.open(user, server)`; close with `close()`, or use it as `async with`.

    `behavior` may be changed at any time. `calls` holds every call, oldest first. `repeated` counts what came twice.
    """

    def __init__(self, user: str, password: str, domain: str, tone_hz: int | None, t1: float) -> None:
        self.user, self.domain, self.tone_hz = user, domain, tone_hz
        self.behavior = Behavior()
        self.on_call: Callable[[PhoneCall], None] | None = None
        self.calls: list[PhoneCall] = []
        self.repeated = 0
        self.unexpected: list[str] = []
        self._auth = SipDigestAuth(user, password)
        self._t1 = t1
        self._link: SipLink
        self._sent: dict[tuple[str, str], _Sent] = {}
        self._replies: dict[tuple[str, str], bytes] = {}
        self._registration = (secrets.token_hex(8), secrets.token_hex(6), 0)
        self._arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(
        cls,
        user: str,
        server: tuple[str, int],
        *,
        password: str = "",
        domain: str = "",
        transport: str = "udp",
        tone_hz: int | None = 440,
        loss: float = 0.0,
        seed: int = 0,
        tls: ssl.SSLContext | None = None,
        t1: float = 0.5,
        port: int = 0,
    ) -> SipPhone:
        """`domain` is the address of record's (default: the server's host). `t1` is the first repeat, in seconds."""
        phone = cls(user, password, domain or server[0], tone_hz, t1)
        phone._link = await SipLink.open(transport, server, phone._receive, loss=loss, seed=seed, tls=tls, port=port)
        return phone

    async def __aenter__(self) -> SipPhone:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def aor(self) -> str:
        return f"sip:{self.user}@{self.domain}"

    @property
    def uri(self) -> str:
        """Where the phone itself can be reached without a registrar (UDP)."""
        return f"sip:{self.user}@{self._link.host}:{self._link.port}"

    async def register(self, *, expires: int = 300, within: float = 5.0) -> int:
        """Registers with digest; returns the granted seconds. Raises PhoneError with the code of a refusal."""
        call_id, tag, _ = self._registration
        credentials: tuple[str, str] | None = None
        while True:
            number = self._registration[2] + 1
            self._registration = (call_id, tag, number)
            request = self._request("REGISTER", f"sip:{self.domain}", f"<{self.aor}>;tag={tag}", f"<{self.aor}>")
            request.headers.set_single("Call-ID", call_id)
            request.headers.set_single("CSeq", f"{number} REGISTER")
            request.headers.set_single("Expires", str(expires))
            if credentials is not None:
                request.headers.set_single(*credentials)
            response = await self._exchange(request, within)
            if response.status_code == 200:
                return _granted(response)
            answer = answer_challenge(self._auth, response, response.status_code, "REGISTER", request.uri)
            if answer is None or credentials is not None:
                raise PhoneError(f"{self.user} may not register", response.status_code)
            credentials = answer

    async def unregister(self) -> None:
        await self.register(expires=0)

    async def call(self, target: str, headers: Mapping[str, str] | None = None, *, display: str = "") -> PhoneCall:
        """Sends an INVITE with our SDP and returns at once; `await call.wait("answered")` then."""
        rtp = await RtpEndpoint.open(tone_hz=self.tone_hz, host=self._link.local_host)
        local = f'"{display}" <{self.aor}>' if display else f"<{self.aor}>"
        call = PhoneCall(
            phone=self,
            outgoing=True,
            call_id=secrets.token_hex(10),
            local=f"{local};tag={secrets.token_hex(6)}",
            remote=f"<{target}>",
            target=target,
            rtp=rtp,
        )
        self.calls.append(call)
        request = self._in_dialog(call, "INVITE", headers or {}, rtp.sdp())
        call.invite = request
        call.times["invite_sent"] = time.monotonic()
        self._spawn(self._place(call, request))
        return call

    async def next_call(self, *, within: float = 5.0) -> PhoneCall:
        """The newest incoming call that was not returned before, or the next one. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                for call in self.calls:
                    if not call.outgoing and "taken" not in call.headers:
                        call.headers["taken"] = "yes"
                        return call
                self._arrived.clear()
                await self._arrived.wait()

    async def close(self) -> None:
        """Drops everything without another message."""
        for sent in self._sent.values():
            if sent.timer is not None:
                sent.timer.cancel()
        for call in self.calls:
            if call.timer is not None:
                call.timer.cancel()
            call.rtp.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._link.close()

    # Requests that we send

    def _request(self, method: str, uri: str, local: str, remote: str) -> SipRequest:
        request = SipRequest(method=method, uri=uri)
        transport = self._link.transport.upper()
        branch = "z9hG4bK" + secrets.token_hex(8)
        port = f":{self._link.port}" if self._link.port else ""
        request.headers.append("Via", f"SIP/2.0/{transport} {self._link.host}{port};branch={branch};rport")
        request.headers.set_single("Max-Forwards", "70")
        request.headers.set_single("From", local)
        request.headers.set_single("To", remote)
        tail = "" if transport == "UDP" else f";transport={self._link.transport}"
        request.headers.set_single("Contact", f"<sip:{self.user}@{self._link.host}{port}{tail}>")
        request.headers.set_single("User-Agent", "junctor-test-phone")
        return request

    def _in_dialog(self, call: PhoneCall, method: str, headers: Mapping[str, str], body: str = "") -> SipRequest:
        request = self._request(method, call.target, call.local, call.remote)
        for route in call.routes:
            request.headers.append("Route", route)
        request.headers.set_single("Call-ID", call.call_id)
        request.headers.set_single("CSeq", f"{call.cseq} {method}")
        if method != "ACK":
            call.cseq += 1
        for name, value in headers.items():
            request.headers.set_single(name, value)
        if body:
            if "content-type" not in request.headers:
                request.headers.set_single("Content-Type", "application/sdp")
            request.body = body.encode()
        return request

    async def _exchange(
        self, request: SipRequest, within: float, provisional: Callable[[SipResponse], None] | None = None
    ) -> SipResponse:
        """Sends and repeats; returns the final response. Raises PhoneError(408)."""
        loop = asyncio.get_running_loop()
        sent = _Sent(request, bytes(request), loop.create_future(), self._t1, loop.time() + 64 * self._t1, provisional)
        key = (_branch(request), request.method)
        self._sent[key] = sent
        self._link.send(sent.data)
        if self._link.transport == "udp":
            sent.timer = loop.call_later(sent.interval, self._repeat, sent)
        try:
            async with asyncio.timeout(within):
                return await sent.done
        except TimeoutError:
            raise PhoneError(f"{self.user}: no answer to {request.method}", 408) from None
        finally:
            self._sent.pop(key, None)
            if sent.timer is not None:
                sent.timer.cancel()

    def _repeat(self, sent: _Sent) -> None:
        loop = asyncio.get_running_loop()
        if sent.done.done() or loop.time() > sent.until:
            return
        self._link.send(sent.data)
        sent.interval *= 2
        if sent.request.method != "INVITE":
            sent.interval = min(sent.interval, 8 * self._t1)
        sent.timer = loop.call_later(sent.interval, self._repeat, sent)

    async def _place(self, call: PhoneCall, request: SipRequest) -> None:
        def provisional(response: SipResponse) -> None:
            call.times.setdefault("trying", time.monotonic())
            call.code = response.status_code
            if response.status_code > 100 and call.state == "calling":
                call._to("ringing")

        try:
            response = await self._exchange(request, 3600.0, provisional)
        except PhoneError:
            call.code = 408
            call._to("rejected")
            return
        call.code = response.status_code
        if response.status_code in (401, 407):
            credentials = answer_challenge(self._auth, response, response.status_code, "INVITE", request.uri)
            if credentials is not None and credentials[0] not in request.headers:
                retry = self._in_dialog(call, "INVITE", {credentials[0]: credentials[1]}, request.text)
                call.invite = retry
                await self._place(call, retry)
                return
        if response.status_code >= 300:
            call.cause = response.get_header("Reason") or ""
            if response.status_code < 400 and response.contact:
                call.target = stringify_uri(response.contact[0].uri)
            call._to("canceled" if response.status_code == 487 else "rejected")
            return
        self._connected(call, response)

    def _connected(self, call: PhoneCall, response: SipResponse) -> None:
        call.remote = response.get_header("To") or call.remote
        call.routes = list(reversed(response.get_header_values("Record-Route")))
        if response.contact:
            call.target = stringify_uri(response.contact[0].uri)
        self._acknowledge(call, response)
        call.remote_sdp = response.text
        call.rtp.connect(response.text)
        call._to("answered")

    def _acknowledge(self, call: PhoneCall, response: SipResponse) -> None:
        ack = self._in_dialog(call, "ACK", {})
        number = response.cseq.seq if response.cseq else 1
        ack.headers.set_single("CSeq", f"{number} ACK")
        call.ack = bytes(ack)
        self._link.send(call.ack)

    def _cancel(self, call: PhoneCall) -> None:
        invite = call.invite
        if invite is None or call.state not in ("calling", "ringing"):
            raise PhoneError("only an unanswered call can be canceled", 0)
        cancel = SipRequest(method="CANCEL", uri=invite.uri)
        for name in ("Via", "Max-Forwards", "From", "To", "Call-ID"):
            cancel.headers.set_single(name, invite.headers.get_first(name) or "")
        cancel.headers.set_single("CSeq", f"{invite.cseq.seq if invite.cseq else 1} CANCEL")
        self._spawn(self._quietly(cancel))

    async def _quietly(self, request: SipRequest) -> None:
        try:
            await self._exchange(request, 64 * self._t1)
        except PhoneError as error:
            self.unexpected.append(str(error))

    async def _hang_up(self, call: PhoneCall, within: float) -> int:
        request = self._in_dialog(call, "BYE", {"Reason": 'Q.850;cause=16;text="Normal call clearing"'})
        call.ended_by = call.ended_by or "us"
        call._to("ended")
        return int((await self._exchange(request, within)).status_code)

    async def _reinvite(self, call: PhoneCall, direction: str, within: float) -> int:
        request = self._in_dialog(call, "INVITE", {}, call.rtp.sdp(direction=direction))
        response = await self._exchange(request, within)
        if response.status_code < 300:
            self._acknowledge(call, response)
            call.remote_sdp = response.text or call.remote_sdp
            call.rtp.connect(call.remote_sdp)
        return int(response.status_code)

    # What comes in

    def _receive(self, data: bytes) -> None:
        if len(data) < 20:
            return
        message = SipMessage.parse(data)
        if isinstance(message, SipResponse):
            self._on_response(message)
        else:
            self._on_request(message)

    def _on_response(self, response: SipResponse) -> None:
        method = (response.get_header("CSeq") or " ").split()[-1]
        sent = self._sent.get((_branch(response), method))
        if sent is None or sent.done.done():
            self._on_late_response(response, method)
        elif response.status_code < 200:
            if sent.timer is not None and method == "INVITE":
                sent.timer.cancel()
            if sent.provisional is not None:
                sent.provisional(response)
        else:
            if method == "INVITE" and response.status_code >= 300:
                self._link.send(_failure_ack(sent.request, response))
            sent.done.set_result(response)

    def _on_late_response(self, response: SipResponse, method: str) -> None:
        self.repeated += 1
        call = next((c for c in self.calls if c.call_id == response.call_id), None)
        if method != "INVITE" or call is None or call.invite is None:
            return
        if 200 <= response.status_code < 300 and call.ack:
            self._link.send(call.ack)
        elif response.status_code >= 300:
            self._link.send(_failure_ack(call.invite, response))

    def _on_request(self, request: SipRequest) -> None:
        key = (_branch(request), request.method)
        call = next((c for c in self.calls if c.call_id == request.call_id), None)
        if request.method == "ACK":
            if call is not None and call.timer is not None:
                call.timer.cancel()
                call.timer = None
                call.times.setdefault("acknowledged", time.monotonic())
                call.changed.set()
            return
        if key in self._replies:
            self.repeated += 1
            if self._replies[key]:
                self._link.send(self._replies[key])
            return
        if request.method == "INVITE" and call is None:
            if not self.behavior.silent:
                self._replies[key] = b""
                self._spawn(self._ring(request))
        elif request.method == "INVITE" and call is not None:
            self._on_reinvite(call, request)
        elif request.method == "CANCEL":
            self._reply(request, 200)
            if call is not None and call.invite is not None and call.state in ("calling", "ringing"):
                call.cause = request.get_header("Reason") or ""
                self._reply(call.invite, 487, call)
                call._to("canceled")
        elif request.method == "BYE":
            self._reply(request, 200 if call is not None else 481, call)
            if call is not None and call.state not in ("rejected", "canceled", "ended"):
                call.cause, call.ended_by = request.get_header("Reason") or "", "peer"
                call._to("ended")
        else:
            self._reply(request, 200 if call is not None or request.method == "OPTIONS" else 481, call)

    async def _ring(self, request: SipRequest) -> None:
        tag = secrets.token_hex(6)
        call = PhoneCall(
            phone=self,
            outgoing=False,
            call_id=request.call_id or "",
            local=f"{request.get_header('To')};tag={tag}",
            remote=request.get_header("From") or "",
            target=stringify_uri(request.contact[0].uri) if request.contact else "",
            rtp=await RtpEndpoint.open(tone_hz=self.tone_hz, host=self._link.local_host),
            invite=request,
            routes=request.get_header_values("Record-Route"),
            remote_sdp=request.text,
        )
        call.times["invite_received"] = time.monotonic()
        call.headers = {name.lower(): values[0] for name, values in request.headers.items()}
        self.calls.append(call)
        self._arrived.set()
        if self.on_call is not None:
            self.on_call(call)
        behavior = self.behavior
        if behavior.reject_with is not None:
            self._reject(call, behavior.reject_with)
            return
        self._reply(request, 180 if behavior.ring else 100, call)
        call._to("ringing")
        if behavior.answer_after_ms is not None:
            await asyncio.sleep(behavior.answer_after_ms / 1000)
            if call.state == "ringing":
                self._answer(call)

    def _answer(self, call: PhoneCall) -> None:
        if call.invite is None or call.state != "ringing":
            raise PhoneError("only a ringing call can be answered", 0)
        if call.remote_sdp:
            call.rtp.connect(call.remote_sdp)
        data = self._reply(call.invite, 200, call, call.rtp.sdp())
        call._to("answered")
        self._repeat_answer(call, data, self._t1, time.monotonic() + 64 * self._t1)

    def _repeat_answer(self, call: PhoneCall, data: bytes, interval: float, until: float) -> None:
        def again() -> None:
            if time.monotonic() > until:
                call.timer = None
                self.unexpected.append("no ACK")
                return
            self._link.send(data)
            self._repeat_answer(call, data, min(2 * interval, 8 * self._t1), until)

        call.timer = asyncio.get_running_loop().call_later(interval, again)

    def _reject(self, call: PhoneCall, code: int) -> None:
        assert call.invite is not None
        self._reply(call.invite, code, call)
        call.code = code
        call._to("rejected")

    def _on_reinvite(self, call: PhoneCall, request: SipRequest) -> None:
        if call.state != "answered":
            self._reply(request, 481 if call.state == "ended" else 491, call)
            return
        call.renegotiations += 1
        if request.text:
            call.remote_sdp = request.text
            call.rtp.connect(request.text)
        data = self._reply(request, 200, call, call.rtp.sdp())
        self._repeat_answer(call, data, self._t1, time.monotonic() + 64 * self._t1)

    def _reply(self, request: SipRequest, code: int, call: PhoneCall | None = None, body: str = "") -> bytes:
        response = SipResponse(status_code=code, reason_phrase=_REASONS.get(code, "Refused"))
        for via in request.headers.get("via"):
            response.headers.append("Via", via)
        for route in request.headers.get("record-route") if code < 300 else ():
            response.headers.append("Record-Route", route)
        for name in ("From", "To", "Call-ID", "CSeq"):
            response.headers.set_single(name, request.headers.get_first(name) or "")
        to = response.headers.get_first("To") or ""
        if code > 100 and ";tag=" not in to:
            tag = call.local.rpartition(";tag=")[2] if call is not None else secrets.token_hex(6)
            response.headers.set_single("To", f"{to};tag={tag}")
        if 100 < code < 300:
            template = self._request("X", "sip:x", "x", "x")
            response.headers.set_single("Contact", template.headers.get_first("Contact") or "")
        if body:
            response.headers.set_single("Content-Type", "application/sdp")
            response.body = body.encode()
        data = bytes(response)
        self._replies[_branch(request), request.method] = data
        self._link.send(data)
        return data

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _branch(message: SipRequest | SipResponse) -> str:
    via = message.headers.get_first("via") or ""
    for parameter in via.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name == "branch":
            return value
    return ""


def _failure_ack(invite: SipRequest, response: SipResponse) -> bytes:
    ack = SipRequest(method="ACK", uri=invite.uri)
    for name in ("Via", "Max-Forwards", "From", "Call-ID"):
        ack.headers.set_single(name, invite.headers.get_first(name) or "")
    ack.headers.set_single("To", response.headers.get_first("To") or "")
    ack.headers.set_single("CSeq", f"{invite.cseq.seq if invite.cseq else 1} ACK")
    return bytes(ack)


def _granted(response: SipResponse) -> int:
    for value in response.headers.get("contact"):
        expires = parse_address(value).params.get("expires")
        if expires:
            return int(expires)
    return 0
