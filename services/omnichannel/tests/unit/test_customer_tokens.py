"""Customers' tokens: ours, unchanged and young enough."""

import jwt
import pytest
from junctor_omnichannel.adapters.customer_tokens import BadToken, Claim, CustomerTokens, token_key
from junctor_service.settings import Secret

KEY = token_key(Secret("secret"), None)
CLAIM = Claim("demo", "contact", "a", 2, 1_700_000_000_000, "loans", 7)


def test_a_token_is_read_until_it_is_too_old():
    now = [1_000.0]
    tokens = CustomerTokens(KEY, 60, lambda: now[0])
    token = tokens.make(CLAIM)
    assert tokens.read(token) == CLAIM
    now[0] = 1_061
    with pytest.raises(BadToken, match="too old") as refusal:
        tokens.read(token)
    assert refusal.value.expired


def test_another_site_with_the_same_key_reads_it():
    assert CustomerTokens(KEY, 60).read(CustomerTokens(token_key(Secret("secret"), None), 60).make(CLAIM)) == CLAIM


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "",
        CustomerTokens(token_key(Secret("another"), None), 60).make(CLAIM),
        jwt.encode({"aud": "junctor-chat", "tenant": "demo", "sub": "x", "exp": 9e9}, "", algorithm="none"),
        jwt.encode({"aud": "junctor", "tenant": "demo", "sub": "x", "exp": 9e9}, KEY, algorithm="HS256"),
        jwt.encode({"aud": "junctor-chat", "tenant": "demo", "exp": 9e9}, KEY, algorithm="HS256"),
    ],
)
def test_any_other_token_is_refused(token):
    with pytest.raises(BadToken):
        CustomerTokens(KEY, 60).read(token)


def test_the_key_comes_from_the_sites_secret_where_there_is_no_own():
    assert token_key(None, Secret("site")) == token_key(None, Secret("site")) != token_key(None, Secret("other"))
    with pytest.raises(ValueError, match="CUSTOMER_TOKEN_SECRET"):
        token_key(None, None)
