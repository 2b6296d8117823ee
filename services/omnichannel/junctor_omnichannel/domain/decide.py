"""A conversation's way: bot, line, talk, end. Pure: what is known of the directory comes with the command."""

from __future__ import annotations

from typing import assert_never

from junctor_omnichannel.domain import commands as c
from junctor_omnichannel.domain import events as e
from junctor_omnichannel.domain import legs
from junctor_omnichannel.domain.binding import binds
from junctor_omnichannel.domain.conversation import Conversation, ends
from junctor_omnichannel.domain.hand_over import hand_over
from junctor_omnichannel.domain.turn import Decision, Numbered, Rejected, Turn

__all__ = ["Decision", "Rejected", "decide"]


def decide(state: Conversation, command: c.Command, now: int) -> Decision:
    """Events that `command` causes at `now`. Raises `Rejected`, with nothing changed, where it cannot apply."""
    turn = Turn(state, now)
    response: Numbered | c.SetArrivalShareResponse | None = None
    match command:
        case c.OpenConversation():
            if not state.state:
                _open(turn, command)
            response = Numbered(len(turn.state.messages))
        case c.ReceiveMessage():
            response = Numbered(_receive(turn, command))
        case c.SendMessage():
            response = Numbered(_send(turn, command))
        case c.CloseConversation():
            _close(turn, command)
        case c.CustomerReattached():
            legs.reattached(turn, command)
        case c.LegMoved():
            legs.moved(turn, command)
        case c.SetArrivalShare():
            response = c.SetArrivalShareResponse(state.away_percent)
            turn.emit(e.ArrivalShareChanged(state.tenant, command.percent))
        case c.PresenceReported():
            _presence(turn, command)
        case c.ReservationReported():
            _reservation(turn, command)
        case c.TaskReported():
            _task(turn, command)
        case c.EpochSeen():
            if command.site_epoch > state.fence:
                turn.emit(e.FenceRaised(command.partition, command.site_epoch))
        case c.ProcessCame():
            turn.emit(e.ProcessGreeted(command.site, command.process))
        case c.Overtaken() | c.GreetingRead():
            pass
        case c.StepDone():
            turn.cleared(command.step)
        case c.StepFailed():
            _step_failed(turn, command)
        case c.Tick():
            _tick(turn)
        case _:
            assert_never(command)
    return Decision(turn.events, response)


def _open(turn: Turn, command: c.OpenConversation | c.ReceiveMessage) -> None:
    entry = command.entry
    if entry is None or not (entry.bot or entry.queue):
        raise Rejected(f"The widget '{command.widget}' has neither a bot nor a queue.")
    tenant, contact = turn.state.tenant, turn.state.contact_id
    turn.emit(e.ConversationOpened(tenant, contact, command.widget, entry, command.site, command.received_at))
    turn.emit(
        e.ContactOpened(
            tenant,
            contact,
            command.received_at,
            command.customer_address,
            command.customer_hash,
            command.widget,
            command.site,
        )
    )
    if not entry.bot:
        hand_over(turn, entry.queue, ())
        return
    turn.start_segment("flow", flow=entry.bot)
    turn.enter("with_bot")
    turn.say("bot", entry.greeting)


def _receive(turn: Turn, command: c.ReceiveMessage) -> int:
    for message in turn.state.messages:
        if message.author == "customer" and message.message_id == command.message_id:
            return message.number
    if not turn.state.state:
        _open(turn, command)
    if not turn.state.open:
        raise Rejected("The conversation has ended.")
    number = turn.say("customer", command.text, message_id=command.message_id)
    if turn.state.state == "with_bot" and command.reading is not None:
        _bot(turn, command.reading)
    return number


def _bot(turn: Turn, reading: c.BotReading) -> None:
    state = turn.state
    if reading.matched:
        turn.say("bot", reading.reply)
        turn.emit(e.BotTurnTaken(state.tenant, state.contact_id, 0, reading.set))
        if reading.queue:
            hand_over(turn, reading.queue, reading.requirements)
        return
    missed = state.missed + 1
    turn.emit(e.BotTurnTaken(state.tenant, state.contact_id, missed))
    if missed >= max(1, reading.attempts) and state.entry.queue:
        hand_over(turn, state.entry.queue, ())
    else:
        turn.say("bot", reading.fallback)


def _send(turn: Turn, command: c.SendMessage) -> int:
    if turn.state.state != "with_agent":
        raise Rejected(_where(turn.state))
    if command.agent_id != turn.state.agent_id:
        raise Rejected("Another agent has the conversation.")
    return turn.say("agent", command.text, command.agent_id)


def _where(state: Conversation) -> str:
    match state.state:
        case "":
            return "There is no such conversation."
        case "wrapping" | "closed":
            return "The conversation has ended."
        case _:
            return "No agent has the conversation yet."


