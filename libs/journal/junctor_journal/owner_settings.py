"""How an owner behaves. Times are seconds unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _uncorrelated(stream: str) -> tuple[str, str]:
    return "", ""


@dataclass(frozen=True, slots=True)
class OwnerSettings:
    """`address`: host:port of this process's gRPC server, told in the claim.

    `correlate` gives the correlation id and the traceparent of what a timer of a stream does.
    `timers_wait` says of a partition that its timers may not ring yet; it is asked when one is due, and again after
    `stuck_timer_ms`.
    `reclaim_after` is two heartbeats of the group: a member that was stopped learns by then that it was replaced.
    Taking over from another site: `far_answer` is how long its Kafka may take to take a claim, `far_reading` what is
    granted for reading on to it; otherwise the mirror must be quiet for `quiet`, at most `quiet_limit` is waited.
    `handover_timeout` is how long what was handed over may take to come.
    """

    site: str = ""
    address: str = ""
    batch_inputs: int = 500
    batch_bytes: int = 800_000
    claim_timeout: float = 15.0
    reclaim_after: float = 3.0
    backoff: float = 0.1
    backoff_limit: float = 2.0
    stuck_timer_ms: int = 1_000
    far_answer: float = 1.0
    far_reading: float = 5.0
    quiet: float = 0.3
    quiet_limit: float = 1.0
    handover_timeout: float = 10.0
    correlate: Callable[[str], tuple[str, str]] = _uncorrelated
    timers_wait: Callable[[int], bool] | None = None
