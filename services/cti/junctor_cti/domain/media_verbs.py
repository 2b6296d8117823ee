"""Prompts and digits: what plays, what was pressed, and when it is over (RFC 4733 events, barge-in)."""

from __future__ import annotations

from dataclasses import replace

from junctor_cti.domain import commands as c
from junctor_cti.domain.call import Verb
from junctor_cti.domain.events import MediaVerbEnded
from junctor_cti.domain.turn import Rejected, Turn
from junctor_cti.domain.way import TREATMENT_VERB, finish

START_LIMIT_MS = 15_000


def ask(turn: Turn, command: c.PromptAndCollect) -> None:
    """Begins a verb. A verb that runs is over with it."""
    call = turn.call
    if call.state != "in_flow" or not call.customer_there:
        raise Rejected("The call is not in a flow: nothing can be played or collected.")
    if command.verb_id in ("", TREATMENT_VERB):
        raise Rejected(f"A verb cannot be named {command.verb_id!r}.", code="invalid_argument")
    if call.verb is not None and call.verb.id == command.verb_id:
        return
    if call.verb is not None:
        end(turn, "finished")
    turn.set(
        verb=Verb(
            command.verb_id,
            command.prompts,
            command.language or call.language,
            command.max_digits,
            command.timeout_ms,
            command.barge_in,
            command.secret,
            turn.now,
        )
    )


def started(turn: Turn, command: c.PromptStarted) -> None:
    verb = turn.call.verb
    if verb is not None and verb.id == command.verb_id and verb.ends_at is None:
        turn.set(verb=replace(verb, ends_at=command.ends_at))


def failed(turn: Turn, verb_id: str) -> None:
    verb = turn.call.verb
    if verb is not None and verb.id == verb_id and verb.id != TREATMENT_VERB:
        end(turn, "failed")


def digit(turn: Turn, command: c.DigitHeard) -> None:
    """A digit that nobody asked for, or that comes before a prompt that cannot be interrupted has ended, is passed over."""
    verb = turn.call.verb
    if verb is None or verb.max_digits == 0:
        return
    playing = verb.ends_at is None or turn.now < verb.ends_at
    if playing and not verb.barge_in:
        return
    verb = replace(verb, digits=(*verb.digits, command.digit), last_digit_at=turn.now)
    turn.set(verb=verb)
    if playing and len(verb.digits) == 1:
        turn.owe(f"stop_play/{verb.id}")
    if len(verb.digits) >= verb.max_digits:
        end(turn, "digits")


def due(verb: Verb) -> int:
    """The moment at which the verb is over by itself."""
    if verb.ends_at is None:
        return verb.asked_at + START_LIMIT_MS
    if verb.max_digits == 0:
        return verb.ends_at
    if verb.last_digit_at is not None:
        return verb.last_digit_at + verb.timeout_ms
    return verb.ends_at + verb.timeout_ms


def tick(turn: Turn) -> None:
    verb = turn.call.verb
    if verb is None or due(verb) > turn.now:
        return
    if verb.ends_at is None:
        end(turn, "failed")
    elif verb.max_digits == 0:
        end(turn, "finished")
    else:
        end(turn, "digits" if verb.digits else "timeout")


def end(turn: Turn, cause: str) -> None:
    call = turn.call
    assert call.verb is not None
    verb = call.verb
    turn.set(verb=None, flow_at=turn.now)
    if verb.id == TREATMENT_VERB:
        finish(turn, "overflow")
        return
    digits = (" " if verb.secret else "").join(verb.digits)
    turn.emit(MediaVerbEnded(call.tenant, call.contact_id, verb.id, cause, digits))
