"""Digest: the examples of RFC 2617 and RFC 7616, and nonces that expire without being stored."""

import pytest
from junctor_cti.adapters.sip.digest import Digest, Verdict, ha1, parameters

SECRET = b"s" * 32


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def known(user: str) -> dict[str, str] | None:
    if user != "anna":
        return None
    return {name: ha1("anna", "junctor", "geheim", name) for name in ("MD5", "SHA-256")}


def authorization(challenge: str, user: str = "anna", password: str = "geheim", method: str = "REGISTER") -> str:
    from aiosipua import SipDigestAuth, build_credentials, parse_auth, stringify_auth

    credentials = build_credentials(SipDigestAuth(user, password), parse_auth(challenge), method, "sip:junctor")
    assert credentials is not None
    return stringify_auth(credentials)


@pytest.mark.parametrize("index", [0, 1])
def test_a_right_answer_is_good_for_both_algorithms(index):
    digest = Digest("junctor", SECRET, 300, known, Clock())
    assert digest.check("REGISTER", [authorization(digest.challenges()[index])]) == (Verdict.GOOD, "anna")


@pytest.mark.parametrize(
    ("user", "password", "method"),
    [("anna", "wrong", "REGISTER"), ("nobody", "geheim", "REGISTER"), ("anna", "geheim", "INVITE")],
)
def test_a_wrong_answer_is_wrong(user, password, method):
    digest = Digest("junctor", SECRET, 300, known, Clock())
    value = authorization(digest.challenges()[0], user, password, method)
    assert digest.check("REGISTER", [value])[0] is Verdict.WRONG


def test_an_old_nonce_is_stale_and_another_edge_takes_a_fresh_one():
    clock = Clock()
    digest = Digest("junctor", SECRET, 300, known, clock)
    value = authorization(digest.challenges()[0])
    other = Digest("junctor", SECRET, 300, known, clock)
    clock.now += 299
    assert other.check("REGISTER", [value])[0] is Verdict.GOOD
    clock.now += 2
    assert digest.check("REGISTER", [value])[0] is Verdict.STALE
    assert "stale=true" in digest.challenges(stale=True)[0]


def test_a_nonce_with_another_secret_is_stale():
    value = authorization(Digest("junctor", b"x" * 32, 300, known, Clock()).challenges()[0])
    assert Digest("junctor", SECRET, 300, known, Clock()).check("REGISTER", [value])[0] is Verdict.STALE


@pytest.mark.parametrize("value", ["", "Basic abc", "NoOneKnowsThisScheme opaque-data=here", 'Digest realm="other"'])
def test_no_credentials_of_ours(value):
    assert Digest("junctor", SECRET, 300, known, Clock()).check("REGISTER", [value])[0] is Verdict.MISSING


RFC_7616 = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={algorithm}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{response}"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm, response):
    realm = "http-auth@example.org"
    digest = Digest(realm, SECRET, 300, lambda u: {algorithm: ha1(u, realm, "Circle of Life", algorithm)}, Clock())
    right = RFC_7616.format(algorithm=algorithm, response=response)
    assert digest.check("GET", [right])[0] is Verdict.STALE, "the answer is right, the nonce not ours"
    assert digest.check("GET", [right.replace("index", "other")])[0] is Verdict.WRONG


def test_the_example_of_rfc_2617_without_qop_fields():
    realm = "testrealm@host.com"
    digest = Digest(realm, SECRET, 300, lambda u: {"MD5": ha1(u, realm, "Circle Of Life")}, Clock())
    value = (
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
        'response="6629fae49393a05397450978507c4ef1"'
    )
    assert digest.check("GET", [value])[0] is Verdict.STALE


def test_commas_and_escapes_in_quotes():
    assert dict(parameters(r'a="x, \"y\"", B = z')) == {"a": 'x, "y"', "b": "z"}
