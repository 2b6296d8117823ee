"""The interpreter's cyclic collector, kept from looking at all agents and contacts again and again.

A full collection walks all objects that live long; with 50,000 agents it would stop the owner for a second. The core has
no cycles that outlive an input (a state is freed by its counts), so each object is looked at once, with all that came
since the last look, and is left out of later ones. What is left out and becomes a cycle of garbage later is not found
again: of RPCs that were on their way during a look, some 15 bytes an RPC (measured over 140,000 of them, with 10 at a time).
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

_AT_ONCE = 5_000
"""Objects more than were freed until they are looked at: a millisecond or two. As it comes out of the box (700, and those
that survived ten looks once more) a tenth of a busy router's time goes into looking."""
_NEVER = 1_000_000


def keep_pauses_short() -> None:
    """For the whole process; said again it changes nothing."""
    gc.set_threshold(_AT_ONCE, _NEVER, _NEVER)
    if _leave_out_survivors not in gc.callbacks:
        gc.callbacks.append(_leave_out_survivors)


def _leave_out_survivors(phase: str, info: Mapping[str, Any]) -> None:
    if phase == "stop":
        gc.freeze()
