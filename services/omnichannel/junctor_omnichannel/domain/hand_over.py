"""From the bot, or from a lost site, into line."""

from __future__ import annotations

from junctor_omnichannel.domain import events as e
from junctor_omnichannel.domain.turn import Turn


def hand_over(turn: Turn, queue: str, requirements: tuple[str, ...], said: str = "waiting") -> None:
    """The conversation goes in line for an agent; `said` is told to the customer (see `texts`)."""
    turn.end_segment("completed")
    state = turn.state
    routed = state.routed + 1
    turn.emit(e.HandedOver(state.tenant, state.contact_id, queue, requirements, state.data, routed))
    turn.start_segment("queue", queue=queue)
    turn.enter("queued", queue)
    turn.tell(said)
    turn.owe(f"route/{routed}")
