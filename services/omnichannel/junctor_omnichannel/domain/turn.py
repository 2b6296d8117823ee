"""One turn of the decider: the events so far and the conversation that they make. Nothing outside sees it half done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from junctor_omnichannel.domain import events as e
from junctor_omnichannel.domain.conversation import Conversation, evolve
from junctor_omnichannel.domain.texts import text

MAX_MESSAGES = 5_000


class Rejected(Exception):
    """The request cannot apply to this conversation. Retrying it changes nothing: the caller must look again."""

    retryable = False

    def __init__(self, message: str, code: str = "failed_precondition") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True)
class Numbered:
    """The response: the number of a message."""

    number: int


@dataclass(frozen=True, slots=True)
class Decision:
    events: Sequence[e.Event]
    response: Any = None


class Turn:
    def __init__(self, state: Conversation, now: int) -> None:
        self.state = state
        self.now = now
        self.events: list[e.Event] = []

    @property
    def _key(self) -> tuple[str, str]:
        return self.state.tenant, self.state.contact_id

    def emit(self, event: e.Event) -> None:
        self.events.append(event)
        self.state = evolve(self.state, event)

    def enter(self, state: e.State, queue: str | None = None) -> None:
        agent = self.state.agent_id if state in {"with_agent", "wrapping"} else ""
        name = self.state.queue if queue is None else queue
        self.emit(e.ConversationStateChanged(*self._key, state, agent, name))

    def say(self, author: e.Author, words: str, agent_id: str = "", message_id: str = "") -> int:
        """Adds a message and gives its number; the empty text adds none."""
        if not words:
            return len(self.state.messages)
        number = len(self.state.messages) + 1
        if number > MAX_MESSAGES and author in {"customer", "agent"}:
            raise Rejected(f"A conversation has at most {MAX_MESSAGES} messages.", "resource_exhausted")
        self.emit(e.MessageAdded(*self._key, e.Message(number, author, agent_id, words, self.now, message_id)))
        return number

    def tell(self, name: str) -> None:
        """Junctor's own words."""
        self.say("system", text(name, self.state.entry.language))

    def start_segment(
        self, kind: e.SegmentKind, *, queue: str = "", agent_id: str = "", flow: str = "", reservation_id: str = ""
    ) -> None:
        number = self.state.segments + 1
        self.emit(e.SegmentStarted(*self._key, number, kind, self.now, queue, agent_id, flow, reservation_id))

    def end_segment(self, result: e.SegmentResult) -> None:
        segment = self.state.segment
        if segment is not None:
            self.emit(
                e.SegmentEnded(
                    *self._key,
                    segment.number,
                    segment.kind,
                    segment.started_at,
                    self.now,
                    result,
                    segment.queue,
                    segment.agent_id,
                )
            )

    def owe(self, step: str) -> None:
        """An effect that must be made at least once, whatever happens to this process."""
        if step not in self.state.owed:
            self.emit(e.StepOwed(*self._key, step))

    def cleared(self, step: str) -> None:
        if step in self.state.owed:
            self.emit(e.StepCleared(*self._key, step))

    def task_over(self, disposition: str = "") -> None:
        if self.state.task == "open":
            self.emit(e.TaskEnded(*self._key, disposition))

    def customer_ended(self, cause: e.CloseCause, detail: str = "") -> None:
        """The customer's side is over, for the first reason that is told."""
        if self.state.ended_at is None:
            self.emit(e.ConversationEnded(*self._key, self.now, cause, detail))

    def close(self) -> None:
        """Nobody serves the contact any more."""
        self.enter("closed")
        state = self.state
        ended = state.ended_at if state.ended_at is not None else self.now
        self.emit(
            e.ContactClosed(*self._key, state.arrived_at, ended, self.now, state.cause, state.disposition, state.detail)
        )
