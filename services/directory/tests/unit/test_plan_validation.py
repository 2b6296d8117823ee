"""What plans, requirements and score tables are refused for or warned of, held against the tenant's own agents."""

import pytest
from google.protobuf import text_format
from junctor.directory.v1 import directory_pb2 as pb
from junctor_directory.application.validation import check
from junctor_directory.application.values import name_of

GOOD = """
  values { id: "self" tenant { segments: ["gold", "young"] } }
  values { id: "loan" attribute { type: ATTRIBUTE_TYPE_PROFICIENCY } }
  values { id: "fund" attribute { type: ATTRIBUTE_TYPE_PROFICIENCY } }
  values { id: "vip" attribute { type: ATTRIBUTE_TYPE_BOOLEAN } }
  values { id: "region" attribute { type: ATTRIBUTE_TYPE_TEXT } }
  values { id: "north" pool {} }
  values { id: "ann" agent { attributes { key: "loan" value: "7" } attributes { key: "region" value: "south" } } }
  values { id: "bob" agent { attributes { key: "loan" value: "3" } attributes { key: "vip" value: "true" } } }
  values { id: "nora" agent { attributes { key: "loan" value: "10" } pool: "north" } }
  values { id: "p" plan { steps { expression: "loan >= 7" duration_ms: 1000 } steps {} } }
  values { id: "worth" plan { steps { order: AGENT_ORDER_HIGHEST_VALUE } } }
  values { id: "q" queue { plan: "p" } }
  values { id: "sales" queue { plan: "worth" objective: OBJECTIVE_SALES explore_percent: 10 } }
  values { id: "sales" scores { rows { segment: "gold" attribute: "loan" sales: 5 }
                                rows { segment: "gold" attribute: "region" value: "south" sales: 20 contacts: 40 } } }
"""


def values(text):
    request = text_format.Parse(text, pb.ApplyConfigurationRequest())
    return {name_of(value): value for value in request.values}


def found(*texts):
    return check(values(GOOD) | {name: value for text in texts for name, value in values(text).items()}, frozenset())


def plan(steps, more="", id="p"):
    return f'values {{ id: "{id}" plan {{ {steps} {more} }} }}'


def test_a_good_configuration_has_neither_problems_nor_warnings():
    assert (found().problems, found().warnings) == ([], [])


@pytest.mark.parametrize(
    ("step", "field", "sentence"),
    [
        ('expression: "loan >= 11"', "expression", "'loan >= 11', column 9: loan is 1 to 10, never 11"),
        (
            'expression: "loan >= 5 &&\\n laon < 9"',
            "expression",
            "line 2, column 2: attribute 'laon' does not exist; did you mean 'loan'? Known attributes: fund, loan,",
        ),
        ('expression: "loan == \\"seven\\""', "expression", "column 9: loan is a whole number from 1 to 10"),
        ('expression: "vip > true"', "expression", "column 1: vip is true or false and has no order"),
        ('expression: "size(region) > 1"', "expression", "column 1: a function cannot be used as a value"),
        ('expression: "data.x.startsWith(\\"a\\")"', "expression", "startsWith can be used in flows only"),
        ('prefer: "skill"', "prefer/0", "attribute 'skill' does not exist"),
        ('prefer: ["vip", ""]', "prefer/1", "an expression is needed: an empty one is everyone"),
        ('relax { expression: "loan >" after_ms: 5 }', "relax/0/expression", "it is not valid CEL"),
        ('relax { expression: "vip" after_ms: -1 }', "relax/0/after_ms", "a time cannot be negative"),
        ('shares { expression: "vip" }', "shares/0/part", "a part of 0 gives it nothing"),
        (
            'shares { part: 50 } shares { expression: "vip" part: 50 }',
            "shares/0/expression",
            "who belongs to the group",
        ),
        ('shares { expression: "team == 1" part: 1 }', "shares/0/expression", "attribute 'team' does not exist"),
        (
            'weights { key: "loans" value: 1 }',
            "weights/loans",
            "attribute 'loans' does not exist; did you mean 'loan'?",
        ),
        (
            'weights { key: "region" value: 1 }',
            "weights/region",
            "'region' has no whole numbers, so it cannot be weighed",
        ),
        ('weights { key: "loan" value: 0 }', "weights/loan", "a weight of 0 counts nothing"),
    ],
)
def test_what_a_step_cannot_have(step, field, sentence):
    problems = found(plan(f"steps {{ {step} }}")).problems
    assert any(p.field == f"plan/p/steps/0/{field}" and sentence in p.text for p in problems), problems


