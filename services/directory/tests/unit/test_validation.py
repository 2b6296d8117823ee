"""What a configuration is refused for, in sentences that say where and what to do."""

import pytest
from google.protobuf import text_format
from junctor.directory.v1 import directory_pb2 as pb
from junctor_directory.application.validation import check, new_problems
from junctor_directory.application.values import name_of

PROMPTS = frozenset({"welcome_menu", "goodbye"})
GOOD = """
  values { id: "self" tenant { time_zone: "Asia/Shanghai" language: "en" } }
  values { id: "product.loans" attribute { type: ATTRIBUTE_TYPE_PROFICIENCY } }
  values { id: "vip" attribute { type: ATTRIBUTE_TYPE_BOOLEAN } }
  values { id: "strict" plan { steps { expression: "product.loans >= 7" duration_ms: 1 } steps {} } }
  values { id: "loans" queue { plan: "strict" calendar: "day" service_level_percent: 80 } }
  values { id: "day" calendar { hours { days: ["mon", "sun"] from: "00:00" to: "24:00" } } }
  values { id: "alice" agent { attributes { key: "product.loans" value: "8" } attributes { key: "vip" value: "true" }
           device: "1001" device_ha1 { key: "MD5" value: "0123456789abcdef0123456789abcdef" }
           capacity { key: "chat" value: 4 } } }
  values { id: "main" flow { start: "menu"
           nodes { key: "menu" value { menu { prompts: "welcome_menu" choices { key: "1" value: "loans" } otherwise: "bye" } } }
           nodes { key: "loans" value { route { queue: "loans" requirements: "vip" } } }
           nodes { key: "bye" value { hang_up { prompts: "goodbye" } } } } }
  values { id: "4001" number { flow: "main" } }
  values { id: "greeter" bot { greeting: "Hello" rules { words: "loan" queue: "loans" } } }
  values { id: "web" widget { bot: "greeter" queue: "loans" origins: "https://www.example.com" } }
"""


def values(text):
    request = text_format.Parse(text, pb.ApplyConfigurationRequest())
    return {name_of(value): value for value in request.values}


def problems(text):
    return [(problem.field, problem.text) for problem in check({**values(GOOD), **values(text)}, PROMPTS).problems]


def test_a_good_configuration_has_neither_problems_nor_warnings():
    found = check(values(GOOD), PROMPTS)
    assert (found.problems, found.warnings) == ([], [])


