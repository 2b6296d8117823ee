"""A contact that the router puts back in line: out of a talk (a transfer), or into another queue."""

from __future__ import annotations

from junctor_cti.domain import commands as c
from junctor_cti.domain.events import Unbound
from junctor_cti.domain.turn import Turn


def requeued(turn: Turn, command: c.RequeueReported) -> None:
    """The agent who had it leaves and the customer waits on, with what is played to who waits. What the router says of an
    agent who has left the call already changes nothing here."""
    call = turn.call
    if not call.customer_there:
        return
    if call.state in ("bridged", "accepting"):
        if call.offer is None or call.offer.agent_id != command.agent_id:
            return
        if call.state == "bridged":
            turn.end_segment("transferred")
            turn.emit(
                Unbound(call.tenant, call.contact_id, call.offer.agent_id, call.offer.reservation_id, "transferred")
            )
        turn.drop_agent()
        _wait_for(turn, command.queue)
        turn.enter("queued")
    elif call.state in ("queued", "offered"):
        _wait_for(turn, command.queue)


def _wait_for(turn: Turn, queue: str) -> None:
    call = turn.call
    queue = queue or call.queue
    if call.segment is not None and queue == call.queue:
        return
    turn.end_segment("overflowed")
    turn.set(queue=queue)
    turn.start_segment("queue", queue=queue)
