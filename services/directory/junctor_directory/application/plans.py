"""Checks of routing plans: each step can be reached and met, and says what the router can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from junctor.directory.v1 import directory_pb2 as pb
from junctor_expressions.of_agents import Kind
from junctor_expressions.tree import Node, attributes
from junctor_service.pools import DEFAULT_POOL

from junctor_directory.application.expressions import EVERYONE, Expressions
from junctor_directory.application.problems import Findings, Place
from junctor_directory.domain.configuration import Name

TO_QUEUE = "queue:"
TREATMENTS = ("message", "voicemail", "callback", "disconnect")
RANKING = (Kind.PROFICIENCY, Kind.NUMBER)


def check_steps(at: Place, plan: pb.Plan, expressions: Expressions, pools: Iterable[str]) -> None:
    """`pools`: those of the queues that use the plan."""
    if not plan.steps:
        at.problem("steps", "at least one step is needed")
    last = len(plan.steps) - 1
    for number, step in enumerate(plan.steps):
        _Step(at, f"steps/{number}", number + 1, step, expressions, list(pools)).check()
        if not step.duration_ms and number < last:
            at.warning(f"steps/{number}/duration_ms", f"step {number + 1} has no end, so the steps after it never come")
        earlier = next((n for n, other in enumerate(plan.steps[:number]) if _same_line(other, step)), None)
        if earlier is not None:
            at.warning(
                f"steps/{number}", f"step {number + 1} asks for the same agents in the same way as step {earlier + 1}"
            )
    if plan.steps and not plan.steps[last].duration_ms and plan.overflow:
        at.warning(
            "overflow", f"step {last + 1}, the last, has no end, so the overflow never comes; give it a duration"
        )
    if plan.overflow and not plan.overflow.startswith(TO_QUEUE) and plan.overflow not in TREATMENTS:
        at.problem("overflow", f"'{plan.overflow}' is no treatment; use {', '.join(TREATMENTS)} or queue:<slug>")
    if plan.unreachable and plan.unreachable not in TREATMENTS:
        at.problem("unreachable", f"'{plan.unreachable}' is no treatment; use {', '.join(TREATMENTS)}")
    if plan.unreachable_after_ms < 0:
        at.problem("unreachable_after_ms", "a time is not below 0")


class _Step:
    def __init__(
        self, at: Place, path: str, number: int, step: pb.PlanStep, expressions: Expressions, pools: list[str]
    ) -> None:
        self._at, self._path, self._number, self._step = at, path, number, step
        self._expressions, self._pools = expressions, pools

    def check(self) -> None:
        step, path, called = self._step, self._path, f"step {self._number}"
        required = self._read(f"{path}/expression", step.expression) if step.expression else EVERYONE
        preferred = [
            self._ranking(f"{path}/prefer/{n}", text, f"{called} prefers nobody by it")
            for n, text in enumerate(step.prefer)
        ]
        relaxing = self._relaxing()
        if required is not None and None not in relaxing:
            nobody = "only later steps serve its contacts" if step.duration_ms else "its contacts wait in vain"
            self._somebody(f"{path}/expression", [required], f"{called} matches nobody; {nobody}")
            for n, node in enumerate(relaxing):
                if node is not None:
                    after = f"until it is relaxed {called} matches nobody"
                    self._somebody(f"{path}/relax/{n}/expression", [required, node], after)
        self._shares(required)
        self._weights([node for node in (required, *preferred, *relaxing) if node is not None])

    def _read(self, path: str, text: str) -> Node | None:
        return self._expressions.of_agents(self._at, path, text)

    def _somebody(self, path: str, nodes: list[Node], consequence: str) -> None:
        self._expressions.somebody(self._at, path, nodes, self._pools, consequence)

    def _ranking(self, path: str, text: str, consequence: str) -> Node | None:
        if not text.strip():
            self._at.problem(path, "an expression is needed: an empty one is everyone")
            return None
        node = self._read(path, text)
        if node is not None:
            self._somebody(path, [node], consequence)
        return node

    def _relaxing(self) -> list[Node | None]:
        found: list[Node | None] = []
        for n, relaxing in enumerate(self._step.relax):
            path = f"{self._path}/relax/{n}"
            if not relaxing.expression.strip():
                self._at.problem(f"{path}/expression", "an expression is needed: an empty one is everyone")
            found.append(self._read(f"{path}/expression", relaxing.expression))
            if relaxing.after_ms < 0:
                self._at.problem(f"{path}/after_ms", "a time cannot be negative")
            if relaxing.after_ms == 0:
                self._at.warning(
                    f"{path}/after_ms", "it is never required; say `prefer`, or after which time it relaxes"
                )
            elif 0 < self._step.duration_ms <= relaxing.after_ms:
                self._at.warning(
                    f"{path}/after_ms", f"step {self._number} ends before it relaxes, so it is always required"
                )
        return found

    def _shares(self, required: Node | None) -> None:
        shares, path = self._step.shares, f"{self._path}/shares"
        total = sum(share.part for share in shares)
        for n, share in enumerate(shares):
            if not share.part:
                self._at.problem(
                    f"{path}/{n}/part", "a part of 0 gives it nothing; give it a percentage or leave it out"
                )
            if not share.expression.strip():
                self._at.problem(f"{path}/{n}/expression", "an expression is needed: who belongs to the group")
            node = self._read(f"{path}/{n}/expression", share.expression)
            if node is not None and required is not None and node != EVERYONE:
                self._somebody(f"{path}/{n}/expression", [required, node], "its part goes to the other groups")
        if len(shares) == 1:
            self._at.warning(path, "one group alone gets all contacts; put its expression into the step's")
        elif shares and total not in (0, 100):
            parts = " / ".join(f"{100 * share.part / total:.0f} %" for share in shares)
            self._at.warning(path, f"the parts add up to {total}, not 100, and are taken as {parts}")

    def _weights(self, nodes: list[Node]) -> None:
        step, at = self._step, self._at
        for slug, weight in sorted(step.weights.items()):
            path = f"{self._path}/weights/{slug}"
            at.known(path, "attribute", slug, self._expressions.attributes)
            kind = self._expressions.kinds.get(slug)
            if kind is not None and kind not in RANKING:
                at.problem(path, f"'{slug}' has no whole numbers, so it cannot be weighed")
            if not weight:
                at.problem(path, "a weight of 0 counts nothing; leave it out")
        proficient = step.order == pb.AGENT_ORDER_MOST_PROFICIENT
        if step.weights and not proficient:
            at.warning(f"{self._path}/weights", "weights count for the order most_proficient only")
        if proficient and not step.weights and not any(self._ranks(node) for node in nodes):
            at.warning(
                f"{self._path}/order",
                "no expression of the step names a proficiency, so the longest idle agent is taken",
            )

    def _ranks(self, node: Node) -> bool:
        return any(self._expressions.kinds.get(named.name) in RANKING for named in attributes(node))


def check_overflows(findings: Findings, values: Mapping[Name, pb.Value]) -> None:
    """Where overflowing contacts go: to a queue that is there, in their own pool, and not round for ever."""
    queues = {name.id: value.queue for name, value in values.items() if name.kind == "queue"}
    targets: dict[str, str] = {}
    for name, value in sorted((n, v) for n, v in values.items() if n.kind == "plan"):
        target = value.plan.overflow.removeprefix(TO_QUEUE)
        if target == value.plan.overflow:
            continue
        at = findings.at(*name)
        if not target:
            at.problem("overflow", "a queue is needed after 'queue:'")
        at.known("overflow", "queue", target, queues)
        users = sorted(id for id, queue in queues.items() if queue.plan == name.id)
        for id in users if target in queues else ():
            here, there = queues[id].pool or DEFAULT_POOL, queues[target].pool or DEFAULT_POOL
            if here != there:
                at.problem(
                    "overflow",
                    f"queue '{id}' is in pool '{here}' and its overflow '{target}' in '{there}';"
                    " contacts stay in their pool",
                )
            elif all(step.duration_ms for step in value.plan.steps):
                targets[id] = target
    for ring in _rings(targets):
        way = " to ".join(f"'{id}'" for id in (*ring, ring[0]))
        findings.at("plan", queues[ring[0]].plan).problem(
            "overflow", f"contacts would go round for ever, from queue {way}; end one of these plans with a treatment"
        )


def _rings(targets: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Each ring once, from its first name."""
    found = []
    done: set[str] = set()
    for start in sorted(targets):
        way: list[str] = []
        at: str | None = start
        while at is not None and at not in done and at not in way:
            way.append(at)
            at = targets.get(at)
        if at is not None and at in way:
            ring = way[way.index(at) :]
            first = ring.index(min(ring))
            found.append((*ring[first:], *ring[:first]))
        done.update(way)
    return found


def _same_line(one: pb.PlanStep, other: pb.PlanStep) -> bool:
    """The same but for times and conditions, so that the later step adds nobody."""
    return all(
        getattr(one, field) == getattr(other, field)
        for field in ("expression", "order", "priority", "prefer", "relax", "weights", "shares")
    )
