"""The tenant file: what it says is what the directory gets, and each mistake has its line."""

import dataclasses
import re
from pathlib import Path

import pytest
from junctor.directory.v1 import directory_pb2 as pb
from junctor_cli import tenant_file
from junctor_cli.tenant_file import Mistake, ha1
from junctor_directory.application.validation import check
from junctor_directory.application.values import name_of
from junctor_directory.settings import PROMPTS
from junctor_router.domain.configuration import PlanValue, QueueValue, Step

DEMO = Path(__file__).parents[3] / "demo" / "tenant.yaml"


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "tenant.yaml"
        path.write_text(text, encoding="utf-8")
        return tenant_file.read(path)

    return read_text


def test_the_demo_file_is_sound():
    file = tenant_file.read(DEMO)
    found = check({name_of(value): value for value in file.values}, frozenset(PROMPTS))
    assert (found.problems, found.warnings) == ([], [])
    assert len(file.values) > 25


def test_the_file_of_the_page_on_scores_lacks_only_its_table(read):
    (text,) = re.findall(r"```yaml\n(.*?)```", (DEMO.parents[1] / "docs" / "scores.md").read_text(), re.DOTALL)
    found = check({name_of(value): value for value in read(text).values}, frozenset(PROMPTS))
    assert found.problems == []
    assert [w.field for w in found.warnings] == ["queue/sales/plan"]


def test_friendly_values_become_the_directorys():
    path = DEMO
    values = {name_of(value): value for value in tenant_file.read(path).values}
    loans = values["queue", "loans"].queue
    assert (loans.service_level_percent, loans.service_level_ms, loans.wrap_up_ms) == (80, 20_000, 3_000)
    alice = values["agent", "alice"].agent
    assert (alice.device, alice.capacity["chat"], alice.attributes["channel.chat"]) == ("1001", 4, "true")
    assert dict(alice.device_ha1) == ha1("1001", "demo-1001")
    assert values["plan", "loans"].plan.steps[0].order == pb.AGENT_ORDER_MOST_PROFICIENT
    assert values["flow", "main"].flow.nodes["menu"].menu.choices["1"] == "cards_by_tier"
    assert values["tenant", "self"].tenant.time_zone == "Asia/Shanghai"


ALL_OF_A_STEP = """
tenant: {segments: [gold]}
plans:
  p:
    steps:
      - expression: loan >= 5
        duration: 30s
        order: most_proficient
        skip_if_no_agent: true
        skip_if_wait_above: 2m
        skip_if_wait_below: 5s
        priority: 2
        prefer: [vip, region == "north"]
        relax: [{expression: loan >= 8, after: 15s}]
        weights: {loan: 3, language.zh: 1}
        shares:
          - {expression: vip, part: 70}
          - {expression: "!vip", part: 30}
    overflow: queue:others
    overflow_prompt: overflow
    unreachable: voicemail
    unreachable_after: 45s
    unreachable_prompt: overflow
queues:
  q: {plan: p, ratio: 2, starvation: never, objective: sales, explore_percent: 5, offer_agents: 3}
scores:
  q:
    rows:
      - {segment: gold, attribute: loan, value: 9, service: 12, sales: 340, contacts: 77}
"""


def test_a_step_says_all_that_the_router_knows(read):
    values = {name_of(value): value for value in read(ALL_OF_A_STEP).values}
    plan, queue, scores = values["plan", "p"].plan, values["queue", "q"].queue, values["scores", "q"].scores
    (step,) = plan.steps
    assert len(step.ListFields()) == len(step.DESCRIPTOR.fields)
    assert {field.name for field in step.DESCRIPTOR.fields} == {field.name for field in dataclasses.fields(Step)}
    assert len(plan.ListFields()) == len(plan.DESCRIPTOR.fields)
    of_the_edge = {"unreachable", "unreachable_after_ms", "unreachable_prompt"}
    routed = {field.name for field in dataclasses.fields(PlanValue)}
    assert {field.name for field in plan.DESCRIPTOR.fields} == routed | of_the_edge
    assert plan.unreachable_after_ms == 45_000
    assert {field.name for field in dataclasses.fields(QueueValue)} <= {field.name for field in queue.DESCRIPTOR.fields}
    assert (step.skip_if_wait_above_ms, step.relax[0].after_ms, step.weights["loan"]) == (120_000, 15_000, 3)
    assert [(share.expression, share.part) for share in step.shares] == [("vip", 70), ("!vip", 30)]
    assert (queue.starvation_ms, queue.objective, queue.offer_agents) == (-1, pb.OBJECTIVE_SALES, 3)
    assert len(scores.rows[0].ListFields()) == len(scores.rows[0].DESCRIPTOR.fields)


def test_the_password_itself_is_nowhere():
    assert not any("demo-1001" in str(value) for value in tenant_file.read(DEMO).values)


def test_ha1_is_the_hash_of_user_realm_and_password():
    # `printf 'Mufasa:junctor:Circle Of Life' | md5sum`
    assert ha1("Mufasa", "Circle Of Life")["MD5"] == "a91d60242d825f6d2d8ff05b48b284e9"
    assert len(ha1("Mufasa", "Circle Of Life")["SHA-256"]) == 64


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("queues:\n  loans: {plan: [}\n", 2, "this is no YAML"),
        ("", 1, "the file is empty"),
        ("queue:\n  loans: {}\n", 1, "'queue' is no kind here; did you mean 'queues'?"),
        ("queues:\n  loans:\n    plans: x\n", 3, "'plans' is no field here; did you mean 'plan'?"),
        ("queues:\n  loans: {wrap_up: 3}\n", 2, "wrap_up: a time like 20s, 500ms, 2m or 1h is expected, not '3'"),
        ("queues:\n  loans: {service_level: 80%}\n", 2, "percent and time are expected, as in 80/20s"),
        ("queues:\n  a: {}\n  a: {}\n", 3, "'a' is already in line 2"),
        ("attributes:\n  a: {type: skill}\n", 2, "type: 'skill' is not one of proficiency, boolean, text, number"),
        ("agents:\n  a: {device_password: x}\n", 2, "device_password needs a `device`"),
        ("agents:\n  - a\n", 2, "has names with values"),
        ("plans:\n  p:\n    steps:\n      - skip_if_no_agent: yes\n", 4, "true or false is expected, not 'yes'"),
        ("queues:\n  a: {priority: high}\n", 2, "priority: a whole number is expected, not 'high'"),
        ("queues:\n  a: {name: [x]}\n", 2, "name: a single value is expected here"),
    ],
)
def test_a_mistake_is_told_with_its_line(read, text, line, sentence):
    with pytest.raises(Mistake) as mistake:
        read(text)
    (found, *_) = [one for one in mistake.value.sentences if sentence in one] or [str(mistake.value)]
    assert f"tenant.yaml:{line}: " in found and sentence in found


def test_all_mistakes_are_told_at_once(read):
    with pytest.raises(Mistake) as mistake:
        read("queues:\n  a: {plann: x}\n  b: {wrap_up: x}\n")
    assert len(mistake.value.sentences) == 2


def test_what_the_directory_finds_is_shown_in_the_file(read):
    file = read("queues:\n  a:\n    name: A\n    plan: none\nagents:\n  b:\n    attributes:\n      x: 1\n")
    assert file.place("queue/a/plan").endswith("tenant.yaml:4")
    assert file.place("agent/b/attributes/x").endswith("tenant.yaml:8")
    assert file.place("queue/a/calendar").endswith("tenant.yaml:2")
    assert file.place("queue/gone").endswith("tenant.yaml")
