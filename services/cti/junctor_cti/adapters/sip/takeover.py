"""Taking over the legs of an edge that died, by the state of their last journalled record.

A caller that has a 100 never sends its INVITE again, so whatever may have been lost is sent once more: a final
response, an ACK, an INVITE that nobody answered, a BYE. What the peer is certain to repeat is waited for. The local
CSeq jumps by 1000 (gaps are legal, RFC 3261 12.2.1.1), because the last request may be newer than the record.
"""

from __future__ import annotations

from junctor_cti.adapters.sip import dialog
from junctor_cti.adapters.sip.called import Called
from junctor_cti.adapters.sip.calling import Calling
from junctor_cti.adapters.sip.dialog import Record
from junctor_cti.adapters.sip.legs import Leg
from junctor_cti.adapters.sip.signaling import Signaling


def adopt(signaling: Signaling, calling: Calling, called: Called, record: Record) -> Leg:
    leg = Leg(record)
    record.local_cseq += dialog.CSEQ_JUMP
    signaling.legs.add(leg)
    signaling.counters[f"adopted.{record.direction}.{record.state}"] += 1
    if record.incoming:
        _adopt_called(signaling, called, leg)
    else:
        _adopt_calling(signaling, calling, leg)
    if record.state == dialog.ENDED:
        signaling.retire(leg)
    return leg


def _adopt_called(signaling: Signaling, called: Called, leg: Leg) -> None:
    record = leg.record
    final = record.status if record.state == dialog.ENDING and record.status >= 300 else 0
    if record.state in (dialog.INCOMING, dialog.PROCEEDING, dialog.ANSWERED) or final:
        request = dialog.invite_of(record)
        status = min(max(record.status, 100), 199)
        last = bytes(signaling.response(leg, request, status))
        invite = signaling.transactions.restore_server(request, record.at, status, last, leg.id)
        leg.invite_server = invite
        if record.state == dialog.ANSWERED:
            signaling.answer(leg, invite, request, record.local_sdp)
        elif final:
            signaling.transactions.respond(invite, signaling.response(leg, request, final))
            signaling.retire(leg)
    elif record.state == dialog.ENDING:
        _clear(signaling, leg)


def _adopt_calling(signaling: Signaling, calling: Calling, leg: Leg) -> None:
    record = leg.record
    if record.state in (dialog.PREPARED, dialog.RINGING, dialog.EARLY):
        calling.resume_invite(leg)
    elif record.state == dialog.ANSWERED:
        calling.ack(leg)
    elif record.state == dialog.ENDING and record.status < 200:
        calling.resume_invite(leg)
        calling.send_cancel(leg)
    elif record.state == dialog.ENDING:
        # The peer's 2xx may still lack its ACK, and a BYE before the ACK would be refused.
        leg.ack = signaling.acknowledge(leg, record.invite_cseq)
        _clear(signaling, leg)


def _clear(signaling: Signaling, leg: Leg) -> None:
    leg.record.local_cseq += 1
    signaling.bye(leg)
