"""What people did, read off a pool's recorded inputs: how long they waited, talked, took to answer; not what was decided.

A contact's stay is a row of legs: one begins with its request and one with each transfer (`RequeueTask`). What was said
about the contact in a leg is kept by phase (waiting, serving, wrapping) with its distance from the phase's beginning, so
that it can be said again at another moment, about another agent. An answer to an offer is kept with its distance from
the offer. What concerns agents, arrivals and configuration is kept as it was, with its moment.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median_low

from junctor_router.application.cel import parse
from junctor_router.application.contact_waits import ContactWaits
from junctor_router.application.virtual_time import Place
from junctor_router.domain import commands as c
from junctor_router.domain import events as e
from junctor_router.domain.configuration import Value
from junctor_router.domain.pool import Pool
from junctor_router.domain.values import ReservationState, TaskState

log = logging.getLogger(__name__)

WAITING, SERVING, WRAPPING = "waiting", "serving", "wrapping"
PHASES = {
    TaskState.QUEUED: WAITING,
    TaskState.RESERVED: WAITING,
    TaskState.ASSIGNED: SERVING,
    TaskState.WRAPPING: WRAPPING,
}
OfContact = c.CancelTask | c.EndContact | c.RequeueTask | c.CompleteTask | c.ExtendWrapUp
USUAL_ANSWER_MS = 2_000
"""Of agents of whom no answer is recorded."""
NEVER_MS = 1 << 50
_NO_HANDLE_MS = 180_000


@dataclass(frozen=True, slots=True)
class Deed:
    """Something said about a contact: so long after its phase began, and in that order among the same moment's."""

    after_ms: int
    order: int
    command: OfContact


@dataclass(slots=True)
class Leg:
    queue: str
    deeds: dict[str, list[Deed]] = field(default_factory=lambda: {WAITING: [], SERVING: [], WRAPPING: []})
    served: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`command` None: nobody answered; the offer's own time ends it."""

    after_ms: int
    order: int
    command: c.AcceptReservation | c.RejectReservation | None


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a contact is: leg, phase, and the moment the phase began."""

    leg: int
    phase: str
    began: int


@dataclass(frozen=True, slots=True)
class Happened:
    """An input that nobody's decision brought about. Moment (Unix ms), place in the journal, command."""

    moment: int
    order: int
    command: c.Command


@dataclass(frozen=True, slots=True)
class Begin:
    """A pool as it was at a moment, and where its contacts and offers were."""

    pool: Pool
    stages: dict[str, Stage]
    offers: dict[str, tuple[str, str, int, int]]
    """By reservation: contact, agent, which offer of the contact to that agent, moment."""
    offered: dict[tuple[str, str], int]
    in_force: dict[tuple[str, str], Value | None]
    legs: dict[str, int]
    """How many legs each contact has had."""
    order: int

    def copy(self) -> Pool:
        """Another pool in the same state."""
        return _copy(self.pool)


