"""What is read from the state: tasks, agents, queues, explanations. The owner's process reads what it has just decided,
which others may never see: an answer leaves only after `confirmed`, when all it was made from was read back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import IntEnum
from typing import Any, Protocol

from junctor.router.v1 import router_pb2 as pb
from junctor_service.errors import not_found
from junctor_service.pools import DEFAULT_POOL

from junctor_router.application.changes import empty_agent
from junctor_router.application.configuration import Configuration
from junctor_router.application.directory_values import pool_of
from junctor_router.application.pools import PoolsFold
from junctor_router.domain import explanation, matching
from junctor_router.domain.agent import Agent
from junctor_router.domain.explanation import Explanation
from junctor_router.domain.expression import bind
from junctor_router.domain.finished import FinishedTask
from junctor_router.domain.picker import picker_of
from junctor_router.domain.pool_state import PoolState, Queue
from junctor_router.domain.reach import hopeless
from junctor_router.domain.reservation import Offer
from junctor_router.domain.task import Task
from junctor_router.domain.values import OUT_OF_LINE, ConnectionState, TaskState


class Journal(Protocol):
    """The part of the ledger that is needed here."""

    @property
    def partitions(self) -> int: ...

    def state(self, partition: int) -> Any: ...

    def position(self, partition: int) -> int: ...

    def decided(self, partition: int) -> int: ...

    async def confirmed(self, partition: int) -> None: ...


class Queries:
    def __init__(self, configuration: Configuration, journal: Journal, now_ms: Any) -> None:
        self._configuration = configuration
        self._journal = journal
        self._now_ms = now_ms

    def pool_of_agent(self, tenant: str, agent_id: str) -> str:
        """Raises NOT_FOUND for an agent that the directory does not have."""
        found = self._configuration.get(tenant, "agent", agent_id)
        if found is None:
            for pool in self._pools(tenant):
                if agent_id in pool.agents:
                    return pool.name
            raise not_found(f"The agent {agent_id!r} is not in the directory.", reason="AGENT_UNKNOWN")
        return pool_of(found.value)

    def pool_of_contact(self, tenant: str, contact_id: str) -> str | None:
        for pool in self._pools(tenant):
            if contact_id in pool.tasks or contact_id in pool.finished:
                return pool.name
        return None

    def task(self, tenant: str, contact_id: str) -> pb.Task:
        """Raises NOT_FOUND; a finished contact is found for two minutes."""
        for pool in self._pools(tenant):
            task = pool.tasks.get(contact_id)
            if task is not None:
                message = task_message(pool, task)
                message.hopeless = hopeless(pool, task)
                return message
            finished = pool.finished.get(contact_id)
            if finished is not None:
                return _finished_message(finished)
        raise not_found(f"The contact {contact_id!r} is not known, or was done some time ago.", reason="TASK_UNKNOWN")

    def agent(self, tenant: str, agent_id: str) -> pb.Agent:
        """Raises NOT_FOUND for an agent that the directory does not have."""
        name = self.pool_of_agent(tenant, agent_id)
        pool = self._pool(tenant, name)
        agent = None if pool is None else pool.agents.get(agent_id)
        if pool is None or agent is None:
            return self._named(tenant, empty_agent(agent_id))
        return self._named(tenant, agent_message(pool, agent))

    def holders(self, tenant: str, agent_id: str) -> tuple[str, ...]:
        """The processes that have streams of the agent's workspace, as the log has it. Raises NOT_FOUND."""
        pool = self._pool(tenant, self.pool_of_agent(tenant, agent_id))
        agent = None if pool is None else pool.agents.get(agent_id)
        return () if agent is None else agent.holders

    def place_of_agent(self, tenant: str, agent_id: str) -> tuple[int, int]:
        """Partition and last entry."""
        partition = self._configuration.partition(
            tenant, self.pool_of_agent(tenant, agent_id), self._journal.partitions
        )
        return partition, self._journal.position(partition)

    def decided(self, partition: int) -> int:
        """The last entry that is in the state."""
        return self._journal.decided(partition)

    async def confirmed(self, tenant: str) -> None:
        """Until what was read from the tenant's pools up to now is read back. Raises `JournalError` where it may never
        be: the answer is dropped then, and the caller asks again."""
        for partition in range(self._journal.partitions):
            if self._journal.state(partition).of_tenant(tenant):
                await self._journal.confirmed(partition)

    def queues(self, tenant: str, queue: str = "") -> list[pb.QueueView]:
        """By pool and id; one where it is named, none where that does not exist."""
        now = self._now_ms()
        return [
            _queue_message(pool, pool.queues[id], now)
            for pool in self._pools(tenant)
            for id in sorted(pool.queues)
            if queue in ("", id)
        ]

    def agents(self, tenant: str, only: Mapping[int, Collection[str]] | None = None) -> list[pb.Agent]:
        """By pool and id: all, or those named for the partition that their pool is in."""
        found = []
        for pool in self._pools(tenant):
            wanted: Collection[str] = pool.agents if only is None else only.get(self._partition(tenant, pool), ())
            found += [
                self._named(tenant, agent_message(pool, pool.agents[id])) for id in sorted(wanted) if id in pool.agents
            ]
        return found

    def places(self, tenant: str) -> dict[int, int]:
        """The partitions that the tenant's pools are in, each with the last entry read back: the state may be ahead."""
        partitions = sorted({self._partition(tenant, pool) for pool in self._pools(tenant)})
        return {partition: self._journal.position(partition) for partition in partitions}

    def explain_contact(self, tenant: str, contact_id: str) -> pb.ExplainResponse:
        """Raises NOT_FOUND."""
        for pool in self._pools(tenant):
            task = pool.tasks.get(contact_id)
            if task is not None:
                return _explained(explanation.explain_contact(pool, task), task_message(pool, task))
        message = self.task(tenant, contact_id)
        state = TaskState(message.state).name.lower()
        return pb.ExplainResponse(summary=f"The contact is {state}.", task=message)

    def explain_agent(self, tenant: str, agent_id: str) -> pb.ExplainResponse:
        """Raises NOT_FOUND."""
        name = self.pool_of_agent(tenant, agent_id)
        pool = self._pool(tenant, name)
        agent = None if pool is None else pool.agents.get(agent_id)
        if pool is None or agent is None:
            return pb.ExplainResponse(
                summary=f"{agent_id} is not known to the pool {name} yet; its configuration is on its way."
            )
        return _explained(explanation.explain_agent(pool, agent), None)

    def pool_of_queue(self, tenant: str, queue: str) -> str | None:
        found = self._configuration.get(tenant, "queue", queue)
        return None if found is None else pool_of(found.value) or DEFAULT_POOL

    def _named(self, tenant: str, message: pb.Agent) -> pb.Agent:
        found = self._configuration.get(tenant, "agent", message.agent_id)
        if found is not None:
            message.display_name = found.value.agent.name
        return message

    def _partition(self, tenant: str, pool: PoolState) -> int:
        return self._configuration.partition(tenant, pool.name, self._journal.partitions)

    def _pools(self, tenant: str) -> Iterator[PoolState]:
        for partition in range(self._journal.partitions):
            fold: PoolsFold = self._journal.state(partition)
            for pool in fold.of_tenant(tenant):
                yield pool.state

    def _pool(self, tenant: str, name: str) -> PoolState | None:
        partition = self._configuration.partition(tenant, name, self._journal.partitions)
        fold: PoolsFold = self._journal.state(partition)
        pool = fold.pool(tenant, name)
        return None if pool is None else pool.state


