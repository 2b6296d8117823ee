"""A call's way: arrival, flow, line, offer, talk, end. Each function is one kind of input applied to one call."""

from __future__ import annotations

from dataclasses import replace

from junctor_cti.domain import commands as c
from junctor_cti.domain import redial
from junctor_cti.domain.call import Call, CloseCause, Leg, Offer, Segment, Verb
from junctor_cti.domain.events import Bound, CallStateChanged, ContactOpened, SegmentStarted, Unbound
from junctor_cti.domain.turn import Rejected, Turn

WAITING = ("queued", "offered", "accepting")
TREATMENT_VERB = "treatment"
SLOT_EMPTY = "slot_empty"
"""The agent's edge has given the reservation up: the router waits for a word of this one, the contact's."""
OVERFLOW_PROMPT = "overflow"
TREATMENT_MAX_MS = 120_000
BUSY_HERE, TEMPORARILY_UNAVAILABLE, REQUEST_TIMEOUT, GONE = 486, 480, 408, 410


def arrive(command: c.CallArrived, now: int) -> Turn:
    """A contact begins: the edge took an INVITE."""
    call = Call(
        tenant=command.tenant,
        contact_id=command.contact_id,
        state="in_flow",
        since=now,
        arrived_at=command.arrived_at,
        called_number=command.called_number,
        caller_number=command.caller_number,
        language=command.language,
        sdp=command.sdp,
        flow=command.flow,
        customer=Leg(command.leg_id, "incoming", command.leg_record),
        segment=Segment(1, "flow", now),
        data=dict(command.data),
    )
    turn = Turn(call, now)
    if command.earlier is not None:
        redial.take_up(turn, command, command.earlier)
        return turn
    turn.emit(
        ContactOpened(
            command.tenant,
            command.contact_id,
            command.arrived_at,
            command.caller_number,
            command.caller_hash,
            command.called_number,
            command.site,
        )
    )
    turn.emit(SegmentStarted(command.tenant, command.contact_id, 1, "flow", now, flow=command.flow))
    turn.emit(CallStateChanged(command.tenant, command.contact_id, "in_flow", "", ""))
    return turn


def answered(turn: Turn, command: c.CallAnswered) -> None:
    customer = turn.call.customer
    if customer.id == command.leg_id and customer.phase == "incoming":
        turn.customer(Leg(customer.id, "answering", command.leg_record))


def leg_recorded(turn: Turn, command: c.LegRecorded) -> None:
    """The edge's record of a leg has changed; the customer's ACK makes it the leg of a call that is up."""
    call = turn.call
    if call.customer.id == command.leg_id:
        phase = "up" if call.customer.phase == "answering" else call.customer.phase
        turn.customer(replace(call.customer, phase=phase, record=command.leg_record))
    elif call.agent is not None and call.agent.id == command.leg_id:
        turn.set(agent=replace(call.agent, record=command.leg_record))
    else:
        turn.set(
            leaving=tuple(
                replace(leg, record=command.leg_record) if leg.id == command.leg_id else leg for leg in call.leaving
            )
        )


def flow_reported(turn: Turn, command: c.FlowReported) -> None:
    call = turn.call
    if call.state != "in_flow" or not call.customer_there:
        return
    turn.set(verb=None, data={**call.data, **command.data}, language=command.language or call.language)
    if command.result == "route":
        turn.end_segment("completed")
        put_in_line(turn, command)
    elif command.result == "hang_up":
        turn.end_segment("completed")
        finish(turn, "flow")
    else:
        turn.end_segment("failed")
        treat(turn, OVERFLOW_PROMPT, "failure", f"flow {command.result}")


def put_in_line(turn: Turn, command: c.FlowReported) -> None:
    routed = turn.call.routed + 1
    turn.set(
        queue=command.queue,
        requirements=command.requirements,
        priority=command.priority,
        wait_prompt=command.wait_prompt,
        routed=routed,
        task="open",
    )
    turn.start_segment("queue", queue=command.queue)
    turn.enter("queued")
    turn.owe(f"route/{routed}")


