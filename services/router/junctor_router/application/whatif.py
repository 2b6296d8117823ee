"""Recorded contacts, agents and their behaviour under another configuration: what the core would have decided.

With the configuration as it was the re-run makes the recorded offers and assignments again, at the same moments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from junctor_router.application.contact_waits import ContactWaits
from junctor_router.application.recorded_behaviour import (
    SERVING,
    WAITING,
    WRAPPING,
    Answer,
    Begin,
    Behaviour,
    Deed,
    Happened,
    Leg,
    Stage,
)
from junctor_router.application.virtual_time import FIRST, LATER, Place, VirtualPool
from junctor_router.domain import commands as c
from junctor_router.domain import events as e
from junctor_router.domain.configuration import Value

Changes = Mapping[tuple[str, str], Value]
"""The values that are to hold instead, by kind and id, in an order in which they can be told."""


@dataclass(slots=True)
class Assumed:
    """Contacts and offers for which the record did not say how people would have behaved."""

    handle_times: set[str] = field(default_factory=set)
    answers: int = 0
    dropped_changes: int = 0


class Rerun:
    """One pool from a recorded moment on. `play` once, then read `waits` and `assumed`."""

    def __init__(self, behaviour: Behaviour, begin: Begin, changes: Changes) -> None:
        self.waits = ContactWaits()
        self.assumed = Assumed()
        self.warnings: list[str] = []
        self._behaviour = behaviour
        self._stages: dict[str, Stage] = dict(begin.stages)
        self._offered: dict[tuple[str, str], int] = defaultdict(int, begin.offered)
        self._legs_seen: dict[str, int] = defaultdict(int, begin.legs)
        self._open: set[str] = set()
        self._compared_until = 0
        self._virtual = VirtualPool(begin.copy(), self._see, self._tick_at)
        self._take_up(begin)
        self._replace(begin, changes)
        waiting_for = dict(changes)
        for happened in behaviour.happened:
            if happened.order > begin.order:
                self._put(happened, changes, waiting_for)

    def play(self, compared_until: int, until: int) -> None:
        """To the end of all contacts that came before `compared_until` (Unix ms), at most to `until`."""
        self._compared_until = compared_until
        self._virtual.run(until, lambda: self._virtual.now >= compared_until and not self._open)

    def _replace(self, begin: Begin, changes: Changes) -> None:
        """Values in force at the beginning, and those that never come, change there; others when they come."""
        coming = {
            (h.command.kind, h.command.id)
            for h in self._behaviour.happened
            if isinstance(h.command, c.ConfigurationChanged) and h.order > begin.order
        }
        for (kind, id), value in changes.items():
            held = begin.in_force.get((kind, id))
            if held == value or (held is None and (kind, id) in coming):
                continue
            version = self._virtual.pool.state.versions.get((kind, id), 0) + 1
            self._virtual.at(0, partial(c.ConfigurationChanged, kind, id, version, value), FIRST)

    def _put(self, happened: Happened, changes: Changes, waiting_for: dict[tuple[str, str], Value]) -> None:
        command = happened.command
        if isinstance(command, c.ConfigurationChanged) and (command.kind, command.id) in changes:
            name = (command.kind, command.id)
            value = waiting_for.pop(name, None)
            held = name in self._virtual.pool.state.versions
            if value is None or held or command.value is None:
                self.assumed.dropped_changes += command.value != changes[name]
                return
            command = replace(command, value=value)
        self._virtual.at(happened.moment, partial(_same, command), happened.order)

    def _take_up(self, begin: Begin) -> None:
        """Contacts and offers that are under way at the beginning go on as they did."""
        for contact_id, stage in begin.stages.items():
            self._schedule(contact_id, stage)
        for reservation_id, (contact_id, agent_id, number, offered_at) in begin.offers.items():
            self._answer(reservation_id, (contact_id, agent_id, number), offered_at)

    def _tick_at(self, due: int) -> Place:
        """When the owner ticked for that moment, where it is one of the record; else at once."""
        return self._behaviour.ticks.get(due, (due, FIRST))

    def _see(self, event: e.Event, now: int) -> None:
        self.waits.see(event, now)
        match event:
            case e.TaskQueued():
                if now < self._compared_until:
                    self._open.add(event.contact_id)
                self._new_leg(event.contact_id, now)
            case e.TaskRequeued():
                stage = self._stages.get(event.contact_id)
                transferred = isinstance(self._virtual.applying, c.RequeueTask)
                if transferred or (stage is not None and stage.phase == SERVING):
                    self._new_leg(event.contact_id, now)
            case e.ReservationCreated():
                key = (event.contact_id, event.agent_id)
                number = self._offered[key]
                self._offered[key] += 1
                self._answer(event.reservation_id, (*key, number), now)
            case e.ReservationAccepted():
                self._turn(event.contact_id, SERVING, now)
            case e.TaskWrapping():
                self._turn(event.contact_id, WRAPPING, now)
            case e.TaskCompleted() | e.TaskCanceled() | e.TaskOverflowed():
                self._stages.pop(event.contact_id, None)
                self._open.discard(event.contact_id)
            case e.ConfigurationApplied():
                self.warnings += [f"{event.kind} {event.id}: {warning}" for warning in event.warnings]
            case _:
                pass

    def _new_leg(self, contact_id: str, now: int) -> None:
        number = self._legs_seen[contact_id]
        self._legs_seen[contact_id] += 1
        self._stages[contact_id] = Stage(number, WAITING, now)
        self._schedule(contact_id, self._stages[contact_id])

    def _turn(self, contact_id: str, phase: str, now: int) -> None:
        stage = self._stages[contact_id]
        if stage.phase != phase:
            self._stages[contact_id] = Stage(stage.leg, phase, now)
            self._schedule(contact_id, self._stages[contact_id])

    def _schedule(self, contact_id: str, stage: Stage) -> None:
        leg = self._leg(contact_id, stage.leg)
        if stage.phase == SERVING and (leg is None or not leg.served):
            self.assumed.handle_times.add(contact_id)
            task = self._virtual.pool.state.tasks[contact_id]
            usual = self._behaviour.usual_handle_ms(leg.queue if leg is not None else task.queue)
            self._do(contact_id, stage, Deed(usual, LATER, c.EndContact(contact_id, "assumed")))
        elif leg is not None:
            for deed in leg.deeds[stage.phase]:
                self._do(contact_id, stage, deed)

    def _do(self, contact_id: str, stage: Stage, deed: Deed) -> None:
        def action() -> c.Command | None:
            task = self._virtual.pool.state.tasks.get(contact_id)
            if task is None or self._stages.get(contact_id) != stage:
                return None
            command = deed.command
            if isinstance(command, c.CompleteTask | c.ExtendWrapUp) and command.agent_id:
                return replace(command, agent_id=task.agent_id)
            return command

        self._virtual.at(stage.began + deed.after_ms, action, deed.order)

    def _leg(self, contact_id: str, number: int) -> Leg | None:
        legs = self._behaviour.legs.get(contact_id, [])
        return legs[number] if number < len(legs) else None

    def _answer(self, reservation_id: str, key: tuple[str, str, int], offered_at: int) -> None:
        contact_id, agent_id, _ = key
        answer = self._behaviour.answers.get(key)
        if answer is None:
            self.assumed.answers += key not in self._behaviour.unanswered
            after = max(self._behaviour.usual_answer_ms(agent_id), self._behaviour.unanswered.get(key, 0))
            answer = Answer(after, LATER, c.AcceptReservation(agent_id, "", contact_id))
        if answer.command is None:
            return
        command = replace(answer.command, reservation_id=reservation_id)

        def action() -> c.Command | None:
            task = self._virtual.pool.state.tasks.get(contact_id)
            offers = () if task is None else task.offers
            return command if any(offer.reservation_id == reservation_id for offer in offers) else None

        self._virtual.at(offered_at + answer.after_ms, action, answer.order)


def _same(command: c.Command) -> c.Command:
    return command
