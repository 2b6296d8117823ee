"""What is to be done for a call as it stands: the effects, found from the state alone.

After each entry of the journal, and again when another process takes the call over, the effects that are not under way
are started. Each may be done more than once and is idempotent under its key; what comes of it is an input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from junctor_cti.domain.call import Call, Leg
from junctor_cti.domain.relay import Relay

Kind = Literal[
    "answer",
    "send_answer",
    "clear",
    "cancel",
    "start_flow",
    "play",
    "wait",
    "ring",
    "send_invite",
    "join",
    "owed",
    "refuse",
]


@dataclass(frozen=True, slots=True)
class Todo:
    """`subject` is the leg, the verb, the reservation or the owed step that it is about."""

    kind: Kind
    subject: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.subject}" if self.subject else self.kind


def todo(call: Call) -> Iterator[Todo]:
    """The effects that the call's state asks for, in the order to start them."""
    yield from _customer(call)
    if call.ended_at is None:
        yield from _service(call)
    for leg in call.leaving:
        yield Todo("cancel" if leg.phase == "canceling" else "clear", leg.id)
    for step in call.owed:
        yield Todo("owed", step)


def relay_todo(relay: Relay) -> Iterator[Todo]:
    """The same for a relay."""
    trunk, phone = relay.trunk, relay.phone
    match trunk.phase:
        case "incoming" if relay.code:
            yield Todo("refuse", trunk.id)
        case "incoming" if phone is not None and phone.phase == "answered":
            yield Todo("answer", trunk.id)
        case "incoming":
            yield Todo("ring", relay.reservation_id) if phone is None else Todo("send_invite", phone.id)
        case "answering":
            yield Todo("send_answer", trunk.id)
        case "clearing":
            yield Todo("clear", trunk.id)
    for leg in relay.leaving:
        yield Todo("cancel" if leg.phase == "canceling" else "clear", leg.id)


def _customer(call: Call) -> Iterator[Todo]:
    match call.customer.phase:
        case "incoming":
            yield Todo("answer", call.customer.id)
        case "answering":
            yield Todo("send_answer", call.customer.id)
        case "clearing":
            yield Todo("clear", call.customer.id)


def _service(call: Call) -> Iterator[Todo]:
    if call.customer.phase not in ("answering", "up"):
        return
    if call.state == "in_flow":
        yield Todo("start_flow", call.flow)
    if call.verb is not None and call.verb.ends_at is None:
        yield Todo("play", call.verb.id)
    if call.state in ("queued", "offered", "accepting") and call.wait_prompt:
        yield Todo("wait", str(call.segments))
    if call.offer is not None and call.state in ("offered", "accepting"):
        yield from _agent(call.offer.reservation_id, call.agent)


def _agent(reservation_id: str, agent: Leg | None) -> Iterator[Todo]:
    if agent is None:
        yield Todo("ring", reservation_id)
    elif agent.phase == "prepared":
        yield Todo("send_invite", agent.id)
    elif agent.phase == "answered":
        yield Todo("join", reservation_id)
