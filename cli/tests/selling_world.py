"""A made-up contact centre whose truth is known: what a customer of a segment buys of an agent, routed by the real core.

`python -m cli.tests.selling_world` learns a table from a day by longest idle and routes other days by it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from google.protobuf.any_pb2 import Any as PackedAny
from junctor_cli.score_table import Outcome, learn
from junctor_cli.scores import table_value
from junctor_router.application.cel import parse
from junctor_router.application.directory_values import value_of
from junctor_router.application.virtual_time import VirtualPool
from junctor_router.domain import commands as c
from junctor_router.domain import events as e
from junctor_router.domain.configuration import AgentValue, AttributeValue, PlanValue, QueueValue, ScoresValue, Step
from junctor_router.domain.pool import Pool
from junctor_router.domain.values import AgentOrder, AgentState, AttributeType, Channel, Objective

BEGIN = 1_780_000_000_000
EVERY_MS, HANDLE_MS, WRAP_UP_MS = 30_000, 180_000, 20_000
SEGMENTS = ("gold", "young", "plain")
AGENTS = {
    f"agent{n:02}": {"region": ("north", "south", "east")[n % 3], "loan": str(3 + 2 * (n % 4))} for n in range(24)
}
"""Of every region with every level, so that neither stands for the other."""


def chance(segment: str, attributes: dict[str, str]) -> float:
    """That the contact ends in a sale of 100: the truth that the table is to find."""
    fits = {("gold", "north"): 0.35, ("young", "south"): 0.30, ("young", "north"): -0.05}
    return 0.10 + 0.02 * int(attributes["loan"]) + fits.get((segment, attributes["region"]), 0.0)


@dataclass
class World:
    """One run: `outcomes` are (contact, segment, agent, sale); `events` what the core said, with their moments.

    The same seed gives the same customers, and each the same luck with the same agent, whatever the policy.
    """

    order: AgentOrder
    explore_percent: int = 0
    scores: ScoresValue | None = None
    contacts: int = 2_000
    seed: int = 1
    agents: dict[str, dict[str, str]] = field(default_factory=lambda: AGENTS)
    outcomes: list[tuple[str, str, str, int]] = field(default_factory=list)
    events: list[tuple[object, int]] = field(default_factory=list)

    def play(self) -> World:
        self._pool = VirtualPool(Pool("demo", "default", parse), self._see)
        self._pool.now = BEGIN
        queue = QueueValue(
            "worth", wrap_up_ms=WRAP_UP_MS, objective=Objective.SALES, explore_percent=self.explore_percent
        )
        self._tell("attribute", "loan", AttributeValue(AttributeType.PROFICIENCY))
        self._tell("attribute", "region", AttributeValue(AttributeType.TEXT))
        self._tell("plan", "worth", PlanValue((Step(order=self.order),)))
        self._tell("queue", "sales", queue)
        if self.scores is not None:
            self._tell("scores", "sales", self.scores)
        for id, attributes in self.agents.items():
            self._tell("agent", id, AgentValue(attributes, device=id))
            self._pool.do(c.LogIn(id, state=AgentState.READY))
        draws = random.Random(self.seed)
        at = BEGIN
        for number in range(self.contacts):
            at += round(draws.expovariate(1 / EVERY_MS))
            self._pool.at(at, self._arrival(f"contact{number:05}", draws.choice(SEGMENTS), at))
        self._pool.run(at + 10 * HANDLE_MS)
        return self

    @property
    def mean(self) -> float:
        return sum(sale for *_, sale in self.outcomes) / len(self.outcomes)

    def _tell(self, kind, id, value) -> None:
        self._pool.do(c.ConfigurationChanged(kind, id, 1, value))

    def _arrival(self, contact: str, segment: str, at: int):
        data = {"segment": segment}
        return lambda: c.RequestTask(contact, Channel.VOICE, "sales", edge="cti", arrived_at=at, data=data)

    def _see(self, event: object, now: int) -> None:
        self.events.append((event, now))
        match event:
            case e.ReservationCreated():
                accept = c.AcceptReservation(event.agent_id, event.reservation_id, event.contact_id)
                self._pool.at(now, lambda: accept)
            case e.ReservationAccepted():
                self._pool.at(now + HANDLE_MS, lambda: c.EndContact(event.contact_id))
            case e.TaskWrapping():
                self._pool.at(now + WRAP_UP_MS // 2, lambda: self._complete(event.agent_id, event.contact_id))

    def _complete(self, agent: str, contact: str) -> c.CompleteTask:
        segment = self._pool.pool.state.tasks[contact].data["segment"]
        luck = random.Random(f"{self.seed}/{contact}/{agent}").random()
        sale = 100 if luck < chance(segment, self.agents[agent]) else 0
        self.outcomes.append((contact, segment, agent, sale))
        return c.CompleteTask(agent, contact, "sold" if sale else "no_sale", sale)


def outcomes_of(world: World) -> list[Outcome]:
    """By segment and agent, as ClickHouse would sum them."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for _, segment, agent, sale in world.outcomes:
        sums[segment, agent][0] += 1
        sums[segment, agent][1] += sale
    return [Outcome(segment, agent, n, 0.0, float(total)) for (segment, agent), (n, total) in sums.items()]


def as_the_router_reads_it(rows) -> ScoresValue:
    packed = PackedAny()
    packed.Pack(table_value("sales", rows))
    found = value_of(packed)
    assert isinstance(found, ScoresValue)
    return found


def main() -> None:
    truth = as_the_router_reads_it(learn(exact(), AGENTS, prior=0.001))
    print("contacts learnt from | longest idle | by lot | table, 10 % explored | table, 0 % | the truth as table")
    for contacts in (200, 500, 1_000, 2_000):
        rows = learn(outcomes_of(World(AgentOrder.LONGEST_IDLE, contacts=contacts).play()), AGENTS, prior=20)
        policies = (
            (AgentOrder.LONGEST_IDLE, 0, None),
            (AgentOrder.HIGHEST_VALUE, 100, None),
            (AgentOrder.HIGHEST_VALUE, 10, as_the_router_reads_it(rows)),
            (AgentOrder.HIGHEST_VALUE, 0, as_the_router_reads_it(rows)),
            (AgentOrder.HIGHEST_VALUE, 0, truth),
        )
        means = [
            sum(World(order, explore, scores, seed=seed).play().mean for seed in range(2, 7)) / 5
            for order, explore, scores in policies
        ]
        print(f"{contacts:5}  " + "  ".join(f"{mean:5.1f}" for mean in means), flush=True)


def exact() -> list[Outcome]:
    """Outcomes without luck."""
    return [Outcome(s, a, 1_000, 0.0, 100_000 * chance(s, AGENTS[a])) for s in SEGMENTS for a in AGENTS]


if __name__ == "__main__":
    main()
