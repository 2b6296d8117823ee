"""When a scenario is one that Erlang's formulas describe, and what they say of it."""

from __future__ import annotations

from junctor_router.application.contact_waits import THRESHOLD_MS
from junctor_router.application.distributions import Constant, Exponential
from junctor_router.application.erlang import Exact, erlang_a, erlang_c
from junctor_router.application.scenario import Scenario
from junctor_router.application.simulation import HOUR_MS, Simulation
from junctor_router.domain.agent import Agent
from junctor_router.domain.expression import bind, select


def exact_for(simulation: Simulation, scenario: Scenario, threshold_ms: int) -> tuple[Exact | None, str]:
    """The exact figures, or None and why there are none. Plays the simulation's first moment: all shifts begin there."""
    reason = _unsteady(scenario)
    if reason:
        return None, reason
    [traffic] = scenario.traffic
    simulation.virtual.run(scenario.begins)
    state = simulation.virtual.pool.state
    queue = state.queues[traffic.queue].value
    if queue.wrap_up_ms or queue.calendar:
        return None, "the queue has a wrap-up or business hours"
    first = state.plan_of(traffic.queue).steps[0]
    if first.step.duration_ms or traffic.requirements:
        return None, "the plan relaxes with time or contacts have requirements of their own"
    serving: list[Agent] = [state.agents[shift.agent_id] for shift in scenario.shifts]
    matching = select(bind(first.expression.root, traffic.data, state.attributes), state.index)
    if any(not matching >> a.member.position & 1 or a.slots.get(traffic.channel, 0) != 1 for a in serving):
        return None, "agents differ: some do not serve the queue, or more than one contact at once"
    arrivals = traffic.rates[0].per_hour / HOUR_MS
    threshold = threshold_ms or THRESHOLD_MS
    if isinstance(traffic.patience, Exponential):
        patience = traffic.patience.mean_ms
        return erlang_a(arrivals, traffic.handle.mean_ms, patience, len(serving), threshold), ""
    found = erlang_c(arrivals, traffic.handle.mean_ms, len(serving), threshold)
    return found, "" if found is not None else "the agents cannot keep up, so the line grows without end"


def _unsteady(scenario: Scenario) -> str:
    if len(scenario.traffic) != 1:
        return "more than one stream of contacts"
    [traffic] = scenario.traffic
    if len(traffic.rates) != 1 or (traffic.rates[0].begins, traffic.rates[0].ends) != (scenario.begins, scenario.ends):
        return "arrivals change over the day"
    if any(
        (shift.begins, shift.ends, shift.breaks) != (scenario.begins, scenario.ends, ()) for shift in scenario.shifts
    ):
        return "the number of agents changes over the day"
    if len({shift.agent_id for shift in scenario.shifts}) != len(scenario.shifts):
        return "an agent has two shifts"
    if not isinstance(traffic.handle, Exponential) or not isinstance(traffic.patience, Exponential | None):
        return "handle times or patience are not exponential"
    if scenario.answer != Constant(0):
        return "offers ring for a while"
    return ""
