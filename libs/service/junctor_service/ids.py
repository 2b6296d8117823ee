"""Ids that are the same however often the outside world repeats itself.

UUIDv5 and UUIDv7 are those of RFC 9562, sections 5.5 and 5.7. All ids are canonical lower-case text.
"""

from __future__ import annotations

import secrets
import time
import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "junctor")
_CONTACT = uuid.uuid5(_NAMESPACE, "contact")
_STEP = uuid.uuid5(_NAMESPACE, "step")
_EVENT = uuid.uuid5(_NAMESPACE, "event")


def sip_contact_id(trunk: str, call_id: str, from_tag: str) -> str:
    """The contact of an INVITE: a repeated one, even at another edge, has the same."""
    return _derived(_CONTACT, "sip", trunk, call_id, from_tag)


def widget_contact_id(tenant: str, message_id: str) -> str:
    """The contact that a chat widget's first message opens; the widget makes the message id and repeats it."""
    return _derived(_CONTACT, "widget", tenant, message_id)


def mail_contact_id(tenant: str, message_id: str) -> str:
    """The contact of a mail, from its Message-ID (RFC 5322, section 3.6.4)."""
    return _derived(_CONTACT, "mail", tenant, message_id)


def step_request_id(contact_id: str, step: str, n: int = 0) -> str:
    """The request id of the nth try at a step of a contact; `step` is a constant such as "route"."""
    return _derived(_STEP, contact_id, step, str(n))


def edge_id(service: str, site: str) -> str:
    """The edge that holds a contact, as the router and its events name it."""
    return f"{service}/{site}"


def event_id(input_id: str, index: int) -> str:
    """The id of the event with that index (from 0) among those that the input caused."""
    return _derived(_EVENT, input_id, str(index))


def uuid7(now_ms: int | None = None) -> str:
    """A random id that sorts by its time of making (Unix milliseconds), for what has no outside identity."""
    stamp = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    value = (stamp & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def _derived(namespace: uuid.UUID, *parts: str) -> str:
    """UUIDv5 of the parts, each with its length before it so that no two lists of parts look alike."""
    return str(uuid.uuid5(namespace, "".join(f"{len(part)}:{part}" for part in parts)))
