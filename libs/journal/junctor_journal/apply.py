"""What one partition's state is: a fold of the journal, with the ids it has seen and the places it has read to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from junctor.journal.v1 import journal_pb2 as pb

RETRY_AFTER_MS = 200


class Applied(NamedTuple):
    """What an input did: a response and events, or a refusal (then no events)."""

    response: Message | None = None
    refusal: Status | None = None
    events: Sequence[Message] = ()


class Due(NamedTuple):
    """The next moment (Unix milliseconds) at which a stream wants a `Tick`."""

    at: int
    tenant: str = ""
    stream: str = ""


class Fold(Protocol):
    """The state of one partition. Pure: no clock, randomness, I/O, floats, or order of sets inside.

    `copy() -> Fold` is optional. With it (cheap copies) an owner decides on a copy, and what the process follows is never
    later than what was read back. Without it (a large state) a process has one state: its owner decides on the followed
    one, ahead of what was read back by what is being written; whoever answers from it waits for `Ledger.confirmed`.

    `replay(input, body, now,
    recorded)` is optional: as `apply`, but where it gives other events than the recorded ones (the code has changed since),
    the state follows the record.
    """

    def apply(self, input: pb.Input, body: Message, now: int) -> Applied:
        """Applies one input at `now` (Unix ms, never going back). Checks before it changes anything: an exception makes
        the input a dead letter and must leave the state as it was. A refusal is an answer, not an exception."""
        ...

    def next_due(self) -> int | Due | None:
        """When a `Tick` is wanted next. A `Tick` applied at that time must move it forward."""
        ...

    def dump(self) -> Iterable[bytes]:
        """The state in pieces of at most a few hundred kilobytes. May be consumed slowly while the state changes:
        it gives the state as it was when `dump` was called."""
        ...

    def load(self, chunks: Iterable[bytes]) -> None: ...

    def hash(self) -> bytes:
        """Equal for equal states, in every process and Python version."""
        ...


def refusal(code: str, message: str, retryable: bool = False) -> Status:
    """A refusal as callers see it. `code` is a gRPC status name in lower case (`failed_precondition`).

    Retryable ones carry a `google.rpc.RetryInfo`. Raises `ValueError` for a name that gRPC does not have.
    """
    try:
        number = Code.Value(code.upper())
    except ValueError:
        raise ValueError(f"{code!r} is no gRPC status name") from None
    status = Status(code=number, message=message)
    if retryable:
        detail = RetryInfo()
        detail.retry_delay.FromMilliseconds(RETRY_AFTER_MS)
        status.details.add().Pack(detail)
    return status


def is_retryable(status: Status) -> bool:
    """Whether the one who is refused may try again."""
    return any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)
