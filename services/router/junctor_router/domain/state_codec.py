"""A pool's state as bytes: one JSON row for each task, agent and value, kept from one time to the next.

The hash is the sum of the rows' BLAKE2b (modulo 2^128), so it does not depend on an order and costs only what changed;
the dump is the kept rows themselves, and a loaded state begins with the rows that it was loaded from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from junctor_router.domain import sweeps
from junctor_router.domain.agent import Agent, interruption_from_plain, interruption_to_plain, read_attributes
from junctor_router.domain.attribute_index import Member
from junctor_router.domain.capacity import MATRIX, Matrix
from junctor_router.domain.configuration import (
    CalendarValue,
    OpenHours,
    PlanValue,
    QueueValue,
    Relaxing,
    Score,
    Share,
    Step,
    TenantValue,
)
from junctor_router.domain.edge_reach import Edge, closed
from junctor_router.domain.expression import describe
from junctor_router.domain.finished import FinishedTask
from junctor_router.domain.matching import line_for, stand
from junctor_router.domain.plan import compile_plan
from junctor_router.domain.pool_state import PoolState, Queue
from junctor_router.domain.task import Task
from junctor_router.domain.timers import GRACE, HOLDER, OFFER, PAUSE, WRAP_UP
from junctor_router.domain.values import AgentOrder, AttributeType, Objective, TaskState
from junctor_router.domain.wait_estimate import Errors, new_pace

FORMAT = 6
PIECE_BYTES = 200_000
REWORK_HASHED = 500
"""While more tasks and agents are to be done over, their rows change so fast that the hash is of the counters alone."""
_MODULUS = 1 << 128
_HEADER = ("header", "")
_NO_ROW = b"", 0
_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

RowKey = tuple[str, str]
"""Kind and id."""


@dataclass(frozen=True, slots=True)
class RowCodec:
    """Lists, texts, whole numbers and booleans as JSON without spaces, in UTF-8, and back. Any codec must give the same
    bytes as `STANDARD`: the hash is made of them."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


STANDARD = RowCodec(lambda plain: _ENCODE(plain).encode(), json.loads)


class Encoded:
    """The rows of one pool as they were when last looked at."""

    def __init__(self, codec: RowCodec) -> None:
        self._codec = codec
        self._rows: dict[RowKey, tuple[bytes, int]] = {}
        """Each with its digest."""
        self._sum = 0

    def hash(self, state: PoolState) -> bytes:
        if len(state.rework) > REWORK_HASHED:
            counters = [state.now, state.reservations, state.deletions, state.ranking.last, len(state.rework)]
            return hashlib.blake2b(self._codec.encode(counters), digest_size=16).digest()
        self._update(state)
        return self._sum.to_bytes(16, "big")

    def pieces(self, state: PoolState) -> Iterator[bytes]:
        self._update(state)
        return _joined([row for row, _ in self._rows.values()])

    def catch_up(self, state: PoolState, rows: int) -> None:
        """Encodes so many of the rows that have changed, so that no hash has to encode many at once."""
        dirty = state.dirty
        for _ in range(rows):
            self._encode(state, dirty.pop())

    def restore(self, state: PoolState, pieces: Iterable[bytes]) -> None:
        """Fills an empty state. Raises `ValueError` for a format that it does not know."""
        rows: dict[str, list[bytes]] = {}
        for row in _split(pieces):
            rows.setdefault(row[2 : row.index(b'"', 2)].decode(), []).append(row)
        _restore(state, lambda kind: self._taken_over(rows.pop(kind, [])))
        self._sum %= _MODULUS

    def _taken_over(self, rows: list[bytes]) -> Iterator[tuple[str, Any]]:
        """One after the other, so that only one is there in three forms."""
        for row in rows:
            kind, id, content = self._codec.decode(row)
            digest = _digest(row)
            self._rows[kind, id] = row, digest
            self._sum += digest
            yield id, content

    def _update(self, state: PoolState) -> None:
        for key in state.dirty:
            self._encode(state, key)
        state.dirty.clear()
        self._encode(state, _HEADER)

    def _encode(self, state: PoolState, key: RowKey) -> None:
        plain = _plain(state, *key)
        old, counted = self._rows.get(key, _NO_ROW)
        if plain is None:
            if old:
                del self._rows[key]
                self._sum = (self._sum - counted) % _MODULUS
            return
        row = self._codec.encode([*key, plain])
        if row != old:
            digest = _digest(row)
            self._rows[key] = row, digest
            self._sum = (self._sum + digest - counted) % _MODULUS


def _digest(row: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(row, digest_size=16).digest(), "big")


