"""A new site epoch: every pending reservation is issued again under a new id, to the same agent (docs/two-sites.md, L3).

An id binds once, so the old one would be indistinguishable from a repeat; an edge that rings for this contact and agent goes
on ringing under the new one. The offer's time begins anew: the ring may have ended with the site that was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from junctor_router.domain.events import ReservationReissued
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.reservation import reservation_id
from junctor_router.domain.timers import OFFER
from junctor_router.domain.values import TaskState


def reissued(state: PoolState, site_epoch: int, now: int) -> Sequence[ReservationReissued]:
    """What is issued again where that site epoch begins at `now` (Unix ms). Changes nothing."""
    found: list[ReservationReissued] = []
    for contact_id in sorted(id for id, task in state.tasks.items() if task.state is TaskState.RESERVED):
        task = state.tasks[contact_id]
        expires_at = max(state.now, now) + state.queue_value(task.queue).offer_timeout_ms
        for offer in task.offers:
            agent = state.agents[offer.agent_id]
            count = state.reservations + len(found) + 1
            found.append(
                ReservationReissued(
                    state.tenant,
                    state.name,
                    offer.reservation_id,
                    reservation_id(state.tenant, state.name, site_epoch, count, agent.session),
                    contact_id,
                    agent.id,
                    agent.session,
                    task.channel,
                    task.queue,
                    expires_at,
                    agent.value.device,
                    task.edge,
                    offer.chosen_by,
                )
            )
    return found


def begin(state: PoolState, site_epoch: int, now: int, issued: Iterable[ReservationReissued]) -> None:
    """The site epoch begins, with what was issued again in this pool."""
    state.now = max(state.now, now)
    state.site_epoch = site_epoch
    for one in issued:
        state.reservations += 1
        task = state.tasks[one.contact_id]
        offers = tuple(
            replace(offer, reservation_id=one.reservation_id)
            if offer.reservation_id == one.previous_reservation_id
            else offer
            for offer in task.offers
        )
        task.lead_with(offers[0], offers[1:])
        task.expires_at = one.expires_at
        state.timers.set(OFFER, task.contact_id, one.expires_at)
        state.touch_task(task)
