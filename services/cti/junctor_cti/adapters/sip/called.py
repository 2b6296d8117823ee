"""What the peers ask of us: new calls, and requests inside the dialogs of every leg."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from junctor_cti.adapters.sip import codec, dialog, sdp
from junctor_cti.adapters.sip.codec import Request, Response
from junctor_cti.adapters.sip.legs import Held, HeldKind, Leg
from junctor_cti.adapters.sip.peer import Peer
from junctor_cti.adapters.sip.signaling import SDP, Signaling
from junctor_cti.adapters.sip.transactions import ServerTransaction
from junctor_cti.adapters.sip.validator import ALLOW
from junctor_cti.application.ports.edge import WrongState
from junctor_cti.application.ports.sip_events import (
    AckTimeout,
    Canceled,
    Cleared,
    Confirmed,
    DtmfInfo,
    IncomingCall,
    Referred,
    Renegotiated,
)

RETRY_AFTER_S = "5"
_OPEN_INVITE = (dialog.INCOMING, dialog.PROCEEDING, dialog.ANSWERED)


class Called:
    """The transactions' user. `on_stray` is the calling side's."""

    def __init__(
        self, signaling: Signaling, on_stray: Callable[[Response], None], takes_calls: Callable[[], bool]
    ) -> None:
        self._signaling, self._on_stray, self._takes_calls = signaling, on_stray, takes_calls
        self.draining = False

    def on_stray(self, response: Response, peer: Peer) -> None:
        self._signaling.counters["stray"] += 1
        self._on_stray(response)

    def on_request(self, transaction: ServerTransaction, request: Request) -> None:
        signaling = self._signaling
        signaling.legs.sweep(signaling.scheduler.time())
        if request.method == "REGISTER":
            response, then = signaling.registrar.register(request, transaction.source)
            signaling.transactions.respond(transaction, response)
            then()
            return
        tag = codec.address(request.headers.first("To")).tag
        if not tag:
            self._outside_dialog(transaction, request)
            return
        leg = signaling.legs.of_dialog(request.headers.first("Call-ID"), tag)
        if leg is None or leg.record.remote_tag not in ("", codec.address(request.headers.first("From")).tag):
            self._refuse(transaction, request, 481, "no_dialog")
        else:
            self._inside_dialog(leg, transaction, request)

    def on_cancel(self, transaction: ServerTransaction, invite: ServerTransaction, request: Request) -> None:
        signaling = self._signaling
        leg = signaling.legs.find(invite.leg_id)
        if leg is not None and invite is leg.invite_server and leg.record.state in _OPEN_INVITE:
            self._give_up(leg, Held("cancel", transaction, request))
            return
        signaling.transactions.respond(transaction, codec.response_to(request, 200, to_tag=codec.new_tag()))
        if leg is not None and invite is not leg.invite_server:
            for held in [h for h in leg.held if h.transaction is invite]:
                leg.held.remove(held)
                signaling.transactions.respond(invite, signaling.response(leg, held.request, 487))

    def on_ack(self, request: Request) -> None:
        signaling, headers = self._signaling, request.headers
        leg = signaling.legs.of_dialog(headers.first("Call-ID"), codec.address(headers.first("To")).tag)
        number, _ = codec.cseq(headers)
        transaction = leg.unacknowledged.pop(number, None) if leg is not None else None
        if leg is None or transaction is None:
            signaling.counters["ack_unmatched"] += 1
            return
        signaling.transactions.acknowledged(transaction)
        record = leg.record
        media = sdp.from_body(request.body, headers.first("Content-Type")) or ""
        record.remote_sdp = media or record.remote_sdp
        if leg.wants_bye:
            leg.wants_bye = False
            signaling.bye(leg)
        elif record.state == dialog.ANSWERED and number == record.invite_cseq:
            record.state = dialog.CONFIRMED
            record.vias, record.record_routes = [], []
            signaling.emit(Confirmed(leg.id, media, dialog.encode(record)))
        elif media:
            signaling.emit(Renegotiated(leg.id, media, sdp.direction(media), dialog.encode(record)))

    def on_ack_timeout(self, transaction: ServerTransaction) -> None:
        leg = self._signaling.legs.find(transaction.leg_id)
        if leg is None:
            return
        for number in [n for n, t in leg.unacknowledged.items() if t is transaction]:
            del leg.unacknowledged[number]
        if leg.wants_bye:
            leg.wants_bye = False
            self._signaling.bye(leg)
        elif leg.record.state in (dialog.ANSWERED, dialog.CONFIRMED):
            if leg.record.state == dialog.ANSWERED:
                leg.record.state = dialog.CONFIRMED
            self._signaling.emit(AckTimeout(leg.id))

    def provisional(self, leg: Leg, status: int, media: str = "") -> None:
        leg.require("progress", dialog.INCOMING, dialog.PROCEEDING)
        invite, request = self._open_invite(leg, "progress")
        leg.record.state, leg.record.status = dialog.PROCEEDING, max(leg.record.status, status)
        self._signaling.transactions.respond(invite, self._signaling.response(leg, request, status, sdp=media))

    def prepare_answer(self, leg: Leg, media: str) -> None:
        leg.require("prepare_answer", dialog.INCOMING, dialog.PROCEEDING)
        self._open_invite(leg, "prepare_answer")
        leg.record.state, leg.record.status, leg.record.local_sdp = dialog.ANSWERED, 200, media

    def send_answer(self, leg: Leg) -> None:
        leg.require("send_answer", dialog.ANSWERED)
        invite, request = self._open_invite(leg, "send_answer")
        self._signaling.answer(leg, invite, request, leg.record.local_sdp)

    def reject(self, leg: Leg, status: int, reason: str, headers: Mapping[str, str]) -> None:
        """The final response is repeated until its ACK. After a take-over it is sent again."""
        leg.require("reject", dialog.INCOMING, dialog.PROCEEDING, dialog.ANSWERED)
        invite, request = self._open_invite(leg, "reject")
        leg.record.state, leg.record.status = dialog.ENDING, status
        response = self._signaling.response(leg, request, status, reason)
        for name, value in headers.items():
            response.headers.set(name, value)
        self._signaling.transactions.respond(invite, response)
        self._signaling.retire(leg)

    def accept(self, leg: Leg, answer: str | None = None) -> None:
        """Answers every held request of the leg with success; without any, does nothing."""
        signaling = self._signaling
        held, leg.held = leg.held, []
        for item in held:
            if item.kind == "offer":
                self._answer_offer(leg, item, answer)
            elif item.kind == "refer":
                signaling.transactions.respond(item.transaction, signaling.response(leg, item.request, 202))
            else:
                signaling.transactions.respond(item.transaction, signaling.response(leg, item.request, 200))
                self._end_invite(leg)

    def refuse(self, leg: Leg, status: int) -> None:
        """Refuses the held offers and transfers; BYE and CANCEL cannot be refused and stay held."""
        signaling = self._signaling
        refused = [item for item in leg.held if item.kind in ("offer", "refer")]
        leg.held = [item for item in leg.held if item not in refused]
        for item in refused:
            signaling.transactions.respond(item.transaction, signaling.response(leg, item.request, status))

    def _outside_dialog(self, transaction: ServerTransaction, request: Request) -> None:
        if request.method == "INVITE":
            self._new_call(transaction, request)
        elif request.method == "OPTIONS":
            response = codec.response_to(request, 503 if self.draining else 200, to_tag=codec.new_tag())
            response.headers.set("Allow", ALLOW)
            response.headers.set("Accept", SDP)
            self._signaling.transactions.respond(transaction, response)
        else:
            self._refuse(transaction, request, 481, "no_dialog")

    def _new_call(self, transaction: ServerTransaction, request: Request) -> None:
        signaling, headers = self._signaling, request.headers
        alone = signaling.settings.alone and not transaction.source.reliable
        if alone and (self.draining or not self._takes_calls()):
            signaling.counters["unanswered.draining"] += 1
            signaling.transactions.forget(transaction)
            return
        if self.draining:
            self._refuse(transaction, request, 503, "draining", ("Retry-After", RETRY_AFTER_S))
            return
        caller = codec.address(headers.first("From"))
        number, _ = codec.cseq(headers)
        # The same call by another path (RFC 3261 8.2.2.2), or by the same one after its transaction was forgotten.
        if signaling.legs.of_origin(headers.first("Call-ID"), caller.tag, number) is not None:
            self._refuse(transaction, request, 482, "merged")
            return
        if not headers.first("Contact"):
            self._refuse(transaction, request, 400, "missing_contact")
            return
        offer = sdp.from_body(request.body, headers.first("Content-Type"))
        if offer is None:
            self._refuse(transaction, request, 415, "media_type", ("Accept", SDP))
            return
        leg_id = incoming_leg_id(headers.first("Call-ID"), caller.tag, number)
        record = dialog.from_invite(request, leg_id, transaction.peer)
        record.remote_sdp = offer
        record.aor = signaling.registrar.at(transaction.source)
        leg = Leg(record, invite_server=transaction)
        transaction.leg_id = leg_id
        signaling.legs.add(leg)
        wanted = signaling.settings.report_headers
        signaling.emit(
            IncomingCall(
                leg_id=leg_id,
                call_id=record.call_id,
                from_tag=record.remote_tag,
                caller_uri=caller.uri,
                caller_number=caller.number,
                called_number=codec.bare_uri(request.uri).number or codec.address(headers.first("To")).number,
                display=caller.display,
                sdp=offer,
                source=f"{transaction.source.host}:{transaction.source.port}",
                trunk=signaling.settings.trunks.get(transaction.source.host, ""),
                aor=record.aor,
                headers={name: ", ".join(headers.all(name)) for name in wanted if name in headers},
                record=dialog.encode(record),
            )
        )

    def _inside_dialog(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        signaling, record = self._signaling, leg.record
        number, method = codec.cseq(request.headers)
        over = record.state == dialog.ENDED or (record.state == dialog.ENDING and record.status >= 200)
        if over and method == "BYE":
            signaling.counters["bye_late"] += 1
            signaling.transactions.respond(transaction, signaling.response(leg, request, 200))
        elif over:
            self._refuse(transaction, request, 481, "dialog_over")
        elif number <= record.remote_cseq:
            self._refuse(transaction, request, 500, "cseq_order")
        else:
            record.remote_cseq = number
            handle = {
                "BYE": self._bye,
                "INVITE": self._offer,
                "UPDATE": self._offer,
                "INFO": self._info,
                "REFER": self._refer,
            }.get(method, self._plain)
            handle(leg, transaction, request)

    def _bye(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        signaling, record = self._signaling, leg.record
        if record.incoming and record.status < 200 and record.state in _OPEN_INVITE:
            self._give_up(leg, Held("bye", transaction, request))
            return
        for item in leg.held:
            signaling.transactions.respond(item.transaction, signaling.response(leg, item.request, 487))
        leg.held.clear()
        cause = dialog.cause_of(request.headers)
        signaling.finish(leg)
        self._hold(leg, "bye", transaction, request, Cleared(leg.id, cause, "peer", 200, dialog.encode(record)))

    def _offer(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        record = leg.record
        offer = sdp.from_body(request.body, request.headers.first("Content-Type"))
        negotiates = bool(offer) or request.method == "INVITE"
        transaction.leg_id = leg.id
        if offer is None:
            self._refuse(transaction, request, 415, "media_type", ("Accept", SDP))
        elif negotiates and (record.state != dialog.CONFIRMED or leg.reinvite_client is not None):
            self._refuse(transaction, request, 491, "glare")
        elif any(item.kind == "offer" for item in leg.held):
            self._refuse(transaction, request, 500, "offer_pending", ("Retry-After", RETRY_AFTER_S))
        else:
            dialog.refresh_target(record, request.headers)
            record.remote_sdp = offer or record.remote_sdp
            media = offer or record.remote_sdp
            event = Renegotiated(leg.id, offer, sdp.direction(media), dialog.encode(record))
            self._hold(leg, "offer", transaction, request, event)

    def _answer_offer(self, leg: Leg, item: Held, answer: str | None) -> None:
        signaling, record = self._signaling, leg.record
        offered = bool(item.request.body)
        media = record.local_sdp if answer is None else answer
        if offered and answer is None:
            media = sdp.renewed(media, sdp.answer_direction(sdp.direction(record.remote_sdp)))
        elif item.request.method == "UPDATE" and not offered:
            media = ""
        if media:
            record.local_sdp = media
        signaling.answer(leg, item.transaction, item.request, media)

    def _info(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        signaling = self._signaling
        digit, duration = dtmf_of(request.headers.first("Content-Type"), request.body)
        known = bool(digit) or not request.body
        response = signaling.response(leg, request, 200 if known else 415)
        if not known:
            response.headers.set("Accept", "application/dtmf-relay, application/dtmf")
        signaling.transactions.respond(transaction, response)
        if digit:
            signaling.emit(DtmfInfo(leg.id, digit, duration))

    def _refer(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        targets = request.headers.all("Refer-To")
        if len(targets) != 1:
            self._refuse(transaction, request, 400, "refer_to")
            return
        event = Referred(leg.id, codec.address(targets[0]).uri, dialog.encode(leg.record))
        self._hold(leg, "refer", transaction, request, event)

    def _plain(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        self._signaling.transactions.respond(transaction, self._signaling.response(leg, request, 200))

    def _give_up(self, leg: Leg, held: Held) -> None:
        """The caller leaves before the answer: 487 is due for the INVITE, 200 for the request that says so."""
        record = leg.record
        record.state, record.status = dialog.ENDING, 487
        cause = dialog.cause_of(held.request.headers)
        event = Canceled(leg.id, cause, dialog.encode(record))
        self._hold(leg, held.kind, held.transaction, held.request, event)

    def _hold(
        self,
        leg: Leg,
        kind: HeldKind,
        transaction: ServerTransaction,
        request: Request,
        event: Canceled | Cleared | Renegotiated | Referred,
    ) -> None:
        leg.held.append(Held(kind, transaction, request))
        self._signaling.emit(event)
        if not self._signaling.settings.journal_first:
            self.accept(leg)

    @staticmethod
    def _open_invite(leg: Leg, command: str) -> tuple[ServerTransaction, Request]:
        invite = leg.invite_server
        if invite is None or invite.request is None:
            raise WrongState(leg.id, leg.record.state, command)
        return invite, invite.request

    def _end_invite(self, leg: Leg) -> None:
        """Refuses the leg's own INVITE with the status of its record, where it has no final response yet."""
        signaling, invite = self._signaling, leg.invite_server
        if invite is not None and invite.request is not None and leg.record.status >= 300:
            signaling.transactions.respond(invite, signaling.response(leg, invite.request, leg.record.status))
            signaling.retire(leg)

    def _refuse(
        self, transaction: ServerTransaction, request: Request, status: int, kind: str, *headers: tuple[str, str]
    ) -> None:
        self._signaling.counters[f"refused.{kind}"] += 1
        response = codec.response_to(request, status, to_tag=codec.new_tag())
        for name, value in headers:
            response.headers.set(name, value)
        self._signaling.transactions.respond(transaction, response)


def incoming_leg_id(call_id: str, from_tag: str, number: int) -> str:
    """The same for the same INVITE at whichever edge it arrives."""
    return hashlib.sha256(f"{call_id}\0{from_tag}\0{number}".encode()).hexdigest()[:24]


def dtmf_of(content_type: str, body: bytes) -> tuple[str, int]:
    """(digit, milliseconds) of an INFO body of type application/dtmf-relay or application/dtmf; ("", 0) for another."""
    kind = content_type.partition(";")[0].strip().lower()
    text = body.decode("ascii", "replace").strip()
    digit, duration = "", 0
    if kind == "application/dtmf":
        digit = text
    elif kind == "application/dtmf-relay":
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name.strip().lower() == "signal":
                digit = value.strip()
            elif name.strip().lower() == "duration" and value.strip().isdigit():
                duration = min(int(value.strip()[:6]), 60_000)
    digit = digit.upper()
    return (digit, duration) if len(digit) == 1 and digit in "0123456789*#ABCD" else ("", 0)
