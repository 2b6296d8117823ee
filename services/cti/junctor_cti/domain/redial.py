"""A caller whose site was lost redials here: the contact goes on under a later leg, in its old place (docs/two-sites.md)."""

from __future__ import annotations

from dataclasses import replace

from junctor_cti.domain import commands as c
from junctor_cti.domain.events import Reattached, Unbound
from junctor_cti.domain.turn import Turn

WAIT_PROMPT = "hold"


def take_up(turn: Turn, command: c.CallArrived, earlier: c.EarlierLeg) -> None:
    """The call that arrived is a contact that there was. Who was in line, or talked, is in line again without the flow: the
    router has the arrival, the priority and the requirements; others begin the flow again."""
    call = replace(turn.call, generation=earlier.leg + 1, segments=earlier.segments, segment=None)
    turn.call = call
    turn.emit(
        Reattached(
            command.tenant,
            command.contact_id,
            call.generation,
            command.site,
            earlier.site,
            command.caller_hash,
            command.arrived_at,
            turn.now,
            command.called_number,
        )
    )
    if not earlier.queue:
        turn.start_segment("flow", flow=command.flow)
        turn.enter("in_flow")
        return
    turn.set(queue=earlier.queue, routed=1, task="open", wait_prompt=WAIT_PROMPT)
    turn.start_segment("queue", queue=earlier.queue)
    turn.enter("queued")
    turn.owe("route/1")


def moved(turn: Turn, command: c.LegMoved) -> None:
    """Another site has the contact. What is left of it here ends without a word to anybody: nothing of it counts any more."""
    call = turn.call
    if call.state == "closed" or command.leg <= call.generation:
        return
    if call.state == "bridged" and call.offer is not None:
        turn.emit(Unbound(call.tenant, call.contact_id, call.offer.agent_id, call.offer.reservation_id, "moved"))
    owed = ("stop_recording", "delete_media") if call.state == "bridged" else ("delete_media",)
    turn.customer_ended("lost_leg", f"moved to {command.site}")
    turn.drop_agent()
    turn.clear_customer()
    turn.set(state="closed", since=turn.now, task="over", segment=None, owed=owed, generation=command.leg)
