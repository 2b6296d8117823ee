"""The SIP edge as `cti` uses it. What it reports is in `sip_events`.

All commands are synchronous and never block; whatever must be journalled first is split into a half that prepares and
gives the record, and a half that sends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class UnknownLeg(LookupError):
    """No such leg: it was never here or is forgotten. Retrying changes nothing; nothing was sent."""

    retryable = False


class WrongState(RuntimeError):
    """The leg's state does not allow the command. Retrying changes nothing; nothing was sent."""

    retryable = False

    def __init__(self, leg_id: str, state: str, command: str) -> None:
        super().__init__(f"{command} is not possible for a leg that is {state}")
        self.leg_id, self.state, self.command = leg_id, state, command


class NoRoute(ValueError):
    """A target that cannot be reached: no registration, no proxy, and its host is no IP address."""

    retryable = False


class BadRecord(ValueError):
    """The bytes are not a leg's record. Trying again changes nothing: it belongs into the dead letters."""


class Edge(Protocol):
    """The legs of one slot. Commands raise `UnknownLeg` or `WrongState`; then nothing was sent."""

    async def start(self) -> None:
        """Raises `OSError` where the port is in use."""

    async def stop(self) -> None: ...

    def trying(self, leg_id: str) -> None: ...

    def progress(self, leg_id: str, code: int = 180, sdp: str = "") -> None: ...

    def prepare_answer(self, leg_id: str, sdp: str) -> bytes: ...

    def send_answer(self, leg_id: str) -> None: ...

    def reject(self, leg_id: str, code: int, reason: str = "", headers: Mapping[str, str] | None = None) -> None: ...

    def prepare_invite(
        self,
        leg_id: str,
        target: str,
        from_uri: str,
        display: str,
        sdp: str,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Raises `NoRoute` where the target cannot be reached now."""
        ...

    def send_invite(self, leg_id: str) -> None: ...

    def ack(self, leg_id: str) -> None: ...

    def cancel(self, leg_id: str) -> None: ...

    def prepare_bye(self, leg_id: str) -> bytes: ...

    def send_bye(self, leg_id: str) -> None: ...

    def accept(self, leg_id: str) -> None:
        """Answers the BYE, CANCEL, offer or REFER that was reported."""

    def refuse(self, leg_id: str, code: int) -> None: ...

    def record(self, leg_id: str) -> bytes: ...

    def state(self, leg_id: str) -> str:
        """incoming, proceeding, answered, confirmed, prepared, ringing, early, ending or ended."""
        ...

    def forget(self, leg_id: str) -> None: ...

    def adopt(self, record: bytes) -> str:
        """Goes on with a leg of another process. Raises `BadRecord`."""
        ...

    def contacts(self, aor: str) -> Sequence[Any]:
        """Where an address of record is registered."""
        ...

    def restore_binding(self, binding: bytes) -> None: ...
