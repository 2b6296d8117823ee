"""One turn of a decider: the call as it changes, and the events that say so. Nothing outside sees it half done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from junctor_cti.domain.call import Call, CloseCause, Leg, Phase, Segment, SegmentKind, SegmentResult, State
from junctor_cti.domain.events import CallStateChanged, ContactClosed, SegmentEnded, SegmentStarted


class Rejected(Exception):
    """The request cannot apply to this call. Retrying it changes nothing: the caller must look again."""

    retryable = False

    def __init__(self, message: str, code: str = "failed_precondition") -> None:
        super().__init__(message)
        self.code = code


class Turn:
    """`call` is the state so far, `events` what happened so far, `now` the moment of the turn."""

    def __init__(self, call: Call, now: int) -> None:
        self.call = call
        self.now = now
        self.events: list[Any] = []

    def set(self, **changes: Any) -> None:
        self.call = replace(self.call, **changes)

    def emit(self, event: Any) -> None:
        self.events.append(event)

    def enter(self, state: State) -> None:
        self.set(state=state, since=self.now)
        call = self.call
        agent = call.offer.agent_id if call.offer else ""
        self.emit(CallStateChanged(call.tenant, call.contact_id, state, call.queue, agent))

    def owe(self, *steps: str) -> None:
        """Effects that must be done at least once, whatever happens to this process."""
        self.set(owed=(*self.call.owed, *(step for step in steps if step not in self.call.owed)))

    def paid(self, step: str) -> None:
        self.set(owed=tuple(owed for owed in self.call.owed if owed != step))

    def start_segment(
        self, kind: SegmentKind, *, queue: str = "", agent_id: str = "", flow: str = "", reservation_id: str = ""
    ) -> None:
        call = self.call
        number = call.segments + 1
        self.set(segment=Segment(number, kind, self.now, queue, agent_id), segments=number)
        self.emit(
            SegmentStarted(call.tenant, call.contact_id, number, kind, self.now, queue, agent_id, flow, reservation_id)
        )

    def end_segment(self, result: SegmentResult) -> None:
        segment = self.call.segment
        if segment is None:
            return
        self.set(segment=None)
        self.emit(
            SegmentEnded(
                self.call.tenant,
                self.call.contact_id,
                segment.number,
                segment.kind,
                segment.started_at,
                self.now,
                result,
                segment.queue,
                segment.agent_id,
            )
        )

    def customer(self, leg: Leg) -> None:
        self.set(customer=leg)

    def drop_agent(self) -> None:
        """The agent's phone is no longer wanted: its leg leaves, rung or answered; the offer is over."""
        agent = self.call.agent
        if agent is not None:
            phase: Phase = "canceling" if agent.phase == "prepared" else "clearing"
            self.set(leaving=(*self.call.leaving, replace(agent, phase=phase)))
        self.set(agent=None, offer=None)

    def clear_customer(self) -> None:
        """The edge ends the customer's leg."""
        if self.call.customer_there:
            self.customer(replace(self.call.customer, phase="clearing"))

    def customer_ended(self, cause: CloseCause, detail: str = "") -> None:
        """The customer's side is over, for the first reason that is told."""
        if self.call.ended_at is None:
            self.set(ended_at=self.now, cause=cause, detail=detail)
        self.set(verb=None, wait_prompt="")

    def close(self) -> None:
        """Nobody serves the contact any more."""
        call = self.call
        self.enter("closed")
        ended = call.ended_at if call.ended_at is not None else self.now
        self.emit(
            ContactClosed(
                call.tenant,
                call.contact_id,
                call.arrived_at,
                ended,
                self.now,
                call.cause,
                call.disposition,
                call.detail,
            )
        )