class Behaviour:
    """Recorder of one pool: `see` with each input that the journal counts, in order."""

    def __init__(self, tenant: str, name: str) -> None:
        self.pool = Pool(tenant, name, parse)
        self.waits = ContactWaits()
        self.legs: dict[str, list[Leg]] = defaultdict(list)
        self.answers: dict[tuple[str, str, int], Answer] = {}
        self.unanswered: dict[tuple[str, str, int], int] = {}
        """How long an offer stood that was taken back before anybody answered it."""
        self.in_force: dict[tuple[str, str], Value | None] = {}
        self.happened: list[Happened] = []
        self.ticks: dict[int, Place] = {}
        self.handle_ms: dict[str, list[int]] = defaultdict(list)
        self.answer_ms: dict[str, list[int]] = defaultdict(list)
        self.stages: dict[str, Stage] = {}
        self._offers: dict[str, tuple[str, str, int, int]] = {}
        self._offered: dict[tuple[str, str], int] = defaultdict(int)
        self._order = -1

    def see(self, order: int, now: int, command: c.Command) -> tuple[e.Event, ...]:
        """Applies the input as it was applied and remembers what it says of people. The events, to be compared with the
        recorded ones by the caller. `order` grows by at least 2 from input to input."""
        self._order = order
        self._note_tick(order, now, command)
        match command:
            case c.Tick():
                pass
            case c.AcceptReservation() | c.RejectReservation():
                self._note_answer(order, now, command)
            case c.CancelTask() | c.EndContact() | c.RequeueTask() | c.CompleteTask() | c.ExtendWrapUp():
                self._note_deed(order, now, command)
            case _:
                self.happened.append(Happened(now, order, command))
                if isinstance(command, c.ConfigurationChanged):
                    self.in_force[command.kind, command.id] = command.value
        try:
            outcome = self.pool.apply(command, now)
        except Exception:
            log.exception("the core failed, as it did in the record", extra={"command": type(command).__name__})
            return ()
        for event in outcome.events:
            self.waits.see(event, now)
            self._follow(event, now, isinstance(command, c.RequeueTask))
        return outcome.events

    def begin(self) -> Begin:
        """A copy of the pool as it is now."""
        copy = _copy(self.pool)
        open_offers = {id: offer for id, offer in self._offers.items() if self._is_open(id, offer[0])}
        legs = {contact_id: len(legs) for contact_id, legs in self.legs.items()}
        return Begin(copy, dict(self.stages), open_offers, dict(self._offered), dict(self.in_force), legs, self._order)

    def finish(self) -> None:
        """The journal's end: answers to the offers that still stand are never known."""
        for id, (contact_id, agent_id, number, _) in self._offers.items():
            if self._is_open(id, contact_id) and (contact_id, agent_id, number) not in self.answers:
                self.unanswered[contact_id, agent_id, number] = NEVER_MS

    def usual_handle_ms(self, queue: str) -> int:
        """The middle of the recorded handle times of the queue, else of all queues."""
        found = self.handle_ms.get(queue) or [ms for values in self.handle_ms.values() for ms in values]
        return median_low(found) if found else _NO_HANDLE_MS

    def usual_answer_ms(self, agent_id: str) -> int:
        found = self.answer_ms.get(agent_id) or [ms for values in self.answer_ms.values() for ms in values]
        return median_low(found) if found else USUAL_ANSWER_MS

    def _note_tick(self, order: int, now: int, command: c.Command) -> None:
        """When the tick for a due moment came. Where another input came before an overdue tick, the tick is after it."""
        due = self.pool.next_due()
        if due is None or due > now:
            return
        self.ticks[due] = (now, order) if isinstance(command, c.Tick) else (now, order + 1)

    def _note_answer(self, order: int, now: int, command: c.AcceptReservation | c.RejectReservation) -> None:
        offer = self._offers.get(command.reservation_id)
        if offer is None or (command.contact_id, command.agent_id) != offer[:2]:
            return
        contact_id, agent_id, number, offered_at = offer
        known = self.answers.get((contact_id, agent_id, number))
        if known is not None and known.command is not None:
            return
        self.answers[contact_id, agent_id, number] = Answer(now - offered_at, order, command)
        self.answer_ms[agent_id].append(now - offered_at)

    def _note_deed(self, order: int, now: int, command: OfContact) -> None:
        stage = self.stages.get(command.contact_id)
        if stage is None:
            return
        leg = self.legs[command.contact_id][stage.leg]
        leg.deeds[stage.phase].append(Deed(now - stage.began, order, command))
        if stage.phase == SERVING and isinstance(command, c.EndContact | c.CancelTask):
            self.handle_ms[leg.queue].append(now - stage.began)

    def _follow(self, event: e.Event, now: int, transferred: bool) -> None:
        match event:
            case e.TaskQueued():
                self._new_leg(event.contact_id, event.queue, now)
            case e.TaskRequeued() if transferred or self._serving(event.contact_id):
                self._new_leg(event.contact_id, event.queue, now)
            case e.ReservationCreated():
                key = (event.contact_id, event.agent_id)
                self._offers[event.reservation_id] = (*key, self._offered[key], now)
                self._offered[key] += 1
            case e.ReservationAccepted():
                stage = self.stages[event.contact_id]
                self.legs[event.contact_id][stage.leg].served = True
                self.stages[event.contact_id] = Stage(stage.leg, SERVING, now)
            case e.ReservationEnded():
                self._ended(event, now)
            case e.TaskWrapping():
                stage = self.stages[event.contact_id]
                if stage.phase != WRAPPING:
                    self.stages[event.contact_id] = Stage(stage.leg, WRAPPING, now)
            case e.TaskCompleted() | e.TaskCanceled() | e.TaskOverflowed():
                self.stages.pop(event.contact_id, None)
            case _:
                pass

    def _serving(self, contact_id: str) -> bool:
        stage = self.stages.get(contact_id)
        return stage is not None and stage.phase == SERVING

    def _ended(self, event: e.ReservationEnded, now: int) -> None:
        """An offer that ended before anybody answered: what the answer would have been is not known."""
        contact_id, agent_id, number, offered_at = self._offers[event.reservation_id]
        if (contact_id, agent_id, number) in self.answers:
            return
        if event.state is ReservationState.TIMED_OUT:
            self.answers[contact_id, agent_id, number] = Answer(0, 0, None)
        else:
            self.unanswered[contact_id, agent_id, number] = now - offered_at

    def _new_leg(self, contact_id: str, queue: str, now: int) -> None:
        self.legs[contact_id].append(Leg(queue))
        self.stages[contact_id] = Stage(len(self.legs[contact_id]) - 1, WAITING, now)

    def _is_open(self, reservation_id: str, contact_id: str) -> bool:
        task = self.pool.state.tasks.get(contact_id)
        return task is not None and any(offer.reservation_id == reservation_id for offer in task.offers)


def _copy(pool: Pool) -> Pool:
    copy = Pool(pool.state.tenant, pool.state.name, parse)
    copy.load(list(pool.dump()))
    return copy
