"""What the figures are made of: parts of contacts, tasks and agents' states. Times are Unix milliseconds (UTC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SegmentKind = Literal["flow", "queue", "agent"]
SegmentResult = Literal["", "completed", "abandoned", "transferred", "overflowed", "failed"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a contact. `ended_at` is None and `result` empty while it lasts."""

    contact_id: str
    number: int
    kind: SegmentKind
    queue: str
    agent_id: str
    started_at: int
    ended_at: int | None = None
    result: SegmentResult = ""


@dataclass(frozen=True, slots=True)
class CompletedTask:
    """A contact's work at its last agent. `ended_at` is when the customer's side ended, None where that is not known."""

    contact_id: str
    queue: str
    agent_id: str
    assigned_at: int
    ended_at: int | None
    completed_at: int


@dataclass(frozen=True, slots=True)
class AgentState:
    """An agent in one routing state. `ended_at` is None for the state that lasts."""

    agent_id: str
    state: str
    started_at: int
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` (included) to `end` (not included)."""

    begin: int
    end: int

    def __contains__(self, moment: int | None) -> bool:
        return moment is not None and self.begin <= moment < self.end
