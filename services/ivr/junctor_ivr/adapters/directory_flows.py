"""Flows from the directory's values in memory, with their conditions parsed."""

from __future__ import annotations

from typing import Any, Protocol

from junctor.directory.v1 import directory_pb2
from junctor_expressions.tree import Refused
from junctor_service.errors import not_found, precondition

from junctor_ivr.adapters.cel_conditions import parse_condition
from junctor_ivr.domain.definition import (
    DecideAction,
    DecideBranch,
    FlowDefinition,
    FlowNode,
    HangUpAction,
    MenuAction,
    PlayAction,
    RouteAction,
)

DEFAULT_TIMEOUT_MS = 5_000
DEFAULT_ATTEMPTS = 3
DEFAULT_LANGUAGE = "en"


class UnreadableFlow(ValueError):
    """A condition cannot be used; the message says in which node, where and why. No retry helps."""

    retryable = False


class Values(Protocol):
    """The part of `junctor_journal.replica.Replica` that is needed here; values are `DirectoryValue`."""

    def get(self, tenant: str, kind: str, id: str) -> Any: ...


class DirectoryFlows:
    """Implements `junctor_ivr.application.flows.FlowCatalog`. A version of a flow is parsed once."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._parsed: dict[tuple[str, str], tuple[int, str, FlowDefinition]] = {}

    def definition(self, tenant: str, flow: str) -> FlowDefinition:
        """Raises `ServiceError`: NOT_FOUND without such a flow, FAILED_PRECONDITION where it cannot be run."""
        item = self._values.get(tenant, "flow", flow)
        if item is None:
            raise not_found(f"The tenant has no flow {flow}.", reason="FLOW_UNKNOWN")
        language = self._language(tenant)
        known = self._parsed.get((tenant, flow))
        version = item.value.version
        if known is not None and known[:2] == (version, language):
            return known[2]
        try:
            made = flow_definition(flow, version, language, item.value.value.flow)
        except UnreadableFlow as error:
            message = f"The flow {flow} has a condition that cannot be read: {error}."
            raise precondition(message, reason="FLOW_UNREADABLE") from error
        self._parsed[tenant, flow] = (version, language, made)
        return made

    def _language(self, tenant: str) -> str:
        item = self._values.get(tenant, "tenant", "self")
        return (item.value.value.tenant.language if item is not None else "") or DEFAULT_LANGUAGE


def flow_definition(flow: str, version: int, language: str, source: directory_pb2.Flow) -> FlowDefinition:
    """Defaults filled in, conditions parsed. Raises `UnreadableFlow`."""
    nodes: dict[str, FlowNode] = {}
    for node_id in sorted(source.nodes):
        try:
            node = _node(source.nodes[node_id])
        except Refused as refused:
            raise UnreadableFlow(f"node {node_id}: {refused}") from refused
        if node is not None:
            nodes[node_id] = node
    return FlowDefinition(flow, version, source.start, nodes, language)


def _node(node: directory_pb2.FlowNode) -> FlowNode | None:
    match node.WhichOneof("action"):
        case "menu":
            return FlowNode(_menu(node.menu))
        case "play":
            return FlowNode(PlayAction(tuple(node.play.prompts), node.play.next))
        case "decide":
            branches = tuple(
                DecideBranch(parse_condition(branch.when), branch.next, dict(branch.set))
                for branch in node.decide.branches
            )
            return FlowNode(DecideAction(branches, node.decide.otherwise))
        case "route":
            route = node.route
            return FlowNode(
                RouteAction(route.queue, tuple(route.requirements), dict(route.set), route.priority, route.wait_prompt)
            )
        case "hang_up":
            return FlowNode(HangUpAction(tuple(node.hang_up.prompts)))
        case _:
            return None


def _menu(menu: directory_pb2.FlowMenu) -> MenuAction:
    return MenuAction(
        prompts=tuple(menu.prompts),
        choices=dict(menu.choices),
        timeout_ms=menu.timeout_ms or DEFAULT_TIMEOUT_MS,
        attempts=menu.attempts or DEFAULT_ATTEMPTS,
        invalid_prompt=menu.invalid_prompt,
        no_input_prompt=menu.no_input_prompt,
        otherwise=menu.otherwise,
        store=menu.store,
        secret=menu.secret,
    )