@pytest.mark.parametrize(
    ("steps", "field", "sentence"),
    [
        (
            'steps { expression: "loan >= 8" }',
            "0/expression",
            "no agent meets 'loan >= 8' (the highest loan is 7), so step 1",
        ),
        ('steps { expression: "fund >= 1" }', "0/expression", "no agent meets 'fund >= 1' (nobody has fund), so"),
        (
            'steps { expression: "region == \\"west\\"" }',
            "0/expression",
            "no agent meets 'region == \"west\"', so step 1",
        ),
        (
            'steps { expression: "vip && region == \\"west\\"" }',
            "0/expression",
            "no agent meets 'vip && region == \"west\"' (nobody meets 'region == \"west\"'), so step 1",
        ),
        (
            'steps { expression: "loan >= 7 && vip" }',
            "0/expression",
            "no agent meets 'loan >= 7 && vip', so step 1 matches",
        ),
        (
            'steps { expression: "loan >= 8 && loan <= 3" }',
            "0/expression",
            "'loan >= 8 && loan <= 3' contradicts itself, so nobody ever meets it and step 1 matches nobody; its contacts",
        ),
        (
            'steps { expression: "fund >= 1" duration_ms: 9 } steps {}',
            "0/expression",
            "only later steps serve its contacts",
        ),
        ('steps { prefer: "fund >= 5" }', "0/prefer/0", "so step 1 prefers nobody by it"),
        (
            'steps { expression: "vip" relax { expression: "loan >= 7" after_ms: 5 } }',
            "0/relax/0/expression",
            "no agent meets 'vip && loan >= 7', so until it is relaxed step 1 matches nobody",
        ),
        ('steps { relax { expression: "vip" } }', "0/relax/0/after_ms", "it is never required; say `prefer`"),
        (
            'steps { duration_ms: 5 relax { expression: "vip" after_ms: 9 } }',
            "0/relax/0/after_ms",
            "step 1 ends before it relaxes, so it is always required",
        ),
        ('steps { shares { expression: "vip" part: 9 } }', "0/shares", "one group alone gets all contacts"),
        (
            'steps { shares { expression: "vip" part: 70 } shares { expression: "!vip" part: 20 } }',
            "0/shares",
            "the parts add up to 90, not 100, and are taken as 78 % / 22 %",
        ),
        (
            'steps { shares { expression: "vip" part: 70 } shares { expression: "fund > 2" part: 30 } }',
            "0/shares/1/expression",
            "so its part goes to the other groups",
        ),
        ('steps { weights { key: "loan" value: 2 } }', "0/weights", "weights count for the order most_proficient only"),
        (
            'steps { expression: "vip" order: AGENT_ORDER_MOST_PROFICIENT }',
            "0/order",
            "no expression of the step names a proficiency",
        ),
        ("steps {} steps { priority: 1 }", "0/duration_ms", "step 1 has no end, so the steps after it never come"),
        (
            'steps { expression: "vip" duration_ms: 5 } steps { expression: "vip" }',
            "1",
            "step 2 asks for the same agents in the same way as step 1",
        ),
    ],
)
def test_what_a_step_may_have_but_does_not_work(steps, field, sentence):
    findings = found(plan(steps))
    assert findings.problems == []
    where = f"plan/p/steps/{field}"
    assert any(w.field == where and sentence in w.text for w in findings.warnings), findings.warnings


def test_what_a_contact_gets_for_a_leader_who_is_not_reached_is_a_treatment():
    assert found(plan("steps {}", 'unreachable: "voicemail" unreachable_after_ms: 5000')).problems == []
    problems = [
        str(problem) for problem in found(plan("steps {}", 'unreachable: "queue:q" unreachable_after_ms: -1')).problems
    ]
    assert len(problems) == 2
    assert "'queue:q' is no treatment; use message, voicemail, callback, disconnect" in problems[0]


def test_an_overflow_that_never_comes_is_a_warning():
    (warning,) = found(plan("steps {}", 'overflow: "voicemail"')).warnings
    assert warning.text == "plan 'p': step 1, the last, has no end, so the overflow never comes; give it a duration"