def offer_reported(turn: Turn, command: c.OfferReported) -> None:
    """An agent is to be rung. An offer for a call that is not in line is disowned, lest the agent be held for nothing.

    The same agent under another reservation: a new leader has issued it again, and the phone goes on ringing for it (rule
    L3 of two sites).
    """
    call = turn.call
    if call.customer_there and _issued_again(call, command):
        assert call.offer is not None
        turn.set(offer=replace(_offer(command), site=call.offer.site))
        return
    if call.state not in ("queued", "offered") or not call.customer_there:
        turn.owe(f"disown/{command.reservation_id}")
        return
    if call.offer is not None and call.offer.reservation_id == command.reservation_id:
        return
    turn.drop_agent()
    turn.set(offer=_offer(command))
    turn.enter("offered")


def agent_leg_prepared(turn: Turn, command: c.AgentLegPrepared) -> None:
    """Its INVITE may now be sent; where the offer is over by now the leg leaves instead."""
    call = turn.call
    leg = Leg(command.leg_id, "prepared", command.leg_record)
    if leg.id in {known.id for known in (call.agent, *call.leaving) if known is not None}:
        return
    if _offered(call, command.reservation_id) and call.agent is None:
        assert call.offer is not None
        turn.set(agent=leg, offer=replace(call.offer, site=command.site))
    else:
        turn.set(leaving=(*call.leaving, replace(leg, phase="canceling")))


def agent_leg_answered(turn: Turn, command: c.AgentLegAnswered) -> None:
    call = turn.call
    leg = Leg(command.leg_id, "answered", command.leg_record)
    if call.state == "offered" and call.agent is not None and call.agent.id == leg.id:
        turn.set(agent=leg, agent_sdp=command.sdp)
        turn.enter("accepting")
        return
    if call.agent is not None and call.agent.id == leg.id:
        return
    others = tuple(one for one in call.leaving if one.id != leg.id)
    turn.set(leaving=(*others, replace(leg, phase="clearing")))


def agent_leg_failed(turn: Turn, command: c.AgentLegFailed) -> None:
    call = turn.call
    turn.set(leaving=tuple(leg for leg in call.leaving if leg.id != command.leg_id))
    ours = call.agent.id == command.leg_id if call.agent is not None else _offered(call, command.reservation_id)
    if call.state == "offered" and ours:
        turn.set(agent=None)
        _back_in_line(turn, _cause_of(command.sip_code))


def reservation_reported(turn: Turn, command: c.ReservationReported) -> None:
    """The router ended the reservation: the phone stops ringing, the contact waits on."""
    call = turn.call
    if command.accepted or call.offer is None or call.offer.reservation_id != command.reservation_id:
        return
    if call.state in ("offered", "accepting"):
        if command.cause == SLOT_EMPTY:
            turn.owe(f"requeue/{command.reservation_id}")
        turn.drop_agent()
        turn.enter("queued")


def bridged(turn: Turn, command: c.CallBridged) -> None:
    """Customer and agent are joined: this reservation binds, once."""
    call = turn.call
    offer, agent = call.offer, call.agent
    if call.state != "accepting" or offer is None or agent is None or offer.reservation_id != command.reservation_id:
        return
    turn.end_segment("completed")
    turn.set(agent=replace(agent, phase="up"))
    turn.emit(Bound(call.tenant, call.contact_id, offer.agent_id, offer.reservation_id, call.generation))
    turn.start_segment("agent", queue=call.queue, agent_id=offer.agent_id, reservation_id=offer.reservation_id)
    turn.enter("bridged")
    turn.owe(f"start_recording/{offer.reservation_id}")


