"""What `junctor apply` shows of a change."""

import click
from junctor.directory.v1 import directory_pb2 as pb
from junctor_cli import configuration_diff


def shown(*changes):
    return [click.unstyle(line) for line in configuration_diff.lines(changes)]


def test_new_and_gone_values_are_named():
    changes = [
        pb.Change(change=pb.CHANGE_KIND_CREATED, kind="queue", id="a"),
        pb.Change(change=pb.CHANGE_KIND_DELETED, kind="plan", id="b"),
    ]
    assert shown(*changes) == ["+ queue a", "- plan b"]


def test_a_changed_value_shows_each_field_that_differs():
    before = pb.Value(id="p", plan=pb.Plan(steps=[pb.PlanStep(expression="a > 1")], overflow="message"))
    after = pb.Value(id="p", plan=pb.Plan(steps=[pb.PlanStep(expression="a > 2", order=pb.AGENT_ORDER_ROUND_ROBIN)]))
    change = pb.Change(change=pb.CHANGE_KIND_UPDATED, kind="plan", id="p", before=before, after=after)
    assert shown(change) == [
        "~ plan p",
        "    - overflow: message",
        "    - steps[0].expression: a > 1",
        "    + steps[0].expression: a > 2",
        "    + steps[0].order: round_robin",
    ]
