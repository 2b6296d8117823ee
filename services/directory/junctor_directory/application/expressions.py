"""Expressions as the directory judges them: what the router and the flows would refuse, and what no agent can meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from junctor.directory.v1 import directory_pb2 as pb
from junctor_expressions import of_agents, of_contacts
from junctor_expressions.of_agents import HIGHEST, LOWEST, Kind
from junctor_expressions.satisfied import Agents, Cut, impossible, nobody
from junctor_expressions.tree import (
    And,
    Attribute,
    Compare,
    Constant,
    Node,
    Refused,
    attributes,
    described,
    operands,
    place,
    shortened,
)
from junctor_service.pools import DEFAULT_POOL

from junctor_directory.application.problems import Place, hint
from junctor_directory.domain.configuration import Name

KINDS = {
    pb.ATTRIBUTE_TYPE_PROFICIENCY: Kind.PROFICIENCY,
    pb.ATTRIBUTE_TYPE_BOOLEAN: Kind.BOOLEAN,
    pb.ATTRIBUTE_TYPE_TEXT: Kind.TEXT,
    pb.ATTRIBUTE_TYPE_NUMBER: Kind.NUMBER,
}
EVERYONE = Constant(True)


class Expressions:
    """Knows the attributes and agents of one configuration."""

    def __init__(self, values: Mapping[Name, pb.Value]) -> None:
        self.attributes = {name.id: value.attribute.type for name, value in values.items() if name.kind == "attribute"}
        self.kinds = {id: KINDS[type] for id, type in self.attributes.items() if type in KINDS}
        self._values = values
        self._agents: dict[str, Agents] = {}

    def of_contacts(self, at: Place, path: str, text: str) -> None:
        """A flow's branch."""
        try:
            of_contacts.read(text)
        except Refused as refused:
            at.problem(path, str(refused))

    def of_agents(self, at: Place, path: str, text: str) -> Node | None:
        """The tree of a plan's or a requirement's expression; None where it cannot be used as it is."""
        try:
            node = of_agents.read(text, self.kinds)
        except Refused as refused:
            at.problem(path, str(refused))
            return None
        unknown = [named for named in attributes(node) if named.name not in self.attributes]
        for named in unknown:
            where = f"{shortened(text)!r}, {place(named.at)}"
            at.problem(path, f"{where}: {hint('attribute', named.name, self.attributes)}")
        outside = list(of_agents.out_of_range(node, self.kinds))
        for attribute, literal in outside:
            where = f"{shortened(text)!r}, {place(literal.at)}"
            at.problem(path, f"{where}: {attribute.name} is {LOWEST} to {HIGHEST}, never {literal.value}")
        return None if unknown or outside else node

    def somebody(self, at: Place, path: str, nodes: Iterable[Node], pools: Iterable[str], consequence: str) -> None:
        """A warning with the consequence where no agent of a pool meets all of `nodes`, or nobody ever could."""
        parts = [node for node in nodes if node != EVERYONE]
        if not parts:
            return
        node = parts[0] if len(parts) == 1 else And(tuple(parts))
        text = shortened(described(node))
        if impossible(node, self.kinds):
            at.warning(path, f"'{text}' contradicts itself, so nobody ever meets it and {consequence}")
            return
        for pool in sorted(set(pools)):
            agents = self._agents_of(pool)
            cut = nobody(node, agents)
            if cut is not None and agents.everyone:
                of_pool = f" of pool '{pool}'" if pool != DEFAULT_POOL else ""
                why = _why(cut, agents, node)
                at.warning(path, f"no agent{of_pool} meets '{text}'{why}, so {consequence}")

    def _agents_of(self, pool: str) -> Agents:
        found = self._agents.get(pool)
        if found is None:
            agents = [value.agent for name, value in self._values.items() if name.kind == "agent"]
            found = self._agents[pool] = Agents(
                self._read(agent) for agent in agents if (agent.pool or DEFAULT_POOL) == pool
            )
        return found

    def _read(self, agent: pb.Agent) -> dict[str, int | str]:
        read = {slug: of_agents.value(text, self.kinds.get(slug)) for slug, text in agent.attributes.items()}
        return {slug: value for slug, value in read.items() if value is not None}


def _why(cut: Cut, agents: Agents, node: Node) -> str:
    if cut.test is None:
        return ""
    name = next(operand.name for operand in operands(cut.test) if isinstance(operand, Attribute))
    highest = agents.highest(name)
    if not agents.has(name):
        return f" (nobody has {name})"
    if isinstance(cut.test, Compare) and highest is not None and cut.test.operator in (">", ">="):
        return f" (the highest {name} is {highest})"
    return "" if cut.test == node else f" (nobody meets '{described(cut.test)}')"
