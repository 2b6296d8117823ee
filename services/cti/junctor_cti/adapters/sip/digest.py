"""Digest authentication on the server's side (RFC 7616, RFC 8760): challenge and check, without any stored nonce.

A nonce is a time stamp with an HMAC over it, so every edge with the same secret accepts it until it is too old.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping
from enum import Enum

ALGORITHMS = ("SHA-256", "MD5")


class Verdict(Enum):
    """STALE: the answer is right but the nonce has expired; the phone may try again with the new one."""

    GOOD = "good"
    MISSING = "missing"
    WRONG = "wrong"
    STALE = "stale"


def ha1(user: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """The stored secret of a phone: hex of H(user:realm:password). Raises `KeyError` for another algorithm."""
    return _hash(algorithm, f"{user}:{realm}:{password}")


class Digest:
    """`clock` gives Unix seconds; `credential(user)` the HA1 by algorithm, or None for an unknown user. A phone answers
    the first of `algorithms` that it knows, so offer only those whose HA1 is stored for every user."""

    def __init__(
        self,
        realm: str,
        secret: bytes,
        lifetime_s: int,
        credential: Callable[[str], Mapping[str, str] | None],
        clock: Callable[[], float],
        algorithms: tuple[str, ...] = ALGORITHMS,
    ) -> None:
        self._algorithms = algorithms
        self._realm, self._lifetime, self._credential, self._clock = realm, lifetime_s, credential, clock
        self._secret = secret or secrets.token_bytes(32)

    def challenges(self, stale: bool = False) -> list[str]:
        """WWW-Authenticate values, the strongest first (RFC 8760 2.4)."""
        nonce = self._nonce(int(self._clock()))
        tail = ", stale=true" if stale else ""
        return [
            f'Digest realm="{self._realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{tail}'
            for algorithm in self._algorithms
        ]

    def check(self, method: str, authorizations: list[str]) -> tuple[Verdict, str]:
        """(verdict, user) of the first usable Authorization value."""
        for value in authorizations:
            scheme, _, rest = value.partition(" ")
            fields = dict(parameters(rest)) if scheme.lower() == "digest" else {}
            if fields.get("realm") == self._realm:
                return self._check(method, fields), fields.get("username", "")
        return Verdict.MISSING, ""

    def _check(self, method: str, fields: Mapping[str, str]) -> Verdict:
        algorithm = fields.get("algorithm", "MD5").upper()
        known = self._credential(fields.get("username", "")) or {}
        if algorithm not in self._algorithms or algorithm not in known:
            return Verdict.WRONG
        nonce = fields.get("nonce", "")
        second = _hash(algorithm, f"{method}:{fields.get('uri', '')}")
        qop = fields.get("qop", "").lower()
        if qop not in ("", "auth"):
            return Verdict.WRONG
        middle = f":{fields.get('nc', '')}:{fields.get('cnonce', '')}:auth" if qop else ""
        wanted = _hash(algorithm, f"{known[algorithm]}:{nonce}{middle}:{second}")
        if not hmac.compare_digest(wanted.encode(), fields.get("response", "").lower().encode()):
            return Verdict.WRONG
        return self._age(nonce)

    def _nonce(self, at: int) -> str:
        stamp = f"{at:x}"
        return stamp + "." + hmac.new(self._secret, stamp.encode(), hashlib.sha256).hexdigest()[:32]

    def _age(self, nonce: str) -> Verdict:
        stamp = nonce.partition(".")[0]
        try:
            at = int(stamp, 16)
        except ValueError:
            return Verdict.STALE
        genuine = hmac.compare_digest(self._nonce(at).encode(), nonce.encode())
        fresh = -self._lifetime <= self._clock() - at <= self._lifetime
        return Verdict.GOOD if genuine and fresh else Verdict.STALE


def parameters(text: str) -> Iterator[tuple[str, str]]:
    """name=value pairs of a challenge or of credentials; commas inside quotes do not separate."""
    name = value = ""
    quoted = escaped = in_value = False
    for char in text + ",":
        if escaped:
            value, escaped = value + char, False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            if name.strip():
                yield name.strip().lower(), value.strip()
            name, value, in_value = "", "", False
        elif char == "=" and not in_value:
            in_value = True
        elif in_value:
            value += char
        else:
            name += char


def _hash(algorithm: str, text: str) -> str:
    if algorithm == "MD5":
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    if algorithm == "SHA-256":
        return hashlib.sha256(text.encode()).hexdigest()
    raise KeyError(algorithm)
