"""A voice contact as the log has it: its legs, its flow, its place in routing, and what is still owed to others.

Times are Unix milliseconds (UTC); durations are milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["in_flow", "queued", "offered", "accepting", "bridged", "treated", "wrapping", "closed"]
Phase = Literal["incoming", "answering", "prepared", "answered", "up", "clearing", "canceling", "gone"]
SegmentKind = Literal["flow", "queue", "agent"]
SegmentResult = Literal["completed", "abandoned", "transferred", "overflowed", "failed"]
CloseCause = Literal["", "customer", "agent", "flow", "overflow", "lost_leg", "failure", "supervisor"]


@dataclass(frozen=True, slots=True)
class Leg:
    """One connection at the edge. `record` is what the edge needs to go on with it after a crash."""

    id: str
    phase: Phase
    record: bytes


@dataclass(frozen=True, slots=True)
class Verb:
    """Prompts that play and digits that are collected. `ends_at` is set once they play."""

    id: str
    prompts: tuple[str, ...]
    language: str
    max_digits: int
    timeout_ms: int
    barge_in: bool
    secret: bool
    asked_at: int
    ends_at: int | None = None
    digits: tuple[str, ...] = ()
    last_digit_at: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """The reservation that an agent's phone is rung for, decided under a site epoch of a partition of the router. `site`:
    whose edge rings it; empty for this one."""

    reservation_id: str
    agent_id: str
    device: str
    expires_at: int
    partition: int = 0
    site_epoch: int = 0
    site: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of the contact that runs. `number` counts from 1."""

    number: int
    kind: SegmentKind
    started_at: int
    queue: str = ""
    agent_id: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """`routed` counts how often the contact was put in line; `owed` names the effects that must still be done (see
    `todo`); `flow_at` is when the flow last played or collected something to its end."""

    tenant: str
    contact_id: str
    state: State
    since: int
    arrived_at: int
    called_number: str
    caller_number: str
    language: str
    sdp: str
    flow: str
    customer: Leg
    segment: Segment | None
    data: dict[str, str] = field(default_factory=dict)
    agent: Leg | None = None
    agent_sdp: str = ""
    leaving: tuple[Leg, ...] = ()
    offer: Offer | None = None
    queue: str = ""
    requirements: tuple[str, ...] = ()
    priority: int = 0
    wait_prompt: str = ""
    routed: int = 0
    generation: int = 1
    verb: Verb | None = None
    segments: int = 1
    owed: tuple[str, ...] = ()
    ended_at: int | None = None
    cause: CloseCause = ""
    detail: str = ""
    flow_at: int = 0
    task: Literal["", "open", "over"] = ""
    disposition: str = ""

    @property
    def customer_there(self) -> bool:
        return self.customer.phase in ("incoming", "answering", "up")
