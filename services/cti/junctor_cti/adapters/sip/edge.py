"""The SIP edge: sockets, transactions, dialogs and the registrar behind one set of commands and events.

The decider journals a leg's record before the message that depends on it is sent, so every such command has two
halves: `prepare_…` returns the record and sends nothing, `send_…` sends.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from junctor_cti.adapters.sip import codec, dialog, validator
from junctor_cti.adapters.sip.called import Called
from junctor_cti.adapters.sip.calling import NORMAL_CLEARING, Calling
from junctor_cti.adapters.sip.codec import Malformed, Request, Response
from junctor_cti.adapters.sip.flood import FloodGate
from junctor_cti.adapters.sip.legs import Leg
from junctor_cti.adapters.sip.peer import Peer
from junctor_cti.adapters.sip.registrar import Binding, Registrar, decode_binding
from junctor_cti.adapters.sip.settings import SipSettings
from junctor_cti.adapters.sip.signaling import Signaling
from junctor_cti.adapters.sip.takeover import adopt
from junctor_cti.adapters.sip.transactions import Transactions
from junctor_cti.adapters.sip.validator import Fault
from junctor_cti.adapters.sip.wire import Wire
from junctor_cti.application.ports.edge import NoRoute, UnknownLeg, WrongState
from junctor_cti.application.ports.sip_events import Event, Unregistered

__all__ = ["NoRoute", "SipEdge", "UnknownLeg", "WrongState"]
log = logging.getLogger(__name__)
DRAIN_STEP_S = 0.02


class SipEdge:
    """Created inside a running loop. `on_event` is called on the loop, synchronously; it may call commands at once.

    Commands raise `UnknownLeg` or `WrongState`; then nothing was sent, and retrying changes nothing.
    `counters` grow only: absorbed, retransmitted, malformed.<kind>, refused.<kind>, event.<name>, …
    """

    def __init__(
        self, settings: SipSettings, on_event: Callable[[Event], None], takes_calls: Callable[[], bool] = lambda: True
    ) -> None:
        """`takes_calls`: whether new calls can be served now."""
        self.settings = settings
        self.counters: Counter[str] = Counter()
        loop = asyncio.get_running_loop()
        self._signaling = Signaling(settings, on_event, loop, self.counters)
        self._calling = Calling(self._signaling)
        self._called = Called(self._signaling, self._calling.on_stray, takes_calls)
        self._wire = Wire(settings, self.receive, self._flow_closed, self._peer_failed, self.counters)
        self._transactions = Transactions(self._called, self._wire.send, loop, self.counters, settings.t1, settings.t2)
        self._registrar = Registrar(settings, self._signaling.emit, loop, time.time)
        self._gate = FloodGate(settings.requests_per_second, loop.time)
        self._signaling.wire, self._signaling.transactions = self._wire, self._transactions
        self._signaling.registrar = self._registrar
        self._loop = loop

    async def start(self) -> None:
        """Listens. Raises `OSError` for an address that is in use, naming it; retry once it is free."""
        await self._wire.start()

    async def stop(self, drain: float = 2.0) -> None:
        """Takes no new calls (503, or no answer where it is `alone`), waits up to `drain` seconds for open transactions, closes.
        No leg is cleared: whoever adopts their records goes on with them."""
        self._called.draining = True
        until = self._loop.time() + drain
        while self._transactions.open_count and self._loop.time() < until:  # noqa: ASYNC110  (a bounded drain)
            await asyncio.sleep(DRAIN_STEP_S)
        self._transactions.close()
        self._registrar.close()
        await self._wire.close()

    @property
    def port(self) -> int:
        return self._wire.ports["udp"]

    @property
    def tcp_port(self) -> int:
        return self._wire.ports["tcp"]

    @property
    def tls_port(self) -> int:
        return self._wire.ports["tls"]

    @property
    def ws_port(self) -> int:
        return self._wire.ports["ws"]

    @property
    def wss_port(self) -> int:
        return self._wire.ports["wss"]

    # Incoming legs

    def trying(self, leg_id: str) -> None:
        """Sends 100: the INVITE is no longer repeated, so the leg's record must be in the journal."""
        self._called.provisional(self._leg(leg_id), 100)

    def progress(self, leg_id: str, code: int = 180, sdp: str = "") -> None:
        """Sends a provisional response above 100; `sdp` is early media."""
        self._called.provisional(self._leg(leg_id), code, sdp)

    def prepare_answer(self, leg_id: str, sdp: str) -> bytes:
        leg = self._leg(leg_id)
        self._called.prepare_answer(leg, sdp)
        return dialog.encode(leg.record)

    def send_answer(self, leg_id: str) -> None:
        """Sends the 200, repeated until its ACK: `Confirmed`, or `AckTimeout` after 64 x T1."""
        self._called.send_answer(self._leg(leg_id))

    def answer(self, leg_id: str, sdp: str) -> bytes:
        """Both halves at once, for a caller that has no journal."""
        record = self.prepare_answer(leg_id, sdp)
        self.send_answer(leg_id)
        return record

    def reject(self, leg_id: str, code: int, reason: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Refuses the call with a final response from 300 to 699. No event follows."""
        if not 300 <= code <= 699:
            raise ValueError("a rejection has a code from 300 to 699")
        self._called.reject(self._leg(leg_id), code, reason, headers or {})

    # Outgoing legs

    def prepare_invite(
        self,
        leg_id: str,
        target: str,
        from_uri: str,
        display: str = "",
        sdp: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Makes the leg `leg_id` with its INVITE. `target` is a registered address of record or Contact, else a URI
        whose host is an IP address, or anything where `SipSettings.outbound` is set. Raises `NoRoute` otherwise: a
        retry helps once the phone has registered."""
        former = self._signaling.legs.find(leg_id)
        if former is not None and former.record.state != dialog.ENDED:
            raise WrongState(leg_id, former.record.state, "prepare_invite")
        leg = self._calling.prepare_invite(leg_id, target, from_uri, display, sdp, headers or {})
        return dialog.encode(leg.record)

    def send_invite(self, leg_id: str) -> None:
        self._calling.send_invite(self._leg(leg_id))

    def ack(self, leg_id: str, sdp: str = "") -> None:
        """Sends the ACK of the 2xx that `Answered` reported; `sdp` is the answer where the 2xx carried the offer."""
        self._calling.ack(self._leg(leg_id), sdp)

    def cancel(self, leg_id: str, cause: int = 0) -> None:
        """Gives an unanswered INVITE up; `Rejected` follows, or `Cleared` where an answer crossed. `cause` is Q.850's,
        for example 26 (answered elsewhere), 0 for none. A second cancel does nothing."""
        self._calling.cancel(self._leg(leg_id), cause)

    # Both

    def prepare_bye(self, leg_id: str, cause: int = NORMAL_CLEARING, text: str = "") -> bytes:
        leg = self._leg(leg_id)
        self._calling.prepare_bye(leg, cause, text)
        return dialog.encode(leg.record)

    def send_bye(self, leg_id: str) -> None:
        """Sends the BYE, or waits for the ACK that must come first. `Cleared(by="us")` follows. A second one does
        nothing."""
        self._calling.send_bye(self._leg(leg_id))

    def prepare_reinvite(self, leg_id: str, sdp: str) -> bytes:
        leg = self._leg(leg_id)
        self._calling.prepare_reinvite(leg, sdp)
        return dialog.encode(leg.record)

    def send_reinvite(self, leg_id: str) -> None:
        """`Reinvited` follows. With code 491 both sides asked at once: try again after 2.1 to 4 s."""
        self._calling.send_reinvite(self._leg(leg_id))

    def reinvite(self, leg_id: str, sdp: str) -> bytes:
        """Both halves at once, for a caller that has no journal."""
        record = self.prepare_reinvite(leg_id, sdp)
        self.send_reinvite(leg_id)
        return record

    def accept(self, leg_id: str, sdp: str | None = None) -> None:
        """Answers with success what the last `Cleared`, `Canceled`, `Renegotiated` or `Referred` reported. `sdp` is the
        answer to an offer; without it ours is kept, its direction mirrored. Does nothing where nothing is open."""
        self._called.accept(self._leg(leg_id), sdp)

    def refuse(self, leg_id: str, code: int = 488) -> None:
        """Refuses an open `Renegotiated` or `Referred`."""
        self._called.refuse(self._leg(leg_id), code)

    def notify(self, leg_id: str, code: int, reason: str = "", final: bool = False) -> None:
        """Reports the progress of a transfer to the peer that asked for it with REFER."""
        self._calling.notify(self._leg(leg_id), code, reason, final)

    def record(self, leg_id: str) -> bytes:
        return dialog.encode(self._leg(leg_id).record)

    def state(self, leg_id: str) -> str:
        return self._leg(leg_id).record.state

    def forget(self, leg_id: str) -> None:
        """Lets a leg go: what its peer waits for is answered (an open INVITE with 480), nothing else is sent."""
        leg = self._signaling.legs.find(leg_id)
        if leg is None:
            return
        self._called.accept(leg)
        if leg.record.state in (dialog.INCOMING, dialog.PROCEEDING):
            self._called.reject(leg, 480, "", {})
        elif leg.record.state != dialog.ENDED:
            self._signaling.finish(leg)

    # Take-over and registrations

    def adopt(self, record: bytes) -> str:
        """Goes on with a leg of another process; returns its id. Raises `BadRecord`. After `start` only."""
        return adopt(self._signaling, self._calling, self._called, dialog.decode(record)).id

    def contacts(self, aor: str) -> list[Binding]:
        """Where the phones of an address of record are, the one that registered last first."""
        return self._registrar.contacts(self._registrar.aor(aor))

    def restore_binding(self, binding: bytes) -> None:
        """Takes `Registered.binding` over. Raises `ValueError` for other bytes; an expired one is left out. A phone
        that registered over TCP or TLS is reached at its Contact; one on a WebSocket is reported as `Unregistered`
        until it registers again."""
        restored = decode_binding(binding)
        if not self._wire.alive(restored.peer):
            peer = self._wire.route(restored.contact)
            if peer is None or peer.transport in ("ws", "wss"):
                self._signaling.emit(Unregistered(restored.aor, restored.contact, "connection"))
                return
            restored = replace(restored, peer=peer)
        self._registrar.restore(restored)

    # Messages

    def receive(self, data: bytes, peer: Peer) -> None:
        """Takes every message from every transport. Nothing raises out of here."""
        self.counters["received"] += 1
        try:
            self._take(data, peer)
        except Malformed:
            self.counters["malformed.unparsable"] += 1
        except Exception as error:
            kind = f"receive_failed.{type(error).__name__}"
            self.counters[kind] += 1
            if self.counters[kind] == 1:
                log.exception("a SIP message could not be handled", extra={"transport": peer.transport})

    def _take(self, data: bytes, peer: Peer) -> None:
        message = codec.parse(data)
        if isinstance(message, Response):
            defect = validator.response_fault(message)
            if defect:
                self.counters[f"malformed.response_{defect}"] += 1
            else:
                self._transactions.receive_response(message, peer)
            return
        if peer.host not in self.settings.trunks and not self._gate.admits(peer.host):
            self.counters["flooded"] += 1
            return
        fault = validator.request_fault(message)
        if fault is None:
            self._transactions.receive_request(message, peer)
            return
        self.counters[f"malformed.{fault.kind}"] += 1
        if validator.answerable(message):
            self._refuse(message, peer, fault)

    def _refuse(self, request: Request, peer: Peer, fault: Fault) -> None:
        """Answers without a transaction; the tag is made from the request, so that a repeated one gets the same."""
        to = Transactions.answer_peer(request, peer)
        tag = hashlib.sha256(request.headers.first("Via").encode()).hexdigest()[:16]
        response = codec.response_to(request, fault.code, fault.reason, tag)
        for name, value in fault.headers:
            response.headers.set(name, value)
        self._wire.send(bytes(response), to)

    def _flow_closed(self, peer: Peer) -> None:
        self._registrar.lost(peer)
        self._peer_failed(peer)

    def _peer_failed(self, peer: Peer) -> None:
        """A connection that is gone or cannot be made. The transactions to it end with 503, later: the sender may
        still be in the middle of making one."""
        self._loop.call_soon(self._fail_peer, peer)

    def _fail_peer(self, peer: Peer) -> None:
        for transaction in [t for t in self._transactions.clients.values() if t.peer == peer]:
            self._transactions.fail(transaction)

    def _leg(self, leg_id: str) -> Leg:
        return self._signaling.legs.get(leg_id)
