"""What callers ask about contacts. Each function checks first and changes only then; `Refused` is the recorded answer."""

from __future__ import annotations

from junctor_router.domain import edges, legs, matching
from junctor_router.domain.back_in_line import TRANSFER_HOLD_MS, back_in_line
from junctor_router.domain.business_hours import is_open
from junctor_router.domain.commands import (
    AcceptReservation,
    AcceptReservationResponse,
    CancelTask,
    CancelTaskResponse,
    CompleteTask,
    CompleteTaskResponse,
    EndContact,
    EndContactResponse,
    ExtendWrapUp,
    ExtendWrapUpResponse,
    RejectReservation,
    RejectReservationResponse,
    RequestTask,
    RequestTaskResponse,
    RequeueTask,
    RequeueTaskResponse,
)
from junctor_router.domain.events import ReservationAccepted, TaskCanceled, TaskCompleted, TaskQueued, TaskWrapping
from junctor_router.domain.expression import ExpressionRefused
from junctor_router.domain.finished import FinishedTask
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.predicted_value import SEGMENT
from junctor_router.domain.reservation import Offer, pause_after_rejection
from junctor_router.domain.task import Task
from junctor_router.domain.timers import OFFER, WRAP_UP
from junctor_router.domain.values import (
    CHANNELS,
    IN_HAND,
    Hold,
    ReservationState,
    TaskState,
    invalid,
    not_found,
    precondition,
)

LOWEST_PRIORITY = 9
LONGEST_EXTENSION_MS = 30 * 60_000
MAX_REQUIREMENTS = 32
LONGEST_HOLD_MS = 24 * 3_600_000
LATEST_MS = 31 * 24 * 3_600_000
CLOSED = "closed"


def request(pool: PoolState, command: RequestTask) -> RequestTaskResponse:
    """In line, at the plan's first step that is not skipped. A queue that is closed (at
    `not_before`, where that is later) overflows at once with `closed`.

    Asked again for a contact that is not done it changes nothing, but for a later leg. A contact that was taken out of line
    may come again; a completed one may not.
    """
    known = pool.tasks.get(command.contact_id)
    if known is not None:
        if command.leg > known.leg:
            legs.reattach(pool, known, command)
        elif known.hold is Hold.FOR_EDGE:
            edges.spoken_for(pool, known)
            matching.settle(pool)
        return _where(pool, known)
    _check_request(pool, command)
    queue = pool.queues[command.queue]
    task = Task(
        contact_id=command.contact_id,
        channel=command.channel,
        queue=command.queue,
        requirements=command.requirements,
        data=command.data,
        priority=command.priority or queue.value.priority,
        arrived_at=min(command.arrived_at or pool.now, pool.now),
        queued_at=pool.now,
        preferred_agents=command.preferred_agents,
        excluded_agents=command.excluded_agents,
        edge=command.edge,
        hold_ms=command.hold_ms if command.preferred_agents else 0,
        not_before=command.not_before,
        waiting_since=max(pool.now, command.not_before),
        leg=max(command.leg, 1),
    )
    if pool.finished.pop(task.contact_id, None) is not None:
        pool.dirty.add(("finished", task.contact_id))
    pool.tasks[task.contact_id] = task
    pool.wish(task)
    pool.touch_task(task)
    plan = pool.plan_of(task.queue)
    pool.emit(TaskQueued(task.contact_id, task.channel, task.queue, task.priority, task.arrived_at, plan.version))
    calendar = pool.calendars.get(queue.value.calendar)
    if calendar is not None and not is_open(calendar, pool.tenant_value.time_zone, max(pool.now, task.not_before)):
        matching.overflow_to_treatment(pool, task, CLOSED, queue.value.closed_prompt)
    else:
        matching.begin(pool, task)
    matching.settle(pool)
    answer = _where(pool, task)
    if task.state is TaskState.QUEUED and not task.hold:
        task.promised_ms = answer.estimated_wait_ms
    return answer


def cancel(pool: PoolState, command: CancelTask) -> CancelTaskResponse:
    """Out of line in every state before wrap-up; with an agent it goes to wrap-up. Once canceled it stays so."""
    task = pool.tasks.get(command.contact_id)
    if task is None:
        finished = _finished(pool, command.contact_id)
        if finished.state is TaskState.CANCELED:
            return CancelTaskResponse(finished.state)
        raise precondition(
            "TASK_COMPLETED", f"The contact {command.contact_id} is completed; nothing is left to cancel."
        )
    legs.check(task, command.leg)
    return CancelTaskResponse(_customer_gone(pool, task, command.cause))