@pytest.mark.parametrize(
    ("text", "field", "sentence"),
    [
        ('id: "q" queue { plan: "x" }', "queue/q/plan", "queue 'q': plan 'x' does not exist; known plans: strict"),
        ('id: "q" queue {}', "queue/q/plan", "queue 'q': a plan is needed; known plans: strict"),
        ('id: "Q" queue { plan: "strict" }', "queue/Q", "an id has 1 to 63 lower case letters"),
        ('id: "q" queue { plan: "strict" pool: "x" }', "queue/q/pool", "pool 'x' does not exist; known pools: default"),
        ('id: "q" queue { plan: "strict" wrap_up_ms: -1 }', "queue/q/wrap_up_ms", "a time cannot be negative"),
        ('id: "q" queue { plan: "strict" closed_prompt: "no" }', "queue/q/closed_prompt", "prompt 'no' does not exist"),
        (
            'id: "p" plan { steps { expression: "product.loans >=" } }',
            "plan/p/steps/0/expression",
            "'product.loans >=', column 15: it is not valid CEL: something is wrong or missing near '>='",
        ),
        ('id: "p" plan { steps {} overflow: "fax" }', "plan/p/overflow", "'fax' is no treatment; use message"),
        ('id: "p" plan { steps {} overflow: "queue:x" }', "plan/p/overflow", "queue 'x' does not exist"),
        ('id: "4002" number { flow: "x" }', "number/4002/flow", "flow 'x' does not exist; known flows: main"),
        ('id: "40a" number { flow: "main" }', "number/40a", "a number has digits only"),
        (
            'id: "b" agent { attributes { key: "skill" value: "1" } }',
            "agent/b/attributes/skill",
            "attribute 'skill' does not exist; known attributes: product.loans, vip",
        ),
        (
            'id: "b" agent { attributes { key: "product.loans" value: "11" } }',
            "agent/b/attributes/product.loans",
            "attribute 'product.loans' is a whole number from 1 to 10, not '11'",
        ),
        (
            'id: "b" agent { attributes { key: "vip" value: "yes" } }',
            "agent/b/attributes/vip",
            "attribute 'vip' is true or false, not 'yes'",
        ),
        ('id: "b" agent { device: "1001" }', "agent/alice/device", "phone '1001' is already that of agent 'b'"),
        ('id: "b" agent { capacity { key: "fax" value: 1 } }', "agent/b/capacity/fax", "'fax' is no channel"),
        ('id: "b" agent { device_ha1 { key: "MD5" value: "x" } }', "agent/b/device_ha1", "has 32 hex digits"),
        (
            'id: "c" calendar { hours { days: "mon" from: "9" to: "18:00" } }',
            "calendar/c/hours/0/from",
            "'9' is no time of day like 09:00",
        ),
        (
            'id: "c" calendar { hours { days: "mon" from: "22:00" to: "06:00" } }',
            "calendar/c/hours/0",
            "22:00 is not before 06:00; write hours past midnight as two lines",
        ),
        ('id: "c" calendar { closed_dates: "1.10." }', "calendar/c/closed_dates/0", "'1.10.' is no date"),
        ('id: "c" calendar { time_zone: "Mars/1" }', "calendar/c/time_zone", "'Mars/1' is no IANA time zone"),
        ('id: "w" widget {}', "widget/w/queue", "a bot or a queue is needed"),
        ('id: "w" widget { queue: "loans" origins: "x" }', "widget/w/origins/0", "'x' is no web origin"),
        ('id: "b" bot { rules { reply: "x" } }', "bot/b/rules/0/words", "rule 1 has no words"),
        ('id: "f" flow { start: "x" }', "flow/f/start", "node 'x' does not exist; there is no node yet"),
        (
            'id: "f" flow { start: "a" nodes { key: "a" value { play { prompts: "welcome_menu" next: "z" } } } }',
            "flow/f/nodes/a/play/next",
            "node 'z' does not exist; known nodes: a",
        ),
        (
            'id: "f" flow { start: "a" nodes { key: "a" value { decide { otherwise: "a" } } } }',
            "flow/f/nodes/a",
            "node 'a' can lead back to itself without a word to the caller",
        ),
        (
            'id: "f" flow { start: "a" nodes { key: "a" value { hang_up { prompts: "song" } } } }',
            "flow/f/nodes/a/hang_up/prompts/0",
            "prompt 'song' does not exist; known prompts: goodbye, welcome_menu",
        ),
        ('id: "u" unit { parent: "u" }', "unit/u/parent", "unit 'u' is above itself"),
        ('id: "u" user { roles: ROLE_AGENT agent: "x" }', "user/u/agent", "agent 'x' does not exist"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, field, sentence):
    found = problems(f"values {{ {text} }}")
    assert any(where == field and sentence in what for where, what in found), found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('id: "p" plan { steps {} steps {} }', "step 1 has no end, so the steps after it never come"),
        ('id: "a" agent { device: "1002" }', "phone '1002' has no password"),
        (
            'id: "f" flow { start: "a" nodes { key: "a" value { hang_up {} } } nodes { key: "b" value { hang_up {} } } }',
            "no way leads to node 'b'",
        ),
    ],
)
def test_what_cannot_work_but_is_allowed_is_a_warning(text, sentence):
    found = check({**values(GOOD), **values(f"values {{ {text} }}")}, PROMPTS)
    assert found.problems == []
    assert any(sentence in warning.text for warning in found.warnings), found.warnings


def test_deleting_what_others_need_is_a_problem_of_those_who_need_it():
    before = values(GOOD)
    after = {name: value for name, value in before.items() if name.kind != "plan"}
    (problem,) = new_problems(check(before, PROMPTS).problems, check(after, PROMPTS).problems)
    assert problem.text == "queue 'loans': plan 'strict' does not exist; there is no plan yet"


def test_what_was_wrong_before_does_not_stand_in_the_way_of_a_change():
    before = {**values(GOOD), **values('values { id: "old" queue { plan: "gone" } }')}
    after = {**before, **values('values { id: "4002" number { flow: "main" } }')}
    assert new_problems(check(before, PROMPTS).problems, check(after, PROMPTS).problems) == []
