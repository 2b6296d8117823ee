"""The decider of `cti`: one input applied to one line, a call or a device.

Shape: `apply(line, command, now) -> Applied(state, events)`, pure. Raises `Rejected` with nothing changed. The state is
given whole, not evolved from the events: inputs hold the edge's records of legs, which no event says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from junctor_cti.domain import commands as c
from junctor_cti.domain import device as d
from junctor_cti.domain import media_verbs, redial, relay, transfer, way
from junctor_cti.domain.call import Call
from junctor_cti.domain.device import Device
from junctor_cti.domain.events import ArrivalShareChanged, DeviceStateChanged
from junctor_cti.domain.relay import Relay
from junctor_cti.domain.turn import Rejected, Turn

FLOW_SILENCE_MS = 60_000
WRAPPING_LIMIT_MS = 4 * 3_600_000


@dataclass(frozen=True, slots=True)
class Line:
    """One stream of the journal: a call (its stream is the contact id), a device (`device/<SIP user>`) or a relay
    (`relay/<contact>/<leg>`), or the fence of a partition of the router (`fence/<partition>`, of no tenant),
    or the share of arrivals that is sent to the other site (`arrivals`, of no tenant)."""

    call: Call | None = None
    device: Device | None = None
    relay: Relay | None = None
    fence: int = 0
    away_percent: int | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """The line after the input, what happened, and what the caller is told beside an empty response."""

    state: Line
    events: list[Any]
    response: Any = None


def apply(line: Line, command: Any, now: int) -> Applied:
    match command:
        case c.FenceRaised():
            return Applied(Line(fence=max(line.fence, command.site_epoch)), [])
        case c.SetArrivalShare():
            return _share(line, command)
        case c.DeviceRegistered() | c.DeviceUnregistered() | c.DeviceReported():
            return _device(line, command, now)
        case c.Tick() if line.device is not None:
            return _device(line, command, now)
        case c.RelayArrived():
            return Applied(line, []) if line.relay is not None else _relayed(*relay.arrive(command))
        case _ if line.relay is not None:
            return _relayed(*relay.apply(line.relay, command))
        case c.CallArrived() if line.call is None or _goes_on(line.call, command):
            return _applied(way.arrive(command, now))
        case c.CallArrived():
            return Applied(line, [])
        case c.LegMoved() if line.call is None:
            return Applied(line, [])
    if line.call is None:
        raise Rejected("There is no such call, or it is over.", code="not_found")
    turn = Turn(line.call, now)
    _call(turn, command)
    return _applied(turn)


def next_due(line: Line) -> int | None:
    """The next moment (Unix ms) at which a `Tick` is to be applied."""
    if line.device is not None:
        return d.next_expiry(line.device)
    call = line.call
    if call is None or call.state == "closed":
        return None
    if call.verb is not None:
        return media_verbs.due(call.verb)
    if call.state == "in_flow":
        return _silent_at(call) if call.customer_there else None
    if call.state == "wrapping":
        return call.since + WRAPPING_LIMIT_MS
    return None


def is_live(line: Line) -> bool:
    """False once nothing can happen any more and nothing is owed."""
    if line.fence or line.away_percent is not None:
        return True
    if line.device is not None:
        return bool(line.device.bindings) or line.device.reported < line.device.changes
    if line.relay is not None:
        return not relay.over(line.relay)
    call = line.call
    if call is None:
        return False
    return call.state != "closed" or bool(call.owed) or bool(call.leaving) or call.customer.phase != "gone"


def _applied(turn: Turn) -> Applied:
    return Applied(Line(call=turn.call), turn.events)


def _relayed(after: Relay, events: list[Any]) -> Applied:
    return Applied(Line(relay=after), events)


def _call(turn: Turn, command: Any) -> None:
    match command:
        case c.CallAnswered():
            way.answered(turn, command)
        case c.LegRecorded():
            way.leg_recorded(turn, command)
        case c.FlowReported():
            way.flow_reported(turn, command)
        case c.OfferReported():
            way.offer_reported(turn, command)
        case c.AgentLegPrepared():
            way.agent_leg_prepared(turn, command)
        case c.AgentLegAnswered():
            way.agent_leg_answered(turn, command)
        case c.AgentLegFailed():
            way.agent_leg_failed(turn, command)
        case c.ReservationReported():
            way.reservation_reported(turn, command)
        case c.CallBridged():
            way.bridged(turn, command)
        case c.StepDone():
            turn.paid(command.step)
        case c.StepFailed():
            if command.step.startswith("play/"):
                media_verbs.failed(turn, command.step.removeprefix("play/"))
            way.step_failed(turn, command)
        case c.LeaderSilent():
            way.leader_silent(turn, command)
        case c.OverflowReported():
            way.overflow_reported(turn, command)
        case c.TaskReported():
            way.task_reported(turn, command)
        case c.RequeueReported():
            transfer.requeued(turn, command)
        case c.LegMoved():
            redial.moved(turn, command)
        case c.ClearCall():
            way.clear(turn, command)
        case c.LegCleared():
            way.leg_cleared(turn, command)
        case c.PromptAndCollect():
            media_verbs.ask(turn, command)
        case c.PromptStarted():
            media_verbs.started(turn, command)
        case c.DigitHeard():
            media_verbs.digit(turn, command)
        case c.Tick():
            _tick(turn)
        case _:
            raise Rejected(f"A call knows no {type(command).__name__}.", code="invalid_argument")


def _tick(turn: Turn) -> None:
    call = turn.call
    if call.verb is not None:
        media_verbs.tick(turn)
    elif call.state == "in_flow" and call.customer_there and turn.now >= _silent_at(call):
        turn.end_segment("failed")
        way.treat(turn, way.OVERFLOW_PROMPT, "failure", "the flow was silent for too long")
        turn.owe("stop_flow")
    elif call.state == "wrapping" and turn.now >= call.since + WRAPPING_LIMIT_MS:
        turn.set(detail="the router never ended the task")
        turn.close()


def _goes_on(call: Call, command: c.CallArrived) -> bool:
    """Whether it comes back here, where it was before it moved to the site that is lost now."""
    return call.state == "closed" and command.earlier is not None and command.earlier.leg >= call.generation


def _silent_at(call: Call) -> int:
    """The moment at which a flow that asks for nothing is given up."""
    return max(call.since, call.flow_at) + FLOW_SILENCE_MS


def _share(line: Line, command: c.SetArrivalShare) -> Applied:
    before = line.away_percent or 0
    events = [ArrivalShareChanged("*", command.percent)] if command.percent != before else []
    return Applied(Line(away_percent=command.percent), events, c.SetArrivalShareResponse(before))


def _device(line: Line, command: Any, now: int) -> Applied:
    match command:
        case c.DeviceRegistered():
            before = line.device or Device(command.tenant, command.device)
            after = d.registered(before, d.Binding(command.contact_uri, command.expires_at, command.binding))
        case c.DeviceUnregistered():
            before = line.device or Device(command.tenant, command.device)
            after = d.unregistered(before, command.contact_uri)
        case c.DeviceReported():
            before = line.device or Device(command.tenant, command.device)
            after = replace(before, reported=max(before.reported, command.changes))
        case _:
            assert line.device is not None
            before, after = line.device, d.without_expired(line.device, now)
    events: list[Any] = []
    if after.state != before.state:
        events.append(DeviceStateChanged(after.tenant, after.device, after.state))
    return Applied(Line(device=after), events)
