"""`junctor simulate`: the files, the answer, the pictures."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from junctor_cli.__main__ import cli
from junctor_cli.simulation import scenario_file
from junctor_cli.simulation.scenario_file import ScenarioMistake
from junctor_router.application.distributions import Constant, Exponential, LogNormal, Recorded, Uniform

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "demo" / "tenant.yaml"
EXAMPLE = ROOT / "cli" / "junctor_cli" / "simulation" / "example.yaml"
TENANT = """
queues:
  help: {service_level: 80/20s}
agents:
  ann: {device: 1001, capacity: {voice: 1}}
"""
STEADY = """
from: "08:00"
to: "12:00"
warm_up: 30m
queues:
  help: {per_hour: 100, handle: {exponential: 90s}}
shifts:
  - {like: ann, count: 4}
"""


@pytest.fixture
def simulate(tmp_path):
    def run(tenant, scenario, *more):
        if isinstance(scenario, str):
            (tmp_path / "scenario.yaml").write_text(scenario)
            scenario = tmp_path / "scenario.yaml"
        if isinstance(tenant, str):
            (tmp_path / "tenant.yaml").write_text(tenant)
            tenant = tmp_path / "tenant.yaml"
        return CliRunner().invoke(cli, ["simulate", "-f", str(tenant), "--scenario", str(scenario), *more])

    return run


def test_the_example_day_has_figures_and_pictures_and_a_seed_makes_it_again(simulate, tmp_path):
    outs = [tmp_path / "one", tmp_path / "again", tmp_path / "other"]
    for out, seed in zip(outs, ("3", "3", "4"), strict=True):
        result = simulate(DEMO, EXAMPLE, "--runs", "2", "--seed", seed, "--out", str(out))
        assert result.exit_code == 0, result.output
    assert "No exact values: more than one stream of contacts." in result.output
    one, again, other = (json.loads((out / "result.json").read_text()) for out in outs)
    assert one == again
    assert one["pools"]["default"]["hashes"] != other["pools"]["default"]["hashes"]
    cards = one["pools"]["default"]["queues"]["cards"]
    assert 300 < cards["offered"]["mean"] < 550
    assert cards["service_level"]["half"] > 0
    assert sorted(path.name for path in outs[0].glob("*.svg")) == [
        f"default-{queue}.svg" for queue in ("cards", "chat", "loans")
    ]
    drawn = ElementTree.parse(outs[0] / "default-cards.svg").getroot()
    bars = [e for e in drawn.iter("{http://www.w3.org/2000/svg}rect") if e.get("fill") == "#c9d6e8"]
    assert len(bars) == 20 + 1, "a bar for each half hour of ten, and the legend's"


def test_erlangs_values_stand_beside_where_they_apply(simulate, tmp_path):
    result = simulate(TENANT, STEADY, "--runs", "6", "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    answer = json.loads((tmp_path / "out" / "result.json").read_text())["pools"]["default"]
    assert answer["model"] == "Erlang-C"
    exact = {row["name"]: row["exact"] for row in answer["exact"]}
    assert exact["occupancy"] == pytest.approx(100 * 90 / 3600 / 4)
    assert all(row["inside"] for row in answer["exact"] if row["name"] != "abandonment")
    assert "Erlang-C: SL %" in result.output


@pytest.mark.parametrize(
    ("scenario", "sentence"),
    [
        ("queues: [}", "this is no YAML"),
        ("queue: {}", "'queue' is unknown; there are answer"),
        (STEADY.replace("90s", "90"), "queues.help.handle: a time like 20s"),
        (STEADY.replace("exponential", "normal"), "queues.help.handle: a time like 3m is expected, or {exponential"),
        (STEADY.replace("per_hour: 100, ", ""), "queues.help: give `per_hour` for the whole time or `arrivals`"),
        (STEADY.replace("100", "many"), "queues.help.per_hour: a number is expected, not 'many'"),
        (STEADY.replace('"12:00"', '"07:00"'), "to: it is not after `from`"),
        (STEADY.replace('"12:00"', "noon"), "to: a time like 08:30 is expected, not 'noon'"),
        (STEADY.replace("help", "halp"), "queues.halp: the tenant file has no such queue"),
        (STEADY.replace("like: ann", "like: bob"), "shifts: the tenant file has no agent bob"),
        (STEADY.replace("count: 4", "count: 0"), "shifts.0.count: 1 to 5000 is expected"),
        (STEADY.replace("help: {", "help: {channel: fax, "), "queues.help.channel: 'fax' is none of voice"),
        ("shifts: []", "the scenario has no queue with arrivals"),
        ("date: soon", "date: a day like 2026-03-02"),
    ],
)
def test_each_mistake_is_told_with_its_place(simulate, scenario, sentence):
    result = simulate(TENANT, scenario)
    assert result.exit_code == 1
    assert sentence in result.output


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("70s", Constant(70_000)),
        ("{constant: 1m}", Constant(60_000)),
        ("{exponential: 1.5m}", Exponential(90_000)),
        ("{lognormal: 3m, variation: 0.8}", LogNormal(180_000, 0.8)),
        ("{uniform: [1s, 3s]}", Uniform(1_000, 3_000)),
        ("{recorded: [70s, 95s]}", Recorded((70_000, 95_000))),
    ],
)
def test_distributions_are_read(tmp_path, text, meant):
    path = tmp_path / "scenario.yaml"
    path.write_text(f"answer: {text}\n")
    _, scenario = scenario_file.read(path, "UTC").for_pool([])
    assert scenario.answer == meant


def test_times_of_day_are_the_tenants(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text('date: 2026-03-02\nfrom: "08:00"\nto: "26:30"\n')
    _, shanghai = scenario_file.read(path, "Asia/Shanghai").for_pool([])
    _, utc = scenario_file.read(path, "UTC").for_pool([])
    assert utc.begins - shanghai.begins == 8 * 3_600_000
    assert utc.ends - utc.begins == 18.5 * 3_600_000
    with pytest.raises(ScenarioMistake):
        path.write_text('from: "8"\n')
        scenario_file.read(path, "UTC")
