"""The times of the lease, in seconds of a process's own monotonic clock. No wall clock is read anywhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """Safe while `ttl / validity` (4/3) is above the ratio of the rates of any two clocks that take part.

    A round begins each `renewal` and has `round` to be answered. A confirmed round makes the holder's grant good for
    `validity` from the round's start. Who wants to take over must have seen the holding unchanged for `ttl`; where nobody
    holds it by a majority, the sites take turns: the one that is not preferred waits `contest` longer, and `first` longer
    where nobody ever held it: of two sites that are new, one may come up much later than the other.
    """

    renewal: float = 1.0
    round: float = 0.8
    validity: float = 4.5
    ttl: float = 6.0
    contest: float = 1.5
    first: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.round <= self.renewal < self.validity < self.ttl:
            raise ValueError("the times must rise: round, renewal, validity, time to live")
