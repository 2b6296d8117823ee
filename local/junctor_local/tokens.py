"""The site's signing key and the tokens made with it: JWTs signed with EdDSA (RFC 8037), keys as a JWKS (RFC 7517)."""

import base64
import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

ISSUER = "junctor"
AUDIENCE = "junctor"
ROLES = ("agent", "supervisor", "administrator", "analyst", "service", "register", "operator")
# A service's token is for every tenant; the tenant is carried per call.
EVERY_TENANT = "*"


class BadClaim(ValueError):
    """A token that cannot be made; the text says which claim is wrong. A retry does not help."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key pair and its id, the key's thumbprint (RFC 7638)."""

    private: Ed25519PrivateKey
    id: str

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key as a JSON Web Key Set."""
        return {"keys": [{**_public(self.private), "kid": self.id, "alg": "EdDSA", "use": "sig"}]}


def signing_key(directory: Path) -> SigningKey:
    """The key in `directory`/signing-key.pem, made at the first call with mode 0600."""
    path = directory / "signing-key.pem"
    pem = _kept_or_made(
        path,
        lambda: Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    private = load_pem_private_key(pem, password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"{path} is not an Ed25519 private key")
    # RFC 7638: SHA-256 of the required members in lexical order, without white space.
    canonical = json.dumps(_public(private), sort_keys=True, separators=(",", ":")).encode()
    return SigningKey(private, _base64url(hashlib.sha256(canonical).digest()))


def workload_secret(directory: Path) -> str:
    """What a service shows the issuer to get a token: JUNCTOR_TOKEN_SECRET of the environment, as services have it, else
    what is in `directory`/workload-secret, made at the first call (0600)."""
    if given := os.environ.get("JUNCTOR_TOKEN_SECRET"):
        return given
    return _kept_or_made(directory / "workload-secret", lambda: secrets.token_urlsafe(32).encode()).decode()


def mint(
    key: SigningKey,
    subject: str,
    tenant: str,
    roles: Sequence[str],
    agent_id: str | None = None,
    lifetime: float = 3600,
) -> str:
    """A token for `subject` in `tenant` that is valid from now for `lifetime` seconds (negative: already expired).

    Raises BadClaim for an empty subject or tenant, no role, an unknown role, an agent without an agent id,
    or tenant "*" for anyone but a service.
    """
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise BadClaim(f"roles are some of {', '.join(ROLES)}; this is {', '.join(unknown) or 'none'}")
    if not subject or not tenant:
        raise BadClaim("a token has a subject and a tenant")
    if "agent" in roles and not agent_id:
        raise BadClaim("a token with the role agent has an agent_id")
    if tenant == EVERY_TENANT and "service" not in roles:
        raise BadClaim("only a service's token is for every tenant")
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "tenant": tenant,
        "roles": list(roles),
        "iat": now + min(0, int(lifetime)),
        "exp": now + int(lifetime),
    }
    if agent_id:
        claims["agent_id"] = agent_id
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.id})


def _public(private: Ed25519PrivateKey) -> dict[str, str]:
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _kept_or_made(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content; if there is none, what `make` gives, written whole before it gets the file's name."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(make())
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
        partial.unlink()
    return path.read_bytes()
