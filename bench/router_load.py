"""A contact centre for the router's core alone: its fold filled with agents, and inputs that follow from what it answers.

The sequence of inputs is a function of the seed, so it can be measured again from the same state: the same work each time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import Message
from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.inputs import new_input
from junctor_router.application.directory_values import journalled
from junctor_router.application.pools import PoolsFold
from junctor_router.domain.pool import Pool

TENANT, POOL = "bench", "default"
START = 1_800_000_000_000
HASH_EVERY = 1_000
"""Inputs, as in the journal."""
TURN_MS = 2
"""Between arrivals: 500 contacts a second."""

Timed = Callable[[str, int], None]
"""The kind of an input, and for how many nanoseconds the thread had a processor for it."""


@dataclass(frozen=True, slots=True)
class Size:
    """`expression` makes a queue's requirement of the names of all attributes."""

    agents: int = 50_000
    waiting: int = 10_000
    queues: int = 500
    attributes: int = 300
    per_agent: int = 10
    clauses: int = 2
    seed: int = 1

    def expression(self, rng: random.Random) -> str:
        """One attribute of a certain proficiency, each more that is absent: who has the first mostly meets all."""
        first, *absent = rng.sample([f"a{n}" for n in range(self.attributes)], self.clauses)
        return " && ".join([f"{first} >= 3", *(f"!has({name})" for name in absent)])


def filled(size: Size) -> PoolsFold:
    """All agents are logged in and ready; nobody waits."""
    rng = random.Random(size.seed)
    fold = PoolsFold()
    values: list[tuple[str, directory_pb2.Value]] = []
    for n in range(size.queues):
        plan = directory_pb2.Plan(steps=[directory_pb2.PlanStep(expression=size.expression(rng))])
        queue = directory_pb2.Queue(plan=f"p{n}", wrap_up_ms=60_000)
        values.append(("plan", directory_pb2.Value(id=f"p{n}", plan=plan)))
        values.append(("queue", directory_pb2.Value(id=f"q{n}", queue=queue)))
    names = [f"a{n}" for n in range(size.attributes)]
    for n in range(size.agents):
        attributes = {name: str(rng.randint(1, 10)) for name in rng.sample(names, min(size.per_agent, len(names)))}
        agent = directory_pb2.Agent(device=f"d{n}", attributes=attributes)
        values.append(("agent", directory_pb2.Value(id=f"agent{n}", agent=agent)))
    for kind, value in values:
        body = pb.ConfigurationChanged(kind=kind, id=value.id, version=1)
        body.value.Pack(journalled(value), deterministic=True)
        fold.apply(as_input(body), body, START)
    for n in range(size.agents):
        log_in = pb.LogInRequest(tenant=TENANT, agent_id=f"agent{n}", state=pb.AGENT_STATE_READY)
        fold.apply(as_input(log_in), log_in, START + n // 100)
    return fold


def as_input(body: Message) -> journal_pb2.Input:
    return new_input(body, id="bench", tenant=TENANT, stream=POOL, site="a", principal="bench")


def pool_of(fold: PoolsFold) -> Pool:
    found = fold.pool(TENANT, POOL)
    if found is None:
        raise ValueError("the fold has no configuration")
    return found


class Load:
    """Applies inputs as an owner does: body to outcome and events as bytes, the state's hash every HASH_EVERY."""

    def __init__(self, fold: PoolsFold, seed: int, timed: Timed) -> None:
        self.fold = fold
        self.now = pool_of(fold).state.now
        self.inputs = 0
        self.hashes: list[bytes] = []
        self._timed = timed
        self._rng = random.Random(seed)
        self._offers: list[pb.ReservationCreated] = []
        self._talking: list[tuple[str, str]] = []
        self._resting: list[str] = []
        self._contacts = 0

    def resume(self, talking: list[tuple[str, str]], contacts: int) -> None:
        """Where another load left the fold."""
        self._talking, self._contacts = list(talking), contacts

    @property
    def talking(self) -> list[tuple[str, str]]:
        return list(self._talking)

    @property
    def contacts(self) -> int:
        return self._contacts

    def apply(self, kind: str, body: Message) -> None:
        input = as_input(body)
        self.inputs += 1
        hashed = self.inputs % HASH_EVERY == 0
        begin = time.thread_time_ns()
        applied = self.fold.apply(input, body, self.now)
        for event in applied.events:
            event.SerializeToString()
        if applied.response is not None:
            applied.response.SerializeToString()
        if hashed:
            self.hashes.append(self.fold.hash())
        self._timed(kind, time.thread_time_ns() - begin)
        if applied.refusal is not None:
            raise AssertionError(f"{kind} was refused: {applied.refusal}")
        self._offers.extend(event for event in applied.events if isinstance(event, pb.ReservationCreated))

    def arrive(self) -> None:
        self._contacts += 1
        queues = len(pool_of(self.fold).state.queues)
        body = pb.RequestTaskRequest(
            tenant=TENANT,
            contact_id=f"c{self._contacts}",
            queue=f"q{self._rng.randrange(queues)}",
            channel=contact_pb2.CHANNEL_VOICE,
            arrived_at=self.now,
            edge="cti",
        )
        self.apply("request", body)

    def take_offers(self) -> None:
        while self._offers:
            offer = self._offers.pop()
            names = {
                "agent_id": offer.agent_id,
                "reservation_id": offer.reservation_id,
                "contact_id": offer.contact_id,
            }
            if self._rng.random() < 0.03:
                self.apply("reject", pb.RejectReservationRequest(tenant=TENANT, cause="declined", **names))
            else:
                self.apply("accept", pb.AcceptReservationRequest(tenant=TENANT, **names))
                self._talking.append((offer.contact_id, offer.agent_id))

    def finish_one(self) -> None:
        at = self._rng.randrange(len(self._talking))
        self._talking[at], self._talking[-1] = self._talking[-1], self._talking[at]
        contact_id, agent_id = self._talking.pop()
        self.apply("end", pb.EndContactRequest(tenant=TENANT, contact_id=contact_id))
        self.apply("complete", pb.CompleteTaskRequest(tenant=TENANT, agent_id=agent_id, contact_id=contact_id))
        self.take_offers()
        if self._rng.random() < 0.5:
            self._rest(agent_id)

    def turn(self) -> None:
        """One contact comes, one goes: five inputs, and now and then a rejection or a tick."""
        self.now += TURN_MS
        due = pool_of(self.fold).next_due()
        if due is not None and due <= self.now:
            self.apply("tick", journal_pb2.Tick())
        self.arrive()
        self.take_offers()
        if self._talking:
            self.finish_one()
        self.take_offers()

    def fill(self, waiting: int) -> None:
        """Until every agent who can be is busy and so many contacts wait."""
        state = pool_of(self.fold).state
        while len(state.tasks) - len(self._talking) < waiting:
            self.arrive()
            self.take_offers()

    def _rest(self, agent_id: str) -> None:
        """One agent asks for a break, the one who asked before is back."""
        for other in self._resting:
            back = pb.SetAgentStateRequest(tenant=TENANT, agent_id=other, state=pb.AGENT_STATE_READY)
            self.apply("ready", back)
        self._resting = [agent_id]
        away = pb.SetAgentStateRequest(tenant=TENANT, agent_id=agent_id, state=pb.AGENT_STATE_NOT_READY)
        self.apply("not ready", away)
