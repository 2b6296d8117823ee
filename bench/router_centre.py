"""A contact centre of a stated size: its directory values, and the inputs of its agents and contacts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message
from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.inputs import new_input
from junctor_journal.log import NewRecord
from junctor_journal.topics import key_of

from bench.router_site import POOL, TENANT

PER_AGENT = 10
PRINCIPAL = "bench"


@dataclass(frozen=True, slots=True)
class Centre:
    """Each queue asks for one attribute of a certain proficiency and that another one is absent; where there is only one
    attribute, all agents have it and every queue asks for it."""

    agents: int
    queues: int
    attributes: int
    wrap_up_ms: int = 600_000
    seed: int = 1

    def values(self) -> Iterator[tuple[str, directory_pb2.Value]]:
        """Directory values by kind."""
        rng = random.Random(self.seed)
        names = [f"a{n}" for n in range(self.attributes)]
        for name in names:
            value = directory_pb2.Attribute(type=directory_pb2.ATTRIBUTE_TYPE_PROFICIENCY)
            yield "attribute", directory_pb2.Value(id=name, attribute=value)
        for n in range(self.queues):
            step = directory_pb2.PlanStep(expression=_expression(rng, names))
            yield "plan", directory_pb2.Value(id=f"p{n}", plan=directory_pb2.Plan(steps=[step]))
        for n in range(self.queues):
            queue = directory_pb2.Queue(plan=f"p{n}", wrap_up_ms=self.wrap_up_ms, offer_timeout_ms=600_000)
            yield "queue", directory_pb2.Value(id=f"q{n}", queue=queue)
        for n in range(self.agents):
            attributes = {name: str(rng.randint(1, 10)) for name in rng.sample(names, min(PER_AGENT, len(names)))}
            yield (
                "agent",
                directory_pb2.Value(
                    id=f"agent{n}", agent=directory_pb2.Agent(name=f"Agent {n}", device=f"d{n}", attributes=attributes)
                ),
            )

    def log_ins(self, ready: bool = True) -> Iterator[journal_pb2.Input]:
        state = pb.AGENT_STATE_READY if ready else pb.AGENT_STATE_NOT_READY
        for n in range(self.agents):
            body = pb.LogInRequest(tenant=TENANT, request_id=f"in{n}", agent_id=f"agent{n}", state=state)
            yield as_input(body, f"in/{n}")

    def request(self, number: int, arrived_at: int = 0) -> journal_pb2.Input:
        contact = f"c{number}"
        queue = f"q{random.Random(f'{self.seed}/{number}').randrange(self.queues)}"
        body = pb.RequestTaskRequest(
            tenant=TENANT,
            request_id=contact,
            contact_id=contact,
            queue=queue,
            channel=contact_pb2.CHANNEL_VOICE,
            edge="cti",
            arrived_at=arrived_at,
        )
        return as_input(body, f"request/{contact}", contact)


def _expression(rng: random.Random, names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} >= 1"
    first, second = rng.sample(names, 2)
    return f"{first} >= 3 && !has({second})"


def next_input(event: Message) -> journal_pb2.Input | None:
    """What follows at once on an event: the offer is accepted, the talk ends, the wrap-up is extended and completed."""
    match event:
        case pb.ReservationCreated():
            body: Message = pb.AcceptReservationRequest(
                tenant=TENANT,
                request_id=event.reservation_id,
                agent_id=event.agent_id,
                reservation_id=event.reservation_id,
                contact_id=event.contact_id,
            )
            return as_input(body, f"accept/{event.reservation_id}", event.contact_id)
        case pb.ReservationAccepted():
            body = pb.EndContactRequest(
                tenant=TENANT, request_id=f"end-{event.contact_id}", contact_id=event.contact_id
            )
            return as_input(body, f"end/{event.contact_id}", event.contact_id)
        case _:
            return None


def extension(contact_id: str, agent_id: str) -> journal_pb2.Input:
    body = pb.ExtendWrapUpRequest(
        tenant=TENANT, request_id=f"more-{contact_id}", agent_id=agent_id, contact_id=contact_id, extend_ms=30_000
    )
    return as_input(body, f"extend/{contact_id}", contact_id)


def completion(contact_id: str, agent_id: str) -> journal_pb2.Input:
    body = pb.CompleteTaskRequest(
        tenant=TENANT, request_id=f"done-{contact_id}", agent_id=agent_id, contact_id=contact_id, disposition="served"
    )
    return as_input(body, f"complete/{contact_id}", contact_id)


def as_input(body: Message, id: str, contact_id: str = "") -> journal_pb2.Input:
    return new_input(
        body, id=f"{TENANT}/{id}", tenant=TENANT, stream=POOL, site="a", principal=PRINCIPAL, correlation_id=contact_id
    )


def record(input: journal_pb2.Input) -> NewRecord:
    return NewRecord(key_of(TENANT, POOL), input.SerializeToString())
