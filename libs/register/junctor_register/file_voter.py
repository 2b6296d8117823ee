"""A voter in a file: each write is on the disk, whole, before it is answered."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

from junctor_register.holdings import Register, Versioned
from junctor_register.voter import VoterUnavailable, Written
from junctor_register.wire import Unreadable, from_json, to_json

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class VoterFolder:
    """The folder of a voter's objects, one file for each register, for one process at a time.

    A write makes a new file, flushes it (fsync), gives it the old one's name (rename(2), atomic) and flushes the folder; so
    a process that is killed at any moment leaves either the old object or the new one.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing; `take` comes before any other call."""
        self._path = path
        self._lock: int | None = None
        self._voters: dict[str, FileVoter] = {}

    @property
    def open(self) -> bool:
        """Whether this process has the folder."""
        return self._lock is not None

    def take(self) -> None:
        """Makes the folder if there is none, and reads what is in it.

        Raises OSError with a sentence if another process has it, `Unreadable` if an object is damaged.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise OSError(
                f"The folder {self._path} is in use by another voter: two would each forget what the other wrote."
            ) from error
        try:
            self._voters = {path.stem: FileVoter(path) for path in sorted(self._path.glob("*.json"))}
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def voter(self, register: str) -> FileVoter:
        """The voter for a register, always the same one. ValueError for a name that is none."""
        if not self.open:
            raise RuntimeError(f"the folder {self._path} is not taken")
        if not _NAME.fullmatch(register):
            raise ValueError(f"{register!r} is not a register's name: a to z, digits and -, at most 32")
        if register not in self._voters:
            self._voters[register] = FileVoter(self._path / f"{register}.json")
        return self._voters[register]

    def close(self) -> None:
        """Lets another process have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class FileVoter:
    """One object in one file, held in memory as well. Made through `VoterFolder`.

    Raises `Unreadable` when made on a damaged file: a voter that forgot must not vote, and only a person can tell whether
    the two other voters stand.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._now = _load(path)
        self._turn = asyncio.Lock()

    async def read(self) -> Versioned:
        """See `Voter.read`."""
        return self._now

    async def write(self, value: Register, version: str) -> Written:
        """See `Voter.write`. While the disk refuses (full, read-only) it raises `VoterUnavailable`, and nothing is changed."""
        # Carried out to its end even if the caller goes away: memory and disk must not differ.
        return await asyncio.shield(asyncio.ensure_future(self._write(value, version)))

    async def _write(self, value: Register, version: str) -> Written:
        async with self._turn:
            if version != self._now.version:
                return Written(False, self._now)
            new = Versioned(_next(version), value)
            try:
                await asyncio.to_thread(_store, self._path, new)
            except OSError as error:
                # The new file may have its name already and only the folder's flush have failed: the disk says what stands.
                self._now = await asyncio.to_thread(_load, self._path)
                raise VoterUnavailable(f"{self._path} cannot be written: {error.strerror}.") from error
            self._now = new
            return Written(True, new)


def _next(version: str) -> str:
    """The life of a file is part of the version: one made anew never has a version that the lost one had."""
    life, _, number = version.partition(".")
    return f"{life}.{int(number) + 1}" if version else f"{secrets.token_hex(6)}.1"


def _store(path: Path, new: Versioned) -> None:
    body = {"version": new.version, "register": json.loads(to_json(new.value))}
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump({**body, "sha256": _digest(body)}, file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _load(path: Path) -> Versioned:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Versioned()
    except UnicodeDecodeError:
        text = ""
    try:
        body: dict[str, Any] = json.loads(text)
        digest = body.pop("sha256")
        if digest != _digest(body):
            raise Unreadable("its checksum is wrong")
        return Versioned(_version(body["version"]), from_json(json.dumps(body["register"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = error if isinstance(error, Unreadable) else "it is not what this program writes"
        raise Unreadable(
            f"{path} is damaged ({why}). Move it away to begin with an empty one, once both other voters are up: an empty "
            "voter does not count until all three were reached at once."
        ) from error


def _version(text: str) -> str:
    life, _, number = text.partition(".")
    if not life or not number.isdecimal():
        raise Unreadable("it has no version")
    return text


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
