"""Where wrapped data keys live, one per contact: never in Kafka, so that deleting one erases what it sealed."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One contact's key. `wrapped` is the data key under the site's master key, None once erased."""

    key_id: str
    tenant: str
    contact_id: str
    wrapped: bytes | None


class KeyStore(Protocol):
    """Durable storage of wrapped keys. All methods may be called from any thread."""

    def add(self, key: StoredKey) -> StoredKey:
        """Stores the key unless the contact has or had one; gives the contact's key. It is durable then."""

    def of_contact(self, tenant: str, contact_id: str) -> StoredKey | None:
        """The contact's key, an erased one with `wrapped` None, None if it never had one."""

    def of_id(self, key_id: str) -> StoredKey | None:
        """The key with that id, in the same way."""

    def erase(self, tenant: str, contact_id: str) -> bool:
        """Destroys the key for good, also for a contact that has none yet; False if it was erased before."""

    def close(self) -> None:
        """Ends the use of the store."""


class MemoryKeyStore:
    """Keys in memory, for tests."""

    def __init__(self) -> None:
        self._by_contact: dict[tuple[str, str], StoredKey] = {}
        self._lock = threading.Lock()

    def add(self, key: StoredKey) -> StoredKey:
        """See `KeyStore.add`."""
        with self._lock:
            return self._by_contact.setdefault((key.tenant, key.contact_id), key)

    def of_contact(self, tenant: str, contact_id: str) -> StoredKey | None:
        """See `KeyStore.of_contact`."""
        return self._by_contact.get((tenant, contact_id))

    def of_id(self, key_id: str) -> StoredKey | None:
        """See `KeyStore.of_id`."""
        with self._lock:
            return next((key for key in self._by_contact.values() if key.key_id == key_id), None)

    def erase(self, tenant: str, contact_id: str) -> bool:
        """See `KeyStore.erase`."""
        with self._lock:
            key = self._by_contact.get((tenant, contact_id))
            if key is not None and key.wrapped is None:
                return False
            gone = StoredKey(f"erased-{tenant}-{contact_id}", tenant, contact_id, None)
            self._by_contact[tenant, contact_id] = gone if key is None else replace(key, wrapped=None)
            return True

    def close(self) -> None:
        """See `KeyStore.close`."""


class SqliteKeyStore:
    """Keys in one SQLite file (mode 0600, WAL, durable at each commit); several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        with _alone(path.with_suffix(".lock")):
            self._db = _opened(path)

    def add(self, key: StoredKey) -> StoredKey:
        """See `KeyStore.add`."""
        with self._lock:
            self._db.execute(
                "INSERT INTO data_keys VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (key.key_id, key.tenant, key.contact_id, key.wrapped),
            )
            return self._one("tenant = ? AND contact_id = ?", key.tenant, key.contact_id) or key

    def of_contact(self, tenant: str, contact_id: str) -> StoredKey | None:
        """See `KeyStore.of_contact`."""
        with self._lock:
            return self._one("tenant = ? AND contact_id = ?", tenant, contact_id)

    def of_id(self, key_id: str) -> StoredKey | None:
        """See `KeyStore.of_id`."""
        with self._lock:
            return self._one("key_id = ?", key_id)

    def erase(self, tenant: str, contact_id: str) -> bool:
        """See `KeyStore.erase`. The bytes are overwritten in the file, and the write-ahead log is emptied."""
        with self._lock:
            changed = self._db.execute(
                "INSERT INTO data_keys VALUES (?, ?, ?, NULL) ON CONFLICT (tenant, contact_id)"
                " DO UPDATE SET wrapped = NULL WHERE wrapped IS NOT NULL",
                (f"erased-{tenant}-{contact_id}", tenant, contact_id),
            ).rowcount
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return changed > 0

    def close(self) -> None:
        """See `KeyStore.close`."""
        with self._lock:
            self._db.close()

    def _one(self, where: str, *values: str) -> StoredKey | None:
        query = f"SELECT key_id, tenant, contact_id, wrapped FROM data_keys WHERE {where}"  # noqa: S608
        row = self._db.execute(query, values).fetchone()
        return None if row is None else StoredKey(*row)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time: SQLite does not wait where two change a new file to WAL at once."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")
    db.execute(
        "CREATE TABLE IF NOT EXISTS data_keys (key_id TEXT PRIMARY KEY, tenant TEXT NOT NULL,"
        " contact_id TEXT NOT NULL, wrapped BLOB, UNIQUE (tenant, contact_id)) STRICT"
    )
    return db
