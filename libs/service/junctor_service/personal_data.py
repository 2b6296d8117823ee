"""Sealing of personal data: fields that carry the proto option become text that only the contact's key opens.

A sealed value is `sealed:v1:<key id>:<base64url>` in the same string (or bytes) field, so that messages keep their
shape and a decider may copy it from a command into an event. It is bound to the tenant and the contact's key. `SECRET`
fields are emptied: they are never stored.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from junctor.options.v1 import options_pb2

from junctor_service.crypto import KEY_BYTES, Aes256Gcm, Cipher, NotAuthentic, derived_key, keyed_hash, new_key
from junctor_service.key_store import KeyStore, SqliteKeyStore, StoredKey
from junctor_service.redaction import personal_class, redacted, unpacked
from junctor_service.settings import CommonSettings, Secret, SettingsError

__all__ = ["CannotBeSealed", "Erased", "Sealer", "UnknownKey", "is_sealed", "open_sealer", "redacted"]

PREFIX = "sealed:v1:"
REMEMBERED_SECONDS, REMEMBERED_KEYS = 2.0, 4_096
M = TypeVar("M", bound=Message)


class Erased(Exception):
    """The contact's key was deleted: its personal data are gone for good. No retry helps."""

    retryable = False


class UnknownKey(Exception):
    """This key store never had the key: the value was sealed elsewhere. No retry helps here."""

    retryable = False


class CannotBeSealed(TypeError):
    """A field marked personal is of a type that holds no text: an error in the proto."""


def is_sealed(text: str) -> bool:
    """Whether the text has the form of a sealed value."""
    parts = text.removeprefix(PREFIX).split(":")
    return text.startswith(PREFIX) and len(parts) == 2 and all(parts)


class Sealer:
    """Seals and unseals with per-contact keys, which are wrapped with a master key.

    The first sealing for a contact writes its key durably (one fsync). Keys are remembered for `REMEMBERED_SECONDS`:
    that long after another process erased a contact, this one may still read what it sealed.
    """

    def __init__(self, store: KeyStore, master: bytes, cipher: Cipher | None = None) -> None:
        if len(master) != KEY_BYTES:
            raise ValueError(f"the master key has {len(master)} bytes; expected {KEY_BYTES}")
        self._store = store
        self._cipher = cipher or Aes256Gcm()
        self._wrapping = derived_key(master, "wrap data keys")
        self._master = master
        self._keys: dict[tuple[str, str], tuple[float, StoredKey]] = {}

    def seal(self, message: M, tenant: str, contact_id: str) -> M:
        """A copy with its personal fields sealed, at any depth. What this contact's key sealed already stays as it is.

        Raises `Erased` if the contact's key was deleted.
        """
        return self._mapped(message, lambda text: self.seal_text(text, tenant, contact_id), sealing=True)

    def unseal(self, message: M, tenant: str) -> M:
        """A copy with its sealed fields readable. Raises `Erased`, `UnknownKey`, `NotAuthentic` (or other tenant's)."""
        return self._mapped(message, lambda text: self.unseal_text(text, tenant), sealing=False)

    def seal_text(self, text: str, tenant: str, contact_id: str) -> str:
        """One value; the empty text stays empty."""
        if not text:
            return text
        key = self._key_of(tenant, contact_id)
        if is_sealed(text) and self._opens(text, key):
            return text
        sealed = self._cipher.seal(self._unwrapped(key), text.encode(), _context(key))
        return f"{PREFIX}{key.key_id}:{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def unseal_text(self, text: str, tenant: str) -> str:
        """One value; text that is not sealed stays as it is."""
        if not is_sealed(text):
            return text
        key_id = text.removeprefix(PREFIX).partition(":")[0]
        key = self._remembered(("", key_id), lambda: self._store.of_id(key_id))
        if key is None:
            raise UnknownKey("the key of this value is not in this key store")
        if key.tenant != tenant:
            raise NotAuthentic("the value is another tenant's")
        return self._cipher.unseal(self._unwrapped(key), _payload(text), _context(key)).decode()

    def erase(self, tenant: str, contact_id: str) -> bool:
        """Deletes the contact's key: nobody can read what it sealed any more. False if that was done before."""
        self._keys.clear()
        return self._store.erase(tenant, contact_id)

    def lookup_hash(self, tenant: str, value: str) -> str:
        """The same for the same value in the same tenant, and for no other: how sealed values are searched (hex)."""
        return keyed_hash(derived_key(self._master, f"look-ups of {tenant}"), value.encode())

    def close(self) -> None:
        """Ends the use of the key store."""
        self._store.close()

    def _key_of(self, tenant: str, contact_id: str) -> StoredKey:
        key = self._remembered((tenant, contact_id), lambda: self._store.of_contact(tenant, contact_id))
        if key is None:
            key_id = secrets.token_hex(16)
            wrapped = self._cipher.seal(self._wrapping, new_key(), f"{tenant}/{key_id}".encode())
            key = self._store.add(StoredKey(key_id, tenant, contact_id, wrapped))
        return key

    def _remembered(self, name: tuple[str, str], find: Callable[[], StoredKey | None]) -> StoredKey | None:
        now = time.monotonic()
        until, key = self._keys.get(name, (0.0, None))
        if key is not None and now < until:
            return key
        if len(self._keys) >= REMEMBERED_KEYS:
            self._keys.clear()
        key = find()
        if key is not None:
            self._keys[name] = (now + REMEMBERED_SECONDS, key)
        return key

    def _unwrapped(self, key: StoredKey) -> bytes:
        if key.wrapped is None:
            raise Erased("the contact's personal data were erased")
        return self._cipher.unseal(self._wrapping, key.wrapped, _context(key))

    def _opens(self, text: str, key: StoredKey) -> bool:
        if text.removeprefix(PREFIX).partition(":")[0] != key.key_id:
            return False
        try:
            self._cipher.unseal(self._unwrapped(key), _payload(text), _context(key))
        except NotAuthentic:
            return False
        return True

    def _mapped(self, message: M, change: Callable[[str], str], *, sealing: bool) -> M:
        copy: M = type(message)()
        copy.CopyFrom(message)
        _walk(copy, change, 0, sealing=sealing)
        return copy


