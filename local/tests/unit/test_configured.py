"""Which settings of the caller's environment replace a part of the site."""

from junctor_local.site_settings import configured


def test_a_real_clickhouse_comes_with_its_user_and_password() -> None:
    environ = {
        "JUNCTOR_ANALYTICS__CLICKHOUSE_URL": "https://clickhouse.example",
        "JUNCTOR_ANALYTICS__CLICKHOUSE_PASSWORD": "secret",
        "JUNCTOR_TOKEN_URL": "http://issuer.example",
        "JUNCTOR_KAFKA_BOOTSTRAP": "",
        "PATH": "/bin",
    }
    assert set(configured(environ)) == {"JUNCTOR_ANALYTICS__CLICKHOUSE_URL", "JUNCTOR_ANALYTICS__CLICKHOUSE_PASSWORD"}


def test_a_password_alone_replaces_nothing() -> None:
    assert configured({"JUNCTOR_ANALYTICS__CLICKHOUSE_PASSWORD": "secret"}) == {}