def test_agents_of_the_queues_own_pool_count():
    north = 'values { id: "cold" queue { plan: "high" pool: "north" } }'
    high = plan('steps { expression: "loan >= 9" }', id="high")
    assert found(high, north).warnings == []
    here = 'values { id: "warm" queue { plan: "high" } }'
    (warning,) = found(high, north, here).warnings
    assert warning.text.startswith("plan 'high': no agent meets 'loan >= 9' (the highest loan is 7), so step 1")
    south = 'values { id: "cold" queue { plan: "p" pool: "north" } }'
    assert found(south).warnings == []
    low = plan('steps { expression: "vip" }')
    (warning,) = found(low, south).warnings
    assert "no agent of pool 'north' meets 'vip' (nobody has vip)" in warning.text


def test_what_a_flow_or_a_bot_requires_is_held_against_the_queues_agents():
    flow = 'values { id: "f" flow { start: "a" nodes { key: "a" value { route { queue: "q" requirements: "fund > 1" } } } } }'
    bot = 'values { id: "b" bot { rules { words: "x" queue: "q" requirements: ["vip", "vip == 1"] } } }'
    assert (
        "no agent meets 'fund > 1' (nobody has fund), so its contacts wait in vain in queue 'q'"
        in found(flow).warnings[0].text
    )
    (problem,) = found(bot).problems
    assert problem.field == "bot/b/rules/0/requirements/1"
    branch = 'decide { branches { when: "loan > 3" next: "b" } otherwise: "b" }'
    nodes = f'nodes {{ key: "a" value {{ {branch} }} }} nodes {{ key: "b" value {{ hang_up {{}} }} }}'
    ways = f'values {{ id: "f" flow {{ start: "a" {nodes} }} }}'
    (problem,) = found(ways).problems
    assert problem.field == "flow/f/nodes/a/decide/branches/0/when"
    assert "column 1: a flow knows the contact's data (`data.loan`) but no agent yet" in problem.text


def overflowing(id, target, pool="", duration=1000):
    return f"""
      values {{ id: "{id}" queue {{ plan: "{id}" pool: "{pool}" }} }}
      values {{ id: "{id}" plan {{ steps {{ duration_ms: {duration} }} overflow: "queue:{target}" }} }}
    """


def test_contacts_cannot_overflow_in_a_ring():
    assert found(overflowing("a", "b"), overflowing("b", "q")).problems == []
    (problem,) = found(overflowing("a", "b"), overflowing("b", "c"), overflowing("c", "b")).problems
    assert problem.field == "plan/b/overflow"
    assert "contacts would go round for ever, from queue 'b' to 'c' to 'b'; end one of these plans" in problem.text
    (problem,) = found(overflowing("a", "a")).problems
    assert "from queue 'a' to 'a'" in problem.text
    assert found(overflowing("a", "b"), overflowing("b", "a", duration=0)).problems == []


def test_contacts_cannot_overflow_to_another_pool_or_to_nowhere():
    (problem,) = found(overflowing("a", "q", pool="north")).problems
    assert problem.text.endswith(
        "queue 'a' is in pool 'north' and its overflow 'q' in 'default'; contacts stay in their pool"
    )
    (problem,) = found(overflowing("a", "sale")).problems
    assert "queue 'sale' does not exist; did you mean 'sales'?" in problem.text
    (problem,) = found(overflowing("a", "")).problems
    assert "a queue is needed after 'queue:'" in problem.text


@pytest.mark.parametrize(
    ("row", "field", "sentence"),
    [
        ('segment: "golden" attribute: "loan"', "segment", "segment 'golden' does not exist; did you mean 'gold'?"),
        ('attribute: "lone"', "attribute", "attribute 'lone' does not exist; did you mean 'loan'?"),
        ("service: 5", "attribute", "an attribute is needed"),
        ('attribute: "loan" value: "11"', "value", "'loan' is a whole number from 1 to 10, not '11'"),
        ('attribute: "vip" value: "yes"', "value", "'vip' is true or false, not 'yes'"),
        ('attribute: "region" service: 1', "value", "'region' has no whole numbers to multiply by: give a value"),
        ('attribute: "loan" sales: 2000000000', "sales", "2000000000 points are beyond 1000000000"),
    ],
)
def test_what_a_row_of_scores_cannot_say(row, field, sentence):
    problems = found(f'values {{ id: "sales" scores {{ rows {{ {row} }} }} }}').problems
    assert any(p.field == f"scores/sales/rows/0/{field}" and sentence in p.text for p in problems), problems


