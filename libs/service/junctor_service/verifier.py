"""Verification of tokens: JWT (RFC 7519) signed with EdDSA or RS256 by a key of the issuer's JWKS."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import jwt

from junctor_service.clock import Clock, SystemClock
from junctor_service.jwks import KeySet, key_set
from junctor_service.settings import CommonSettings
from junctor_service.tokens import EVERY_TENANT, Principal, Refusal, Role, TokenRefused, parse_roles

SKEW_SECONDS = 30
CACHE_SIZE = 4096
LONGEST_TOKEN = 6144


@dataclass(frozen=True, slots=True)
class _Verified:
    principal: Principal
    not_before: float
    expires: float
    generation: int


class TokenVerifier:
    """Turns tokens into principals. Clocks may differ by 30 s. A verified token is remembered until it expires.

    It is a component too: its start reads the issuer's keys, so that the first call need not wait for them.
    """

    name = "token keys"

    def __init__(
        self, keys: KeySet, *, issuer: str = "junctor", audience: str = "junctor", clock: Clock | None = None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock or SystemClock()
        self._known: OrderedDict[str, _Verified] = OrderedDict()

    @property
    def ready(self) -> bool:
        """Always: while keys cannot be had, calls are told so one by one."""
        return True

    async def start(self) -> None:
        """Reads the keys; an issuer that is away is logged, and asked again by the first call."""
        await self._keys.refresh_if_old()

    async def stop(self, deadline: float) -> None:
        """Nothing to finish."""

    async def verify(self, token: str | None, *, tenant: str | None = None) -> Principal:
        """The token's bearer, who must belong to `tenant` if one is given.

        Raises `TokenRefused`, or `KeysUnavailable` while the issuer's keys cannot be had.
        """
        if not token:
            raise TokenRefused(Refusal.NONE, "The call has no token.")
        await self._keys.refresh_if_old()
        verified = self._known.get(token)
        if verified is None or verified.generation != self._keys.generation:
            verified = await self._verified(token)
            self._remember(token, verified)
        self._check_times(verified)
        principal = verified.principal
        if tenant is not None and principal.tenant not in {tenant, EVERY_TENANT}:
            raise TokenRefused(Refusal.WRONG_TENANT, "The token is another tenant's.")
        return principal

    async def _verified(self, token: str) -> _Verified:
        claims = await self._claims(token)
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused(Refusal.WRONG_AUDIENCE, "The token is meant for another audience.")
        if claims.get("iss") != self._issuer:
            raise TokenRefused(Refusal.WRONG_ISSUER, "The token is of another issuer.")
        times = [claims.get("exp"), claims.get("iat", 0), claims.get("nbf", 0)]
        if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in times):
            raise TokenRefused(Refusal.MALFORMED, "The token does not say when it expires.")
        expires, issued, not_before = (float(time) for time in times)
        return _Verified(_principal(claims), max(issued, not_before), expires, self._keys.generation)

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > LONGEST_TOKEN:
            raise TokenRefused(Refusal.MALFORMED, "The token is too long.")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.exceptions.PyJWTError as error:
            raise TokenRefused(Refusal.MALFORMED, "The token is not a JWT.") from error
        key_id = header.get("kid")
        key = await self._keys.key(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise TokenRefused(Refusal.UNKNOWN_KEY, "The token is signed with a key that the issuer does not have.")
        unchecked = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
        try:
            return jwt.decode(token, key, algorithms=[key.algorithm_name], options=unchecked)  # type: ignore[arg-type]
        except jwt.exceptions.InvalidSignatureError as error:
            raise TokenRefused(Refusal.BAD_SIGNATURE, "The token's signature is wrong.") from error
        except jwt.exceptions.PyJWTError as error:
            raise TokenRefused(Refusal.MALFORMED, "The token is not a JWT of a known algorithm.") from error

    def _check_times(self, verified: _Verified) -> None:
        now = self._clock.now_ms() / 1000
        if now >= verified.expires + SKEW_SECONDS:
            raise TokenRefused(Refusal.EXPIRED, "The token has expired.")
        if now < verified.not_before - SKEW_SECONDS:
            raise TokenRefused(Refusal.NOT_YET_VALID, "The token is not valid yet.")

    def _remember(self, token: str, verified: _Verified) -> None:
        self._known[token] = verified
        if len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)


def verifier_from(settings: CommonSettings) -> TokenVerifier:
    """The verifier that a service's settings describe."""
    return TokenVerifier(key_set(settings.jwks), issuer=settings.token_issuer, audience=settings.token_audience)


def _principal(claims: dict[str, Any]) -> Principal:
    subject, tenant, agent_id = claims.get("sub"), claims.get("tenant"), claims.get("agent_id")
    try:
        roles = parse_roles(claims.get("roles", []))
    except ValueError as error:
        raise TokenRefused(Refusal.MALFORMED, "The token's roles are not a list of texts.") from error
    if not (isinstance(subject, str) and subject and isinstance(tenant, str) and tenant):
        raise TokenRefused(Refusal.MALFORMED, "The token names no subject or no tenant.")
    if not isinstance(agent_id, str | None):
        raise TokenRefused(Refusal.MALFORMED, "The token's agent_id is not a text.")
    if tenant == EVERY_TENANT and Role.SERVICE not in roles:
        raise TokenRefused(Refusal.MALFORMED, "Only a service's token may be for every tenant.")
    return Principal(subject, tenant, roles, agent_id or None, float(claims["exp"]))
