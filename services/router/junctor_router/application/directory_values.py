"""The directory's values as the router uses them, and what of them goes into the journal: no names, no secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from sys import intern
from typing import Any

from google.protobuf.any_pb2 import Any as PackedAny
from junctor.directory.v1 import directory_pb2 as pb
from junctor_service.pools import DEFAULT_POOL

from junctor_router.domain.business_hours import DAYS
from junctor_router.domain.configuration import (
    DEFAULT_CONNECTION_GRACE_MS,
    DEFAULT_OFFER_MS,
    DEFAULT_PRIORITY,
    DEFAULT_STARVATION_MS,
    AgentValue,
    AttributeValue,
    CalendarValue,
    Interruption,
    OpenHours,
    PlanValue,
    QueueValue,
    Relaxing,
    Score,
    ScoresValue,
    Share,
    Step,
    TenantValue,
    Value,
)
from junctor_router.domain.values import AgentOrder, AttributeType, Channel, Objective

POOL_WIDE = ("attribute", "calendar", "tenant", "plan", "scores")
"""Kinds that every pool of the tenant gets, in the order in which they are best told."""
IN_ONE_POOL = ("queue", "agent")
_CHANNELS = {channel.name.lower(): channel for channel in Channel if channel is not Channel.UNSPECIFIED}


def kind_of(value: pb.Value) -> str:
    return value.WhichOneof("kind") or ""


def pool_of(value: pb.Value) -> str:
    """The pool of a queue or agent."""
    kind = kind_of(value)
    named: str = value.queue.pool if kind == "queue" else value.agent.pool if kind == "agent" else ""
    return named or DEFAULT_POOL


def journalled(value: pb.Value) -> pb.Value:
    """The value without what the router does not use: names of people, secrets, texts for people."""
    kept = pb.Value()
    kept.CopyFrom(value)
    kind = kind_of(value)
    if kind == "agent":
        kept.agent.ClearField("name")
        kept.agent.ClearField("device_ha1")
        kept.agent.ClearField("unit")
    elif kind == "queue":
        kept.queue.ClearField("name")
    elif kind == "scores":
        for row in kept.scores.rows:
            row.ClearField("contacts")
    elif kind == "attribute":
        kept.attribute.ClearField("description")
    elif kind == "tenant":
        kept.ClearField("tenant")
        kept.tenant.time_zone = value.tenant.time_zone
        kept.tenant.not_ready_reasons.extend(value.tenant.not_ready_reasons)
        kept.tenant.dispositions.extend(value.tenant.dispositions)
        kept.tenant.connection_grace_ms = value.tenant.connection_grace_ms
        for name, one in value.tenant.interruptions.items():
            kept.tenant.interruptions[name].CopyFrom(one)
    return kept


def value_of(packed: PackedAny) -> Value:
    """The domain's value. Raises `ValueError` for another message and for a kind that does not concern the router."""
    value = pb.Value()
    if not packed.Unpack(value):
        raise ValueError(f"{packed.TypeName()} is no directory value")
    kind = kind_of(value)
    read = _READ.get(kind)
    if read is None:
        raise ValueError(f"values of the kind {kind!r} do not concern the router")
    return read(getattr(value, kind))


def _queue(m: pb.Queue) -> QueueValue:
    return QueueValue(
        plan=m.plan,
        priority=m.priority or DEFAULT_PRIORITY,
        wrap_up_ms=max(m.wrap_up_ms, 0),
        offer_timeout_ms=m.offer_timeout_ms if m.offer_timeout_ms > 0 else DEFAULT_OFFER_MS,
        calendar=m.calendar,
        closed_prompt=m.closed_prompt,
        service_level_ms=max(m.service_level_ms, 0),
        ratio=m.ratio,
        starvation_ms=max(m.starvation_ms, 0) if m.starvation_ms else DEFAULT_STARVATION_MS,
        objective=Objective.SALES if m.objective == pb.OBJECTIVE_SALES else Objective.SERVICE,
        explore_percent=min(m.explore_percent, 100),
        offer_agents=max(m.offer_agents, 1),
    )


def _plan(m: pb.Plan) -> PlanValue:
    return PlanValue(
        tuple(
            Step(
                s.expression,
                max(s.duration_ms, 0),
                AgentOrder(s.order) if s.order in AgentOrder._value2member_map_ else AgentOrder.LONGEST_IDLE,
                s.skip_if_no_agent,
                max(s.skip_if_wait_above_ms, 0),
                s.priority,
                tuple(s.prefer),
                tuple(Relaxing(r.expression, max(r.after_ms, 0)) for r in s.relax),
                tuple(sorted(s.weights.items())),
                tuple(Share(share.expression, share.part) for share in s.shares),
                max(s.skip_if_wait_below_ms, 0),
            )
            for s in m.steps
        ),
        m.overflow,
        m.overflow_prompt,
    )


def _agent(m: pb.Agent) -> AgentValue:
    slots: dict[Channel, int] = {_CHANNELS[name]: count for name, count in m.capacity.items() if name in _CHANNELS}
    attributes = {intern(name): intern(text) for name, text in m.attributes.items()}
    return AgentValue(attributes, m.device, slots, _interruptions(m.interruptions))


def _interruptions(m: Mapping[str, pb.Interruption]) -> tuple[Interruption, ...]:
    """By the channel that comes. Channels that do not exist are left out."""
    return tuple(
        Interruption(_CHANNELS[name], _channels(m[name].beside), _channels(m[name].parks))
        for name in sorted(m)
        if name in _CHANNELS
    )


def _channels(names: Iterable[str]) -> tuple[Channel, ...]:
    return tuple(_CHANNELS[name] for name in names if name in _CHANNELS)


def _attribute(m: pb.Attribute) -> AttributeValue:
    known = m.type in AttributeType._value2member_map_
    return AttributeValue(AttributeType(m.type) if known else AttributeType.UNSPECIFIED)


def _calendar(m: pb.Calendar) -> CalendarValue:
    hours = tuple(
        OpenHours(tuple(DAYS.index(day) for day in h.days if day in DAYS), _minute(getattr(h, "from")), _minute(h.to))
        for h in m.hours
    )
    return CalendarValue(m.time_zone, hours, tuple(m.closed_dates))


def _scores(m: pb.ScoreTable) -> ScoresValue:
    return ScoresValue(tuple(Score(s.segment, s.attribute, s.value, s.service, s.sales) for s in m.rows))


def _minute(text: str) -> int:
    """`09:30` as minutes since midnight; what is no time of day is 0."""
    hours, _, minutes = text.partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and len(hours) <= 2 and len(minutes) == 2):
        return 0
    return min(int(hours) * 60 + int(minutes), 24 * 60)


def _tenant(m: pb.Tenant) -> TenantValue:
    grace_ms = m.connection_grace_ms or DEFAULT_CONNECTION_GRACE_MS
    interruptions = _interruptions(m.interruptions)
    return TenantValue(m.time_zone, interruptions, grace_ms, tuple(m.not_ready_reasons), tuple(m.dispositions))


_READ: dict[str, Callable[[Any], Value]] = {
    "queue": _queue,
    "plan": _plan,
    "agent": _agent,
    "attribute": _attribute,
    "calendar": _calendar,
    "scores": _scores,
    "tenant": _tenant,
}