def _restore(state: PoolState, rows: Callable[[str], Iterable[tuple[str, Any]]]) -> None:
    """`rows` gives those of a kind once: id and content."""
    _, header = next(iter(rows("header")))
    if header[0] != FORMAT:
        raise ValueError(f"the state has format {header[0]}, this version reads {FORMAT}")
    _, state.now, state.reservations, state.deletions, tenant, holders, last_rank, rework, state.site_epoch = header[:9]
    state.edges = {name: Edge(*plain) for name, plain in header[9]}
    state.set_reach()
    state.sweeps = [sweeps.from_plain(plain) for plain in header[10]]
    state.tenant_value = _tenant(tenant)
    state.matrix = MATRIX.changed(state.tenant_value.interruptions)
    for name, version in rows("version"):
        kind, _, id = name.partition("/")
        state.versions[kind, id] = version
    state.holders = dict(holders)
    for holder, until in holders:
        state.timers.set(HOLDER, holder, until)
    state.rework = {(kind, id): cause for kind, id, cause in rework}
    state.attributes = {id: AttributeType(plain) for id, plain in rows("attribute")}
    state.calendars = {id: _calendar(plain) for id, plain in rows("calendar")}
    state.scores = {id: tuple(Score(*score) for score in plain) for id, plain in rows("scores")}
    for id, (version, plain) in rows("plan"):
        state.plans[id] = compile_plan(id, version, _plan(plain), state.parse, state.attributes)
    for id, (version, value, pace, turns, errors, shared) in rows("queue"):
        queue = state.queues[id] = Queue(
            id, _queue(value), version, new_pace(pace), Errors(*errors), dict(shared), turns=turns
        )
        state.set_objective(queue)
    members = [_restore_agent(state, plain, indexed) for _, (plain, indexed) in rows("agent")]
    state.agent_ids = sorted(state.agents)
    logged_in = [member for member in members if member.rank >= 0]
    state.index.restore(logged_in)
    state.ranking.restore(logged_in, last_rank)
    for _, plain in sorted(rows("finished"), key=lambda row: (row[1][5], row[0])):
        state.remember(FinishedTask.from_plain(plain))
    for _, (plain, line) in sorted(rows("task")):
        _restore_task(state, plain, line)
    state.tasks_to_match.clear()
    state.agents_to_match.clear()
    state.dirty.clear()


def _restore_agent(state: PoolState, plain: list[Any], indexed: list[Any] | None) -> Member:
    agent = Agent.from_plain(plain)
    if indexed is None:
        attributes = read_attributes(agent.value, state.read_by(agent))[0]
        state.take_rules(agent)
    else:
        attributes, allows, parks = dict(indexed[0]), *indexed[1:]
        agent.matrix = Matrix(tuple(allows), tuple(parks))
    agent.member.attributes = attributes
    state.set_profile(agent, attributes)
    state.agents[agent.id] = agent
    for holder in agent.holders:
        state.hold_stream(agent, holder)
    agent.closed = closed(agent, state.silent, state.uncalled)
    if agent.lost_until:
        state.timers.set(GRACE, agent.id, agent.lost_until)
    agent.member.open = agent.open_channels() if agent.member.rank >= 0 else 0
    return agent.member


def _restore_task(state: PoolState, plain: list[Any], line: list[Any] | None) -> None:
    task = Task.from_plain(plain)
    state.tasks[task.contact_id] = task
    state.wish(task)
    state.count(task.queue, task.state, 1)
    if task.paused:
        state.timers.set(PAUSE, task.contact_id, min(task.paused.values()))
    match task.state:
        case TaskState.QUEUED:
            if line is None:
                stand(
                    state, task, line_for(state, task, state.plan_of(task.queue), task.step, task.relaxed, task.share)
                )
            else:
                _restore_old_line(state, task, line)
        case TaskState.RESERVED:
            state.timers.set(OFFER, task.contact_id, task.expires_at)
        case TaskState.WRAPPING:
            state.timers.set(WRAP_UP, task.contact_id, task.wrap_up_until)


def _restore_old_line(state: PoolState, task: Task, plain: list[Any]) -> None:
    (queue, step, relaxed, hold, share, channel, version, requirements, values), wanted, order, rated_by, prefers = (
        plain
    )
    key = (queue, step, relaxed, hold, share, channel, version, tuple(requirements), tuple(values))
    found = next(
        (
            old
            for old in state.lines.by_queue.get(queue, {}).values()
            if old.key == key and describe(old.wanted) == wanted
        ),
        None,
    )
    if found is None:
        ranking = tuple(state.parse(text) for text in prefers)
        weights = tuple((name, weight) for name, weight in rated_by)
        found = state.lines.open(key, state.parse(wanted), AgentOrder(order), weights, ranking)
    stand(state, task, found)


