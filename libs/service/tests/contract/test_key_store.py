"""What every key store does."""

import threading

import pytest
from junctor_service.errors import Code, ServiceError
from junctor_service.key_store import MemoryKeyStore, SqliteKeyStore, StoredKey
from junctor_service.postgres_key_store import PostgresKeyStore
from junctor_testkit.local_postgres import PostgresServer, installed


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    if not installed():
        pytest.skip("no PostgreSQL can be started here (Debian: postgresql)")
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request, tmp_path):
    match request.param:
        case "memory":
            made = MemoryKeyStore()
        case "sqlite":
            made = SqliteKeyStore(tmp_path / "keys.sqlite")
        case _:
            made = PostgresKeyStore(request.getfixturevalue("postgres").new_database())
    yield made
    made.close()


KEY = StoredKey("k1", "acme", "c1", b"wrapped")


def test_a_key_is_found_by_contact_and_by_id(store):
    assert store.of_contact("acme", "c1") is None
    assert store.of_id("k1") is None
    assert store.add(KEY) == KEY
    assert store.of_contact("acme", "c1") == store.of_id("k1") == KEY
    assert store.of_contact("other", "c1") is None


def test_the_first_key_of_a_contact_stays(store):
    store.add(KEY)
    assert store.add(StoredKey("k2", "acme", "c1", b"late")) == KEY
    assert store.of_id("k2") is None


def test_an_erased_key_is_gone_but_remembered(store):
    store.add(KEY)
    assert store.erase("acme", "c1")
    assert not store.erase("acme", "c1")
    assert store.of_id("k1") == StoredKey("k1", "acme", "c1", None)
    assert store.add(StoredKey("k2", "acme", "c1", b"new")).wrapped is None


def test_a_contact_can_be_erased_before_it_has_a_key(store):
    assert store.erase("acme", "c9")
    assert store.add(StoredKey("k9", "acme", "c9", b"late")).wrapped is None


def test_threads_that_add_at_once_get_one_key(store):
    got = []
    threads = [
        threading.Thread(target=lambda n=n: got.append(store.add(StoredKey(f"k{n}", "acme", "c1", b"w"))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(got) == 8
    assert len(set(got)) == 1


def test_a_database_that_was_restarted_is_found_again_and_one_that_is_away_is_told(postgres):
    store = PostgresKeyStore(postgres.new_database())
    store.add(KEY)
    postgres.stop()
    with pytest.raises(ServiceError) as away:
        store.of_id("k1")
    assert (away.value.code, away.value.reason) == (Code.UNAVAILABLE, "KEY_STORE_UNAVAILABLE")
    postgres.start()
    assert store.of_id("k1") == KEY
    store.close()


def test_the_sqlite_file_keeps_keys_shares_them_and_forgets_erased_bytes(tmp_path):
    path = tmp_path / "keys.sqlite"
    first, second = SqliteKeyStore(path), SqliteKeyStore(path)
    secret = b"wrapped-key-bytes-to-be-destroyed"
    first.add(StoredKey("k1", "acme", "c1", secret))
    assert second.of_id("k1").wrapped == secret
    assert second.erase("acme", "c1")
    assert first.of_id("k1").wrapped is None
    first.close()
    second.close()
    assert all(secret not in file.read_bytes() for file in tmp_path.iterdir())
    assert path.stat().st_mode & 0o777 == 0o600
