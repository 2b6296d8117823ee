"""The protos and the domain say the same: names, numbers, fields."""

from dataclasses import fields
from typing import get_args

import pytest
from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_router.application import directory_values, messages
from junctor_router.domain import commands, events, values
from junctor_router.domain.configuration import AgentValue, CalendarValue, OpenHours, QueueValue
from junctor_router.domain.values import Channel

FACTS = {
    commands.ConfigurationChanged,
    commands.AgentStreamOpened,
    commands.AgentStreamClosed,
    commands.StreamHolderAlive,
    commands.EdgeReported,
    commands.RollCallAnswered,
}
"""Inputs that the service makes itself."""
FOR_MANY_POOLS = {"junctor.router.v1.AnswerRollCallRequest"}
"""Calls that become an input for each pool."""
TRANSPORT = {"request_id", "tenant", "min_position"}


@pytest.mark.parametrize(
    ("enum", "proto"),
    [
        (values.Channel, contact_pb2.Channel),
        (values.TaskState, pb.TaskState),
        (values.ReservationState, pb.ReservationState),
        (values.AgentState, pb.AgentState),
        (values.DeviceState, pb.DeviceState),
        (values.ConnectionState, pb.ConnectionState),
        (values.AgentOrder, directory_pb2.AgentOrder),
        (values.Objective, directory_pb2.Objective),
        (values.AttributeType, directory_pb2.AttributeType),
    ],
)
def test_enums_have_the_names_and_numbers_of_the_protos(enum, proto):
    prefix = proto.keys()[0].removesuffix("UNSPECIFIED")
    assert {prefix + member.name: member.value for member in enum} == dict(proto.items())


@pytest.mark.parametrize("event", get_args(events.Event))
def test_every_event_has_the_fields_of_its_message(event):
    assert {f.name for f in fields(event)} == set(getattr(pb, event.__name__).DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize("response", get_args(commands.Response))
def test_every_answer_has_the_fields_of_its_message(response):
    assert {f.name for f in fields(response)} == set(getattr(pb, response.__name__).DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize("command", [c for c in get_args(commands.Command) if c is not commands.Tick])
def test_every_command_is_read_whole(command):
    name = command.__name__ if command in FACTS else f"{command.__name__}Request"
    descriptor = getattr(pb, name).DESCRIPTOR
    assert {f.name for f in fields(command)} == set(descriptor.fields_by_name) - TRANSPORT
    assert isinstance(messages.command_of(getattr(pb, name)()), command)


def test_every_mutating_rpc_has_a_command():
    service = pb.DESCRIPTOR.services_by_name["RouterService"]
    mutating = {m.input_type for m in service.methods if "request_id" in m.input_type.fields_by_name}
    assert {m.full_name for m in mutating} - FOR_MANY_POOLS == {
        f"junctor.router.v1.{c.__name__}Request"
        for c in get_args(commands.Command)
        if c is not commands.Tick and c not in FACTS
    }


def test_an_unknown_channel_is_none():
    request = pb.RequestTaskRequest(contact_id="c1", channel=99)
    assert messages.command_of(request).channel is Channel.UNSPECIFIED


def packed(value):
    message = pb.ConfigurationChanged(kind="x", id=value.id, version=1)
    message.value.Pack(directory_values.journalled(value))
    return message


def test_the_journal_gets_no_names_and_no_secrets():
    agent = directory_pb2.Agent(
        name="Ann Lee",
        device="2001",
        device_ha1={"MD5": "secret"},
        attributes={"a": "1"},
        capacity={"voice": 2, "x": 1},
    )
    message = packed(directory_pb2.Value(id="ann", agent=agent))
    assert b"Ann" not in message.SerializeToString()
    assert b"secret" not in message.SerializeToString()
    assert messages.command_of(message).value == AgentValue({"a": "1"}, "2001", {Channel.VOICE: 2})


def test_defaults_of_a_queue_and_hours_of_a_calendar():
    assert messages.command_of(packed(directory_pb2.Value(id="q", queue=directory_pb2.Queue()))).value == QueueValue()
    hours = directory_pb2.OpenHours(days=["mon", "someday"], to="24:00")
    setattr(hours, "from", "09:30")
    calendar = directory_pb2.Calendar(time_zone="Asia/Shanghai", hours=[hours], closed_dates=["2026-10-01"])
    assert messages.command_of(packed(directory_pb2.Value(id="c", calendar=calendar))).value == CalendarValue(
        "Asia/Shanghai", (OpenHours((0,), 570, 1440),), ("2026-10-01",)
    )


def test_a_kind_that_does_not_concern_the_router_is_not_read():
    with pytest.raises(ValueError, match="'widget'"):
        messages.command_of(packed(directory_pb2.Value(id="w", widget=directory_pb2.Widget())))
