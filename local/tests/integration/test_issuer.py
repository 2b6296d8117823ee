"""Tokens from the issuer are good for who asks with the secret, and for nobody else."""

import asyncio
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from junctor_local.issuer import Issuer
from junctor_local.tokens import mint, signing_key, workload_secret


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    server = Issuer("127.0.0.1", 0, tmp_path)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def ask(issuer: Issuer, body: object, secret: str | None = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{issuer.server_port}") as client:
        headers = {"Authorization": f"Bearer {issuer.secret if secret is None else secret}"}
        return await client.post(
            "/token", content=body if isinstance(body, bytes) else json.dumps(body), headers=headers
        )


async def verified(issuer: Issuer, token: str) -> dict[str, Any]:
    """The claims, checked with the key that the JWKS gives for the token's key id."""
    client = jwt.PyJWKClient(f"http://127.0.0.1:{issuer.server_port}/.well-known/jwks.json")
    key = await asyncio.to_thread(client.get_signing_key_from_jwt, token)
    claims: dict[str, Any] = jwt.decode(token, key.key, algorithms=["EdDSA"], audience="junctor", issuer="junctor")
    return claims


async def test_a_services_token_is_for_every_tenant(issuer: Issuer) -> None:
    answer = (await ask(issuer, {"subject": "router", "roles": ["service"], "lifetime": 60})).json()
    claims = await verified(issuer, answer["access_token"])
    assert (claims["sub"], claims["tenant"], claims["roles"]) == ("router", "*", ["service"])
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 60


async def test_a_token_made_offline_is_verified_by_the_same_jwks(issuer: Issuer, tmp_path: Path) -> None:
    claims = await verified(issuer, mint(signing_key(tmp_path), "alice", "demo", ["agent"], "alice"))
    assert (claims["tenant"], claims["agent_id"]) == ("demo", "alice")


@pytest.mark.parametrize("secret", ["none", "wrong", "ключ"])
async def test_a_wrong_secret_gets_nothing(issuer: Issuer, secret: str) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"http://127.0.0.1:{issuer.server_port}/token",
            headers={"Authorization": f"Bearer {secret}".encode()},
            json={"subject": "router", "roles": ["service"]},
        )
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "Expecting property name"),
        ([], "not a JSON object"),
        ({"subject": "x", "roles": ["king"]}, "king"),
        ({"subject": "x", "roles": []}, "none"),
        ({"subject": "", "roles": ["service"]}, "subject"),
        ({"subject": "x", "roles": ["supervisor"]}, "only a service"),
        ({"subject": "x", "roles": ["agent"], "tenant": "demo"}, "agent_id"),
        ({"subject": "x", "roles": ["service"], "lifetime": 10**9}, "lifetime"),
        ({"subject": "x", "roles": ["service"], "lifetime": "soon"}, "soon"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(issuer: Issuer, body: object, says: str) -> None:
    answer = await ask(issuer, body)
    assert answer.status_code == 400
    assert says in answer.json()["error_description"]


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    assert signing_key(tmp_path).id == signing_key(tmp_path).id != signing_key(tmp_path / "other").id
    assert stat.S_IMODE((tmp_path / "signing-key.pem").stat().st_mode) == 0o600


async def test_an_expired_token_can_be_minted_for_tests_and_is_expired(issuer: Issuer, tmp_path: Path) -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        await verified(issuer, mint(signing_key(tmp_path), "a", "demo", ["analyst"], lifetime=-1))


def test_the_secret_may_be_given_as_services_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = workload_secret(tmp_path)
    monkeypatch.setenv("JUNCTOR_TOKEN_SECRET", "given")
    assert (workload_secret(tmp_path), kept != "given") == ("given", True)
