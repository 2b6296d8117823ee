"""A plan whose expressions are compiled, and the way of a contact through its steps. Durations are milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from junctor_router.domain.configuration import PlanValue, Step
from junctor_router.domain.expression import Constant, Expression, ExpressionRefused, Parse, compile_expression
from junctor_router.domain.values import AttributeType

TREATMENTS = ("message", "voicemail", "callback", "disconnect")
TO_QUEUE = "queue:"
NOBODY = Expression("false", Constant(False), (), ())


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """`relaxing`: after how many milliseconds in the step each stops being required, the earliest first."""

    step: Step
    expression: Expression
    prefer: tuple[Expression, ...] = ()
    relaxing: tuple[tuple[int, Expression], ...] = ()
    shares: tuple[tuple[int, Expression], ...] = ()
    """The parts of the contacts, each with who gets it."""

    def attributes(self) -> set[str]:
        expressions = (self.expression, *self.prefer, *(e for _, e in (*self.relaxing, *self.shares)))
        return {name for expression in expressions for name in expression.attributes}

    def relaxed(self, in_step_ms: int) -> int:
        """How many of the relaxing expressions are required no more."""
        return sum(1 for after, _ in self.relaxing if after <= in_step_ms)

    def required(self, relaxed: int, share: int) -> list[Expression]:
        """`share` is the contact's, -1 for none."""
        required = [self.expression, *(expression for _, expression in self.relaxing[relaxed:])]
        return [*required, self.shares[share][1]] if 0 <= share < len(self.shares) else required

    def preferred(self, relaxed: int) -> list[Expression]:
        """What ranks, the first first. What was required until lately comes before what was so earlier."""
        return [*self.prefer, *(expression for _, expression in reversed(self.relaxing[:relaxed]))]


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """`id` names the slug and the version, so no two plans share it. `version` is the directory's, 0 for none."""

    id: str
    version: int
    value: PlanValue
    steps: tuple[CompiledStep, ...]
    warnings: tuple[str, ...] = ()

    def looks_at(self, attribute: str) -> bool:
        """Whether the attribute's type may matter to it; what could not be compiled may look at anything."""
        return bool(self.warnings) or any(attribute in step.attributes() for step in self.steps)


OPEN_PLAN = CompiledPlan("", 0, PlanValue(), (CompiledStep(Step(), Expression("", Constant(True), (), ())),))
MISSING_PLAN = CompiledPlan("missing", 0, PlanValue(), (CompiledStep(Step(), NOBODY),))
"""Of a queue whose plan is not there (yet)."""


def compile_plan(
    slug: str, version: int, value: PlanValue, parse: Parse, types: Mapping[str, AttributeType]
) -> CompiledPlan:
    """A step whose expression cannot be used matches nobody, and there is a warning that says where and why."""
    steps = []
    warnings = []
    for number, step in enumerate(value.steps or (Step(),)):
        try:
            expression = compile_expression(step.expression, parse, types)
        except ExpressionRefused as refused:
            warnings.append(f"Step {number}: {refused}. The step matches nobody.")
            expression = NOBODY
        prefer = _ranking(number, step.prefer, parse, types, warnings)
        ordered = sorted(step.relax, key=lambda relaxing: relaxing.after_ms)
        relaxing = [
            (one.after_ms, expression)
            for one in ordered
            for expression in _ranking(number, (one.expression,), parse, types, warnings)
        ]
        shares = [
            (one.part, expression)
            for one in step.shares
            if one.part > 0
            for expression in _ranking(number, (one.expression,), parse, types, warnings)
        ]
        named = [a for e in (expression, *prefer, *(e for _, e in (*relaxing, *shares))) for a in e.attributes]
        named += [name for name, _ in step.weights]
        unknown = [name for name in dict.fromkeys(named) if name not in types] if types else []
        warnings += [f"Step {number}: the attribute {name} is not declared." for name in unknown]
        if step.duration_ms == 0 and number < len(value.steps) - 1:
            warnings.append(f"Step {number} has no end, so the steps after it are never reached.")
        steps.append(CompiledStep(step, expression, tuple(prefer), tuple(relaxing), tuple(shares)))
    overflow = value.overflow
    if overflow and overflow not in TREATMENTS and not overflow.startswith(TO_QUEUE):
        warnings.append(f"The overflow {overflow!r} is none of {', '.join(TREATMENTS)}, queue:<slug>; message is used.")
    return CompiledPlan(f"{slug}@{version}", version, value, tuple(steps), tuple(warnings))


def _ranking(
    number: int, texts: tuple[str, ...], parse: Parse, types: Mapping[str, AttributeType], warnings: list[str]
) -> list[Expression]:
    """What cannot be used is left out, with a warning."""
    found = []
    for text in texts:
        try:
            found.append(compile_expression(text, parse, types))
        except ExpressionRefused as refused:
            warnings.append(f"Step {number}: {refused}. It is left out.")
    return found


def treatment(plan: CompiledPlan) -> str:
    """What the contact's edge is told to do at the plan's end."""
    return plan.value.overflow if plan.value.overflow in TREATMENTS else "message"


def overflow_queue(plan: CompiledPlan) -> str:
    """The queue that takes over at the plan's end; empty for none."""
    overflow = plan.value.overflow
    return overflow[len(TO_QUEUE) :] if overflow.startswith(TO_QUEUE) else ""
