"""The port to one voter, and the voter that lives in memory."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Protocol

from junctor_register.holdings import Register, Versioned


class VoterUnavailable(Exception):
    """The voter did not answer, so a write may or may not have been carried out. A later try may be answered."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Written:
    """A write's answer: whether the new object is in place, and what stands now."""

    written: bool
    now: Versioned


class Voter(Protocol):
    """One durable object, changed as a whole by compare-and-swap.

    Both raise `VoterUnavailable`, and `Unreadable` where the voter keeps something else. Writes are linearizable: of two
    that name the same version at most one is carried out, and what `written` says is on the disk.
    """

    async def read(self) -> Versioned:
        """What stands now."""

    async def write(self, value: Register, version: str) -> Written:
        """Puts `value` in the place of the object of this version; elsewhere nothing is changed."""


class MemoryVoter:
    """A voter for simulations and tests; it forgets everything with its process."""

    def __init__(self) -> None:
        self._now = Versioned()
        self._life = secrets.token_hex(6)
        self._writes = 0

    async def read(self) -> Versioned:
        """See `Voter.read`."""
        await asyncio.sleep(0)
        return self._now

    async def write(self, value: Register, version: str) -> Written:
        """See `Voter.write`."""
        await asyncio.sleep(0)
        return self.write_now(value, version)

    def write_now(self, value: Register, version: str) -> Written:
        """`write` without a pause."""
        if version != self._now.version:
            return Written(False, self._now)
        self._writes += 1
        self._now = Versioned(f"{self._life}.{self._writes}", value)
        return Written(True, self._now)
