"""Which edges can be reached, and what that closes to an agent. Their names are `<service>/<site>`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from junctor_router.domain import capacity

if TYPE_CHECKING:
    from junctor_router.domain.agent import Agent

ALL_CHANNELS = -1


@dataclass(slots=True)
class Edge:
    """`epoch`: the site epoch whose roll call it has answered, or in which it was first heard of."""

    reachable: bool
    holds_slots: bool
    epoch: int

    def to_plain(self) -> list[Any]:
        return [self.reachable, self.holds_slots, self.epoch]


def silent(edges: Mapping[str, Edge]) -> frozenset[str]:
    """Those that are not reached."""
    return frozenset(name for name, edge in edges.items() if not edge.reachable)


def uncalled(edges: Mapping[str, Edge], site_epoch: int) -> frozenset[str]:
    """Those to whose agents nothing rings: not reached, or the roll call of the site epoch is not answered."""
    return frozenset(
        name for name, edge in edges.items() if not edge.reachable or (edge.holds_slots and edge.epoch < site_epoch)
    )


def closed(agent: Agent, silent: Iterable[str], uncalled: Iterable[str]) -> int:
    """The channels, as a mask, in which an agent is not offered anything: by phone where the phone's edge is not reached or has
    something in the slot that the pool does not know; all where each of the workspace's streams is at a silent edge."""
    if silent and agent.holders and all(edge_of(holder) in silent for holder in agent.holders):
        return ALL_CHANNELS
    return capacity.BLOCKED if agent.held or agent.edge in uncalled else 0


def edge_of(holder: str) -> str:
    """The edge at which a process has streams of workspaces: `router/a` of `router/a/3f…`."""
    return holder.rpartition("/")[0]
