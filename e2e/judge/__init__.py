"""A checker that shares no code with the services: it reads the events from Kafka and counts intervals of talk.

It knows the generated messages and CloudEvents in Kafka's binary mode, nothing else of Junctor.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2
from junctor.omnichannel.v1 import omnichannel_pb2

from e2e.judge.edges import PARTITIONS, TOPICS
from e2e.judge.reading import records


@dataclass
class Finding:
    """What the events say. Each list holds contacts (or agents) for which a promise was broken."""

    contacts: int = 0
    with_two_agents: list[str] = field(default_factory=list)
    bound_twice: list[str] = field(default_factory=list)
    never_closed: list[str] = field(default_factory=list)
    closed_twice: list[str] = field(default_factory=list)
    opened_twice: list[str] = field(default_factory=list)
    agents_with_two_calls: list[str] = field(default_factory=list)

    @property
    def broken(self) -> dict[str, list[str]]:
        return {name: value for name, value in vars(self).items() if isinstance(value, list) and value}


async def judge(bootstrap: str) -> Finding:
    """Reads every event once (repeats of an id are one event) and judges them."""
    opened: dict[str, int] = defaultdict(int)
    closed: dict[str, int] = defaultdict(int)
    moves: list[tuple[int, int, str, str, str, bool]] = []
    seen: set[str] = set()
    for order, (time_ms, event_id, kind, value) in enumerate(await _events(bootstrap)):
        if event_id in seen:
            continue
        seen.add(event_id)
        if kind == contact_pb2.ContactOpened.DESCRIPTOR.full_name:
            opened[contact_pb2.ContactOpened.FromString(value).contact_id] += 1
        elif kind == contact_pb2.ContactClosed.DESCRIPTOR.full_name:
            closed[contact_pb2.ContactClosed.FromString(value).contact_id] += 1
        elif kind.endswith((".Bound", ".Unbound")):
            source = cti_pb2 if ".cti." in kind else omnichannel_pb2
            begins = kind.endswith(".Bound")
            fact = (source.Bound if begins else source.Unbound).FromString(value)
            moves.append((time_ms, order, fact.contact_id, fact.agent_id, fact.reservation_id, begins))
    finding = Finding(contacts=len(opened))
    finding.opened_twice = [contact for contact, count in opened.items() if count > 1]
    finding.closed_twice = [contact for contact, count in closed.items() if count > 1]
    finding.never_closed = [contact for contact in opened if contact not in closed]
    _talks(moves, finding)
    return finding


def _talks(moves: list[tuple[int, int, str, str, str, bool]], finding: Finding) -> None:
    by_contact: dict[str, set[str]] = defaultdict(set)
    by_agent: dict[str, set[str]] = defaultdict(set)
    bound: set[tuple[str, str]] = set()
    voice = {contact for _, _, contact, _, _, _ in moves}
    for _, _, contact, agent, reservation, begins in sorted(moves):
        if begins:
            if (contact, reservation) in bound:
                finding.bound_twice.append(contact)
            bound.add((contact, reservation))
            by_contact[contact].add(agent)
            by_agent[agent].add(contact)
            if len(by_contact[contact]) > 1:
                finding.with_two_agents.append(contact)
            if len(by_agent[agent] & voice) > 4:
                finding.agents_with_two_calls.append(agent)
        else:
            by_contact[contact].discard(agent)
            by_agent[agent].discard(contact)


async def _events(bootstrap: str) -> list[tuple[int, str, str, bytes]]:
    places = [(topic, partition) for topic in TOPICS for partition in range(PARTITIONS)]
    return [
        (found.at, found.headers["ce_id"], found.headers["ce_type"], found.value)
        for found in await records(bootstrap, places)
    ]
