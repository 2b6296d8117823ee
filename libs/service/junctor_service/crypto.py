"""The crypto port: authenticated encryption whose algorithm is named in what it gives, so that others can be added."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_NONCE_BYTES = 12


class NotAuthentic(Exception):
    """The sealed bytes were changed, belong to another key or context, or name an unknown algorithm. No retry helps."""

    retryable = False


class Cipher(Protocol):
    """Authenticated encryption with associated data."""

    @property
    def algorithm(self) -> int:
        """One byte, never given to another algorithm: the first of all that `seal` gives."""

    def seal(self, key: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Algorithm byte, then what the algorithm needs. Twice the same plaintext gives different bytes."""

    def unseal(self, key: bytes, sealed: bytes, aad: bytes) -> bytes:
        """The plaintext. Raises `NotAuthentic`."""


class Aes256Gcm:
    """AES-256-GCM (NIST SP 800-38D): algorithm 1, 12 random bytes of nonce, ciphertext, 16 bytes of tag."""

    algorithm = 1

    def seal(self, key: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """See `Cipher.seal`; `key` has 32 bytes."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return bytes([self.algorithm]) + nonce + AESGCM(key).encrypt(nonce, plaintext, aad)

    def unseal(self, key: bytes, sealed: bytes, aad: bytes) -> bytes:
        """See `Cipher.unseal`."""
        if len(sealed) < 1 + _NONCE_BYTES + 16 or sealed[0] != self.algorithm:
            raise NotAuthentic("the sealed bytes are not of AES-256-GCM")
        nonce = sealed[1 : 1 + _NONCE_BYTES]
        try:
            return AESGCM(key).decrypt(nonce, sealed[1 + _NONCE_BYTES :], aad)
        except InvalidTag as error:
            raise NotAuthentic("the sealed bytes do not belong to this key and context") from error


class Ciphers:
    """Seals with the first cipher, unseals with the one that the bytes name: how a site changes its algorithm."""

    def __init__(self, first: Cipher, *others: Cipher) -> None:
        self._first = first
        self._by_id = {cipher.algorithm: cipher for cipher in (first, *others)}
        self.algorithm = first.algorithm

    def seal(self, key: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """See `Cipher.seal`."""
        return self._first.seal(key, plaintext, aad)

    def unseal(self, key: bytes, sealed: bytes, aad: bytes) -> bytes:
        """See `Cipher.unseal`."""
        cipher = self._by_id.get(sealed[0]) if sealed else None
        if cipher is None:
            raise NotAuthentic("the sealed bytes name an unknown algorithm")
        return cipher.unseal(key, sealed, aad)


def new_key() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def derived_key(master: bytes, purpose: str) -> bytes:
    """A key of its own for each purpose: HKDF-SHA256 (RFC 5869)."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(master)


def keyed_hash(key: bytes, value: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) in lower-case hex."""
    return hmac.new(key, value, hashlib.sha256).hexdigest()
