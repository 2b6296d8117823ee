"""Checks of score tables: whom they speak of, and whether the queue's plan asks them at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from junctor.directory.v1 import directory_pb2 as pb
from junctor_expressions import of_agents

from junctor_directory.application.expressions import Expressions
from junctor_directory.application.plans import RANKING
from junctor_directory.application.problems import Place, hint
from junctor_directory.domain.configuration import Name

SEGMENT = "segment"
MOST_POINTS = 1_000_000_000
MOST_ROWS = 5_000


class Segments:
    """The customer segments that are known: declared by the organisation, else those that flows, numbers and bots set."""

    def __init__(self, values: Mapping[Name, pb.Value]) -> None:
        self.declared = frozenset(s for name, v in values.items() if name.kind == "tenant" for s in v.tenant.segments)
        self._set = frozenset(data[SEGMENT] for value in values.values() for data in _data(value) if SEGMENT in data)

    def check(self, at: Place, path: str, segment: str) -> None:
        if not segment or segment in self.declared:
            return
        if self.declared:
            at.problem(path, hint(SEGMENT, segment, self.declared))
        elif self._set and segment not in self._set:
            at.warning(path, f"nothing sets the segment '{segment}': {hint(SEGMENT, segment, self._set)}")


def check_scores(at: Place, scores: Iterable[pb.Score], expressions: Expressions, segments: Segments) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    rows = list(scores)
    if len(rows) > MOST_ROWS:
        at.problem("rows", f"there are {len(rows)} rows; {MOST_ROWS} are allowed")
    for number, score in enumerate(rows):
        path = f"rows/{number}"
        segments.check(at, f"{path}/segment", score.segment)
        _check_attribute(at, path, score, expressions)
        key = (score.segment, score.attribute, score.value)
        if key in seen:
            at.problem(path, f"row {number + 1} speaks of the same segment and value as row {seen[key] + 1}")
        seen.setdefault(key, number)
        for field in ("service", "sales"):
            points = getattr(score, field)
            if abs(points) > MOST_POINTS:
                at.problem(f"{path}/{field}", f"{points} points are beyond {MOST_POINTS}")


def check_objective(at: Place, queue: pb.Queue, plan: pb.Plan | None, scores: Iterable[pb.Score]) -> None:
    """Warns where the plan, the objective and the table do not fit each other."""
    if queue.explore_percent > 100:
        at.problem("explore_percent", f"{queue.explore_percent} percent are above 100")
    rows = list(scores)
    by_value = plan is not None and any(step.order == pb.AGENT_ORDER_HIGHEST_VALUE for step in plan.steps)
    if by_value and not rows:
        at.warning("plan", f"plan '{queue.plan}' orders by highest_value, but no scores are there for this queue")
    if plan is not None and not by_value:
        for field in ("objective", "explore_percent"):
            if getattr(queue, field):
                at.warning(field, f"it counts only where a step of plan '{queue.plan}' has the order highest_value")
    objective = "sales" if queue.objective == pb.OBJECTIVE_SALES else "service"
    if by_value and rows and not any(getattr(row, objective) for row in rows):
        at.warning("objective", f"no row of its scores has points for {objective}, so all agents are worth the same")


def _check_attribute(at: Place, path: str, score: pb.Score, expressions: Expressions) -> None:
    if not score.attribute:
        at.problem(f"{path}/attribute", "an attribute is needed")
        return
    at.known(f"{path}/attribute", "attribute", score.attribute, expressions.attributes)
    kind = expressions.kinds.get(score.attribute)
    if kind is None:
        return
    if not score.value and kind not in RANKING:
        at.problem(f"{path}/value", f"'{score.attribute}' has no whole numbers to multiply by: give a value")
    elif score.value and of_agents.value(score.value, kind) is None:
        at.problem(f"{path}/value", f"'{score.attribute}' is {of_agents.words(kind)}, not '{score.value}'")


def _data(value: pb.Value) -> list[Mapping[str, str]]:
    """What a number, flow or bot sets of the contact's data."""
    match value.WhichOneof("kind"):
        case "number":
            return [value.number.data]
        case "flow":
            nodes = value.flow.nodes.values()
            branches = [branch.set for node in nodes for branch in node.decide.branches]
            return [*branches, *(node.route.set for node in nodes)]
        case "bot":
            return [rule.set for rule in value.bot.rules]
        case _:
            return []