def end(pool: PoolState, command: EndContact) -> EndContactResponse:
    """The customer is gone. Said again, or of a contact that is done, it changes nothing and gives the state."""
    task = pool.tasks.get(command.contact_id)
    if task is None:
        return EndContactResponse(_finished(pool, command.contact_id).state)
    legs.check(task, command.leg)
    return EndContactResponse(_customer_gone(pool, task, command.cause))


def requeue(pool: PoolState, command: RequeueTask) -> RequeueTaskResponse:
    """Back in line with its age: for its queue, another one, or a named agent, who need not meet what the queue
    requires. The agent who had it or was being offered it is left out for a moment."""
    task = _open(pool, command.contact_id)
    legs.check(task, command.leg)
    queue = command.queue or task.queue
    _check_queue(pool, queue)
    holders = [task.agent_id, *(offer.agent_id for offer in task.others)]
    if command.agent_id and command.agent_id not in holders:
        raise precondition("TASK_OF_ANOTHER", f"The contact {task.contact_id} is not with {command.agent_id}.")
    if command.to_agent_id:
        _check_transfer(pool, task, command)
    if task.state is TaskState.WRAPPING:
        raise precondition(
            "TASK_WRAPPING", f"The customer of {task.contact_id} is gone; there is nobody to put in line."
        )
    cause = command.cause or ("transferred" if command.to_agent_id else "requeued")
    back_in_line(pool, task, queue, cause, command.to_agent_id, command.hold_ms or TRANSFER_HOLD_MS)
    matching.settle(pool)
    return RequeueTaskResponse(task.state)


def _check_transfer(pool: PoolState, task: Task, command: RequeueTask) -> None:
    to = pool.agents.get(command.to_agent_id)
    if to is None or to.deleted:
        raise not_found("AGENT_UNKNOWN", f"The agent {command.to_agent_id!r} is not known in the pool {pool.name}.")
    if not to.logged_in:
        raise precondition("AGENT_NOT_LOGGED_IN", f"The agent {to.id} is not logged in; nothing can be transferred.")
    if to.id == task.agent_id:
        raise precondition("TRANSFER_TO_HOLDER", f"{to.id} has the contact {task.contact_id} already.")
    if to.id in task.excluded_agents:
        raise precondition("AGENT_EXCLUDED", f"The request of {task.contact_id} excludes {to.id}.")
    if not to.slots.get(task.channel):
        raise precondition("CHANNEL_NOT_SERVED", f"{to.id} serves no {task.channel.name.lower()} in this session.")
    if not 0 <= command.hold_ms <= LONGEST_HOLD_MS:
        raise invalid("HOLD_OUT_OF_RANGE", f"hold_ms is {command.hold_ms}; 0 to {LONGEST_HOLD_MS} is allowed.")


def accept(pool: PoolState, command: AcceptReservation) -> AcceptReservationResponse:
    """A pending reservation only, and once. While its end is not in the log it can be accepted, whatever the clock says.
    Others whom the contact is being offered to lose it."""
    task, offer = _reserved(pool, command.contact_id, command.reservation_id, command.agent_id)
    agent = pool.agents[offer.agent_id]
    others = tuple(other for other in task.offers if other != offer)
    pool.timers.clear(OFFER, task.contact_id)
    task.assigned_at, task.expires_at = pool.now, 0
    agent.handled += 1
    queue = pool.queues.get(task.queue)
    if queue is not None:
        queue.pace.append(pool.now)
        pool.touch_queue(queue.id)
    pool.touch_agent(agent)
    pool.emit(
        ReservationAccepted(offer.reservation_id, task.contact_id, agent.id, task.channel, task.queue, task.edge),
    )
    for other in others:
        pool.end_offer(task, other, ReservationState.RESCINDED, "accepted_elsewhere")
    task.lead_with(offer, ())
    pool.to_state(task, TaskState.ASSIGNED)
    pool.park(agent)
    if others:
        matching.settle(pool)
    return AcceptReservationResponse(task.contact_id)


