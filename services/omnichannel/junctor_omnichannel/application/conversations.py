"""What customers and agents do: each request is completed with what the directory says, sealed, and decided in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeVar, cast

from google.protobuf.message import Message
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_service.errors import Code, FieldViolation, ServiceError, invalid, not_found, precondition
from junctor_service.personal_data import Erased, Sealer, UnknownKey
from junctor_service.tokens import Principal, Role

from junctor_omnichannel.application.feed import Feed
from junctor_omnichannel.application.mapping import MAPPING
from junctor_omnichannel.domain import events as e
from junctor_omnichannel.domain.conversation import Conversation

log = logging.getLogger(__name__)
R = TypeVar("R", bound=Message)
LONGEST_TEXT = 4_000
ERASED = "[erased]"
CLOSE_CAUSES = ("customer", "agent", "supervisor", "idle")


class CommandLog(Protocol):
    """The part of `junctor_service.commands.Commands` that is needed here."""

    async def apply(
        self, request: Message, *, stream: str, correlation_id: str = "", answer: type[R] | None = None
    ) -> R: ...


class Widgets(Protocol):
    """What the directory says of widgets and bots."""

    def entry(self, tenant: str, widget: str) -> pb.EntryPoint | None: ...

    def reading(self, tenant: str, bot: str, text: str) -> pb.BotReading | None: ...

    def blocked(self, tenant: str, customer_hash: str, now: int) -> bool: ...


class Conversations:
    """`look(tenant, contact)` gives the followed conversation; it raises a retryable error while there is no state. `check`
    raises one before anything is written into a conversation that may be out of date here (see `catching_up`)."""

    def __init__(
        self,
        widgets: Widgets,
        commands: CommandLog,
        look: Callable[[str, str], Conversation | None],
        sealer: Sealer,
        feed: Feed,
        now_ms: Callable[[], int],
        site: str,
        check: Callable[[Conversation | None], None] = lambda conversation: None,
    ) -> None:
        self._widgets = widgets
        self._commands = commands
        self._look = look
        self._sealer = sealer
        self._feed = feed
        self._now_ms = now_ms
        self._site = site
        self._check = check

    async def open(self, request: pb.OpenConversationRequest) -> pb.OpenConversationResponse:
        """Begins a conversation; a repeat changes nothing. Raises NOT_FOUND for an unknown widget."""
        _require(request.contact_id, "contact_id")
        command = pb.OpenConversationRequest()
        command.CopyFrom(request)
        self._complete(command)
        return await self._apply(command, pb.OpenConversationResponse)

    async def receive(self, request: pb.ReceiveMessageRequest) -> pb.ReceiveMessageResponse:
        """Takes a customer's message; a repeat gets the same number. Raises FAILED_PRECONDITION after the end."""
        _require(request.contact_id, "contact_id")
        _require(request.message_id, "message_id")
        check_text(request.text)
        command = pb.ReceiveMessageRequest()
        command.CopyFrom(request)
        command.ClearField("reading")
        conversation = self._look(request.tenant, request.contact_id)
        self._check(conversation)
        bot = ""
        if conversation is None or not conversation.state:
            self._complete(command)
            bot = command.entry.bot
        elif conversation.state == "with_bot":
            bot = conversation.entry.bot
        reading = self._widgets.reading(request.tenant, bot, request.text) if bot else None
        if reading is not None:
            command.reading.CopyFrom(reading)
        return await self._apply(command, pb.ReceiveMessageResponse)

    async def send(self, request: pb.SendMessageRequest) -> pb.SendMessageResponse:
        """An agent writes. Raises FAILED_PRECONDITION where the agent does not have the conversation."""
        _require(request.contact_id, "contact_id")
        _require(request.agent_id, "agent_id")
        check_text(request.text)
        self._check(self._look(request.tenant, request.contact_id))
        return await self._apply(request, pb.SendMessageResponse)

    async def close(self, request: pb.CloseConversationRequest) -> pb.CloseConversationResponse:
        """Ends the customer's side; what has ended already stays as it is."""
        _require(request.contact_id, "contact_id")
        if request.cause not in CLOSE_CAUSES:
            raise invalid(
                f"'{request.cause}' is no cause; causes: {', '.join(CLOSE_CAUSES)}.",
                FieldViolation("cause", "an unknown cause"),
            )
        self._check(self._look(request.tenant, request.contact_id))
        return await self._apply(request, pb.CloseConversationResponse)

    def here(self, tenant: str, contact_id: str) -> bool:
        """Whether this site has the conversation, or had it and no other took it over."""
        conversation = self._look(tenant, contact_id)
        return conversation is not None and bool(conversation.state) and not conversation.moved_to

    def find(self, tenant: str, contact_id: str) -> Conversation | None:
        """The conversation as the log has it. Raises a retryable error while there is no state."""
        return self._look(tenant, contact_id)

    def last_number(self, tenant: str, contact_id: str) -> int:
        """The number of the last message; 0 where there is no conversation any more."""
        conversation = self._look(tenant, contact_id)
        return len(conversation.messages) if conversation is not None else 0

    def get(self, request: pb.GetConversationRequest, reader: Principal | None) -> pb.GetConversationResponse:
        """The conversation with its texts readable."""
        conversation = self._readable(request.tenant, request.contact_id, reader)
        messages = [self.readable(conversation.tenant, message) for message in conversation.messages]
        return pb.GetConversationResponse(
            conversation=pb.Conversation(
                contact_id=conversation.contact_id,
                state=state_number(conversation.state),
                messages=messages,
                agent_id=conversation.agent_id,
                queue=conversation.queue,
                widget=conversation.widget,
            )
        )

    async def watch(
        self, request: pb.WatchConversationRequest, reader: Principal | None
    ) -> AsyncIterator[pb.WatchConversationResponse]:
        """Messages after a number and each state, until the conversation is closed."""
        self._readable(request.tenant, request.contact_id, reader)
        async for message, conversation in self.follow(request.tenant, request.contact_id, request.after_number):
            response = pb.WatchConversationResponse(
                state=state_number(conversation.state), agent_id=conversation.agent_id
            )
            if message is not None:
                response.message.CopyFrom(message)
            yield response

    async def follow(
        self, tenant: str, contact_id: str, after: int
    ) -> AsyncIterator[tuple[pb.Message | None, Conversation]]:
        """Each message after a number, and None with each change of state; ends after `closed`."""
        told: tuple[str, str] | None = None
        async with self._feed.watch(tenant, contact_id) as watch:
            while True:
                conversation = self._look(tenant, contact_id)
                if conversation is None:
                    return
                for message in conversation.messages[after:]:
                    after = message.number
                    yield self.readable(tenant, message), conversation
                if told != (conversation.state, conversation.agent_id):
                    told = (conversation.state, conversation.agent_id)
                    yield None, conversation
                if conversation.state == "closed":
                    return
                await watch.changed()

    def readable(self, tenant: str, message: e.Message) -> pb.Message:
        """The message with its text opened."""
        sealed = cast(pb.Message, MAPPING.to_message(message))
        try:
            return self._sealer.unseal(sealed, tenant)
        except (Erased, UnknownKey):
            sealed.text = ERASED
            return sealed

    def _complete(self, command: pb.OpenConversationRequest | pb.ReceiveMessageRequest) -> None:
        """Fills in what a conversation that begins needs."""
        entry = self._widgets.entry(command.tenant, command.widget)
        if entry is None:
            raise not_found(f"There is no widget '{command.widget}'.", reason="WIDGET_UNKNOWN")
        command.entry.CopyFrom(entry)
        if not command.received_at:
            command.received_at = self._now_ms()
        command.site = command.site or self._site
        if command.customer_address and not command.customer_hash:
            command.customer_hash = self._sealer.lookup_hash(command.tenant, command.customer_address)
        if self._widgets.blocked(command.tenant, command.customer_hash, self._now_ms()):
            raise precondition("You cannot write here.", reason="CUSTOMER_BLOCKED")

    async def _apply(self, request: Message, answer: type[R]) -> R:
        tenant: str = request.tenant  # type: ignore[attr-defined]
        contact: str = request.contact_id  # type: ignore[attr-defined]
        try:
            sealed = await asyncio.to_thread(self._sealer.seal, request, tenant, contact)
        except Erased as error:
            raise precondition("The conversation was erased.", reason="ERASED") from error
        return await self._commands.apply(sealed, stream=contact, correlation_id=contact, answer=answer)

    def _readable(self, tenant: str, contact_id: str, reader: Principal | None) -> Conversation:
        conversation = self._look(tenant, contact_id)
        if conversation is None or not conversation.state:
            raise not_found("There is no such conversation.")
        any_reader = reader is None or bool(reader.roles & {Role.SUPERVISOR, Role.SERVICE})
        if not any_reader and reader is not None and reader.agent_id != conversation.agent_id:
            raise ServiceError(Code.PERMISSION_DENIED, "Another agent has the conversation.", reason="NOT_YOURS")
        return conversation


def check_text(text: str) -> None:
    """Raises INVALID_ARGUMENT for an empty or too long text."""
    if not text.strip():
        raise invalid("A message needs a text.", FieldViolation("text", "is empty"), reason="TEXT_EMPTY")
    if len(text) > LONGEST_TEXT:
        raise invalid(
            f"A message has at most {LONGEST_TEXT} characters; this one has {len(text)}.",
            FieldViolation("text", "is too long"),
            reason="TEXT_TOO_LONG",
        )


def state_number(state: str) -> pb.ConversationState.ValueType:
    return pb.ConversationState.Value(f"CONVERSATION_STATE_{(state or 'unspecified').upper()}")


def _require(value: str, field: str) -> None:
    if not value:
        raise invalid(f"{field} is missing.", FieldViolation(field, "is missing"))
