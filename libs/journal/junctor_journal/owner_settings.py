"""How an owner behaves. Times are seconds unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _uncorrelated(stream: str) -> tuple[str, str]:
    return "", ""


@dataclass(frozen=True, slots=True)
class OwnerSettings:
    """`address`: host:port of this process's gRPC server, told in the claim. `site_epoch`: from the register of two sites.

    `correlate` gives the correlation id and the traceparent of what a timer of a stream does.
    `reclaim_after` is two heartbeats of the group: a member that was stopped learns by then that it was replaced.
    """

    site: str = ""
    address: str = ""
    site_epoch: int = 0
    batch_inputs: int = 500
    batch_bytes: int = 800_000
    claim_timeout: float = 15.0
    reclaim_after: float = 3.0
    backoff: float = 0.1
    backoff_limit: float = 2.0
    stuck_timer_ms: int = 1_000
    correlate: Callable[[str], tuple[str, str]] = _uncorrelated