def step_failed(turn: Turn, command: c.StepFailed) -> None:
    """An effect failed for good: the contact gets the treatment that the step calls for."""
    call = turn.call
    turn.paid(command.step)
    match command.step.split("/")[0]:
        case "answer" if call.customer.phase == "incoming":
            # The edge has refused the INVITE by then; no other end of this leg follows.
            turn.customer(replace(call.customer, phase="gone"))
            turn.end_segment("failed")
            finish(turn, "failure", f"answer: {command.reason}")
        case "start_flow" if call.state == "in_flow":
            turn.end_segment("failed")
            treat(turn, OVERFLOW_PROMPT, "failure", f"flow: {command.reason}")
        case "route" if call.state == "queued":
            turn.owe("cancel_task")
            _no_agent(turn, f"route: {command.reason}")
        case "accept" if _accepting(call, command.reservation_id):
            _leave_agent(turn, f"reject/{command.reservation_id}/refused")
        case "bridge" if _accepting(call, command.reservation_id):
            _leave_agent(turn, f"requeue/{command.reservation_id}")
        case "play" if call.verb is not None and call.verb.id == TREATMENT_VERB:
            finish(turn, call.cause or "failure", command.reason)


def leader_silent(turn: Turn, command: c.LeaderSilent) -> None:
    """Nobody who could choose an agent is reached: the plan's treatment. The router is told when it is reached again."""
    call = turn.call
    if call.state != "queued" or not call.customer_there:
        return
    for step in call.owed:
        if step.startswith("route/"):
            turn.paid(step)
    turn.end_segment("overflowed")
    if command.treatment == "disconnect":
        finish(turn, "overflow", command.treatment)
    else:
        turn.owe("cancel_task")
        treat(turn, command.prompt or OVERFLOW_PROMPT, "overflow", command.treatment)


def overflow_reported(turn: Turn, command: c.OverflowReported) -> None:
    call = turn.call
    if call.state not in WAITING or not call.customer_there:
        return
    turn.drop_agent()
    turn.set(task="over")
    turn.end_segment("overflowed")
    if command.treatment == "disconnect":
        finish(turn, "overflow", command.treatment)
    else:
        treat(turn, command.prompt or OVERFLOW_PROMPT, "overflow", command.treatment)


def task_reported(turn: Turn, command: c.TaskReported) -> None:
    """The router's task is over: by the agent's wrap-up, or because somebody took the contact out of line."""
    turn.set(task="over", disposition=command.disposition or turn.call.disposition)
    if turn.call.state == "wrapping":
        turn.close()
    elif command.state == "canceled" and turn.call.state in WAITING:
        turn.end_segment("failed")
        finish(turn, "supervisor", "taken out of line")
    elif turn.call.state in ("queued", "offered"):
        _no_agent(turn, "the router ended the task")


def clear(turn: Turn, command: c.ClearCall) -> None:
    """Somebody of ours ends the call."""
    call = turn.call
    if call.ended_at is not None:
        raise Rejected("The call has ended already.")
    cause: CloseCause = "agent" if command.cause == "agent" else "supervisor"
    if call.state == "bridged":
        end_talk(turn, cause, command.cause)
    else:
        turn.end_segment("failed")
        finish(turn, cause, command.cause)


def leg_cleared(turn: Turn, command: c.LegCleared) -> None:
    call = turn.call
    if command.leg_id == call.customer.id:
        _customer_left(turn, command.cause)
    elif call.agent is not None and command.leg_id == call.agent.id:
        _agent_left(turn)
    else:
        turn.set(leaving=tuple(leg for leg in call.leaving if leg.id != command.leg_id))


def end_talk(turn: Turn, cause: CloseCause, detail: str = "") -> None:
    """Customer and agent part; the agent's work goes on until the router says that the task is over."""
    call = turn.call
    assert call.offer is not None
    turn.end_segment("completed")
    turn.emit(Unbound(call.tenant, call.contact_id, call.offer.agent_id, call.offer.reservation_id, cause or "ended"))
    turn.customer_ended(cause, detail)
    turn.enter("wrapping")
    turn.drop_agent()
    turn.clear_customer()
    turn.owe("stop_recording", "end_contact", "delete_media")
    if turn.call.task == "over":
        turn.close()


