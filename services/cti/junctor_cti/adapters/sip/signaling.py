"""What calling and called legs share: requests and responses inside their dialogs, and the end of a leg."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from junctor_cti.adapters.sip import codec, dialog
from junctor_cti.adapters.sip.codec import Request, Response
from junctor_cti.adapters.sip.legs import Leg, LegTable
from junctor_cti.adapters.sip.peer import Peer
from junctor_cti.adapters.sip.registrar import Registrar
from junctor_cti.adapters.sip.settings import SipSettings
from junctor_cti.adapters.sip.transactions import ClientTransaction, Scheduler, ServerTransaction, Transactions
from junctor_cti.adapters.sip.validator import ALLOW
from junctor_cti.adapters.sip.wire import Wire
from junctor_cti.application.ports.sip_events import Cleared, Event

log = logging.getLogger(__name__)
SDP = "application/sdp"


class Signaling:
    """`transactions` and `wire` are set by the edge before the first message."""

    transactions: Transactions
    wire: Wire
    registrar: Registrar

    def __init__(
        self,
        settings: SipSettings,
        on_event: Callable[[Event], None],
        scheduler: Scheduler,
        counters: Counter[str],
    ) -> None:
        self.settings, self.scheduler, self.counters = settings, scheduler, counters
        self._on_event = on_event
        self.legs = LegTable()

    def emit(self, event: Event) -> None:
        """Reports an event. What the decider raises is counted and logged, and never reaches the transports."""
        self.counters[f"event.{type(event).__name__}"] += 1
        try:
            self._on_event(event)
        except Exception:
            self.counters["event_failed"] += 1
            log.exception("the decider failed on a SIP event", extra={"event": type(event).__name__})

    def destination(self, leg: Leg) -> Peer:
        """Where a request inside the dialog goes: a live flow, the place a pinned peer was seen at, the proxy, the
        first route, or the Contact. A phone whose connection was lost is reached at its newest registration."""
        record = leg.record
        peer = record.at
        if not self.wire.alive(peer):
            for binding in self.registrar.contacts(record.aor) if record.aor else ():
                if self.wire.alive(binding.peer):
                    record.peer, record.target = str(binding.peer), binding.contact
                    return binding.peer
        if record.pinned:
            return peer
        if self.settings.outbound is not None:
            return Peer("udp", *self.settings.outbound)
        return self.wire.route(record.routes[0] if record.routes else record.target) or peer

    def request(self, leg: Leg, method: str, number: int) -> tuple[Request, Peer]:
        peer = self.destination(leg)
        request = dialog.request_in(leg.record, method, number, self.wire.via(peer), self.wire.contact(peer))
        return request, peer

    def response(self, leg: Leg, request: Request, status: int, reason: str = "", sdp: str = "") -> Response:
        """A response of this leg: our tag, Contact and, where given, a session description."""
        response = codec.response_to(request, status, reason, leg.record.local_tag)
        if 100 < status < 300 and request.method in ("INVITE", "UPDATE", "REFER"):
            response.headers.set("Contact", self.wire.contact(leg.record.at))
            response.headers.set("Allow", ALLOW)
        if sdp:
            response.headers.set("Content-Type", SDP)
            response.body = sdp.encode()
        return response

    def answer(self, leg: Leg, transaction: ServerTransaction, request: Request, sdp: str) -> None:
        """The 2xx of an INVITE, repeated until its ACK, or of an UPDATE."""
        if request.method == "INVITE":
            leg.unacknowledged[codec.cseq(request.headers)[0]] = transaction
            transaction.leg_id = leg.id
        self.transactions.respond(transaction, self.response(leg, request, 200, sdp=sdp))

    def acknowledge(self, leg: Leg, number: int, sdp: str = "") -> bytes:
        """Sends the ACK of a 2xx with CSeq `number`; returns it, for the 2xx that come again (RFC 3261 13.2.2.4)."""
        request, peer = self.request(leg, "ACK", number)
        if sdp:
            request.headers.set("Content-Type", SDP)
            request.body = sdp.encode()
        data = bytes(request)
        self.wire.send(data, peer)
        return data

    def bye(self, leg: Leg) -> None:
        """Sends BYE with the record's local CSeq, and once more with a higher one if that is refused as too low."""
        leg.bye_sent = True
        record = leg.record
        request, peer = self.request(leg, "BYE", record.local_cseq)
        if record.cause:
            text = f";text={codec.quoted(record.text).strip()}" if record.text else ""
            request.headers.set("Reason", f"Q.850;cause={record.cause}{text}")

        def done(transaction: ClientTransaction, response: Response | None) -> None:
            if transaction.status < 200:
                return
            if transaction.status == 500 and not leg.bye_repeated:
                leg.bye_repeated = True
                self.counters["bye_repeated"] += 1
                record.local_cseq += dialog.CSEQ_JUMP
                self.bye(leg)
                return
            self.finish(leg)
            self.emit(Cleared(leg.id, record.cause, "us", transaction.status, dialog.encode(record)))

        self.transactions.request(bytes(request), peer, done)

    def finish(self, leg: Leg) -> None:
        """Marks the leg ended. It is forgotten after 64 x T1, and answers what comes late until then."""
        for transaction in leg.unacknowledged.values():
            self.transactions.acknowledged(transaction)
        leg.unacknowledged.clear()
        if leg.record.state != dialog.ENDED:
            leg.record.state = dialog.ENDED
            leg.record.invite = ""
            self.retire(leg)

    def retire(self, leg: Leg) -> None:
        """Lets the leg be forgotten after 64 x T1."""
        self.legs.ended(leg, self.scheduler.time() + self.transactions.linger)
