"""Tenants in keys, headers and calls."""

import pytest
from junctor_service.deadlines import deadline_in, time_left
from junctor_service.errors import Code, ServiceError
from junctor_service.tenant import (
    current_tenant,
    is_tenant,
    record_key,
    require_same_tenant,
    split_key,
    tenant_of_metadata,
)
from junctor_service.tokens import Principal, Role, acting_as


def test_a_records_key_is_tenant_and_stream_and_comes_apart_again():
    assert record_key("acme", "pool/a") == "acme/pool/a"
    assert split_key("acme/pool/a") == ("acme", "pool/a")


@pytest.mark.parametrize("text", ["", "*", "Acme", "a/b", "a b", "-a", "x" * 64, "a\n"])
def test_what_is_no_tenant_makes_no_key(text):
    assert not is_tenant(text)
    with pytest.raises(ValueError, match="tenant"):
        record_key(text, "s")


@pytest.mark.parametrize("key", ["acme", "/s", "A/s"])
def test_a_key_without_a_tenant_is_told(key):
    with pytest.raises(ValueError, match="is not <tenant>/<stream>"):
        split_key(key)


def test_the_current_tenant_is_the_calls():
    with acting_as(Principal("ann", "acme", frozenset({Role.AGENT}))):
        assert current_tenant() == "acme"
        require_same_tenant("acme")
        with pytest.raises(ServiceError) as caught:
            require_same_tenant("other")
        assert caught.value.code is Code.PERMISSION_DENIED
    with pytest.raises(ServiceError, match="names no tenant"):
        current_tenant()


def test_metadata_may_name_a_tenant():
    assert tenant_of_metadata([("a", "b"), ("x-junctor-tenant", "acme")]) == "acme"
    assert tenant_of_metadata(None) is None


def test_time_left_never_goes_below_nothing():
    assert time_left() is None
    with deadline_in(5):
        assert 4 < time_left() <= 5
    with deadline_in(-1):
        assert time_left() == 0
