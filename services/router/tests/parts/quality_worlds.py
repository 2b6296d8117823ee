"""Worlds in which the router's assignments are compared with the best that one who knows all beforehand could make.

The router decides at once and for good, when a contact comes or an agent becomes free. Who may serve whom is stated here on
its own, from the numbers the world was made of.
"""

import random
from dataclasses import dataclass

from exact_optima import highest_value, largest_matching
from junctor_router.application.cel import parse
from junctor_router.domain.commands import ConfigurationChanged, LogIn, RequestTask
from junctor_router.domain.configuration import AgentValue, PlanValue, QueueValue, Score, ScoresValue, Step
from junctor_router.domain.events import ReservationCreated
from junctor_router.domain.pool import Pool
from junctor_router.domain.values import AgentOrder, AgentState, Channel

START = 1_800_000_000_000
SEEDS = tuple(range(1, 21))
SIZE, VALUED = 120, 80
SKILLS, PER_AGENT, SEGMENTS = 12, 3, 5


@dataclass(frozen=True)
class Found:
    router: int
    best: int

    @property
    def ratio(self):
        return self.router / self.best


def cardinality(seed, agents_wait):
    """Contacts served by as many agents. `agents_wait`: the agents are free and contacts come one after the other;
    otherwise all contacts are in line and agents become free one after the other. With the longest wait and the longest
    idle first both come to the same assignments."""
    rng = random.Random(seed)
    agents = [_skills(rng) for _ in range(SIZE)]
    contacts = [(rng.randrange(SKILLS), rng.randint(1, 7)) for _ in range(SIZE)]
    pool = Pool("quality", "default", parse)
    for skill, least in sorted(set(contacts)):
        plan = PlanValue((Step(f"s{skill} >= {least}", 0),))
        _configure(pool, "plan", f"p{skill}-{least}", plan)
        _configure(pool, "queue", f"q{skill}-{least}", QueueValue(plan=f"p{skill}-{least}"))
    arrivals = [RequestTask(f"c{n}", Channel.VOICE, f"q{skill}-{least}") for n, (skill, least) in enumerate(contacts)]
    events = _run(pool, agents, arrivals, agents_wait)
    may = [
        [number for number, skills in enumerate(agents) if skills.get(skill, 0) >= least] for skill, least in contacts
    ]
    for event in events:
        assert int(event.agent_id[1:]) in may[int(event.contact_id[1:])]
    assert len({event.agent_id for event in events}) == len({event.contact_id for event in events}) == len(events)
    return Found(len(events), largest_matching(may))


def value(seed):
    """What a score table says that the assignments are worth: half as many contacts as free agents, one after the other,
    each to the agent of the highest predicted value."""
    rng = random.Random(seed)
    agents = [_skills(rng) for _ in range(VALUED)]
    contacts = [rng.randrange(SEGMENTS) for _ in range(VALUED // 2)]
    points = {(segment, skill): rng.randint(0, 20) for segment in range(SEGMENTS) for skill in range(SKILLS)}
    pool = Pool("quality", "default", parse)
    _configure(pool, "plan", "p", PlanValue((Step("", 0, AgentOrder.HIGHEST_VALUE),)))
    _configure(pool, "queue", "q", QueueValue(plan="p"))
    rows = tuple(Score(f"g{segment}", f"s{skill}", "", worth, 0) for (segment, skill), worth in points.items())
    _configure(pool, "scores", "q", ScoresValue(rows))
    arrivals = [
        RequestTask(f"c{n}", Channel.VOICE, "q", data={"segment": f"g{segment}"}) for n, segment in enumerate(contacts)
    ]
    worth = [
        [sum(points[segment, skill] * level for skill, level in skills.items()) for skills in agents]
        for segment in contacts
    ]
    events = _run(pool, agents, arrivals, agents_wait=True)
    assert len(events) == len(contacts)
    mine = sum(worth[int(event.contact_id[1:])][int(event.agent_id[1:])] for event in events)
    return Found(mine, highest_value(worth))


def _skills(rng):
    return {skill: rng.randint(1, 10) for skill in rng.sample(range(SKILLS), PER_AGENT)}


def _configure(pool, kind, id, value):
    pool.apply(ConfigurationChanged(kind, id, 1, value), START)


def _run(pool, agents, arrivals, agents_wait):
    for number, skills in enumerate(agents):
        attributes = {f"s{skill}": str(level) for skill, level in skills.items()}
        _configure(pool, "agent", f"a{number}", AgentValue(attributes, f"d{number}"))
    log_ins = [LogIn(f"a{number}", state=AgentState.READY) for number in range(len(agents))]
    events = []
    for moment, command in enumerate([*log_ins, *arrivals] if agents_wait else [*arrivals, *log_ins]):
        outcome = pool.apply(command, START + moment)
        assert outcome.refusal is None, outcome.refusal
        events += [event for event in outcome.events if isinstance(event, ReservationCreated)]
    return events
