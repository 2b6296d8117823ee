"""Edges of two sites: whom offers can reach, and what the slots of agents hold (docs/two-sites.md, L4 to L6).

An edge (`cti/a`: calls, `cti/a/0`: phones; `omnichannel/a`: conversations; `router/a`: agents' workspaces) that was never
heard of is not watched over, as in a single site. One that falls silent gets no offers: contacts that it owns wait in their
places, agents whom it serves are passed over, and what rings across is taken back. Talks go on. After a site epoch began, an
edge that holds slots of agents says what they hold before these agents are offered anything by phone: the roll call.
"""

from __future__ import annotations

from collections.abc import Iterable

from junctor_router.domain import matching
from junctor_router.domain.agent import Agent
from junctor_router.domain.capacity import NEEDS_DEVICE
from junctor_router.domain.commands import EdgeReported, RollCallAnswered, Slot
from junctor_router.domain.edge_reach import Edge, edge_of
from junctor_router.domain.events import ReservationEnded, TaskCanceled
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.reservation import epoch_of
from junctor_router.domain.task import Task
from junctor_router.domain.values import Hold, ReservationState, TaskState

UNREACHABLE = "unreachable"
SLOT_EMPTY = "slot_empty"
LOST_WITH_SITE = "lost_with_site"
LOST_MS = 600_000
"""How long a contact waits for a word from its edge after its agent's slot was found empty: customers may redial so long."""
EDGE_CHANGED = "edge_changed"


def reported(pool: PoolState, command: EdgeReported) -> None:
    """Heard again, or not any more. Said again it changes nothing."""
    edge = pool.edges.get(command.edge)
    if edge is None:
        edge = pool.edges[command.edge] = Edge(True, command.holds_slots, pool.site_epoch)
    edge.reachable, edge.holds_slots = command.reachable, command.holds_slots
    _look_again(pool)
    matching.settle(pool)


def answered(pool: PoolState, command: RollCallAnswered) -> None:
    """What an edge says of its slots beats the journal. An answer to an earlier site epoch's roll call is history only.

    Asked the first time in a site epoch, a reservation of an earlier one that is not there has been given up by the agent's
    edge. Later answers, and of reservations of this one, say so only of contacts whose own edge is silent: else that one
    ends them.
    """
    if command.site_epoch < pool.site_epoch:
        return
    edge = pool.edges.get(command.edge)
    if edge is None:
        edge = pool.edges[command.edge] = Edge(True, True, 0)
    first, edge.epoch, edge.reachable, edge.holds_slots = edge.epoch < pool.site_epoch, pool.site_epoch, True, True
    slots = {slot.agent_id: slot for slot in command.slots}
    for agent_id in sorted(id for id, agent in pool.agents.items() if agent.edge == command.edge):
        _hold(pool, pool.agents[agent_id], slots.get(agent_id), first)
    _look_again(pool)
    matching.settle(pool)


def begun(pool: PoolState) -> None:
    """A site epoch began: who holds slots has yet to say what they hold."""
    _look_again(pool)


def spoken_for(pool: PoolState, task: Task) -> None:
    """The contact's own edge asks for an agent again: it is back in line with its age."""
    pool.leave_line(task)
    task.hold, task.held_until = Hold.NONE, 0
    matching.again(pool, task)


def lost(pool: PoolState, task: Task) -> None:
    """Nobody has said a word of it since its agent's slot was empty."""
    pool.emit(TaskCanceled(task.contact_id, task.queue, LOST_WITH_SITE, max(pool.now - task.queued_at, 0), task.edge))
    pool.finish(task, TaskState.CANCELED, LOST_WITH_SITE)


def _hold(pool: PoolState, agent: Agent, slot: Slot | None, first: bool) -> None:
    known = {pool.reservation_of(pool.tasks[id], agent) for id in agent.tasks}
    agent.held = slot.reservation_id if slot is not None and slot.talking and slot.reservation_id not in known else ""
    for contact_id in sorted(agent.tasks):
        task = pool.tasks[contact_id]
        if task.state is not TaskState.ASSIGNED or task.channel not in NEEDS_DEVICE:
            continue
        if slot is not None and slot.reservation_id == task.reservation_id:
            continue
        earlier = epoch_of(task.reservation_id) < pool.site_epoch
        if task.edge in pool.silent or (first and earlier):
            _give_up(pool, task, agent)
    pool.refresh(agent)


def _give_up(pool: PoolState, task: Task, agent: Agent) -> None:
    """The agent is free. The contact is out of line until its own edge says something of it."""
    pool.emit(
        ReservationEnded(
            task.reservation_id, task.contact_id, agent.id, ReservationState.RESCINDED, SLOT_EMPTY, task.edge
        )
    )
    pool.release(agent, task, worked=True)
    task.waiting_since = pool.now
    matching.to_queue(pool, task, task.queue)
    pool.taken_back(task)
    matching.keep_out(pool, task, pool.now + LOST_MS)


def _look_again(pool: PoolState) -> None:
    """Who can be reached now. What changed is worked off: agents at once, contacts in line in slices."""
    silent_before, closed_before = pool.silent, pool.uncalled
    pool.set_reach()
    fallen = pool.silent - silent_before
    changed = fallen | (silent_before - pool.silent) | (pool.uncalled ^ closed_before)
    if not changed:
        return
    for agent_id in sorted(pool.agents):
        agent = pool.agents[agent_id]
        if agent.edge in changed or any(edge_of(holder) in changed for holder in agent.holders):
            pool.refresh(agent)
            _stop_rings(pool, agent, fallen)
    for contact_id in sorted(id for id, task in pool.tasks.items() if task.edge in changed):
        _move(pool, pool.tasks[contact_id], fallen)


def _stop_rings(pool: PoolState, agent: Agent, fallen: Iterable[str]) -> None:
    """Offers in channels that are closed now because an edge fell silent."""
    if not fallen:
        return
    for contact_id in sorted(agent.tasks):
        task = pool.tasks[contact_id]
        if task.state is TaskState.RESERVED and agent.closed >> task.channel & 1:
            matching.take_back(pool, task, agent, UNREACHABLE)


def _move(pool: PoolState, task: Task, fallen: Iterable[str]) -> None:
    if task.state is TaskState.QUEUED:
        pool.rework.setdefault(("task", task.contact_id), EDGE_CHANGED)
        pool.touch_task(task)
    elif task.state is TaskState.RESERVED and task.edge in fallen:
        agents = pool.end_offers(task, ReservationState.RESCINDED, UNREACHABLE)
        pool.requeued(task, UNREACHABLE, agents[0])
        matching.again(pool, task)
