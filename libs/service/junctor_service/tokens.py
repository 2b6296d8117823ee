"""Who calls: principals, and the ways in which a token is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum

EVERY_TENANT = "*"


class Role(Enum):
    """What a principal is; the names in a token's `roles` and, with ROLE_ before, of the option `allowed_roles`."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"
    ANALYST = "analyst"
    SERVICE = "service"
    REGISTER = "register"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Principal:
    """A token's bearer. During a call `tenant` is the one that the call is for; in a service's token it is "*".

    `expires`: Unix seconds; a stream that the token opened ends then.
    """

    subject: str
    tenant: str
    roles: frozenset[Role]
    agent_id: str | None = None
    expires: float = field(default=math.inf, compare=False)

    @property
    def only_agent(self) -> bool:
        """Whether it may act for its own agent id alone."""
        return self.roles == frozenset({Role.AGENT})


class Refusal(Enum):
    """Why a token is not accepted; the values are reasons of `ErrorInfo`."""

    NONE = "TOKEN_MISSING"
    MALFORMED = "TOKEN_MALFORMED"
    UNKNOWN_KEY = "TOKEN_UNKNOWN_KEY"
    BAD_SIGNATURE = "TOKEN_BAD_SIGNATURE"
    EXPIRED = "TOKEN_EXPIRED"
    NOT_YET_VALID = "TOKEN_NOT_YET_VALID"
    WRONG_AUDIENCE = "TOKEN_WRONG_AUDIENCE"
    WRONG_ISSUER = "TOKEN_WRONG_ISSUER"
    WRONG_TENANT = "TOKEN_WRONG_TENANT"


class TokenRefused(Exception):
    """A token is not accepted. The same one will not be later; a new one may be."""

    retryable = False

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message


class KeysUnavailable(Exception):
    """The issuer's keys cannot be had now, so nothing can be said about the token. A retry may help."""

    retryable = True


_principal: ContextVar[Principal | None] = ContextVar("junctor_principal", default=None)


def current_principal() -> Principal | None:
    """Who makes the call that is being handled; None outside of one."""
    return _principal.get()


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Inside, `current_principal` is this one: the server does so for each call, tests and background work may."""
    token = _principal.set(principal)
    try:
        yield
    finally:
        _principal.reset(token)


def parse_roles(names: object) -> frozenset[Role]:
    """Roles of a token's claim; unknown ones grant nothing. Raises `ValueError` for what is no list of texts."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("roles is not a list of texts")
    known = {role.value: role for role in Role}
    return frozenset(known[name] for name in names if name in known)