def task_message(pool: PoolState, task: Task, agent_id: str = "") -> pb.Task:
    """As an agent sees it, where one is named: with that agent's offer of several."""
    position, wait = matching.estimated_wait(pool, task)
    seen = task.offer_to(agent_id) or Offer(task.agent_id, task.reservation_id, task.chosen_by)
    return pb.Task(
        contact_id=task.contact_id,
        state=_number(task.state),
        channel=_number(task.channel),
        queue=task.queue,
        step=task.step,
        priority=task.priority,
        arrived_at=task.arrived_at,
        queued_at=task.queued_at,
        position=position,
        estimated_wait_ms=wait,
        agent_id=seen.agent_id,
        reservation_id=seen.reservation_id,
        wrap_up_until=task.wrap_up_until,
        offered_to=[pb.Offer(agent_id=o.agent_id, reservation_id=o.reservation_id) for o in task.offers],
        parked_since=task.parked_at,
    )


def agent_message(pool: PoolState, agent: Agent) -> pb.Agent:
    return pb.Agent(
        agent_id=agent.id,
        state=_number(agent.state),
        pending=_number(agent.pending),
        reason=agent.reason,
        device=_number(agent.device),
        session=agent.session,
        since=agent.since,
        connection=_number(_connection(agent)),
        lost_until=agent.lost_until,
        tasks=[task_message(pool, pool.tasks[contact_id], agent.id) for contact_id in sorted(agent.tasks)],
    )


def _connection(agent: Agent) -> ConnectionState:
    if agent.holders:
        return ConnectionState.CONNECTED
    return ConnectionState.LOST if agent.lost_until else ConnectionState.UNSPECIFIED


def _number(value: IntEnum) -> Any:
    """The domain's enums have the numbers of the protos."""
    return int(value)


def _finished_message(task: FinishedTask) -> pb.Task:
    return pb.Task(
        contact_id=task.contact_id,
        state=_number(task.state),
        queue=task.queue,
        agent_id=task.agent_id,
        reservation_id=task.reservation_id,
        estimated_wait_ms=-1,
    )


def _queue_message(pool: PoolState, queue: Queue, now: int) -> pb.QueueView:
    lines = [line for line in pool.lines.by_queue.get(queue.id, {}).values() if line.hold not in OUT_OF_LINE]
    oldest = min((entry[1] for line in lines for entry in line.entries), default=now)
    first = pool.plan_of(queue.id).steps[0].expression
    meeting = picker_of(bind(first.root, {}, pool.attributes))
    return pb.QueueView(
        queue=queue.id,
        waiting=sum(len(line.entries) for line in lines),
        offered=queue.offered,
        active=queue.active,
        wrapping=queue.wrapping,
        oldest_wait_ms=max(now - oldest, 0),
        estimates=queue.errors.count,
        estimate_error_ms=queue.errors.mean_ms,
        estimate_absolute_error_ms=queue.errors.mean_absolute_ms,
        available_agents=pool.ranking.anyone_open(meeting),
    )


def _explained(found: Explanation, task: pb.Task | None) -> pb.ExplainResponse:
    return pb.ExplainResponse(
        summary=found.summary,
        task=task,
        reasons=found.reasons,
        steps=[
            pb.StepExplanation(
                step=step.step,
                expression=step.expression,
                current=step.current,
                available=step.available,
                clauses=[
                    pb.ClauseExplanation(clause=c.clause, matching=c.matching, remaining=c.remaining)
                    for c in step.clauses
                ],
            )
            for step in found.steps
        ],
    )
