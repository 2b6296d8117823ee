"""How long a contact will wait: its place in line times the pace at which contacts of the queue were lately accepted.

The pace is the mean distance of the last acceptances (at most 16), so the estimate follows staffing and handle times
within one turn of the line. Integers only. Unknown (-1) until two contacts were accepted.
`Errors` counts how far what was said at the request was from the wait until the first offer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

UNKNOWN = -1
SAMPLES = 16
LONGEST_MS = 24 * 3_600_000


@dataclass(slots=True)
class Errors:
    """Of one queue: how many estimates have met their truth, and the sums of their errors in milliseconds."""

    count: int = 0
    signed_ms: int = 0
    """Positive: the wait was shorter than estimated."""
    absolute_ms: int = 0

    def add(self, estimated_ms: int, waited_ms: int) -> None:
        error = estimated_ms - waited_ms
        self.count += 1
        self.signed_ms += error
        self.absolute_ms += abs(error)

    @property
    def mean_ms(self) -> int:
        """Rounded down; 0 where nothing was measured."""
        return self.signed_ms // self.count if self.count else 0

    @property
    def mean_absolute_ms(self) -> int:
        return self.absolute_ms // self.count if self.count else 0


def new_pace(samples: Sequence[int] = ()) -> deque[int]:
    """The moments (Unix ms) of the last acceptances, oldest first."""
    return deque(samples, maxlen=SAMPLES)


def estimate(position: int, pace: Sequence[int], now: int) -> int:
    """Milliseconds until the contact at `position` (1 is next) is offered, or UNKNOWN.

    Where nobody was accepted for longer than the mean distance, that silence counts as the newest distance.
    """
    if len(pace) < 2:
        return UNKNOWN
    mean = (pace[-1] - pace[0]) // (len(pace) - 1)
    silence = now - pace[-1]
    if silence > mean:
        mean = (max(now, pace[0]) - pace[0]) // len(pace)
    return min(position * mean, LONGEST_MS)
