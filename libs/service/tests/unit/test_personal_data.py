"""Sealing, unsealing, erasing."""

import pytest
from google.protobuf.any_pb2 import Any
from junctor_service.crypto import Aes256Gcm, Ciphers, NotAuthentic, new_key
from junctor_service.key_store import MemoryKeyStore
from junctor_service.personal_data import CannotBeSealed, Erased, Sealer, UnknownKey, is_sealed, open_sealer


@pytest.fixture
def sealer():
    return Sealer(MemoryKeyStore(), new_key())


def full(probe):
    inside = Any()
    inside.Pack(probe.pb2.Person(number="+1"))
    return probe.pb2.Person(
        queue="loans",
        number="+861380",
        words=["你好", "", "x"],
        voice=bytes(range(256)),
        friend=probe.pb2.Person(number="+2"),
        notes={"k": "note"},
        others={"o": probe.pb2.Person(number="+3")},
        any=inside,
        address=probe.pb2.Address(street="Main St"),
        age_band=3,
    )


def test_everything_personal_is_sealed_and_comes_back(probe, sealer):
    message = full(probe)
    sealed = sealer.seal(message, "acme", "c1")
    wire = sealed.SerializeToString()
    for hidden in ("+861380", "你好", "+2", "note", "+3", "+1", "Main St"):
        assert hidden.encode() not in wire
    assert bytes(range(256)) not in wire
    assert (sealed.queue, sealed.age_band) == ("loans", 3)
    assert is_sealed(sealed.number)
    assert sealer.unseal(sealed, "acme") == message
    assert message == full(probe)


def test_secrets_are_emptied(probe, sealer):
    assert sealer.seal(probe.pb2.Person(pin="1234"), "acme", "c1").pin == ""


def test_sealing_twice_changes_nothing_and_the_same_text_seals_differently(probe, sealer):
    once = sealer.seal(full(probe), "acme", "c1")
    assert sealer.seal(once, "acme", "c1") == once
    assert sealer.seal_text("x", "acme", "c1") != sealer.seal_text("x", "acme", "c1")


def test_text_that_only_looks_sealed_is_sealed(sealer):
    for text in ("sealed:v1:abc:def", sealer.seal_text("other's", "acme", "c2"), "sealed:v1:"):
        sealed = sealer.seal_text(text, "acme", "c1")
        assert sealed != text
        assert sealer.unseal_text(sealed, "acme") == text


def test_erasing_one_contact_erases_that_one(sealer):
    gone, kept = sealer.seal_text("a", "acme", "c1"), sealer.seal_text("b", "acme", "c2")
    assert sealer.erase("acme", "c1")
    assert not sealer.erase("acme", "c1")
    with pytest.raises(Erased):
        sealer.unseal_text(gone, "acme")
    with pytest.raises(Erased):
        sealer.seal_text("late", "acme", "c1")
    assert sealer.unseal_text(kept, "acme") == "b"


def test_another_tenant_a_changed_value_and_a_foreign_key_are_refused(sealer):
    sealed = sealer.seal_text("a", "acme", "c1")
    with pytest.raises(NotAuthentic):
        sealer.unseal_text(sealed, "other")
    changed = sealed[:-3] + ("AAA" if sealed[-3:] != "AAA" else "BBB")
    with pytest.raises(NotAuthentic):
        sealer.unseal_text(changed, "acme")
    with pytest.raises(UnknownKey):
        Sealer(MemoryKeyStore(), new_key()).unseal_text(sealed, "acme")


def test_a_marked_number_is_an_error_of_the_proto(probe, sealer):
    with pytest.raises(CannotBeSealed, match="height"):
        sealer.seal(probe.pb2.Person(height=180), "acme", "c1")


def test_look_ups_are_per_tenant(sealer):
    assert sealer.lookup_hash("acme", "+1") == sealer.lookup_hash("acme", "+1")
    assert len({sealer.lookup_hash("acme", "+1"), sealer.lookup_hash("acme", "+2"), sealer.lookup_hash("b", "+1")}) == 3


def test_a_new_cipher_seals_while_the_old_one_still_unseals():
    class Reversing:
        """Stands for a national cipher."""

        algorithm = 200

        def seal(self, key, plaintext, aad):
            return bytes([200]) + plaintext[::-1]

        def unseal(self, key, sealed, aad):
            return sealed[1:][::-1]

    store, master = MemoryKeyStore(), new_key()
    old = Sealer(store, master).seal_text("abc", "acme", "c1")
    both = Sealer(store, master, Ciphers(Reversing(), Aes256Gcm()))
    assert both.unseal_text(old, "acme") == "abc"
    assert both.unseal_text(both.seal_text("def", "acme", "c1"), "acme") == "def"


def test_a_sites_sealer_is_found_again_and_its_files_are_private(settings):
    first = open_sealer(settings)
    sealed = first.seal_text("a", "acme", "c1")
    first.close()
    again = open_sealer(settings)
    assert again.unseal_text(sealed, "acme") == "a"
    modes = {path.name: path.stat().st_mode & 0o777 for path in settings.keys_dir.iterdir()}
    assert modes["master.key"] == modes["data_keys.sqlite"] == 0o600
    again.close()


def test_a_damaged_master_key_is_told(settings):
    settings.keys_dir.mkdir(parents=True)
    (settings.keys_dir / "master.key").write_text("zz")
    with pytest.raises(ValueError, match=r"master\.key does not hold a master key"):
        open_sealer(settings)