def reject(pool: PoolState, command: RejectReservation) -> RejectReservationResponse:
    """The contact is back in line with its age, unless others are being offered it still; the agent stays ready and is
    left out for this contact for a while."""
    task, offer = _reserved(pool, command.contact_id, command.reservation_id, command.agent_id)
    last = pool.end_offer(task, offer, ReservationState.REJECTED, command.cause)
    pool.rank_last(pool.agents[offer.agent_id])
    pool.pause(task, offer.agent_id, pool.now + pause_after_rejection(command.cause))
    if last:
        pool.requeued(task, command.cause or "rejected", offer.agent_id)
        matching.again(pool, task)
    matching.settle(pool)
    return RejectReservationResponse()


def complete(pool: PoolState, command: CompleteTask) -> CompleteTaskResponse:
    """Ends the wrap-up."""
    known = pool.tenant_value.dispositions
    if command.disposition and known and command.disposition not in known:
        what = f"The disposition {command.disposition!r} is none of the tenant's: {', '.join(known)}."
        raise invalid("DISPOSITION_UNKNOWN", what)
    task = _wrapping(pool, command.contact_id, command.agent_id)
    completed(pool, task, command.disposition, by_timer=False, outcome_value=command.outcome_value)
    matching.settle(pool)
    return CompleteTaskResponse()


def extend(pool: PoolState, command: ExtendWrapUp) -> ExtendWrapUpResponse:
    """Moves the wrap-up's end."""
    if not 0 < command.extend_ms <= LONGEST_EXTENSION_MS:
        raise invalid(
            "EXTENSION_OUT_OF_RANGE", f"extend_ms is {command.extend_ms}; 1 to {LONGEST_EXTENSION_MS} is allowed."
        )
    task = _wrapping(pool, command.contact_id, command.agent_id)
    task.wrap_up_until = max(task.wrap_up_until, pool.now) + command.extend_ms
    pool.timers.set(WRAP_UP, task.contact_id, task.wrap_up_until)
    pool.touch_task(task)
    pool.emit(TaskWrapping(task.contact_id, task.agent_id, task.wrap_up_until, task.queue))
    return ExtendWrapUpResponse(task.wrap_up_until)


def completed(pool: PoolState, task: Task, disposition: str, by_timer: bool, outcome_value: int = 0) -> None:
    """The contact is done and its agent's slot is free."""
    pool.emit(
        TaskCompleted(
            task.contact_id,
            task.agent_id,
            disposition,
            task.queue,
            task.channel,
            task.assigned_at,
            task.ended_at,
            pool.now,
            by_timer,
            task.edge,
            task.parked_ms,
            outcome_value,
            task.data.get(SEGMENT, ""),
        )
    )
    pool.finish(task, TaskState.COMPLETED, disposition)


def _customer_gone(pool: PoolState, task: Task, cause: str) -> TaskState:
    match task.state:
        case TaskState.WRAPPING:
            return TaskState.WRAPPING
        case TaskState.ASSIGNED | TaskState.PARKED:
            pool.unpark(task)
            return _wrap_up(pool, task)
        case TaskState.RESERVED:
            pool.end_offers(task, ReservationState.CANCELED, cause)
    pool.emit(TaskCanceled(task.contact_id, task.queue, cause, max(pool.now - task.queued_at, 0), task.edge))
    pool.finish(task, TaskState.CANCELED, cause)
    matching.settle(pool)
    return TaskState.CANCELED


def _wrap_up(pool: PoolState, task: Task) -> TaskState:
    task.ended_at = pool.now
    wrap_up_ms = pool.queue_value(task.queue).wrap_up_ms
    if wrap_up_ms == 0:
        completed(pool, task, "", by_timer=False)
        matching.settle(pool)
        return TaskState.COMPLETED
    task.wrap_up_until = pool.now + wrap_up_ms
    pool.to_state(task, TaskState.WRAPPING)
    pool.timers.set(WRAP_UP, task.contact_id, task.wrap_up_until)
    pool.emit(TaskWrapping(task.contact_id, task.agent_id, task.wrap_up_until, task.queue))
    return TaskState.WRAPPING


