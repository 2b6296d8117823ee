"""Workload tokens from the local site's issuer, and verified with its keys."""

import asyncio
import threading
import time

import pytest
from junctor_local.issuer import Issuer
from junctor_service.errors import Code, ServiceError
from junctor_service.jwks import key_set
from junctor_service.settings import Secret
from junctor_service.token_source import WorkloadTokens
from junctor_service.tokens import KeysUnavailable, Role
from junctor_service.verifier import TokenVerifier


@pytest.fixture
def local_issuer(tmp_path):
    issuer = Issuer("127.0.0.1", 0, tmp_path)
    thread = threading.Thread(target=lambda: issuer.serve_forever(0.01), daemon=True)
    thread.start()
    yield issuer
    issuer.shutdown()
    issuer.server_close()
    thread.join(5)


def url_of(issuer, path):
    return f"http://127.0.0.1:{issuer.server_address[1]}{path}"


async def test_a_services_token_is_fetched_once_verified_and_renewed_before_it_expires(local_issuer):
    offset = 0.0
    source = WorkloadTokens(
        url_of(local_issuer, "/token"), Secret(local_issuer.secret), "service:cti", now=lambda: time.time() + offset
    )
    first = await source.token()
    assert len(set(await asyncio.gather(*(source.token() for _ in range(20))))) == 1
    verifier = TokenVerifier(key_set(url_of(local_issuer, "/.well-known/jwks.json")))
    principal = await verifier.verify(first, tenant="acme")
    assert (principal.subject, principal.tenant, principal.roles) == ("service:cti", "*", {Role.SERVICE})
    offset = 3600 * 0.6
    assert await source.token() == first
    offset = 3600 * 0.75
    await asyncio.to_thread(_next_second)
    assert await source.token() != first


def _next_second():
    """Tokens of the same second are equal; this waits for the next one."""
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.01)


async def test_while_the_issuer_is_away_the_old_token_is_used_until_it_expires(local_issuer):
    offset = 0.0
    source = WorkloadTokens(
        url_of(local_issuer, "/token"), Secret(local_issuer.secret), "service:cti", now=lambda: time.time() + offset
    )
    first = await source.token()
    source._url = url_of(local_issuer, "/nothing")
    offset = 3000
    assert await source.token() == first
    offset = 3700
    with pytest.raises(ServiceError) as caught:
        await source.token()
    assert (caught.value.code, caught.value.retryable) == (Code.UNAVAILABLE, True)


async def test_a_wrong_secret_gets_no_token(local_issuer):
    source = WorkloadTokens(url_of(local_issuer, "/token"), Secret("wrong"), "service:cti")
    with pytest.raises(ServiceError, match="No workload token"):
        await source.token()


async def test_keys_that_cannot_be_had_are_told_apart_from_bad_tokens(unused_tcp_port, issuer):
    verifier = TokenVerifier(key_set(f"http://127.0.0.1:{unused_tcp_port}/jwks"))
    with pytest.raises(KeysUnavailable):
        await verifier.verify(issuer.token())
