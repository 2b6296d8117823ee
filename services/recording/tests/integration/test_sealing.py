"""Recordings sealed with the product's own key store: erasing the contact's key erases the audio."""

import secrets
from pathlib import Path

import pytest
from junctor_recording.adapters.sealed_store import SealedStore
from junctor_service.key_store import SqliteKeyStore
from junctor_service.personal_data import Erased, Sealer
from junctor_testkit.audio import tone, write_wav


def test_a_recording_is_readable_until_its_contact_is_erased(tmp_path: Path):
    part = write_wav(tmp_path / "c.wav.part", [tone(440, 500), tone(1000, 500)])
    plain = part.read_bytes()
    sealer = Sealer(SqliteKeyStore(tmp_path / "keys.db"), secrets.token_bytes(32))
    store = SealedStore(tmp_path / "store", sealer)
    stored = store.seal(part, "demo", "contact-1", 1_767_225_599_000)
    assert b"".join(store.read(stored.path, "demo")) == plain
    sealer.erase("demo", "contact-1")
    with pytest.raises(Erased):
        b"".join(store.read(stored.path, "demo"))
    sealer.close()
