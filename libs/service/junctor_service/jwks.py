"""The token issuer's public keys (JWKS, RFC 7517), from a file or a URL, kept and refreshed."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt

from junctor_service.tokens import KeysUnavailable

log = logging.getLogger(__name__)

KEY_TYPES = {"OKP": "EdDSA", "RSA": "RS256"}
MAX_AGE = 300.0
LEAST_PAUSE = 2.0
FETCH_TIMEOUT = 5.0


class KeySet:
    """Public keys by their id. `fetch` gives the JWKS document: again after 5 minutes, and for an unknown id.

    For unknown ids it is asked every 2 s at most, so that forged ids cost nothing. When it fails, the keys that are
    known go on to be used.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        least_pause: float = LEAST_PAUSE,
    ) -> None:
        self.generation = 0
        self._fetch = fetch
        self._monotonic = monotonic
        self._least_pause = least_pause
        self._keys: dict[str, jwt.PyJWK] = {}
        self._content = b""
        self._tried: float | None = None
        self._loaded: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key, None if the issuer has none of this id. Raises `KeysUnavailable` if no keys could be had yet."""
        if key_id not in self._keys or self._too_old():
            await self._refresh(key_id)
        if self._loaded is None:
            raise KeysUnavailable("The token issuer's keys cannot be read now.")
        return self._keys.get(key_id)

    async def refresh_if_old(self) -> None:
        """Reads the keys again if they are older than 5 minutes; a failure is logged."""
        if self._too_old():
            await self._refresh(None)

    def _too_old(self) -> bool:
        return self._loaded is None or self._monotonic() - self._loaded > MAX_AGE

    async def _refresh(self, wanted: str | None) -> None:
        async with self._lock:
            if wanted in self._keys and not self._too_old():
                return
            if self._tried is not None and self._monotonic() - self._tried < self._least_pause:
                return
            self._tried = self._monotonic()
            try:
                content = await self._fetch()
                keys = parse_jwks(content)
            except Exception as error:
                log.warning("token keys cannot be read", exc_info=error)
                return
            self._loaded = self._monotonic()
            if content != self._content:
                self._keys, self._content = keys, content
                self.generation += 1


def parse_jwks(content: bytes) -> dict[str, jwt.PyJWK]:
    """Usable keys of a JWKS document by their id; keys of other kinds are left out. Raises `ValueError`."""
    document: Any = json.loads(content)
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("the document is no JWKS: it has no list of keys")
    found = {}
    for entry in document["keys"]:
        if not isinstance(entry, dict) or entry.get("kty") not in KEY_TYPES or not isinstance(entry.get("kid"), str):
            continue
        algorithm = KEY_TYPES[entry["kty"]]
        if entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
            continue
        try:
            found[entry["kid"]] = jwt.PyJWK(entry, algorithm)
        except jwt.exceptions.PyJWTError as error:
            raise ValueError("a key of the JWKS cannot be read") from error
    return found


def key_set(source: str) -> KeySet:
    """The keys of a URL or of a file."""
    if source.startswith(("http://", "https://")):
        return KeySet(lambda: _read_url(source))
    return KeySet(lambda: asyncio.to_thread(Path(source).read_bytes))


async def _read_url(url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
        answer.raise_for_status()
        return await answer.read()
