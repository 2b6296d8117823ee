"""Talks of two sites as their edges wrote them down: from `Bound` to `Unbound`, to the phone's end, or to the loss of the site.

Facts are read from the events of each site's own Kafka. Assignment records are not looked at: what was not mirrored when a
site was lost is decided again. Shares no code with the services.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from junctor.cti.v1 import cti_pb2
from junctor.omnichannel.v1 import omnichannel_pb2

from e2e.judge.intervals import Interval
from e2e.judge.reading import Found, records

PARTITIONS = 12
TOPICS = ("junctor.cti.events.v1", "junctor.omnichannel.events.v1")
_BOUND = {kind.Bound.DESCRIPTOR.full_name: kind.Bound for kind in (cti_pb2, omnichannel_pb2)}
_UNBOUND = {kind.Unbound.DESCRIPTOR.full_name: kind.Unbound for kind in (cti_pb2, omnichannel_pb2)}
_PHONE = cti_pb2.RelayStateChanged.DESCRIPTOR.full_name


class Fact(NamedTuple):
    """What an edge wrote, `at` Unix seconds. `bound` and `unbound` are the contact's edge's; `hung_up` is told by the site
    of an agent whose phone was rung for a contact of the other one."""

    at: float
    site: str
    kind: Literal["bound", "unbound", "hung_up"]
    contact: str
    agent: str
    reservation: str


@dataclass
class Talks:
    """`bound_twice`: contacts that one reservation bound more than once."""

    intervals: list[Interval] = field(default_factory=list)
    bound_twice: list[str] = field(default_factory=list)


async def facts_of(sites: Mapping[str, str]) -> list[Fact]:
    """What the edges of all sites wrote, in the order of their clocks. `sites`: bootstrap address by name."""
    places = [(topic, partition) for topic in TOPICS for partition in range(PARTITIONS)]
    found = [fact for bootstrap in sites.values() for fact in facts_in(await records(bootstrap, places))]
    return sorted(found, key=lambda fact: fact.at)


def facts_in(events: Iterable[Found]) -> list[Fact]:
    """Of one site's events; a repeated event is one."""
    found: dict[str, Fact] = {}
    for event in events:
        kind = event.headers["ce_type"]
        told = (datetime.fromisoformat(event.headers["ce_time"]).timestamp(), event.headers["ce_site"])
        if kind in _BOUND:
            bound = _BOUND[kind].FromString(event.value)
            fact = Fact(*told, "bound", bound.contact_id, bound.agent_id, bound.reservation_id)
        elif kind in _UNBOUND:
            parted = _UNBOUND[kind].FromString(event.value)
            fact = Fact(*told, "unbound", parted.contact_id, parted.agent_id, parted.reservation_id)
        elif kind == _PHONE:
            phone = cti_pb2.RelayStateChanged.FromString(event.value)
            if phone.state != "ended":
                continue
            fact = Fact(*told, "hung_up", phone.contact_id, phone.agent_id, phone.reservation_id)
        else:
            continue
        found.setdefault(event.headers["ce_id"], fact)
    return list(found.values())


def talks(facts: Iterable[Fact], losses: Sequence[tuple[str, float]] = ()) -> Talks:
    """`losses`: which site was lost when (Unix seconds), with the media of its contacts."""
    judged = Talks()
    begun: dict[tuple[str, str], Fact] = {}
    ends: dict[tuple[str, str], float] = {}
    for fact in facts:
        key = (fact.contact, fact.reservation)
        if fact.kind != "bound":
            ends[key] = min(fact.at, ends.get(key, math.inf))
        elif key in begun:
            judged.bound_twice.append(fact.contact)
        else:
            begun[key] = fact
    for key, fact in begun.items():
        lost = min((at for site, at in losses if site == fact.site and at >= fact.at), default=math.inf)
        until = max(fact.at, min(ends.get(key, math.inf), lost))
        judged.intervals.append(Interval(fact.contact, fact.agent, fact.at, until))
    return judged
