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
    tenant: str
    contact_id: str


class BadToken(Exception):
    """The token is not ours, was changed or is too old. A new hello without one begins another conversation."""

    retryable = False


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
            raise BadToken("the token is too old")
        return Claim(str(payload["tenant"]), str(payload["sub"]))


def token_key(own: Secret | None, site: Secret | None) -> bytes:
    """The signing key: from its own setting, else from the site's token secret. Raises `ValueError` without either."""
    if own is not None:
        return hashlib.sha256(own.reveal().encode()).digest()
    if site is not None:
        return hmac.digest(site.reveal().encode(), _LABEL, "sha256")
    raise ValueError(
        "Set JUNCTOR_OMNICHANNEL__CUSTOMER_TOKEN_SECRET or JUNCTOR_TOKEN_SECRET: it signs customers' tokens."
    )
