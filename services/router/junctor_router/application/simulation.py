"""A scenario played through the router's core in virtual time. The same seed gives the same run, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from junctor_router.application.agent_time import AgentTime
from junctor_router.application.cel import parse
from junctor_router.application.contact_waits import ABANDONED, ANSWERED, THRESHOLD_MS, WAITING, ContactWaits, Wait
from junctor_router.application.draws import Draws
from junctor_router.application.queue_figures import QueueFigures, figures
from junctor_router.application.scenario import Rate, Scenario, Shift, Traffic
from junctor_router.application.virtual_time import VirtualPool
from junctor_router.domain import commands as c
from junctor_router.domain import events as e
from junctor_router.domain.pool import Pool
from junctor_router.domain.values import AgentState, TaskState

HOUR_MS = 3_600_000
SLOT_MS = HOUR_MS // 2
DRAIN_MS = 2 * HOUR_MS
"""How long contacts in hand may last beyond the scenario's end."""
_OPEN = (TaskState.QUEUED, TaskState.RESERVED)


class PlanMistake(Exception):
    """The configuration or the scenario does not fit the router; the sentence says what. A retry does not help."""


@dataclass(slots=True)
class Slot:
    """Contacts of one queue that came in one half hour."""

    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    within: int = 0


@dataclass(frozen=True, slots=True)
class Steady:
    """Shares of all who came, without leaving out short abandons: what Erlang's formulas give."""

    service_level: float
    delayed: float
    abandonment: float
    asa_ms: float


@dataclass(slots=True)
class RunResult:
    queues: dict[str, QueueFigures] = field(default_factory=dict)
    steady: dict[str, Steady] = field(default_factory=dict)
    occupancy: float = math.nan
    slots: dict[str, dict[int, Slot]] = field(default_factory=dict)
    """By queue and number of the half hour since the scenario's beginning."""
    inputs: int = 0
    warnings: list[str] = field(default_factory=list)
    hash: bytes = b""
    """The core's state at the end: two runs of one seed agree in it."""


