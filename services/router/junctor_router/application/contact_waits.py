"""Waits and talks of contacts, read off the core's events. Words and formulas as in docs/metrics.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from junctor_router.domain import events as e

SHORT_ABANDON_MS = 5_000
THRESHOLD_MS = 20_000
"""Of a queue that names none."""
WAITING, ANSWERED, ABANDONED, OVERFLOWED, TRANSFERRED = "waiting", "answered", "abandoned", "overflowed", "transferred"


@dataclass(slots=True)
class Wait:
    """One stay in a queue's line, and the talk that followed it. Moments are Unix ms, 0 is not (yet)."""

    contact_id: str
    queue: str
    began: int
    ended: int = 0
    result: str = WAITING
    agent_id: str = ""
    offers: int = 0
    talk_ended: int = 0
    handled: int = 0
    """When the wrap-up ended; the talk's end for a contact that was transferred."""

    @property
    def waited_ms(self) -> int:
        return self.ended - self.began

    @property
    def counts(self) -> bool:
        short = self.result == ABANDONED and self.waited_ms < SHORT_ABANDON_MS
        return self.result in (ANSWERED, ABANDONED, OVERFLOWED) and not short


class ContactWaits:
    """`see` with each event; `waits` of each contact in their order, and `assignments` as (moment, contact, agent)."""

    def __init__(self) -> None:
        self.waits: dict[str, list[Wait]] = {}
        self.offers: list[tuple[int, str, str]] = []
        self.assignments: list[tuple[int, str, str]] = []

    def see(self, event: e.Event, now: int) -> None:
        match event:
            case e.TaskQueued():
                self._begin(event.contact_id, event.queue, now)
            case e.ReservationCreated():
                self.offers.append((now, event.contact_id, event.agent_id))
                if (wait := self._last(event.contact_id)) is not None:
                    wait.offers += 1
            case e.ReservationAccepted():
                self.assignments.append((now, event.contact_id, event.agent_id))
                if (wait := self._end(event.contact_id, ANSWERED, now)) is not None:
                    wait.agent_id = event.agent_id
            case e.TaskCanceled():
                self._end(event.contact_id, ABANDONED, now)
            case e.TaskOverflowed():
                self._end(event.contact_id, OVERFLOWED, now)
            case e.TaskRequeued():
                self._requeued(event.contact_id, event.queue, now)
            case e.TaskWrapping():
                if (wait := self._last(event.contact_id)) is not None and not wait.talk_ended:
                    wait.talk_ended = now
            case e.TaskCompleted():
                if (wait := self._last(event.contact_id)) is not None:
                    wait.talk_ended, wait.handled = event.ended_at, now
            case _:
                pass

    def all(self) -> Iterable[Wait]:
        for waits in self.waits.values():
            yield from waits

    def _begin(self, contact_id: str, queue: str, now: int) -> None:
        self.waits.setdefault(contact_id, []).append(Wait(contact_id, queue, now))

    def _last(self, contact_id: str) -> Wait | None:
        found = self.waits.get(contact_id)
        return found[-1] if found else None

    def _end(self, contact_id: str, result: str, now: int) -> Wait | None:
        wait = self._last(contact_id)
        if wait is None or wait.result != WAITING:
            return None
        wait.result, wait.ended = result, now
        return wait

    def _requeued(self, contact_id: str, queue: str, now: int) -> None:
        wait = self._last(contact_id)
        if wait is None:
            return
        if wait.result == ANSWERED:
            wait.talk_ended = wait.handled = now
            self._begin(contact_id, queue, now)
        elif wait.queue != queue:
            self._end(contact_id, TRANSFERRED, now)
            self._begin(contact_id, queue, now)
