"""The router's words, with the numbers and names of junctor.router.v1 and junctor.contact.v1 (a test compares them)."""

from __future__ import annotations

from enum import IntEnum


class Word(IntEnum):
    """Hashed as the number it is: an enum's own hash is that of its name, made anew each time."""

    __hash__ = int.__hash__


class Channel(Word):
    UNSPECIFIED = 0
    VOICE = 1
    VIDEO = 2
    CHAT = 3
    MAIL = 4
    MESSAGE = 5


CHANNELS = tuple(channel for channel in Channel if channel is not Channel.UNSPECIFIED)
"""The channels that can be routed, in the order of their numbers."""


NUMBERS = tuple(tuple(n for n in range(len(Channel)) if mask >> n & 1) for mask in range(1 << len(Channel)))
"""The channels' numbers in each mask of channels."""


class TaskState(Word):
    UNSPECIFIED = 0
    QUEUED = 1
    RESERVED = 2
    ASSIGNED = 3
    WRAPPING = 4
    COMPLETED = 5
    CANCELED = 6
    PARKED = 7


IN_HAND = frozenset({TaskState.ASSIGNED, TaskState.PARKED, TaskState.WRAPPING})
"""The states in which an agent has a contact, not only an offer."""


class Hold(Word):
    """Why a contact in line is kept from agents for a while."""

    NONE = 0
    FOR_PREFERRED = 1
    NOT_YET = 2
    FOR_NAMED = 3
    """Transferred to somebody, who need not meet what the queue requires."""
    UNREACHABLE = 4
    """Its edge is silent. Of a line only: the plan's time runs."""
    FOR_EDGE = 5
    """Its agent's slot was found empty: it waits for a word from its own edge."""


OFFERED_TO_NOBODY = frozenset({Hold.NOT_YET, Hold.UNREACHABLE, Hold.FOR_EDGE})
OUT_OF_LINE = frozenset({Hold.NOT_YET, Hold.FOR_EDGE})
FOR_SOMEBODY = frozenset({Hold.FOR_PREFERRED, Hold.FOR_NAMED})


class ReservationState(Word):
    UNSPECIFIED = 0
    PENDING = 1
    ACCEPTED = 2
    REJECTED = 3
    TIMED_OUT = 4
    RESCINDED = 5
    CANCELED = 6


class AgentState(Word):
    UNSPECIFIED = 0
    LOGGED_OUT = 1
    NOT_READY = 2
    READY = 3
    NOT_RESPONDING = 4


class DeviceState(Word):
    UNSPECIFIED = 0
    IDLE = 1
    BUSY = 2
    UNREGISTERED = 3


class ConnectionState(Word):
    """Of the agent's workspace: whether somebody can be shown an offer. UNSPECIFIED: it has no stream, nor had one."""

    UNSPECIFIED = 0
    CONNECTED = 1
    LOST = 2


class AgentOrder(Word):
    """How the agent is chosen among those who match; UNSPECIFIED is LONGEST_IDLE."""

    UNSPECIFIED = 0
    LONGEST_IDLE = 1
    MOST_PROFICIENT = 2
    LEAST_OCCUPIED = 3
    ROUND_ROBIN = 4
    HIGHEST_VALUE = 5


class Objective(Word):
    """Which of a score's two numbers a queue goes by; UNSPECIFIED is SERVICE."""

    UNSPECIFIED = 0
    SERVICE = 1
    SALES = 2


class AttributeType(Word):
    """UNSPECIFIED: each value's own look decides (a whole number, `true` or `false`, else text)."""

    UNSPECIFIED = 0
    PROFICIENCY = 1
    BOOLEAN = 2
    TEXT = 3
    NUMBER = 4


class Refused(Exception):
    """The command does not fit the state. It is recorded as the input's outcome; nothing has changed.

    `code` is a gRPC status name in lower case, `reason` an UPPER_SNAKE_CASE name. Retrying the same request never helps:
    it has the same outcome for ever.
    """

    retryable = False

    def __init__(self, code: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message


def invalid(reason: str, message: str) -> Refused:
    """The request cannot be right whatever the state is."""
    return Refused("invalid_argument", reason, message)


def not_found(reason: str, message: str) -> Refused:
    return Refused("not_found", reason, message)


def precondition(reason: str, message: str) -> Refused:
    """The state does not allow it; the caller looks again before trying anything."""
    return Refused("failed_precondition", reason, message)
