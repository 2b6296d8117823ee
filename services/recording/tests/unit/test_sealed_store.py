import base64
from pathlib import Path

import pytest
from junctor_recording.adapters.sealed_store import CHUNK, BrokenRecording, SealedStore
from junctor_recording.adapters.stereo_writer import RecordingFailed
from junctor_testkit.audio import read_wav, tone, write_wav

DAY = 1_767_225_599_000
"""2025-12-31T23:59:59Z"""


class Keys:
    """Seals by naming the contact; `erased` keys open nothing."""

    def __init__(self) -> None:
        self.erased: set[tuple[str, str]] = set()

    def seal_text(self, text: str, tenant: str, contact_id: str) -> str:
        return f"{tenant}/{contact_id}/{base64.b64encode(text.encode()).decode()}"

    def unseal_text(self, text: str, tenant: str) -> str:
        owner, contact_id, sealed = text.split("/", 2)
        if owner != tenant or (owner, contact_id) in self.erased:
            raise LookupError("no key")
        return base64.b64decode(sealed).decode()


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "c-1.wav.part", [tone(440, 20_000), tone(1000, 20_000)])


@pytest.fixture
def store(tmp_path: Path) -> SealedStore:
    return SealedStore(tmp_path / "store", Keys())


def test_a_recording_is_sealed_by_tenant_day_and_contact_and_opens_again(store, part, tmp_path):
    plain = part.read_bytes()
    stored = store.seal(part, "demo", "c-1", DAY)
    assert stored.path == tmp_path / "store/demo/2025/12/31/c-1.wav.sealed"
    assert stored.duration_ms == 20_000
    assert stored.bytes == stored.path.stat().st_size > CHUNK
    assert not part.exists()
    assert plain[1000:1100] not in stored.path.read_bytes()
    assert b"".join(store.read(stored.path, "demo")) == plain


def test_sealing_again_after_a_crash_gives_the_same(store, part):
    first = store.seal(part, "demo", "c-1", DAY)
    assert store.seal(part, "demo", "c-1", DAY) == first


def test_a_plain_store_keeps_a_playable_wav(part, tmp_path):
    store = SealedStore(tmp_path / "store", None)
    stored = store.seal(part, "demo", "c-1", DAY)
    assert stored.path.name == "c-1.wav"
    assert [len(channel) for channel in read_wav(stored.path)] == [160_000, 160_000]
    assert store.seal(part, "demo", "c-1", DAY) == stored
    assert b"".join(store.read(stored.path, "demo")) == stored.path.read_bytes()


def test_every_kind_of_damage_is_noticed(store, part):
    stored = store.seal(part, "demo", "c-1", DAY)
    good = stored.path.read_bytes()
    last_chunk = good.rindex((160_000 * 4 + 44 - 2 * CHUNK + 29).to_bytes(4, "big"))
    damages = {
        "changed": good[:-1] + bytes([good[-1] ^ 1]),
        "cut": good[:-1],
        "last chunk gone": good[:last_chunk],
        "header": good[:20] + b"X" + good[21:],
        "other file": b"RIFF" + good,
        "longer": good + b"more",
        "empty": b"",
    }
    for name, data in damages.items():
        stored.path.write_bytes(data)
        with pytest.raises(BrokenRecording):
            b"".join(store.read(stored.path, "demo"))
            pytest.fail(name)


def test_the_key_decides_who_reads(part, tmp_path):
    keys = Keys()
    store = SealedStore(tmp_path / "store", keys)
    stored = store.seal(part, "demo", "c-1", DAY)
    with pytest.raises(LookupError):
        b"".join(store.read(stored.path, "other"))
    keys.erased.add(("demo", "c-1"))
    with pytest.raises(LookupError):
        b"".join(store.read(stored.path, "demo"))


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a\n", "x" * 200])
def test_names_cannot_leave_the_store(store, name):
    with pytest.raises(ValueError, match="file name"):
        store.path_of("demo", name, DAY)


def test_a_missing_recording_says_so(store, tmp_path):
    with pytest.raises(FileNotFoundError):
        store.seal(tmp_path / "none.part", "demo", "c-2", DAY)


def test_a_full_disk_keeps_the_part(store, part, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("junctor_recording.adapters.sealed_store.os.fsync", full)
    with pytest.raises(RecordingFailed) as error:
        store.seal(part, "demo", "c-1", DAY)
    assert (error.value.reason, error.value.retryable) == ("disk_full", True)
    assert part.exists()
    assert list(store.path_of("demo", "c-1", DAY).parent.iterdir()) == []
