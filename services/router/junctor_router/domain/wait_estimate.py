"""How long a contact will wait: its place in line times the pace at which contacts of the queue were lately accepted.

The pace is the mean distance of the last acceptances (at most 16), so the estimate follows staffing and handle times
within one turn of the line. Integers only. Unknown (-1) until two contacts were accepted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

UNKNOWN = -1
SAMPLES = 16
LONGEST_MS = 24 * 3_600_000


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
