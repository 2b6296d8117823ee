"""Between the messages of junctor.router.v1 and the domain's commands, answers and events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, cast

from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb

from junctor_router.application.directory_values import value_of
from junctor_router.domain import commands as c
from junctor_router.domain.events import Event, ReservationReissued
from junctor_router.domain.values import AgentState, Channel, DeviceState

TICK = c.Tick()


def command_of(body: Message) -> c.Command | None:
    """The command of an input's body; None for a message that is none. Unknown enum numbers become UNSPECIFIED."""
    make = _COMMANDS.get(type(body))
    return None if make is None else make(body)


def response_message(response: c.Response) -> Message:
    return _filled(response)


def event_message(event: Event | ReservationReissued) -> Message:
    return _filled(event)


def reissued_of(m: pb.ReservationReissued) -> ReservationReissued:
    """As it is issued again in a journal."""
    return ReservationReissued(
        m.tenant,
        m.pool,
        m.previous_reservation_id,
        m.reservation_id,
        m.contact_id,
        m.agent_id,
        m.session,
        channel(m.channel),
        m.queue,
        m.expires_at,
        m.device,
        m.edge,
        m.chosen_by,
    )


def channel(number: int) -> Channel:
    return Channel(number) if number in Channel._value2member_map_ else Channel.UNSPECIFIED


def _agent_state(number: int) -> AgentState:
    return AgentState(number) if number in AgentState._value2member_map_ else AgentState.UNSPECIFIED


def _device_state(number: int) -> DeviceState:
    return DeviceState(number) if number in DeviceState._value2member_map_ else DeviceState.UNSPECIFIED


def _request(m: pb.RequestTaskRequest) -> c.RequestTask:
    return c.RequestTask(
        m.contact_id,
        channel(m.channel),
        m.queue,
        tuple(m.requirements),
        dict(m.data),
        m.priority,
        m.arrived_at,
        tuple(m.preferred_agents),
        tuple(m.excluded_agents),
        m.edge,
        m.hold_ms,
        m.not_before,
        m.leg,
    )


def _changed(m: pb.ConfigurationChanged) -> c.ConfigurationChanged:
    return c.ConfigurationChanged(m.kind, m.id, m.version, value_of(m.value) if m.HasField("value") else None)


_COMMANDS: dict[type[Message], Callable[[Any], c.Command]] = {
    journal_pb2.Tick: lambda m: TICK,
    pb.RequestTaskRequest: _request,
    pb.CancelTaskRequest: lambda m: c.CancelTask(m.contact_id, m.cause, m.leg),
    pb.RequeueTaskRequest: lambda m: c.RequeueTask(
        m.contact_id, m.queue, m.cause, m.agent_id, m.to_agent_id, m.hold_ms, m.leg
    ),
    pb.EndContactRequest: lambda m: c.EndContact(m.contact_id, m.cause, m.leg),
    pb.AcceptReservationRequest: lambda m: c.AcceptReservation(m.agent_id, m.reservation_id, m.contact_id),
    pb.RejectReservationRequest: lambda m: c.RejectReservation(m.agent_id, m.reservation_id, m.contact_id, m.cause),
    pb.CompleteTaskRequest: lambda m: c.CompleteTask(m.agent_id, m.contact_id, m.disposition, m.outcome_value),
    pb.ExtendWrapUpRequest: lambda m: c.ExtendWrapUp(m.agent_id, m.contact_id, m.extend_ms),
    pb.LogInRequest: lambda m: c.LogIn(m.agent_id, tuple(channel(n) for n in m.channels), _agent_state(m.state)),
    pb.LogOutRequest: lambda m: c.LogOut(m.agent_id, m.reason),
    pb.SetAgentStateRequest: lambda m: c.SetAgentState(m.agent_id, _agent_state(m.state), m.reason),
    pb.ReportDeviceRequest: lambda m: c.ReportDevice(m.agent_id, _device_state(m.state), m.cause, m.edge),
    pb.AgentStreamOpened: lambda m: c.AgentStreamOpened(m.agent_id, m.holder),
    pb.AgentStreamClosed: lambda m: c.AgentStreamClosed(m.agent_id, m.holder),
    pb.EdgeReported: lambda m: c.EdgeReported(m.edge, m.reachable, m.holds_slots),
    pb.RollCallAnswered: lambda m: c.RollCallAnswered(
        m.edge,
        m.site_epoch,
        tuple(c.Slot(slot.agent_id, slot.contact_id, slot.reservation_id, slot.talking) for slot in m.slots),
    ),
    pb.StreamHolderAlive: lambda m: c.StreamHolderAlive(m.holder),
    pb.ConfigurationChanged: _changed,
}


def _maker(kind: type[Any]) -> Callable[[Any], Message]:
    """Makes the message of the same name with the same fields. What is empty need not be set, where the message cannot tell
    that from not set; no field of these can.

    It is written out, as `dataclasses` writes its methods: keyword arguments take twice as long."""
    message_class: type[Message] = getattr(pb, kind.__name__)
    if any(field.has_presence and field.message_type is None for field in message_class.DESCRIPTOR.fields):
        raise TypeError(f"{kind.__name__} has optional fields")
    lines = ["def make(value):", " message = message_class()"]
    for one in fields(kind):
        repeated = message_class.DESCRIPTOR.fields_by_name[one.name].is_repeated
        put = f"message.{one.name}.extend(found)" if repeated else f"message.{one.name} = found"
        lines += [f" found = value.{one.name}", f" if found: {put}"]
    scope: dict[str, Any] = {"message_class": message_class}
    exec("\n".join([*lines, " return message"]), scope)  # noqa: S102
    return cast(Callable[[Any], Message], scope["make"])


_MAKERS: dict[type[Any], Callable[[Any], Message]] = {}


def _filled(value: Any) -> Message:
    kind = type(value)
    make = _MAKERS.get(kind)
    if make is None:
        make = _MAKERS[kind] = _maker(kind)
    return make(value)
