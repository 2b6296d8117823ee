"""Customers' tokens: who may come back to which conversation. JWTs signed with HMAC-SHA-256 (RFC 7519, RFC 7518)."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import NamedTuple

import jwt
from junctor_service.settings import Secret

_AUDIENCE = "junctor-chat"
_LABEL = b"junctor omnichannel customer token"


class Claim(NamedTuple):
    """`site` has the conversation, under that `leg`; where another site must take it over and knows nothing of it,
    `arrived_at` (Unix ms) and `queue` ("" while it is in none) are its place in line. `seq`: its last message."""

    tenant: str
    contact_id: str
    site: str = ""
    leg: int = 1
    arrived_at: int = 0
    queue: str = ""
    seq: int = 0


class BadToken(Exception):
    """The token is not ours, was changed, or is too old (`expired`). A hello without one begins another conversation."""

    retryable = False

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


class CustomerTokens:
    def __init__(self, key: bytes, lifetime: float, now: Callable[[], float] = time.time) -> None:
        if len(key) < 32:
            raise ValueError("the key of customers' tokens needs at least 32 bytes")
        self._key = key
        self._lifetime = lifetime
        self._now = now

    def make(self, claim: Claim) -> str:
        payload = {
            "aud": _AUDIENCE,
            "tenant": claim.tenant,
            "sub": claim.contact_id,
            "site": claim.site,
            "leg": claim.leg,
            "arrived_at": claim.arrived_at,
            "queue": claim.queue,
            "seq": claim.seq,
            "exp": int(self._now() + self._lifetime),
        }
        return jwt.encode(payload, self._key, algorithm="HS256")

    def read(self, token: str) -> Claim:
        """Raises `BadToken`."""
        try:
            payload = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                options={"require": ["exp", "sub", "tenant"], "verify_exp": False},
            )
        except jwt.PyJWTError as error:
            raise BadToken(str(error)) from error
        if payload["exp"] < self._now():
            raise BadToken("the token is too old", expired=True)
        return Claim(
            str(payload["tenant"]),
            str(payload["sub"]),
            str(payload.get("site", "")),
            int(payload.get("leg", 1)),
            int(payload.get("arrived_at", 0)),
            str(payload.get("queue", "")),
            int(payload.get("seq", 0)),
        )


def token_key(own: Secret | None, site: Secret | None) -> bytes:
    """The signing key: from its own setting, else from the site's token secret. Raises `ValueError` without either."""
    if own is not None:
        return hashlib.sha256(own.reveal().encode()).digest()
    if site is not None:
        return hmac.digest(site.reveal().encode(), _LABEL, "sha256")
    raise ValueError(
        "Set JUNCTOR_OMNICHANNEL__CUSTOMER_TOKEN_SECRET or JUNCTOR_TOKEN_SECRET: it signs customers' tokens."
    )
