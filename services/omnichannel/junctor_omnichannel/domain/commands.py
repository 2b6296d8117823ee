"""What a conversation is asked or told. Names as in omnichannel.proto; times are Unix milliseconds; texts are sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Author = Literal["customer", "bot", "agent", "system"]
State = Literal["", "with_bot", "queued", "with_agent", "wrapping", "closed"]
CloseWish = Literal["customer", "agent", "supervisor", "idle"]


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """The widget as the directory had it: a bot, a queue or both."""

    bot: str = ""
    queue: str = ""
    greeting: str = ""
    language: str = ""
    idle_ms: int = 0
    grace_ms: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """`number` 1 is the first; `message_id` is the outside's, for a customer's."""

    number: int
    author: Author
    agent_id: str
    text: str
    at: int
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class BotReading:
    """What the bot makes of one message: the rule that matched, or what it says and does where none did."""

    matched: bool = False
    reply: str = ""
    queue: str = ""
    set: dict[str, str] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()
    fallback: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class OpenConversation:
    contact_id: str
    widget: str
    customer_address: str = ""
    customer_hash: str = ""
    received_at: int = 0
    site: str = ""
    entry: EntryPoint | None = None


@dataclass(frozen=True, slots=True)
class ReceiveMessage:
    contact_id: str
    widget: str
    message_id: str
    text: str
    customer_address: str = ""
    customer_hash: str = ""
    received_at: int = 0
    site: str = ""
    entry: EntryPoint | None = None
    reading: BotReading | None = None


@dataclass(frozen=True, slots=True)
class SendMessage:
    contact_id: str
    agent_id: str
    text: str


@dataclass(frozen=True, slots=True)
class CloseConversation:
    """`agent_id` where an agent ends it; empty for a supervisor."""

    contact_id: str
    cause: str
    agent_id: str = ""


@dataclass(frozen=True, slots=True)
class CustomerReattached:
    """`state`: where the conversation was; empty where only the customer's token is known."""

    contact_id: str
    leg: int
    previous_site: str
    site: str
    widget: str
    entry: EntryPoint | None
    arrived_at: int
    state: State = ""
    messages: tuple[Message, ...] = ()
    data: dict[str, str] = field(default_factory=dict)
    queue: str = ""
    requirements: tuple[str, ...] = ()
    routed: int = 0
    missed: int = 0
    segments: int = 0


@dataclass(frozen=True, slots=True)
class SetArrivalShare:
    """To the stream of the share alone, which is no conversation."""

    request_id: str
    percent: int


@dataclass(frozen=True, slots=True)
class SetArrivalShareResponse:
    previous_percent: int


@dataclass(frozen=True, slots=True)
class LegMoved:
    contact_id: str
    leg: int
    site: str


@dataclass(frozen=True, slots=True)
class PresenceReported:
    contact_id: str
    connection: str
    present: bool


@dataclass(frozen=True, slots=True)
class ReservationReported:
    contact_id: str
    reservation_id: str
    agent_id: str
    accepted: bool
    cause: str = ""
    partition: int = 0
    site_epoch: int = 0


@dataclass(frozen=True, slots=True)
class TaskReported:
    """`state`: `completed`, `canceled`, `overflowed` or `requeued`; the last one for the reservation that is named, if one is."""

    contact_id: str
    state: str
    disposition: str = ""
    prompt: str = ""
    queue: str = ""
    partition: int = 0
    site_epoch: int = 0
    reservation_id: str = ""


@dataclass(frozen=True, slots=True)
class EpochSeen:
    """To the stream of the fence of a router's partition alone, which is no conversation (see `fence`)."""

    partition: int
    site_epoch: int
    journal_partition: int


@dataclass(frozen=True, slots=True)
class ProcessCame:
    """To the stream of greetings alone, as `GreetingRead`."""

    site: str
    process: str
    journal_partition: int


@dataclass(frozen=True, slots=True)
class GreetingRead:
    process: str
    journal_partition: int


@dataclass(frozen=True, slots=True)
class Overtaken:
    """What takes the place of a word of the router that a later site epoch has made void."""


@dataclass(frozen=True, slots=True)
class StepDone:
    contact_id: str
    step: str


@dataclass(frozen=True, slots=True)
class StepFailed:
    contact_id: str
    step: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """The moment of `next_due` has come."""


Command = (
    OpenConversation
    | ReceiveMessage
    | SendMessage
    | CloseConversation
    | CustomerReattached
    | LegMoved
    | SetArrivalShare
    | PresenceReported
    | ReservationReported
    | TaskReported
    | EpochSeen
    | ProcessCame
    | GreetingRead
    | Overtaken
    | StepDone
    | StepFailed
    | Tick
)
