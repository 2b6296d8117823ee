"""One pool: `apply` takes a command at a moment and says what happened. Pure and deterministic; integers only.

The same commands at the same moments give the same events, answers and state in every process: no clock, no randomness,
no I/O, no floats, no order of sets. `apply` changes the state in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from junctor_router.domain import (
    agent_commands,
    configuration_commands,
    connection_commands,
    edges,
    matching,
    reissue,
    task_commands,
)
from junctor_router.domain.commands import (
    AcceptReservation,
    AgentStreamClosed,
    AgentStreamOpened,
    CancelTask,
    Command,
    CompleteTask,
    ConfigurationChanged,
    EdgeReported,
    EndContact,
    ExtendWrapUp,
    LogIn,
    LogOut,
    RejectReservation,
    ReportDevice,
    RequestTask,
    RequeueTask,
    Response,
    RollCallAnswered,
    SetAgentState,
    StreamHolderAlive,
    Tick,
)
from junctor_router.domain.events import ReservationReissued
from junctor_router.domain.expression import Parse
from junctor_router.domain.outcome import Outcome
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.state_codec import STANDARD, Encoded, RowCodec
from junctor_router.domain.timers import GRACE, HOLD, HOLDER, OFFER, RELAX, STARVE, STEP, WRAP_UP
from junctor_router.domain.values import Hold, Refused, ReservationState

TIMERS_AT_ONCE = 100
"""Timers that one tick looks at; what is left is due at once again."""
ROWS_BEHIND = 500
"""Rows of the state that may have changed without being encoded again; often a row changes twice in short time."""
ROWS_AT_ONCE = 20
MOST_ROWS_AT_ONCE = 200
"""Where many are behind, as after a change that touches all contacts, a tenth of them, at most so many: two milliseconds."""


class Pool:
    """`state` is for reading: queries, explanations and tests."""

    def __init__(self, tenant: str, name: str, parse: Parse, codec: RowCodec = STANDARD) -> None:
        self.state = PoolState(tenant, name, parse)
        self._codec = codec
        self._encoded = Encoded(codec)

    def apply(self, command: Command, now: int) -> Outcome:
        """`now` is Unix milliseconds and never goes back (a lower one counts as the last). Never raises for what a
        command says: a command that does not fit is refused, with the state as before."""
        state = self.state
        state.now = max(state.now, now)
        state.forget_finished()
        state.events = []
        try:
            response = self._dispatch(command)
        except Refused as refused:
            return Outcome(None, refused, ())
        events = tuple(state.events)
        state.events = []
        return Outcome(response, None, events)

    def reissued(self, site_epoch: int, now: int) -> Sequence[ReservationReissued]:
        """What is issued again where that site epoch begins. Changes nothing."""
        return reissue.reissued(self.state, site_epoch, now)

    def begin(self, site_epoch: int, now: int, issued: Iterable[ReservationReissued]) -> None:
        """A site epoch begins, with what was issued again in this pool."""
        reissue.begin(self.state, site_epoch, now, issued)
        edges.begun(self.state)

    def next_due(self) -> int | None:
        """When a `Tick` is wanted (Unix ms). What is left of a slice is due a millisecond after the last input."""
        due = self.state.timers.next()
        if self.state.rework or self.state.sweeps or (due is not None and due <= self.state.now):
            return self.state.now + 1
        return due

    def dump(self) -> Iterable[bytes]:
        """The state as it is now, however late the pieces are taken."""
        return self._encoded.pieces(self.state)

    def load(self, pieces: Iterable[bytes]) -> None:
        """Replaces the state by a dumped one."""
        self.state = PoolState(self.state.tenant, self.state.name, self.state.parse)
        self._encoded = Encoded(self._codec)
        self._encoded.restore(self.state, pieces)

    def hash(self) -> bytes:
        """16 bytes, equal for equal states; of the counters alone while a large change is worked off. Costs as much as has
        changed since the last call."""
        return self._encoded.hash(self.state)

    def catch_up(self) -> None:
        """A little of what the next hash or dump has to do: called after each input, it keeps them from taking long."""
        behind = len(self.state.dirty) - ROWS_BEHIND
        if behind > 0:
            self._encoded.catch_up(self.state, min(behind, max(ROWS_AT_ONCE, min(behind // 10, MOST_ROWS_AT_ONCE))))

    def _dispatch(self, command: Command) -> Response | None:
        state = self.state
        match command:
            case RequestTask():
                return task_commands.request(state, command)
            case AcceptReservation():
                return task_commands.accept(state, command)
            case EndContact():
                return task_commands.end(state, command)
            case CompleteTask():
                return task_commands.complete(state, command)
            case RejectReservation():
                return task_commands.reject(state, command)
            case CancelTask():
                return task_commands.cancel(state, command)
            case RequeueTask():
                return task_commands.requeue(state, command)
            case ExtendWrapUp():
                return task_commands.extend(state, command)
            case SetAgentState():
                return agent_commands.set_state(state, command)
            case LogIn():
                return agent_commands.log_in(state, command)
            case LogOut():
                return agent_commands.log_out(state, command)
            case ReportDevice():
                return agent_commands.report_device(state, command)
            case AgentStreamOpened():
                connection_commands.opened(state, command)
            case AgentStreamClosed():
                connection_commands.closed(state, command)
            case StreamHolderAlive():
                connection_commands.alive(state, command)
            case EdgeReported():
                edges.reported(state, command)
            case RollCallAnswered():
                edges.answered(state, command)
            case ConfigurationChanged():
                configuration_commands.change(state, command)
            case Tick():
                _tick(state)
        return None


def _tick(state: PoolState) -> None:
    configuration_commands.work_off(state)
    for _ in range(TIMERS_AT_ONCE):
        due = state.timers.pop_due(state.now)
        if due is None:
            break
        kind, contact_id = due
        if kind == GRACE:
            connection_commands.give_up(state, state.agents[contact_id])
            continue
        if kind == HOLDER:
            connection_commands.holder_gone(state, contact_id)
            continue
        task = state.tasks[contact_id]
        if kind == OFFER:
            agents = state.end_offers(task, ReservationState.TIMED_OUT, "no_answer")
            for agent_id in agents:
                agent_commands.not_responding(state, state.agents[agent_id])
            state.requeued(task, "timed_out", agents[0])
            matching.again(state, task)
        elif kind == STEP:
            state.leave_line(task)
            matching.enter(state, task, task.step + 1, matching.ELAPSED)
        elif kind == RELAX:
            matching.relax(state, task)
        elif kind == HOLD and task.hold is Hold.FOR_EDGE:
            edges.lost(state, task)
        elif kind == HOLD:
            matching.release(state, task)
        elif kind == STARVE:
            matching.starve(state, task)
        elif kind == WRAP_UP:
            task_commands.completed(state, task, "", by_timer=True)
        else:
            _end_pauses(state, contact_id)
    matching.settle(state)


def _end_pauses(state: PoolState, contact_id: str) -> None:
    task = state.tasks[contact_id]
    for agent_id, until in sorted(task.paused.items()):
        if until <= state.now:
            del task.paused[agent_id]
        else:
            state.pause(task, agent_id, until)
    state.touch_task(task)
    if task.line is not None:
        state.tasks_to_match.add(contact_id)
