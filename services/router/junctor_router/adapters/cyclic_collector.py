"""The interpreter's cyclic collector, kept from looking at all agents and contacts again and again.

A full collection walks all objects that live long; with 50,000 agents it would stop the owner for a second. The core has
no cycles that outlive an input (a state is freed by its counts), so what has survived one full collection is left out of
the later ones: each looks only at what has come since, and they come often enough that this is little. What is left out
and becomes a cycle of garbage later is not found again; that is little, and of the libraries' making.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

_FULL = 2
_EVERY = (700, 10, 2)
"""Objects more than were freed until the youngest are looked at; so many such looks until the next older ones are. A full
collection so has some 20,000 objects to look at: two milliseconds (as it comes out of the box, ten)."""


def keep_pauses_short() -> None:
    """For the whole process; said again it changes nothing."""
    gc.set_threshold(*_EVERY)
    if _leave_out_survivors not in gc.callbacks:
        gc.callbacks.append(_leave_out_survivors)


def _leave_out_survivors(phase: str, info: Mapping[str, Any]) -> None:
    if phase == "stop" and info["generation"] == _FULL:
        gc.freeze()