def _close(turn: Turn, command: c.CloseConversation) -> None:
    state = turn.state
    if not state.state:
        raise Rejected("There is no such conversation.", "not_found")
    if not state.open:
        return
    if command.cause == "agent" and (state.state != "with_agent" or command.agent_id != state.agent_id):
        raise Rejected("Only the agent who has the conversation can end it.")
    _end(turn, command.cause, command.cause)


def _end(turn: Turn, cause: str, detail: str, last_words: str = "ended") -> None:
    """Somebody ends an open conversation."""
    state = turn.state
    by_customer = cause in {"customer", "idle"}
    known: e.CloseCause = "customer" if by_customer else ("agent" if cause == "agent" else "supervisor")
    if state.state == "with_agent":
        _end_talk(turn, known, detail, last_words)
        return
    turn.end_segment("abandoned" if by_customer else "failed")
    _finish(turn, known, detail, last_words)


def _end_talk(turn: Turn, cause: e.CloseCause, detail: str, last_words: str = "ended") -> None:
    """Customer and agent part; the agent's work goes on until the router says that the task is over."""
    state = turn.state
    turn.tell(last_words)
    turn.end_segment("completed")
    turn.emit(e.Unbound(state.tenant, state.contact_id, state.agent_id, state.reservation_id, detail or cause))
    turn.customer_ended(cause, detail)
    turn.enter("wrapping")
    if turn.state.task == "over":
        turn.close()
    else:
        turn.owe("end_contact")


def _finish(turn: Turn, cause: e.CloseCause, detail: str, last_words: str = "ended") -> None:
    """The conversation ends without (more) service by an agent."""
    turn.tell(last_words)
    turn.customer_ended(cause, detail)
    if turn.state.task == "open":
        for step in turn.state.owed:
            turn.cleared(step)
        turn.owe("cancel_task")
    turn.close()


def _presence(turn: Turn, command: c.PresenceReported) -> None:
    state = turn.state
    if not state.state or state.closed_at is not None:
        return
    if not command.present and (command.connection != state.connection or state.away_since is not None):
        return
    if command.present and command.connection == state.connection and state.away_since is None:
        return
    turn.emit(e.CustomerPresenceChanged(state.tenant, state.contact_id, command.connection, command.present, turn.now))


def _reservation(turn: Turn, command: c.ReservationReported) -> None:
    state = turn.state
    if not command.accepted or not state.open or state.state == "with_bot":
        return
    if not binds(state, command.reservation_id):
        return
    if state.state == "with_agent":
        _part(turn, "transferred")
    else:
        turn.end_segment("completed")
    state = turn.state
    turn.emit(e.Bound(state.tenant, state.contact_id, command.agent_id, command.reservation_id, state.leg))
    turn.start_segment("agent", queue=state.queue, agent_id=command.agent_id, reservation_id=command.reservation_id)
    turn.enter("with_agent")
    turn.tell("joined")
    for step in turn.state.owed:
        turn.cleared(step)


def _part(turn: Turn, cause: str) -> None:
    """The agent leaves, the customer stays."""
    state = turn.state
    turn.end_segment("transferred")
    turn.emit(e.Unbound(state.tenant, state.contact_id, state.agent_id, state.reservation_id, cause))


def _task(turn: Turn, command: c.TaskReported) -> None:
    state = turn.state
    if not state.state or state.task != "open":
        return
    match command.state:
        case "requeued":
            if state.state == "with_agent" and command.reservation_id in {"", state.reservation_id}:
                _part(turn, "requeued")
                turn.start_segment("queue", queue=command.queue or state.queue)
                turn.enter("queued", command.queue or state.queue)
                turn.tell("waiting")
        case "overflowed":
            if state.state == "queued":
                turn.task_over()
                turn.end_segment("overflowed")
                _finish(turn, "overflow", "", command.prompt or "overflow")
        case "canceled":
            turn.task_over()
            if state.state == "queued":
                turn.end_segment("failed")
                _finish(turn, "supervisor", "taken out of line")
            elif state.state == "with_agent":
                _end_talk(turn, "supervisor", "taken away")
            elif state.state == "wrapping":
                turn.close()
        case "completed":
            turn.task_over(command.disposition)
            if state.state == "with_agent":
                _end_talk(turn, "agent", "completed")
            elif state.state == "wrapping":
                turn.close()


def _step_failed(turn: Turn, command: c.StepFailed) -> None:
    """An effect failed for good."""
    if command.step not in turn.state.owed:
        return
    turn.cleared(command.step)
    if command.step.startswith("route/") and turn.state.state == "queued":
        turn.task_over()
        turn.end_segment("failed")
        _finish(turn, "failure", f"route: {command.reason}", "failure")
    elif command.step == "end_contact" and turn.state.state == "wrapping":
        turn.task_over()
        turn.close()


def _tick(turn: Turn) -> None:
    state = turn.state
    if state.closed_at is not None:
        turn.emit(e.ConversationForgotten(state.tenant, state.contact_id))
        return
    due = sorted((moment, why) for moment, why in ends(state) if moment <= turn.now)
    if due and state.open:
        why = due[0][1]
        _end(turn, "idle", why, "idle" if why == "idle" else "ended")
