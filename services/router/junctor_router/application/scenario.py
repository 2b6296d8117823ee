"""A day that may be: who comes, how long they are patient and served, who works when. Moments are Unix ms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from junctor_router.application.distributions import Constant, Distribution
from junctor_router.domain.values import Channel


@dataclass(frozen=True, slots=True)
class Rate:
    """Arrivals by chance (Poisson) from `begins` to `ends`."""

    begins: int
    ends: int
    per_hour: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """What comes to one queue. `patience` None: nobody gives up. `wrap_up` None: until the queue's timer ends it."""

    queue: str
    rates: tuple[Rate, ...]
    handle: Distribution
    channel: Channel = Channel.VOICE
    patience: Distribution | None = None
    wrap_up: Distribution | None = None
    requirements: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shift:
    """An agent's work from `begins` to `ends`; in a break (from, to) they are not ready."""

    agent_id: str
    begins: int
    ends: int
    breaks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Contacts that come from `measured_from` to before `measured_to` are counted. `answer`: how long an offer rings."""

    begins: int
    ends: int
    traffic: tuple[Traffic, ...]
    shifts: tuple[Shift, ...]
    answer: Distribution = field(default_factory=lambda: Constant(0))
    warm_up_ms: int = 0
    cool_down_ms: int = 0

    @property
    def measured_from(self) -> int:
        return self.begins + self.warm_up_ms

    @property
    def measured_to(self) -> int:
        return self.ends - self.cool_down_ms