def test_scores_belong_to_a_queue_and_speak_once_of_each_value():
    (problem,) = found('values { id: "sails" scores {} }').problems
    assert "queue 'sails' does not exist; did you mean 'sales'?" in problem.text
    twice = 'values { id: "sales" scores { rows { attribute: "loan" } rows { attribute: "loan" sales: 1 } } }'
    (problem,) = found(twice).problems
    assert problem.text == "scores 'sales': row 2 speaks of the same segment and value as row 1"


def test_segments_that_nothing_sets_are_a_warning_where_none_is_declared():
    route = 'route { queue: "q" set { key: "segment" value: "gold" } }'
    flow = f'values {{ id: "f" flow {{ start: "a" nodes {{ key: "a" value {{ {route} }} }} }} }}'
    row = 'values { id: "sales" scores { rows { segment: "tin" attribute: "loan" sales: 1 } } }'
    undeclared = 'values { id: "self" tenant {} }'
    assert found(undeclared, row).warnings == []
    (warning,) = found(undeclared, row, flow).warnings
    assert (
        warning.text
        == "scores 'sales': nothing sets the segment 'tin': segment 'tin' does not exist; known segments: gold"
    )


@pytest.mark.parametrize(
    ("texts", "field", "sentence"),
    [
        (['values { id: "s" queue { plan: "worth" } }'], "plan", "orders by highest_value, but no scores are there"),
        (
            ['values { id: "s" queue { plan: "p" objective: OBJECTIVE_SALES } }'],
            "objective",
            "it counts only where a step",
        ),
        (
            ['values { id: "s" queue { plan: "p" explore_percent: 5 } }'],
            "explore_percent",
            "it counts only where a step",
        ),
        (
            [
                'values { id: "s" queue { plan: "worth" } }',
                'values { id: "s" scores { rows { attribute: "loan" sales: 1 } } }',
            ],
            "objective",
            "no row of its scores has points for service, so all agents are worth the same",
        ),
    ],
)
def test_a_table_that_decides_nothing_is_a_warning(texts, field, sentence):
    findings = found(*texts)
    assert findings.problems == []
    assert any(w.field == f"queue/s/{field}" and sentence in w.text for w in findings.warnings), findings.warnings


def test_a_share_of_lots_above_all_is_refused():
    (problem,) = found('values { id: "sales" queue { plan: "worth" explore_percent: 101 } }').problems
    assert problem.text == "queue 'sales': 101 percent are above 100"


@pytest.mark.parametrize(
    ("text", "field", "sentence"),
    [
        (
            'tenant { interruptions { key: "fax" } }',
            "interruptions/fax",
            "'fax' is no channel; channels: voice, video,",
        ),
        (
            'tenant { interruptions { key: "voice" value { beside: "mial" } } }',
            "interruptions/voice/beside/0",
            "'mial' is no channel",
        ),
        (
            'tenant { interruptions { key: "voice" value { beside: "mail" parks: "mail" } } }',
            "interruptions/voice/parks/0",
            "'mail' cannot both go on beside it and be parked for it",
        ),
        (
            'tenant { interruptions { key: "mail" value { parks: "voice" } } '
            'interruptions { key: "voice" value { parks: "chat" } } '
            'interruptions { key: "chat" value { parks: "mail" } } }',
            "interruptions/mail/parks/0",
            "'voice' parks 'mail' in its turn: one of them must not",
        ),
    ],
)
def test_what_an_interruption_cannot_say(text, field, sentence):
    problems = found(f'values {{ id: "self" {text} }}').problems
    assert any(p.field == f"tenant/self/{field}" and sentence in p.text for p in problems), problems
    agents = found(f'values {{ id: "ann" {text.replace("tenant", "agent")} }}').problems
    assert any(p.field == f"agent/ann/{field}" and sentence in p.text for p in agents), agents


def test_an_offer_goes_to_a_few_agents_at_most():
    (problem,) = found('values { id: "q" queue { plan: "p" offer_agents: 21 } }').problems
    assert problem.text == "queue 'q': 21 agents at once are above 20"