def _check_request(pool: PoolState, command: RequestTask) -> None:
    if not command.contact_id:
        raise invalid("CONTACT_MISSING", "contact_id is empty.")
    if command.channel not in CHANNELS:
        raise invalid("CHANNEL_MISSING", "channel does not say how the customer reaches us.")
    if not 0 <= command.priority <= LOWEST_PRIORITY:
        raise invalid(
            "PRIORITY_OUT_OF_RANGE",
            f"priority is {command.priority}; 1 (first) to 9 (last) is allowed, 0 takes the queue's.",
        )
    if command.arrived_at < 0:
        raise invalid("ARRIVAL_OUT_OF_RANGE", f"arrived_at is {command.arrived_at}; it is Unix milliseconds.")
    if not 0 <= command.hold_ms <= LONGEST_HOLD_MS:
        raise invalid("HOLD_OUT_OF_RANGE", f"hold_ms is {command.hold_ms}; 0 to {LONGEST_HOLD_MS} is allowed.")
    if not 0 <= command.not_before <= pool.now + LATEST_MS:
        raise invalid(
            "NOT_BEFORE_OUT_OF_RANGE",
            f"not_before is {command.not_before}; it is Unix milliseconds, at most {LATEST_MS} from now.",
        )
    if len(command.requirements) > MAX_REQUIREMENTS:
        raise invalid(
            "TOO_MANY_REQUIREMENTS",
            f"There are {len(command.requirements)} requirements; {MAX_REQUIREMENTS} are allowed.",
        )
    _check_queue(pool, command.queue)
    for text in command.requirements:
        try:
            pool.requirement(text)
        except ExpressionRefused as refused:
            raise invalid("EXPRESSION_REFUSED", f"The requirement {refused}.") from refused
    finished = pool.finished.get(command.contact_id)
    if finished is not None and finished.state is TaskState.COMPLETED:
        raise precondition("TASK_COMPLETED", f"The contact {command.contact_id} is completed; a new one is needed.")


def _check_queue(pool: PoolState, queue: str) -> None:
    if queue not in pool.queues:
        known = ", ".join(sorted(pool.queues)[:20]) or "none"
        raise invalid("QUEUE_UNKNOWN", f"The queue {queue!r} is not known in the pool {pool.name}; known are: {known}.")


def _open(pool: PoolState, contact_id: str) -> Task:
    task = pool.tasks.get(contact_id)
    if task is None:
        finished = _finished(pool, contact_id)
        raise precondition("TASK_FINISHED", f"The contact {contact_id} is {finished.state.name.lower()} already.")
    return task


def _finished(pool: PoolState, contact_id: str) -> FinishedTask:
    found = pool.finished.get(contact_id)
    if found is None:
        raise not_found("TASK_UNKNOWN", f"The contact {contact_id} is not known, or was done some time ago.")
    return found


def _reserved(pool: PoolState, contact_id: str, reservation_id: str, agent_id: str) -> tuple[Task, Offer]:
    task = _open(pool, contact_id)
    held = Offer(task.agent_id, task.reservation_id, task.chosen_by)
    offer = next((one for one in (held, *task.others) if one.reservation_id == reservation_id), None)
    if offer is None:
        raise precondition(
            "RESERVATION_ENDED",
            f"The reservation {reservation_id} has ended; {contact_id} is {task.state.name.lower()}.",
        )
    if offer.agent_id != agent_id:
        raise precondition("RESERVATION_OF_ANOTHER", f"The reservation {reservation_id} is not one of {agent_id}.")
    if task.state is not TaskState.RESERVED:
        raise precondition("RESERVATION_ACCEPTED", f"The reservation {reservation_id} is accepted already.")
    return task, offer


def _wrapping(pool: PoolState, contact_id: str, agent_id: str) -> Task:
    """An empty agent is a supervisor's way to mean whoever has it."""
    task = _open(pool, contact_id)
    if task.state is not TaskState.WRAPPING:
        raise precondition(
            "TASK_NOT_WRAPPING", f"The contact {contact_id} is {task.state.name.lower()}, not in wrap-up."
        )
    if agent_id and task.agent_id != agent_id:
        raise precondition("TASK_OF_ANOTHER", f"The contact {contact_id} is not with {agent_id}.")
    return task


def _where(pool: PoolState, task: Task) -> RequestTaskResponse:
    position, wait = matching.estimated_wait(pool, task)
    if task.leg > 1 and task.state in IN_HAND:
        return RequestTaskResponse(task.state, position, wait, task.agent_id, task.reservation_id)
    return RequestTaskResponse(task.state, position, wait)
