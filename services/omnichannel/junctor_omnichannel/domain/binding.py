"""Which reservation may be joined to the customer (docs/two-sites.md, E1 and E2)."""

from __future__ import annotations

from junctor_omnichannel.domain.conversation import Conversation

_AFTER_POOL = 3
"""Site epoch, number and session stand behind the pool's name, which may have dots."""


def binds(state: Conversation, reservation_id: str) -> bool:
    """Whether the conversation's edge takes it: each one once, and none that was decided under an earlier site epoch than one
    that was taken here before."""
    taken = (*state.bound_before, state.reservation_id)
    return reservation_id not in taken and epoch_of(reservation_id) >= max(map(epoch_of, taken))


def epoch_of(reservation_id: str) -> int:
    """The site epoch of the router that decided it, as its id says (`tenant.pool.epoch.number.session`); 0 for another id."""
    parts = reservation_id.rsplit(".", _AFTER_POOL)
    return int(parts[1]) if len(parts) == _AFTER_POOL + 1 and parts[1].isdigit() else 0
