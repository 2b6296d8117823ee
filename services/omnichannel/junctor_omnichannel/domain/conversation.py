"""A conversation as its events made it. Times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import assert_never

from junctor_omnichannel.domain import events as e
from junctor_omnichannel.domain.commands import EntryPoint

REMEMBERED_MS = 10 * 60_000
"""How long a closed conversation can still be read here, by a customer who comes back for its end."""


@dataclass(frozen=True, slots=True)
class Segment:
    number: int
    kind: e.SegmentKind
    started_at: int
    queue: str = ""
    agent_id: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """`owed`: effects that must still be made. `task`: the router's, `open` from the hand-over until it is over.

    `leg`: 1 for the first, one more with each site that the customer came to after a loss; `moved_to`: the site that has the
    conversation now, where it is not this one. `bound_before`: reservations that were bound here and are no more; one binds
    once. `connection` is the customer's newest one; `away_since` is set while it is gone. `agent_id` stays after the talk.
    """

    tenant: str
    contact_id: str
    state: e.State = ""
    widget: str = ""
    entry: EntryPoint = field(default_factory=EntryPoint)
    site: str = ""
    arrived_at: int = 0
    messages: tuple[e.Message, ...] = ()
    active_at: int = 0
    missed: int = 0
    data: dict[str, str] = field(default_factory=dict)
    queue: str = ""
    requirements: tuple[str, ...] = ()
    routed: int = 0
    task: str = ""
    disposition: str = ""
    segments: int = 0
    segment: Segment | None = None
    agent_id: str = ""
    reservation_id: str = ""
    leg: int = 1
    moved_to: str = ""
    bound_before: tuple[str, ...] = ()
    connection: str = ""
    away_since: int | None = None
    ended_at: int | None = None
    cause: e.CloseCause = ""
    detail: str = ""
    closed_at: int | None = None
    owed: tuple[str, ...] = ()
    forgotten: bool = False
    away_percent: int = 0
    """Of the stream of the share of arrivals alone: what is sent to the other site."""
    fence: int = 0
    """Of the stream of a fence alone: the highest site epoch seen of that partition of the router."""

    @property
    def open(self) -> bool:
        """The customer is being served or waits."""
        return self.state in {"with_bot", "queued", "with_agent"}


def evolve(state: Conversation, event: e.Event) -> Conversation:
    match event:
        case e.ConversationOpened():
            language = event.entry.language
            return replace(
                state,
                widget=event.widget,
                entry=event.entry,
                site=event.site,
                arrived_at=event.arrived_at,
                queue=event.entry.queue,
                data={"language": language} if language else {},
            )
        case e.ConversationAdopted():
            return Conversation(
                tenant=state.tenant,
                contact_id=state.contact_id,
                widget=event.widget,
                entry=event.entry,
                site=event.site,
                arrived_at=event.arrived_at,
                messages=event.messages,
                active_at=event.at,
                missed=event.missed,
                data=event.data,
                queue=event.queue,
                routed=event.routed,
                segments=event.segments,
                leg=event.leg,
            )
        case e.ConversationMoved():
            return replace(
                state, state="closed", moved_to=event.site, leg=event.leg, closed_at=event.at, owed=(), task="over"
            )
        case e.Reattached() | e.ProcessGreeted():
            return state
        case e.ArrivalShareChanged():
            return replace(state, away_percent=event.percent)
        case e.FenceRaised():
            return replace(state, fence=event.site_epoch)
        case e.ContactOpened():
            return replace(state, active_at=event.arrived_at)
        case e.SegmentStarted():
            segment = Segment(event.segment, event.kind, event.started_at, event.queue, event.agent_id)
            return replace(state, segment=segment, segments=event.segment)
        case e.SegmentEnded():
            return replace(state, segment=None)
        case e.MessageAdded(message=message):
            heard = message.at if message.author in {"customer", "agent"} else state.active_at
            return replace(state, messages=(*state.messages, message), active_at=max(state.active_at, heard))
        case e.BotTurnTaken():
            return replace(state, missed=event.missed, data={**state.data, **event.set})
        case e.CustomerPresenceChanged():
            away_since = None if event.present else event.at
            return replace(state, connection=event.connection, away_since=away_since)
        case e.HandedOver():
            return replace(
                state,
                queue=event.queue,
                requirements=event.requirements,
                data=event.data,
                routed=event.routed,
                task="open",
            )
        case e.Bound():
            return replace(
                state,
                agent_id=event.agent_id,
                reservation_id=event.reservation_id,
            )
        case e.Unbound():
            return replace(state, reservation_id="", bound_before=(*state.bound_before, event.reservation_id))
        case e.ConversationStateChanged():
            return replace(state, state=event.state, queue=event.queue)
        case e.StepOwed(step=step):
            return replace(state, owed=(*state.owed, step))
        case e.StepCleared(step=step):
            return replace(state, owed=tuple(one for one in state.owed if one != step))
        case e.TaskEnded():
            return replace(state, task="over", disposition=event.disposition or state.disposition)
        case e.ConversationEnded():
            return replace(state, ended_at=event.ended_at, cause=event.cause, detail=event.detail)
        case e.ContactClosed():
            return replace(state, closed_at=event.closed_at)
        case e.ConversationForgotten():
            return replace(state, forgotten=True)
        case _:
            assert_never(event)


def next_due(state: Conversation) -> int | None:
    """When the customer has been silent or away for too long, or a closed conversation may be forgotten.

    What owes an effect is not forgotten.
    """
    if state.closed_at is not None:
        return None if state.owed else state.closed_at + REMEMBERED_MS
    if not state.open:
        return None
    moments = [moment for moment, _ in ends(state)]
    return min(moments, default=None)


def ends(state: Conversation) -> list[tuple[int, str]]:
    """The moments at which an open conversation ends by itself, and why."""
    found = []
    if state.away_since is not None and state.entry.grace_ms:
        found.append((state.away_since + state.entry.grace_ms, "connection lost"))
    if state.state != "queued" and state.entry.idle_ms:
        found.append((state.active_at + state.entry.idle_ms, "idle"))
    return found


def is_live(state: Conversation) -> bool:
    return not state.forgotten
