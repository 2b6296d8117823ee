"""A day in virtual time: reproducible, its figures hold against Erlang's formulas."""

import dataclasses
import math
import os

import pytest
from junctor_router.application.distributions import Constant, Exponential, LogNormal, Recorded, Uniform
from junctor_router.application.draws import Draws
from junctor_router.application.erlang import erlang_a, erlang_c
from junctor_router.application.erlang_conditions import exact_for
from junctor_router.application.queue_figures import interval
from junctor_router.application.scenario import Rate, Scenario, Shift, Traffic
from junctor_router.application.simulation import HOUR_MS, PlanMistake, Simulation
from junctor_router.domain.commands import ConfigurationChanged
from junctor_router.domain.configuration import AgentValue, PlanValue, QueueValue, Step

BEGINS = 1_800_000_000_000
LONG = bool(os.environ.get("JUNCTOR_SIMULATION_LONG"))
"""The long mode comes to half-widths of 1 %; it takes some ten minutes."""


def centre(agents, queue=None, **values):
    told = [ConfigurationChanged(kind, id, 1, value) for (kind, id), value in values.get("more", {}).items()]
    told.append(ConfigurationChanged("queue", "q", 1, queue or QueueValue()))
    return told + [ConfigurationChanged("agent", f"a{n}", 1, AgentValue({}, "phone")) for n in range(agents)]


def steady(agents, per_hour, patience=None, hours=8, **more):
    ends = BEGINS + hours * HOUR_MS
    traffic = Traffic("q", (Rate(BEGINS, ends, per_hour),), Exponential(60_000), patience=patience)
    shifts = tuple(Shift(f"a{n}", BEGINS, ends) for n in range(agents))
    return Scenario(BEGINS, ends, (traffic,), shifts, warm_up_ms=HOUR_MS, cool_down_ms=HOUR_MS // 2, **more)


def play(scenario, runs, seed=1, agents=4, **more):
    configuration = centre(agents, **more)
    return [Simulation(configuration, scenario, seed, run, {"q": 10_000}).play() for run in range(runs)]


CASES = [
    pytest.param(None, 150, "Erlang-C", id="nobody gives up"),
    pytest.param(Exponential(40_000), 260, "Erlang-A", id="patience is exponential"),
]


@pytest.mark.parametrize(("patience", "per_hour", "model"), CASES)
def test_the_exact_value_lies_in_the_runs_interval(patience, per_hour, model):
    hours, runs, width = (120, 40, 0.01) if LONG else (10, 6, 0.12)
    scenario = steady(4, per_hour, patience, hours=hours)
    exact, why_not = exact_for(Simulation(centre(4), scenario, 1, 0, {}), scenario, 10_000)
    assert (exact.model, why_not) == (model, "")
    results = play(scenario, runs)
    shares = {
        name: [getattr(r.steady["q"], name) for r in results] for name in ("service_level", "abandonment", "delayed")
    }
    shares["occupancy"] = [result.occupancy for result in results]
    for name, samples in shares.items():
        found = interval(samples)
        assert found.half <= width, name
        assert found.holds(getattr(exact, name)), (name, found, getattr(exact, name))
    assert interval([result.steady["q"].asa_ms for result in results]).holds(exact.asa_ms)


def test_a_seed_makes_the_same_run_and_another_seed_another():
    scenario = steady(3, 120, Exponential(60_000), hours=2)
    first, again = play(scenario, 2, seed=7, agents=3), play(scenario, 2, seed=7, agents=3)
    assert first == again
    assert first[0].hash != first[1].hash
    assert play(scenario, 1, seed=8, agents=3)[0].hash != first[0].hash


def test_the_same_customers_come_under_another_plan():
    scenario = steady(3, 120, Exponential(60_000), hours=2)
    narrow = {("plan", "p"): PlanValue((Step("skill", 5_000), Step("")))}
    one, other = play(scenario, 1, agents=3), play(scenario, 1, agents=3, queue=QueueValue(plan="p"), more=narrow)
    assert one[0].queues["q"].offered == other[0].queues["q"].offered
    assert other[0].queues["q"].asa_ms > one[0].queues["q"].asa_ms


def test_breaks_and_shifts_take_agents_away():
    day = BEGINS + 2 * HOUR_MS
    traffic = Traffic("q", (Rate(BEGINS, day, 30),), Constant(60_000), patience=Constant(30_000))
    pause = (BEGINS + HOUR_MS // 2, BEGINS + HOUR_MS)
    scenario = Scenario(BEGINS, day, (traffic,), (Shift("a0", BEGINS, day, (pause,)),))
    [result] = play(scenario, 1, agents=1)
    in_break = result.slots["q"][1]
    assert in_break.offered > 5
    assert in_break.answered <= 1
    assert result.slots["q"][0].answered > 3
    assert exact_for(Simulation(centre(1), scenario, 1, 0, {}), scenario, 0) == (
        None,
        "the number of agents changes over the day",
    )


def test_wrap_up_is_part_of_the_handle_time():
    scenario = steady(4, 60)
    traffic = dataclasses.replace(scenario.traffic[0], handle=Constant(50_000), wrap_up=Constant(7_000))
    scenario = dataclasses.replace(scenario, traffic=(traffic,))
    [result] = play(scenario, 1, queue=QueueValue(wrap_up_ms=30_000))
    assert result.queues["q"].aht_ms == 57_000


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"traffic": ("nowhere", "a0")}, "The queue nowhere of the scenario"),
        ({"traffic": ("q", "ghost")}, "The agent ghost of a shift"),
    ],
)
def test_what_does_not_fit_is_told(change, sentence):
    queue, agent = change["traffic"]
    traffic = Traffic(queue, (Rate(BEGINS, BEGINS + HOUR_MS, 30),), Constant(1))
    scenario = Scenario(BEGINS, BEGINS + HOUR_MS, (traffic,), (Shift(agent, BEGINS, BEGINS + HOUR_MS),))
    with pytest.raises(PlanMistake, match=sentence):
        Simulation(centre(1), scenario, 1, 0, {})


