"""The key store in PostgreSQL, for sites whose processes share no disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from junctor_service.errors import unavailable
from junctor_service.key_store import StoredKey

CONNECT_SECONDS, STATEMENT_MS, TRIES = 2, 2_000, 2
_TABLE = """
CREATE TABLE IF NOT EXISTS data_keys (
    key_id text PRIMARY KEY, tenant text NOT NULL, contact_id text NOT NULL, wrapped bytea, UNIQUE (tenant, contact_id)
)
"""
_TABLE_LOCK = 0x6A756E63
"""An advisory lock: PostgreSQL does not let two sessions make one table at once."""
T = TypeVar("T")


class PostgresKeyStore:
    """Keys in the table `data_keys`, made if it is missing. Every answer is committed.

    A call waits 4 s at most; then it raises `ServiceError` (UNAVAILABLE): a retry helps once the database is back.
    PostgreSQL keeps an erased key's bytes until its files are vacuumed and its log and backups have expired: erasure
    is complete when the site's retention of those has passed.
    """

    def __init__(self, url: str) -> None:
        """`url`: postgresql://user:password@host:port/database. Connects when asked."""
        self._url = url
        self._lock = threading.Lock()
        self._session: psycopg.Connection[Any] | None = None

    def add(self, key: StoredKey) -> StoredKey:
        """See `KeyStore.add`."""

        def work(session: psycopg.Connection[Any]) -> StoredKey:
            session.execute(
                "INSERT INTO data_keys VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (key.key_id, key.tenant, key.contact_id, key.wrapped),
            )
            return _of_contact(session, key.tenant, key.contact_id) or key

        return self._do(work)

    def of_contact(self, tenant: str, contact_id: str) -> StoredKey | None:
        """See `KeyStore.of_contact`."""
        return self._do(lambda session: _of_contact(session, tenant, contact_id))

    def of_id(self, key_id: str) -> StoredKey | None:
        """See `KeyStore.of_id`."""
        return self._do(
            lambda session: _stored(
                session.execute(
                    "SELECT key_id, tenant, contact_id, wrapped FROM data_keys WHERE key_id = %s", (key_id,)
                ).fetchone()
            )
        )

    def erase(self, tenant: str, contact_id: str) -> bool:
        """See `KeyStore.erase`."""

        def work(session: psycopg.Connection[Any]) -> bool:
            done = session.execute(
                "INSERT INTO data_keys VALUES (%s, %s, %s, NULL) ON CONFLICT (tenant, contact_id)"
                " DO UPDATE SET wrapped = NULL WHERE data_keys.wrapped IS NOT NULL",
                (f"erased-{tenant}-{contact_id}", tenant, contact_id),
            )
            return done.rowcount > 0

        return self._do(work)

    def close(self) -> None:
        """See `KeyStore.close`."""
        with self._lock:
            self._forget()

    def _do(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Once more on a new session where the old one turned out to be gone: all statements may be repeated."""
        with self._lock:
            for attempt in range(1, TRIES + 1):
                try:
                    return work(self._connected())
                except psycopg.OperationalError as error:
                    self._forget()
                    if attempt == TRIES:
                        raise unavailable(
                            "The key store's database does not answer.", reason="KEY_STORE_UNAVAILABLE"
                        ) from error
            raise AssertionError

    def _connected(self) -> psycopg.Connection[Any]:
        if self._session is None:
            session = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                options=f"-c statement_timeout={STATEMENT_MS}",
                application_name="junctor key store",
            )
            session.execute("SELECT pg_advisory_lock(%s)", (_TABLE_LOCK,))
            session.execute(_TABLE)
            session.execute("SELECT pg_advisory_unlock(%s)", (_TABLE_LOCK,))
            self._session = session
        return self._session

    def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _of_contact(session: psycopg.Connection[Any], tenant: str, contact_id: str) -> StoredKey | None:
    query = "SELECT key_id, tenant, contact_id, wrapped FROM data_keys WHERE tenant = %s AND contact_id = %s"
    return _stored(session.execute(query, (tenant, contact_id)).fetchone())


def _stored(row: tuple[Any, ...] | None) -> StoredKey | None:
    return None if row is None else StoredKey(*row)