class Simulation:
    """One run of one pool. `configuration` in an order in which it can be told; `thresholds_ms` by queue."""

    def __init__(
        self,
        configuration: Iterable[c.ConfigurationChanged],
        scenario: Scenario,
        seed: int,
        run: int,
        thresholds_ms: Mapping[str, int],
    ) -> None:
        self._scenario, self._seed, self._run = scenario, seed, run
        self._thresholds = thresholds_ms
        self._traffic: dict[str, Traffic] = {}
        self._waits = ContactWaits()
        self._agents = AgentTime(scenario.measured_from, scenario.measured_to)
        self._warnings: list[str] = []
        self._answer = Draws(seed, run, "answer")
        pool = Pool("simulated", "pool", parse)
        self.virtual = VirtualPool(pool, self._see)
        self.virtual.now = scenario.begins
        for change in configuration:
            self._told(change)
        for shift in scenario.shifts:
            self._plan_shift(shift)
        for traffic in scenario.traffic:
            self._plan_arrivals(traffic)

    def play(self) -> RunResult:
        """Raises `PlanMistake` where a contact or an agent of the scenario is refused."""
        self.virtual.run(self._scenario.ends + DRAIN_MS)
        self._agents.close(self.virtual.now)
        result = RunResult(
            occupancy=self._agents.occupancy,
            inputs=self.virtual.applied,
            warnings=self._warnings,
            hash=self.virtual.pool.hash(),
        )
        scenario = self._scenario
        measured = [w for w in self._waits.all() if scenario.measured_from <= w.began < scenario.measured_to]
        names = sorted({t.queue for t in scenario.traffic} | {w.queue for w in measured})
        for queue in names:
            waits = [wait for wait in measured if wait.queue == queue]
            threshold = self._thresholds.get(queue, 0) or THRESHOLD_MS
            result.queues[queue] = figures(waits, threshold)
            result.steady[queue] = _steady(waits, threshold)
            result.slots[queue] = _slots(waits, threshold, scenario.begins)
        return result

    def _told(self, change: c.ConfigurationChanged) -> None:
        outcome = self.virtual.pool.apply(change, self._scenario.begins)
        if outcome.refusal is not None:
            raise PlanMistake(outcome.refusal.message)
        for event in outcome.events:
            if isinstance(event, e.ConfigurationApplied):
                self._warnings += [f"{event.kind} {event.id}: {warning}" for warning in event.warnings]

    def _plan_shift(self, shift: Shift) -> None:
        at = self.virtual.at
        if shift.agent_id not in self.virtual.pool.state.agents:
            raise PlanMistake(f"The agent {shift.agent_id} of a shift is not in the configuration.")
        at(shift.begins, partial(c.LogIn, shift.agent_id, (), AgentState.READY), order=0)
        for begins, ends in shift.breaks:
            at(begins, partial(c.SetAgentState, shift.agent_id, AgentState.NOT_READY, "break"), order=0)
            at(ends, partial(c.SetAgentState, shift.agent_id, AgentState.READY), order=0)
        at(shift.ends, partial(c.LogOut, shift.agent_id, "shift"), order=0)

    def _plan_arrivals(self, traffic: Traffic) -> None:
        if traffic.queue not in self.virtual.pool.state.queues:
            raise PlanMistake(f"The queue {traffic.queue} of the scenario is not in the configuration.")
        number = 0
        draws = Draws(self._seed, self._run, "arrival", traffic.queue, traffic.channel.name)

        def next_in(rate: Rate, moment: float) -> None:
            moment += -math.log1p(-draws.uniform()) * HOUR_MS / rate.per_hour
            if moment < rate.ends:
                self.virtual.at(int(moment), lambda: arrive(rate, moment))

        def arrive(rate: Rate, moment: float) -> c.RequestTask:
            nonlocal number
            number += 1
            next_in(rate, moment)
            return self._arrival(f"{traffic.queue}.{traffic.channel.name.lower()}.{number:07}", traffic)

        for rate in traffic.rates:
            if rate.per_hour > 0:
                next_in(rate, rate.begins)

    def _arrival(self, contact_id: str, traffic: Traffic) -> c.RequestTask:
        self._traffic[contact_id] = traffic
        if traffic.patience is not None:
            leaves = self.virtual.now + traffic.patience.draw(self._draws("patience", contact_id))
            self.virtual.at(leaves, lambda: self._give_up(contact_id))
        return c.RequestTask(contact_id, traffic.channel, traffic.queue, traffic.requirements, traffic.data)

    def _give_up(self, contact_id: str) -> c.Command | None:
        task = self.virtual.pool.state.tasks.get(contact_id)
        return c.CancelTask(contact_id, "abandoned") if task is not None and task.state in _OPEN else None

    def _see(self, event: e.Event, now: int) -> None:
        self._waits.see(event, now)
        self._agents.see(event, now)
        match event:
            case e.ReservationCreated():
                moment = now + self._scenario.answer.draw(self._answer)
                self.virtual.at(moment, self._acceptance(event))
            case e.ReservationAccepted():
                traffic, id = self._traffic[event.contact_id], event.contact_id
                talk = traffic.handle.draw(self._draws("handle", id))
                self.virtual.at(now + talk, partial(c.EndContact, id, "customer"))
            case e.TaskWrapping():
                traffic, id = self._traffic[event.contact_id], event.contact_id
                if traffic.wrap_up is not None:
                    wrap_up = traffic.wrap_up.draw(self._draws("wrap_up", id))
                    self.virtual.at(now + wrap_up, lambda: self._complete(id))
            case _:
                pass

    def _acceptance(self, offer: e.ReservationCreated) -> Callable[[], c.Command | None]:
        def answer() -> c.Command | None:
            task = self.virtual.pool.state.tasks.get(offer.contact_id)
            if task is None or task.reservation_id != offer.reservation_id:
                return None
            return c.AcceptReservation(offer.agent_id, offer.reservation_id, offer.contact_id)

        return answer

    def _complete(self, contact_id: str) -> c.Command | None:
        task = self.virtual.pool.state.tasks.get(contact_id)
        return None if task is None else c.CompleteTask(task.agent_id, contact_id)

    def _draws(self, what: str, contact_id: str) -> Draws:
        return Draws(self._seed, self._run, what, contact_id)


def _steady(waits: list[Wait], threshold_ms: int) -> Steady:
    done = [wait for wait in waits if wait.result != WAITING]
    answered = [wait for wait in done if wait.result == ANSWERED]
    count = len(done) or math.nan
    return Steady(
        sum(wait.waited_ms <= threshold_ms for wait in answered) / count,
        sum(wait.waited_ms > 0 or wait.result != ANSWERED for wait in done) / count,
        sum(wait.result == ABANDONED for wait in done) / count,
        sum(wait.waited_ms for wait in answered) / (len(answered) or math.nan),
    )


def _slots(waits: list[Wait], threshold_ms: int, begins: int) -> dict[int, Slot]:
    found: dict[int, Slot] = {}
    for wait in waits:
        slot = found.setdefault((wait.began - begins) // SLOT_MS, Slot())
        slot.offered += 1
        slot.answered += wait.result == ANSWERED
        slot.abandoned += wait.result == ABANDONED
        slot.within += wait.result == ANSWERED and wait.waited_ms <= threshold_ms
    return found