def treat(turn: Turn, prompt: str, cause: CloseCause, detail: str) -> None:
    """Plays the last thing that the customer hears, then ends the call."""
    turn.set(
        cause=cause,
        detail=detail,
        verb=Verb(TREATMENT_VERB, (prompt,), turn.call.language, 0, 0, False, False, turn.now),
        wait_prompt="",
    )
    turn.enter("treated")


def finish(turn: Turn, cause: CloseCause, detail: str = "") -> None:
    """The call ends without (more) service by an agent; the edge clears what is left of it."""
    call = turn.call
    turn.customer_ended(call.cause or cause, call.detail or detail)
    if call.state == "in_flow":
        turn.owe("stop_flow")
    if call.task == "open":
        turn.owe("cancel_task")
    turn.drop_agent()
    turn.clear_customer()
    turn.owe("delete_media")
    turn.close()


def _customer_left(turn: Turn, cause: str) -> None:
    call = turn.call
    if call.customer.phase == "gone":
        return
    was_clearing = call.customer.phase == "clearing"
    turn.customer(replace(call.customer, phase="gone"))
    if was_clearing or call.ended_at is not None:
        return
    close_cause: CloseCause = "lost_leg" if cause in ("ack_timeout", "media_lost") else "customer"
    if call.state == "bridged":
        end_talk(turn, close_cause, cause)
        return
    turn.end_segment("abandoned")
    finish(turn, close_cause, cause)


def _agent_left(turn: Turn) -> None:
    call = turn.call
    turn.set(agent=None)
    if call.state == "bridged":
        end_talk(turn, "agent")
    elif call.state == "accepting" and call.offer is not None:
        # The router may have counted the agent in by now: only a requeue helps in either case.
        _leave_agent(turn, f"requeue/{call.offer.reservation_id}")
    elif call.offer is not None:
        _back_in_line(turn, "unreachable")


def _leave_agent(turn: Turn, owed: str) -> None:
    if turn.call.task == "over":
        _no_agent(turn, "the router ended the task")
        return
    turn.drop_agent()
    turn.enter("queued")
    turn.owe(owed)


def _no_agent(turn: Turn, detail: str) -> None:
    """Nobody will be offered the contact any more: it gets the default treatment."""
    turn.drop_agent()
    turn.set(task="over")
    turn.end_segment("failed")
    treat(turn, OVERFLOW_PROMPT, "failure", detail)


def _back_in_line(turn: Turn, cause: str) -> None:
    """The phone did not take the call: the router is told and offers it elsewhere; the contact keeps its age."""
    assert turn.call.offer is not None
    _leave_agent(turn, f"reject/{turn.call.offer.reservation_id}/{cause}")


def _offer(command: c.OfferReported) -> Offer:
    return Offer(
        command.reservation_id,
        command.agent_id,
        command.device,
        command.expires_at,
        command.partition,
        command.site_epoch,
    )


def _issued_again(call: Call, command: c.OfferReported) -> bool:
    offer = call.offer
    if offer is None or call.state not in ("offered", "accepting") or offer.reservation_id == command.reservation_id:
        return False
    return (offer.agent_id, offer.device) == (command.agent_id, command.device)


def _offered(call: Call, reservation_id: str) -> bool:
    return call.state == "offered" and call.offer is not None and call.offer.reservation_id == reservation_id


def _accepting(call: Call, reservation_id: str) -> bool:
    return call.state == "accepting" and call.offer is not None and call.offer.reservation_id == reservation_id


def _cause_of(sip_code: int) -> str:
    if sip_code in (BUSY_HERE, 600):
        return "busy"
    if sip_code in (603, 403):
        return "declined"
    if sip_code == GONE:
        return "stale_epoch"
    return "no_answer" if sip_code == REQUEST_TIMEOUT else "unreachable"