def test_erlangs_formulas_give_published_and_limiting_values():
    # Erlang C of 10 agents at 8 erlangs: 0.4092 (any table); M/M/1: P(wait) = load.
    ten = erlang_c(8 / 60_000, 60_000, 10, 0)
    assert ten.delayed == pytest.approx(0.4092, abs=5e-5)
    assert erlang_c(0.5, 1, 1, 0).delayed == pytest.approx(0.5)
    assert erlang_c(2, 1, 2, 0) is None
    # Endless patience comes to Erlang-C, none at all to Erlang-B (10 agents at 8 erlangs: 0.1217).
    patient = erlang_a(8 / 60_000, 60_000, 1e10, 10, 20_000)
    same = erlang_c(8 / 60_000, 60_000, 10, 20_000)
    assert (patient.service_level, patient.asa_ms) == (
        pytest.approx(same.service_level, abs=1e-4),
        pytest.approx(same.asa_ms, rel=1e-3),
    )
    assert erlang_a(8 / 60_000, 60_000, 1e-3, 10, 0).abandonment == pytest.approx(0.1217, abs=5e-5)
    assert erlang_a(900 / 60_000, 60_000, 60_000, 800, 20_000).occupancy > 0.99


@pytest.mark.parametrize(
    "kind",
    [Exponential(10_000), LogNormal(10_000, 0.5), Uniform(5_000, 15_000), Recorded((5_000, 15_000)), Constant(10_000)],
)
def test_distributions_have_their_mean(kind):
    draws = Draws(3, "mean")
    values = [kind.draw(draws) for _ in range(4_000)]
    assert min(values) >= 0
    assert sum(values) / len(values) == pytest.approx(kind.mean_ms, rel=0.05)


def test_draws_are_those_of_their_names():
    assert Draws(1, "a", 2).uniform() == Draws(1, "a", 2).uniform() != Draws(1, "a", 3).uniform()
    # printf '1/a#0' | sha256sum: the first 53 bits
    assert Draws(1, "a").uniform() == 0.18201017380113726


def test_an_interval_is_students():
    assert interval([1.0, 3.0]).half == pytest.approx(63.657)
    assert interval([0.0, 1.0] * 50).half == pytest.approx(2.6264 * math.sqrt(25 / 99 / 100), rel=1e-3)
    assert math.isnan(interval([1.0]).half)
    assert interval([1.0, math.nan, 3.0]).mean == 2.0
