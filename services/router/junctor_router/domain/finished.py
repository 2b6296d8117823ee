"""Contacts that are done, as far as they are remembered."""

from __future__ import annotations

from typing import Any

from junctor_router.domain.record import record
from junctor_router.domain.values import TaskState


@record
class FinishedTask:
    """What is remembered for a while of a contact that is done, so that late commands get a true answer."""

    contact_id: str
    state: TaskState
    queue: str
    agent_id: str
    reservation_id: str
    finished_at: int
    cause: str

    def to_plain(self) -> list[Any]:
        return [
            self.contact_id, int(self.state), self.queue, self.agent_id, self.reservation_id, self.finished_at, self.cause,
        ]  # fmt: skip

    @classmethod
    def from_plain(cls, plain: list[Any]) -> FinishedTask:
        contact_id, state, queue, agent_id, reservation_id, finished_at, cause = plain
        return cls(contact_id, TaskState(state), queue, agent_id, reservation_id, finished_at, cause)
