"""The legs that we call: INVITE, its responses, ACK, CANCEL, BYE, and our re-INVITE."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

from junctor_cti.adapters.sip import codec, dialog, sdp
from junctor_cti.adapters.sip.codec import Response
from junctor_cti.adapters.sip.dialog import Record
from junctor_cti.adapters.sip.legs import Leg
from junctor_cti.adapters.sip.peer import Peer
from junctor_cti.adapters.sip.signaling import SDP, Signaling
from junctor_cti.adapters.sip.transactions import ClientTransaction
from junctor_cti.adapters.sip.validator import ALLOW
from junctor_cti.application.ports.edge import NoRoute, WrongState
from junctor_cti.application.ports.sip_events import Answered, Reinvited, Rejected, Ringing

NORMAL_CLEARING = 16


class Calling:
    def __init__(self, signaling: Signaling) -> None:
        self._signaling = signaling

    def prepare_invite(
        self, leg_id: str, target: str, from_uri: str, display: str, offer: str, headers: Mapping[str, str]
    ) -> Leg:
        """Builds the INVITE, bytes and branch included, and sends nothing. Raises `NoRoute`, and `ValueError` for a
        URI that would break out of its header field."""
        signaling = self._signaling
        if any(char in '<>" \r\n\t' for char in target + from_uri):
            raise ValueError("a URI has no blanks, quotes, angle brackets or line breaks")
        signaling.legs.sweep(signaling.scheduler.time())
        tag, call_id = codec.new_tag(), f"{codec.new_tag()}@{signaling.settings.realm}"
        record = Record(leg_id=leg_id, direction="out", state=dialog.PREPARED, call_id=call_id, local_tag=tag)
        record.local = f"{codec.quoted(display)}<{from_uri}>;tag={tag}"
        record.remote, record.target = f"<{target}>", target
        peer = self._place(record, target)
        record.peer = str(peer)
        record.local_cseq = record.invite_cseq = 1
        record.local_sdp = offer
        request = dialog.request_in(record, "INVITE", 1, signaling.wire.via(peer), signaling.wire.contact(peer))
        request.headers.set("Allow", ALLOW)
        request.headers.set("User-Agent", signaling.settings.user_agent)
        for name, value in headers.items():
            request.headers.set(name, value)
        if offer:
            request.headers.set("Content-Type", SDP)
            request.body = offer.encode()
        record.invite = bytes(request).decode()
        leg = Leg(record)
        signaling.legs.add(leg)
        return leg

    def send_invite(self, leg: Leg) -> None:
        leg.require("send_invite", dialog.PREPARED)
        leg.record.state = dialog.RINGING
        leg.invite_client = self._signaling.transactions.request(
            leg.record.invite.encode(),
            leg.record.at,
            lambda transaction, response: self._on_invite(leg, transaction, response),
        )

    def resume_invite(self, leg: Leg) -> None:
        """Takes up an INVITE that another process sent, or was about to send. With a tag of the peer it has rung:
        nothing is sent. Without, the same bytes go out after 1.2 x T1, unless a repeated 2xx comes first."""
        transactions, record = self._signaling.transactions, leg.record
        rung = record.state == dialog.EARLY or record.status > 100 or record.state == dialog.ENDING
        if record.state == dialog.PREPARED:
            record.state = dialog.RINGING
        leg.invite_client = transactions.restore_client(
            record.invite.encode(),
            record.at,
            lambda transaction, response: self._on_invite(leg, transaction, response),
            ringing=rung,
            wait=1.2 * transactions.t1,
        )

    def ack(self, leg: Leg, answer: str = "") -> None:
        record = leg.record
        if record.incoming:
            raise WrongState(leg.id, record.state, "ack")
        leg.require("ack", dialog.ANSWERED, dialog.CONFIRMED, dialog.ENDING)
        if leg.ack:
            return
        if answer:
            record.local_sdp = answer
        leg.ack = self._signaling.acknowledge(leg, record.invite_cseq, answer)
        record.invite = ""
        if record.state == dialog.ANSWERED:
            record.state = dialog.CONFIRMED

    def cancel(self, leg: Leg, cause: int) -> None:
        record = leg.record
        if record.incoming:
            raise WrongState(leg.id, record.state, "cancel")
        if record.state == dialog.ENDING and not record.status >= 200:
            return
        leg.require("cancel", dialog.PREPARED, dialog.RINGING, dialog.EARLY)
        unsent = record.state == dialog.PREPARED
        record.state, record.cause = dialog.ENDING, cause
        if unsent:
            self._signaling.finish(leg)
            self._signaling.emit(Rejected(leg.id, 487, "Request Terminated"))
            return
        leg.wants_cancel = True
        if leg.invite_client is not None and leg.invite_client.status >= 100:
            self.send_cancel(leg)

    def send_cancel(self, leg: Leg) -> None:
        if leg.cancel_sent:
            return
        leg.cancel_sent = True
        signaling, record = self._signaling, leg.record
        data = dialog.cancel_of(record.invite.encode())
        if record.cause:
            request = codec.parse(data)
            request.headers.set("Reason", f"Q.850;cause={record.cause}")
            data = bytes(request)
        signaling.transactions.request(data, record.at, lambda transaction, response: None)
        # RFC 3261 9.1: without a final response within 64 x T1 the INVITE counts as cancelled.
        signaling.scheduler.call_later(signaling.transactions.linger, self._cancel_unanswered, leg)

    def prepare_bye(self, leg: Leg, cause: int, text: str) -> None:
        leg.require("prepare_bye", dialog.ANSWERED, dialog.CONFIRMED)
        record = leg.record
        if leg.invite_server is not None and leg.invite_server.status < 200:
            raise WrongState(leg.id, "answered but not sent", "prepare_bye")
        if not record.incoming and record.state == dialog.ANSWERED:
            self.ack(leg)
        record.state, record.cause, record.text = dialog.ENDING, cause, text
        record.local_cseq += 1

    def send_bye(self, leg: Leg) -> None:
        """A callee must not send BYE before the ACK of its 2xx, or the end of waiting for it (RFC 3261 15)."""
        leg.require("send_bye", dialog.ENDING)
        if leg.bye_sent or leg.wants_bye:
            return
        if leg.record.incoming and leg.record.invite_cseq in leg.unacknowledged:
            leg.wants_bye = True
        else:
            self._signaling.bye(leg)

    def prepare_reinvite(self, leg: Leg, offer: str) -> None:
        leg.require("prepare_reinvite", dialog.CONFIRMED)
        if leg.reinvite_client is not None:
            raise WrongState(leg.id, "already being renegotiated", "prepare_reinvite")
        leg.record.local_cseq += 1
        leg.record.local_sdp = offer

    def send_reinvite(self, leg: Leg) -> None:
        leg.require("send_reinvite", dialog.CONFIRMED)
        signaling, number = self._signaling, leg.record.local_cseq
        request, peer = signaling.request(leg, "INVITE", number)
        request.headers.set("Allow", ALLOW)
        if leg.record.local_sdp:
            request.headers.set("Content-Type", SDP)
            request.body = leg.record.local_sdp.encode()

        def answered(transaction: ClientTransaction, response: Response | None) -> None:
            if transaction.ack:
                signaling.wire.send(transaction.ack, peer)
            elif transaction.status >= 200:
                leg.reinvite_client = None
                self._reinvited(leg, transaction, response, number)

        leg.reinvite_client = signaling.transactions.request(bytes(request), peer, answered)

    def notify(self, leg: Leg, status: int, reason: str, final: bool) -> None:
        """Tells the peer how the transfer it asked for goes (RFC 3515 2.4.5)."""
        leg.require("notify", dialog.CONFIRMED)
        leg.record.local_cseq += 1
        request, peer = self._signaling.request(leg, "NOTIFY", leg.record.local_cseq)
        request.headers.set("Event", "refer")
        request.headers.set("Subscription-State", "terminated;reason=noresource" if final else "active;expires=60")
        request.headers.set("Content-Type", "message/sipfrag;version=2.0")
        request.body = f"SIP/2.0 {status} {reason or codec.REASONS.get(status, '')}\r\n".encode()
        self._signaling.transactions.request(bytes(request), peer, lambda transaction, response: None)

    def on_stray(self, response: Response) -> None:
        """A 2xx of an INVITE without a transaction: the peer still waits for the ACK of a process that died."""
        signaling = self._signaling
        number, method = codec.cseq(response.headers)
        leg = signaling.legs.of_dialog(
            response.headers.first("Call-ID"), codec.address(response.headers.first("From")).tag
        )
        if leg is None or method != "INVITE" or not 200 <= response.status < 300:
            return
        signaling.counters["stray_acked"] += 1
        if not leg.record.remote_tag:
            dialog.learn(leg.record, response)
        if codec.address(response.headers.first("To")).tag != leg.record.remote_tag:
            self._leave_branch(leg, response, number)
            return
        signaling.acknowledge(leg, number)
        if leg.record.state == dialog.ENDED:
            leg.record.local_cseq += 1
            self._hang_up(leg.record)

    def _place(self, record: Record, target: str) -> Peer:
        signaling = self._signaling
        binding = signaling.registrar.find(target)
        if binding is not None:
            record.aor, record.target, record.routes = binding.aor, binding.contact, list(binding.path)
            peer = signaling.wire.route(binding.path[0]) if binding.path else binding.peer
            record.pinned = int(not binding.path)
            return peer or binding.peer
        if signaling.settings.outbound is not None:
            return Peer("udp", *signaling.settings.outbound)
        peer = signaling.wire.route(target)
        if peer is None:
            raise NoRoute("the target is not registered, there is no outbound proxy, and its host is no IP address")
        return peer

    def _on_invite(self, leg: Leg, transaction: ClientTransaction, response: Response | None) -> None:
        record = leg.record
        if response is None or transaction.status >= 300:
            self._failed(leg, transaction.status, response)
        elif response.status < 200:
            self._provisional(leg, response)
        elif record.state in (dialog.PREPARED, dialog.RINGING, dialog.EARLY):
            dialog.learn(record, response)
            record.status, record.state = response.status, dialog.ANSWERED
            record.remote_sdp = _sdp(response)
            self._signaling.emit(Answered(leg.id, record.remote_sdp, dialog.encode(record)))
        elif record.state == dialog.ENDING and not leg.ack and not leg.bye_sent:
            self._crossed(leg, response)
        elif codec.address(response.headers.first("To")).tag != record.remote_tag:
            self._leave_branch(leg, response, record.invite_cseq)
        elif leg.ack:
            self._signaling.wire.send(leg.ack, self._signaling.destination(leg))

    def _provisional(self, leg: Leg, response: Response) -> None:
        record = leg.record
        record.status = max(record.status, response.status)
        if leg.wants_cancel:
            self.send_cancel(leg)
        if response.status == 100 or record.state not in (dialog.RINGING, dialog.EARLY):
            return
        dialog.learn(record, response)
        record.state = dialog.EARLY
        media = _sdp(response)
        seen = (response.status, record.remote_tag, media)
        if seen != leg.offered_last:
            leg.offered_last = seen
            self._signaling.emit(Ringing(leg.id, response.status, media, dialog.encode(record)))

    def _failed(self, leg: Leg, status: int, response: Response | None) -> None:
        if leg.record.state == dialog.ENDED:
            return
        leg.record.status = status
        reason = response.reason if response else codec.REASONS.get(status, "")
        cause = dialog.cause_of(response.headers) if response else 0
        self._signaling.finish(leg)
        self._signaling.emit(Rejected(leg.id, status, reason, cause))

    def _crossed(self, leg: Leg, response: Response) -> None:
        """The peer answered while our CANCEL was on its way: accept and hang up (RFC 3261 15)."""
        record = leg.record
        dialog.learn(record, response)
        record.status = response.status
        record.cause = record.cause or NORMAL_CLEARING
        leg.ack = self._signaling.acknowledge(leg, record.invite_cseq)
        record.local_cseq += 1
        self._signaling.counters["answer_crossed_cancel"] += 1
        self._signaling.bye(leg)

    def _leave_branch(self, leg: Leg, response: Response, number: int) -> None:
        """A second phone of a forked INVITE answered: the first one has the call (RFC 3261 13.2.2.4)."""
        other = copy(leg.record)
        dialog.learn(other, response)
        self._signaling.counters["fork_left"] += 1
        self._signaling.acknowledge(Leg(other), number)
        other.local_cseq += 1
        self._hang_up(other)

    def _hang_up(self, record: Record) -> None:
        request, peer = self._signaling.request(Leg(record), "BYE", record.local_cseq)
        self._signaling.transactions.request(bytes(request), peer, lambda transaction, response: None)

    def _cancel_unanswered(self, leg: Leg) -> None:
        if leg.invite_client is not None and leg.invite_client.status < 200:
            self._signaling.transactions.fail(leg.invite_client, 487)

    def _reinvited(self, leg: Leg, transaction: ClientTransaction, response: Response | None, number: int) -> None:
        record, signaling = leg.record, self._signaling
        media = ""
        if response is not None and response.status < 300:
            dialog.refresh_target(record, response.headers)
            media = _sdp(response)
            record.remote_sdp = media or record.remote_sdp
            transaction.ack = signaling.acknowledge(leg, number)
        if record.state != dialog.ENDED:
            signaling.emit(Reinvited(leg.id, transaction.status, media, dialog.encode(record)))


def _sdp(response: Response) -> str:
    return sdp.from_body(response.body, response.headers.first("Content-Type")) or ""