def _plain(state: PoolState, kind: str, id: str) -> Any:
    match kind:
        case "task":
            task = state.tasks.get(id)
            return None if task is None else [task.to_plain(), _old_line(state, task)]
        case "agent":
            agent = state.agents.get(id)
            if agent is None:
                return None
            return [agent.to_plain(), _old_reading(agent) if ("agent", id) in state.rework else None]
        case "finished":
            finished = state.finished.get(id)
            return None if finished is None else finished.to_plain()
        case "queue":
            queue = state.queues.get(id)
            if queue is None:
                return None
            v = queue.value
            value = [v.plan, v.priority, v.wrap_up_ms, v.offer_timeout_ms, v.calendar, v.closed_prompt]
            errors = [queue.errors.count, queue.errors.signed_ms, queue.errors.absolute_ms]
            value += [v.service_level_ms, v.ratio, v.starvation_ms]
            value += [int(v.objective), v.explore_percent, v.offer_agents]
            return [queue.version, value, list(queue.pace), queue.turns, errors, sorted(queue.shared.items())]
        case "plan":
            plan = state.plans.get(id)
            if plan is None:
                return None
            steps = [
                [
                    s.expression,
                    s.duration_ms,
                    int(s.order),
                    s.skip_if_no_agent,
                    s.skip_if_wait_above_ms,
                    s.priority,
                    list(s.prefer),
                    [[r.expression, r.after_ms] for r in s.relax],
                    [list(w) for w in s.weights],
                    [[share.expression, share.part] for share in s.shares],
                    s.skip_if_wait_below_ms,
                ]
                for s in plan.value.steps
            ]
            return [plan.version, [steps, plan.value.overflow, plan.value.overflow_prompt]]
        case "attribute":
            declared = state.attributes.get(id)
            return None if declared is None else int(declared)
        case "calendar":
            calendar = state.calendars.get(id)
            if calendar is None:
                return None
            hours = [[list(h.days), h.since, h.until] for h in calendar.hours]
            return [calendar.time_zone, hours, list(calendar.closed_dates)]
        case "scores":
            rows = state.scores.get(id)
            return None if rows is None else [[s.segment, s.attribute, s.value, s.service, s.sales] for s in rows]
        case "version":
            named, _, slug = id.partition("/")
            return state.versions.get((named, slug))
        case "header":
            return [
                FORMAT,
                state.now,
                state.reservations,
                state.deletions,
                _tenant_to_plain(state.tenant_value),
                sorted(state.holders.items()),
                state.ranking.last,
                sorted([kind, id, cause] for (kind, id), cause in state.rework.items()),
                state.site_epoch,
                sorted([name, edge.to_plain()] for name, edge in state.edges.items()),
                [sweep.to_plain() for sweep in state.sweeps],
            ]
        case _:
            return None


def _old_reading(agent: Agent) -> list[Any]:
    """What an agent is matched by until changed values reach it."""
    return [sorted(agent.member.attributes.items()), list(agent.matrix.allows), list(agent.matrix.parks)]


def _old_line(state: PoolState, task: Task) -> list[Any] | None:
    """A contact that a changed value has yet to reach stands in a line that the values in force do not give."""
    if task.line is None or ("task", task.contact_id) not in state.rework:
        return None
    line = task.line
    *places, requirements, values = line.key
    key = [*places, list(requirements), list(values)]
    prefers = [describe(node) for node in line.prefers]
    return [key, describe(line.wanted), int(line.order), [list(weight) for weight in line.rated_by], prefers]


def _queue(plain: list[Any]) -> QueueValue:
    *simple, objective, explore, offer_agents = plain
    return replace(
        QueueValue(*simple),
        objective=Objective(objective),
        explore_percent=explore,
        offer_agents=offer_agents,
    )


def _plan(plain: list[Any]) -> PlanValue:
    steps, overflow, prompt = plain
    return PlanValue(
        tuple(
            Step(
                text,
                duration,
                AgentOrder(order),
                skip,
                wait,
                priority,
                tuple(prefer),
                tuple(Relaxing(required, after) for required, after in relax),
                tuple((name, weight) for name, weight in weights),
                tuple(Share(text, part) for text, part in shares),
                below,
            )
            for text, duration, order, skip, wait, priority, prefer, relax, weights, shares, below in steps
        ),
        overflow,
        prompt,
    )


def _tenant_to_plain(value: TenantValue) -> list[Any]:
    return [
        value.time_zone,
        [interruption_to_plain(one) for one in value.interruptions],
        value.connection_grace_ms,
        list(value.not_ready_reasons),
        list(value.dispositions),
    ]


def _tenant(plain: list[Any]) -> TenantValue:
    zone, interruptions, grace_ms, reasons, dispositions = plain
    rules = tuple(interruption_from_plain(one) for one in interruptions)
    return TenantValue(zone, rules, grace_ms, tuple(reasons), tuple(dispositions))


def _calendar(plain: list[Any]) -> CalendarValue:
    zone, hours, dates = plain
    return CalendarValue(
        zone, tuple(OpenHours(tuple(days), since, until) for days, since, until in hours), tuple(dates)
    )


def _joined(rows: list[bytes]) -> Iterator[bytes]:
    piece: list[bytes] = []
    size = 0
    for row in rows:
        piece.append(row)
        size += len(row) + 1
        if size >= PIECE_BYTES:
            yield b"\n".join(piece)
            piece, size = [], 0
    if piece:
        yield b"\n".join(piece)


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from piece.split(b"\n")
