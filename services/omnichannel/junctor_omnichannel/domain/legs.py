"""A customer whose site was lost comes to another one: the conversation goes on there under a later leg (docs/two-sites.md)."""

from __future__ import annotations

from junctor_omnichannel.domain import commands as c
from junctor_omnichannel.domain import events as e
from junctor_omnichannel.domain.hand_over import hand_over
from junctor_omnichannel.domain.turn import Rejected, Turn


def reattached(turn: Turn, command: c.CustomerReattached) -> None:
    """Taken over with what is known of it: with the bot, or in line as it was. Whether it is with an agent still is the
    router's to say, when it is asked for one."""
    known = turn.state
    if known.state and known.leg >= command.leg:
        return
    entry = command.entry
    if entry is None or not (entry.bot or entry.queue or command.queue):
        raise Rejected(f"The widget '{command.widget}' has neither a bot nor a queue.")
    if command.state in {"wrapping", "closed"}:
        raise Rejected("The conversation has ended.")
    tenant, contact = known.tenant, known.contact_id
    turn.emit(
        e.ConversationAdopted(
            tenant,
            contact,
            command.leg,
            command.site,
            command.widget,
            entry,
            command.arrived_at,
            turn.now,
            command.messages,
            command.data,
            command.queue,
            command.routed,
            command.missed,
            command.segments,
        )
    )
    turn.emit(
        e.Reattached(tenant, contact, command.leg, command.site, command.previous_site, command.arrived_at, turn.now)
    )
    with_bot = command.state == "with_bot" or (not command.state and not command.queue and entry.bot)
    if with_bot:
        turn.start_segment("flow", flow=entry.bot)
        turn.enter("with_bot")
    else:
        hand_over(turn, command.queue or entry.queue, command.requirements, "back")


def moved(turn: Turn, command: c.LegMoved) -> None:
    """Another site has the conversation, though it may have ended here: a site that comes back ends by itself whom it took for
    gone. Nothing is said or owed for it here any more."""
    state = turn.state
    if not state.state or command.leg <= state.leg:
        return
    turn.emit(e.ConversationMoved(state.tenant, state.contact_id, command.leg, command.site, turn.now))
