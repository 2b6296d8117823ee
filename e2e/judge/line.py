"""What became of who waited, by the decisions that count: nobody is passed over, nobody is forgotten.

For pools in which every agent may serve every contact of a queue in its only step, so that the place in line alone decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb

_KINDS = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        pb.TaskQueued,
        pb.TaskRequeued,
        pb.TaskCanceled,
        pb.TaskCompleted,
        pb.TaskOverflowed,
        pb.ReservationCreated,
        pb.ReservationEnded,
    )
}
_GIVEN_UP = (pb.RESERVATION_STATE_REJECTED, pb.RESERVATION_STATE_TIMED_OUT)


@dataclass
class Line:
    """`passed_over`: (who waited, who came later and was offered an agent who could have had the first one)."""

    queued: dict[str, int] = field(default_factory=dict)
    """When each contact came in line first, in Unix milliseconds of the decision."""
    ended: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    offers: int = 0


def line(entries: Iterable[journal_pb2.Entry]) -> Line:
    """Judges the decisions of one partition, in their order. Place: (priority, arrival, contact), as docs/two-sites.md says."""
    found = Line()
    places: dict[str, tuple[str, tuple[int, int, str]]] = {}
    tried: defaultdict[str, set[str]] = defaultdict(set)
    for now, event in _events(entries):
        match event:
            case pb.TaskQueued():
                places[event.contact_id] = (event.queue, (event.priority, event.arrived_at, event.contact_id))
                found.queued.setdefault(event.contact_id, now)
                found.waiting.add(event.contact_id)
            case pb.TaskRequeued():
                found.waiting.add(event.contact_id)
                tried[event.contact_id].add(event.agent_id)
            case pb.ReservationEnded() if event.state in _GIVEN_UP:
                tried[event.contact_id].add(event.agent_id)
            case pb.TaskCanceled() | pb.TaskCompleted() | pb.TaskOverflowed():
                found.waiting.discard(event.contact_id)
                found.ended.add(event.contact_id)
            case pb.ReservationCreated():
                found.offers += 1
                found.waiting.discard(event.contact_id)
                queue, place = places[event.contact_id]
                found.passed_over += [
                    (other, event.contact_id)
                    for other in found.waiting
                    if places[other][0] == queue and places[other][1] < place and event.agent_id not in tried[other]
                ]
    return found


def _events(entries: Iterable[journal_pb2.Entry]) -> Iterable[tuple[int, object]]:
    for entry in entries:
        for packed in entry.events:
            kind = _KINDS.get(packed.type_url.rpartition("/")[2])
            if kind is not None:
                yield entry.now, kind.FromString(packed.value)