def _walk(message: Message, change: Callable[[str], str], inherited: int, *, sealing: bool) -> None:
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        inner = unpacked(message)
        if inner is not None:
            _walk(inner, change, inherited, sealing=sealing)
            message.value = inner.SerializeToString(deterministic=True)  # type: ignore[attr-defined]
        elif inherited:
            raise CannotBeSealed("an Any of an unknown type is marked personal")
        return
    for field, value in message.ListFields():
        personal = personal_class(field) or inherited
        if personal == options_pb2.PERSONAL_DATA_SECRET:
            if sealing:
                message.ClearField(field.name)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            _walk_map(field, value, change, personal, sealing=sealing)
        elif field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                _walk(part, change, personal, sealing=sealing)
        elif personal:
            _change_field(message, field, value, change)


def _walk_map(
    field: FieldDescriptor, entries: Any, change: Callable[[str], str], personal: int, *, sealing: bool
) -> None:
    of_value = field.message_type.fields_by_name["value"]  # type: ignore[union-attr]
    for key in list(entries):
        if of_value.message_type is not None:
            _walk(entries[key], change, personal, sealing=sealing)
        elif personal:
            entries[key] = _changed(of_value, entries[key], change)


def _change_field(message: Message, field: FieldDescriptor, value: Any, change: Callable[[str], str]) -> None:
    if field.is_repeated:
        value[:] = [_changed(field, item, change) for item in list(value)]
    else:
        setattr(message, field.name, _changed(field, value, change))


def _changed(field: FieldDescriptor, value: Any, change: Callable[[str], str]) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return change(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return change(value.decode("latin-1")).encode("latin-1")
    raise CannotBeSealed(f"{field.full_name} is marked personal but holds no text")


def _context(key: StoredKey) -> bytes:
    return f"{key.tenant}/{key.key_id}".encode()


def _payload(text: str) -> bytes:
    encoded = text.removeprefix(PREFIX).partition(":")[2]
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotAuthentic("the sealed value is not base64url") from error


def open_sealer(settings: CommonSettings) -> Sealer:
    """The sealer of a site. Keys are in PostgreSQL where `key_store_url` names one, else in the key store's directory:
    `master.key` (made if missing) and `data_keys.sqlite`.

    Raises `OSError` if the directory cannot be used, `SettingsError` or `ValueError` for a master key that is none.
    """
    directory = settings.keys_dir
    if settings.key_store_url is None or settings.master_key is None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    master = _given_master_key(settings.master_key) if settings.master_key else _master_key(directory / "master.key")
    if settings.key_store_url is None:
        return Sealer(SqliteKeyStore(directory / "data_keys.sqlite"), master)
    from junctor_service.postgres_key_store import PostgresKeyStore  # needs libpq, which not every site has

    return Sealer(PostgresKeyStore(settings.key_store_url.reveal()), master)


def _given_master_key(given: Secret) -> bytes:
    try:
        key = bytes.fromhex(given.reveal().strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError([f"JUNCTOR_MASTER_KEY is not a key; expected {2 * KEY_BYTES} hexadecimal digits."])
    return key


def _master_key(path: Path) -> bytes:
    """The key of the file; several processes may make it at once, the first one's counts."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(new_key().hex())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} does not hold a master key of {KEY_BYTES} bytes in hex")
    return key
