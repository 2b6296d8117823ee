"""Errors of the log and the journal.

`retryable` says whether the same request may succeed later; `code` is the gRPC status name.
"""

from __future__ import annotations


class JournalError(Exception):
    """Base of all errors that callers of this library see."""

    retryable = False
    code = "INTERNAL"


class LogUnavailable(JournalError):
    """Kafka did not take or give the records in time. A retry with the same id helps: it cannot be applied twice."""

    retryable = True
    code = "UNAVAILABLE"


class DeadlineExceeded(JournalError):
    """The input's record was not read back in time. It may still be applied: a retry with the same id gets its outcome."""

    retryable = True
    code = "DEADLINE_EXCEEDED"


class NotOwner(JournalError):
    """This process does not own the partition, or lost it meanwhile. A retry, at the owner's address, helps."""

    retryable = True
    code = "UNAVAILABLE"


class Restoring(JournalError):
    """The partition's state is not read to the end yet. A retry helps."""

    retryable = True
    code = "UNAVAILABLE"


class RecordTooLarge(JournalError):
    """The broker refuses a record of this size. A retry does not help."""

    code = "INVALID_ARGUMENT"


class UnknownMessage(JournalError):
    """A message of a type that this process has no generated code or no domain class for. A retry does not help."""

    code = "INVALID_ARGUMENT"


class Overtaken(JournalError):
    """An owner's reign is over: a higher claim was read, a gap was cut, or an append failed. The owner rebuilds by itself."""

    retryable = True
    code = "UNAVAILABLE"
