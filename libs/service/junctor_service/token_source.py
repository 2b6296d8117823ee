"""Where the tokens of one's own calls come from."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohttp
import jwt

from junctor_service.errors import ServiceError, unavailable
from junctor_service.settings import CommonSettings, Secret, SettingsError
from junctor_service.tokens import EVERY_TENANT, Role

log = logging.getLogger(__name__)

FETCH_TIMEOUT = 5.0
RENEW_AT = 0.7
LEAST_PAUSE = 1.0


class TokenSource(Protocol):
    """Gives a token that is valid now."""

    async def token(self) -> str:
        """Raises `ServiceError` (UNAVAILABLE, retryable) if none can be had now."""


class StaticToken:
    """One given token: a person's, or a test's."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        """That token."""
        return self._token


class WorkloadTokens:
    """A service's own token, for every tenant: fetched from the issuer and renewed after 70 % of its life.

    The issuer is asked by POST with the secret as bearer and {subject, tenant, roles}; it answers {access_token} (the
    answer's form is that of RFC 6749, section 5.1). The token's own `exp` says how long it lives.

    While the issuer cannot be reached the token is used until it expires.
    """

    def __init__(
        self,
        url: str,
        secret: Secret,
        subject: str,
        *,
        roles: Sequence[Role] = (Role.SERVICE,),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._secret = secret
        self._subject = subject
        self._roles = [role.value for role in roles]
        self._now = now
        self._token = ""
        self._renew_at = 0.0
        self._expires = 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """See `TokenSource.token`."""
        if self._now() < self._renew_at:
            return self._token
        async with self._lock:
            if self._now() < self._renew_at:
                return self._token
            try:
                self._keep(await self._fetch())
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, jwt.exceptions.PyJWTError) as error:
                if self._now() >= self._expires:
                    raise _no_token() from error
                log.warning("workload token cannot be renewed now", exc_info=error)
                self._renew_at = min(self._now() + LEAST_PAUSE, self._expires)
            return self._token

    async def _fetch(self) -> str:
        wanted = {"subject": self._subject, "tenant": EVERY_TENANT, "roles": self._roles}
        headers = {"authorization": f"Bearer {self._secret.reveal()}"}
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(self._url, json=wanted, headers=headers) as answer,
        ):
            answer.raise_for_status()
            document = await answer.json()
        token = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str):
            raise ValueError("the issuer's answer has no access_token")
        return token

    def _keep(self, token: str) -> None:
        claims = jwt.decode(token, options={"verify_signature": False})
        expires, now = float(claims["exp"]) if "exp" in claims else 0.0, self._now()
        if expires <= now:
            raise ValueError("the issuer gave a token that has expired")
        self._token, self._expires = token, expires
        self._renew_at = now + (expires - now) * RENEW_AT


def workload_tokens(settings: CommonSettings, service: str, roles: Sequence[Role] = (Role.SERVICE,)) -> WorkloadTokens:
    """The token source that a service's settings describe. Raises `SettingsError` if they describe none."""
    if settings.token_url is None or settings.token_secret is None:
        raise SettingsError(
            ["JUNCTOR_TOKEN_URL and JUNCTOR_TOKEN_SECRET are not both set; a service that calls others needs them."]
        )
    return WorkloadTokens(settings.token_url, settings.token_secret, f"service:{service}", roles=roles)


def operator_tokens(settings: CommonSettings, person: str) -> WorkloadTokens:
    """Tokens of a person who runs the platform, from the issuer as a service gets them. Raises `SettingsError`."""
    if settings.token_url is None or settings.token_secret is None:
        raise SettingsError(
            ["JUNCTOR_TOKEN_URL and JUNCTOR_TOKEN_SECRET are not both set; an operator's calls need them."]
        )
    roles = (Role.SERVICE, Role.OPERATOR)
    return WorkloadTokens(settings.token_url, settings.token_secret, f"operator:{person}", roles=roles)


def _no_token() -> ServiceError:
    return unavailable("No workload token can be had from the token issuer now.", reason="NO_WORKLOAD_TOKEN")
