"""Reservations: one agent's slot held for one contact, from the offer until it is answered or ends.

pending -> accepted, rejected (by the agent or the device), timed out (nobody answered), rescinded (the router took it
back) or canceled (the contact went away). The task holds its open ones: one, or as many as its queue offers at once.
"""

from __future__ import annotations

from junctor_router.domain.record import record

NOT_AT_THE_DEVICE = frozenset({"busy", "unreachable", "unregistered", "not_found", "failed"})
"""Causes of a rejection that come from the phone (SIP 486, 480, ...), not from the person."""
DEVICE_PAUSE_MS = 10_000
DECLINED_PAUSE_MS = 30_000
REQUEUE_PAUSE_MS = 10_000


@record
class Offer:
    """One open reservation. `chosen_by`: why this agent, for people."""

    agent_id: str
    reservation_id: str
    chosen_by: str


NO_OFFER = Offer("", "", "")


def reservation_id(tenant: str, pool: str, site_epoch: int, count: int, session: int) -> str:
    """Unique for ever, and a function of the state: the pool's count of reservations never goes back in a site epoch, and
    what another one decided beyond its end has that one's number."""
    return f"{tenant}.{pool}.{site_epoch}.{count}.{session}"


def epoch_of(reservation_id: str) -> int:
    """The site epoch in which it was made."""
    return int(reservation_id.rsplit(".", 3)[1])


def pause_after_rejection(cause: str) -> int:
    """How long the same agent is not offered the same contact again, in milliseconds."""
    return DEVICE_PAUSE_MS if cause in NOT_AT_THE_DEVICE else DECLINED_PAUSE_MS
