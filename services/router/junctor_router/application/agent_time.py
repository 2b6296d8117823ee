"""How long agents were busy and ready, over virtual time. Occupancy as in docs/metrics.md: busy ÷ union of busy and ready."""

from __future__ import annotations

import math
from dataclasses import dataclass

from junctor_router.domain import events as e
from junctor_router.domain.values import AgentState


@dataclass(slots=True)
class _Agent:
    since: int
    ready: bool = False
    in_hand: int = 0


class AgentTime:
    """Counts between two moments (Unix ms). `see` with each event, `close` at the end."""

    def __init__(self, begins: int, ends: int) -> None:
        self._begins, self._ends = begins, ends
        self._agents: dict[str, _Agent] = {}
        self.busy_ms = 0
        self.staffed_ms = 0

    @property
    def occupancy(self) -> float:
        """NaN where nobody was there."""
        return self.busy_ms / self.staffed_ms if self.staffed_ms else math.nan

    def see(self, event: e.Event, now: int) -> None:
        match event:
            case e.AgentStateChanged():
                self._turn(event.agent_id, now).ready = event.state is AgentState.READY
            case e.ReservationAccepted():
                self._turn(event.agent_id, now).in_hand += 1
            case e.TaskCompleted():
                self._turn(event.agent_id, now).in_hand -= 1
            case _:
                pass

    def close(self, now: int) -> None:
        for agent_id in self._agents:
            self._turn(agent_id, now)

    def _turn(self, agent_id: str, now: int) -> _Agent:
        agent = self._agents.get(agent_id)
        if agent is None:
            agent = self._agents[agent_id] = _Agent(now)
        span = max(min(now, self._ends) - max(agent.since, self._begins), 0)
        if agent.in_hand:
            self.busy_ms += span
        if agent.in_hand or agent.ready:
            self.staffed_ms += span
        agent.since = now
        return agent
