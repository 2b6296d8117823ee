"""A backlog of inputs made beforehand: the core is deterministic, so a copy of it here says who will be offered what."""

from __future__ import annotations

from collections import deque

from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.message_types import unpack
from junctor_router.application.directory_values import journalled
from junctor_router.application.pools import PoolsFold

from bench.router_centre import Centre, as_input, completion, extension, next_input

START = 1_800_000_000_000


class Script:
    """Contacts whose talks overlap: `talking` of them are in hand at any time."""

    def __init__(self, centre: Centre, talking: int) -> None:
        self._centre = centre
        self._talking = talking
        self._fold = PoolsFold()
        self._now = START
        self._held: deque[tuple[str, str]] = deque()
        self._inputs: list[journal_pb2.Input] = []
        self.contacts = 0
        self.events = 0
        self.queued = 0
        for number, (kind, value) in enumerate(centre.values()):
            body = pb.ConfigurationChanged(kind=kind, id=value.id, version=number + 1)
            body.value.Pack(journalled(value), deterministic=True)
            self._apply(as_input(body, f"configuration/{kind}/{value.id}"))
        for input in centre.log_ins():
            self._apply(input)

    def inputs(self, assignments: int) -> list[journal_pb2.Input]:
        """Five for each assignment: request, accept, end, extend the wrap-up, complete. Contacts go on from call to call."""
        self._inputs = []
        self.events = self.queued = 0
        for _ in range(assignments):
            self._arrive()
            while len(self._held) > self._talking:
                self._finish()
        return self._inputs

    def _arrive(self) -> None:
        contact = f"c{self.contacts}"
        events = self._apply(self._centre.request(self.contacts))
        self.contacts += 1
        self._now += 1
        self._accept(events)
        if not any(isinstance(event, pb.ReservationCreated) and event.contact_id == contact for event in events):
            self.queued += 1

    def _accept(self, events: list[object]) -> None:
        for event in events:
            if isinstance(event, pb.ReservationCreated):
                follows = next_input(event)
                assert follows is not None
                self._apply(follows)
                self._held.append((event.contact_id, event.agent_id))

    def _finish(self) -> None:
        contact, agent = self._held.popleft()
        end = pb.EndContactRequest(tenant="bench", request_id=f"end-{contact}", contact_id=contact)
        self._apply(as_input(end, f"end/{contact}", contact))
        self._apply(extension(contact, agent))
        self._accept(self._apply(completion(contact, agent)))

    def _apply(self, input: journal_pb2.Input) -> list[object]:
        applied = self._fold.apply(input, unpack(input.body), self._now)
        assert applied.refusal is None, applied.refusal
        self._inputs.append(input)
        self.events += len(applied.events)
        return list(applied.events)
