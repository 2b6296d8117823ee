"""Customers' side: one WebSocket (RFC 6455) per customer. Any process serves any conversation: it follows the journal."""

from __future__ import annotations

import asyncio
import http
import logging
import time
from dataclasses import dataclass

from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_service.commands import Commands
from junctor_service.drain import remaining
from junctor_service.errors import ServiceError
from junctor_service.ids import step_request_id, uuid7, widget_contact_id
from junctor_service.telemetry import Telemetry
from junctor_service.tokens import Principal, acting_as
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from junctor_omnichannel.adapters.customer_tokens import BadToken, Claim, CustomerTokens
from junctor_omnichannel.adapters.directory_widgets import DirectoryWidgets, Widget
from junctor_omnichannel.application.conversations import Conversations
from junctor_omnichannel.application.effects import trace_of
from junctor_omnichannel.application.returning import Elsewhere, Place, Returning
from junctor_omnichannel.entrypoints import frames
from junctor_omnichannel.entrypoints.flood import Flood
from junctor_omnichannel.entrypoints.frames import BadFrame, Close, Hello, Said
from junctor_omnichannel.settings import OmnichannelSettings

log = logging.getLogger(__name__)

LARGEST_FRAME = 64 * 1024
MOST_BAD_FRAMES = 30
NORMAL, GOING_AWAY, POLICY, TRY_LATER = 1000, 1001, 1008, 1013


def _quiet_logger() -> logging.Logger:
    """The WebSocket library's logger without a line for each connection."""
    logger = logging.getLogger("websockets.server")
    logger.setLevel(logging.WARNING)
    return logger


class Refused(Exception):
    """The connection cannot go on; the text is told before it is closed."""

    def __init__(self, code: str, message: str, close_code: int = POLICY, url: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.close_code = close_code
        self.url = url


class CustomerSockets:
    """A component: accepts connections from `start` on."""

    name = "web sockets"

    def __init__(
        self,
        settings: OmnichannelSettings,
        conversations: Conversations,
        widgets: DirectoryWidgets,
        tokens: CustomerTokens,
        commands: Commands,
        telemetry: Telemetry,
        returning: Returning,
    ) -> None:
        self._settings = settings
        self._parts = _Parts(settings, conversations, widgets, tokens, commands, telemetry, returning)
        self._server: Server | None = None
        self._draining = False
        telemetry.gauge("junctor.omnichannel.connections", lambda: len(self._server.connections) if self._server else 0)

    @property
    def ready(self) -> bool:
        return self._server is not None and self._server.is_serving()

    @property
    def address(self) -> str:
        """host:port, once started."""
        if self._server is None:
            raise RuntimeError("the WebSocket server has not started")
        host, port = next(iter(self._server.sockets)).getsockname()[:2]
        return f"{host}:{port}"

    async def start(self) -> None:
        listen = self._settings.web_listen
        self._server = await serve(
            self._serve,
            listen.host,
            listen.port,
            max_size=LARGEST_FRAME,
            process_request=self._admit,
            ping_interval=self._settings.idle_connection_ping,
            ping_timeout=self._settings.idle_connection_ping,
            close_timeout=2,
            server_header=None,
            logger=_quiet_logger(),
        )
        log.info("web sockets are open", extra={"address": self.address})

    async def stop(self, deadline: float) -> None:
        """Tells customers to come back, to this process's successor or another one."""
        if self._server is None:
            return
        self._draining = True
        self._server.close(close_connections=True)
        await asyncio.wait_for(self._server.wait_closed(), max(0.1, remaining(deadline)))

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        assert self._server is not None
        if self._draining or len(self._server.connections) >= self._settings.most_connections:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections; try again soon.\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        await _Customer(self._parts, socket).run()


@dataclass(frozen=True, slots=True)
class _Parts:
    settings: OmnichannelSettings
    conversations: Conversations
    widgets: DirectoryWidgets
    tokens: CustomerTokens
    commands: Commands
    telemetry: Telemetry
    returning: Returning


class _Customer:
    """One connection, from its hello to its end."""

    def __init__(self, parts: _Parts, socket: ServerConnection) -> None:
        self._parts = parts
        self._socket = socket
        self._connection = uuid7()
        self._flood = Flood(parts.settings.messages_per_second, parts.settings.message_burst, time.monotonic)
        self._bad = 0
        self._widget = ""
        self._claim = Claim("", "")
        self._after = 0

    async def run(self) -> None:
        try:
            await self._meet()
            with acting_as(Principal(f"customer/{self._claim.contact_id}", self._claim.tenant, frozenset(), "")):
                following = asyncio.create_task(self._follow(self._after))
                arrived = asyncio.create_task(self._report_presence(True))
                try:
                    await self._listen()
                finally:
                    following.cancel()
                    await asyncio.wait({following, arrived})
                    await self._report_presence(False)
        except Refused as refusal:
            await self._end(refusal)
        except ConnectionClosed:
            pass
        except Exception:
            log.exception("a customer's connection failed")
            await self._end(Refused("internal", "Something went wrong on our side. Connect again.", TRY_LATER))

    async def _meet(self) -> None:
        """Takes the hello, and begins or resumes the conversation."""
        limit = asyncio.get_running_loop().time() + self._parts.settings.hello_timeout
        while True:
            try:
                async with asyncio.timeout_at(limit):
                    data = await self._socket.recv()
            except TimeoutError as error:
                raise Refused("no_hello", "The hello did not come in time.") from error
            try:
                frame = frames.parse(data)
                if not isinstance(frame, Hello):
                    raise BadFrame("no_hello", "The first frame must be a hello.")
                await (self._resume(frame) if frame.token else self._begin(frame))
                return
            except BadFrame as bad:
                await self._tell_bad(bad)
            except Elsewhere as there:
                raise Refused("elsewhere", str(there), TRY_LATER, there.url) from there
            except ServiceError as error:
                if not error.retryable:
                    raise Refused(error.reason.lower(), error.message) from error
                await self._socket.send(frames.error("unavailable", error.message, retry=True))

    def _allowed(self, key: str) -> Widget:
        """The widget of a hello. Raises `BadFrame` for an unknown one, `Refused` for a foreign origin."""
        widget = self._parts.widgets.find(key)
        if widget is None:
            raise BadFrame("unknown_widget", f"There is no widget '{key}'.")
        request = self._socket.request
        origin = request.headers.get("Origin", "") if request is not None else ""
        if widget.origins and origin not in widget.origins:
            raise Refused("foreign_origin", f"The widget '{key}' may not be used from '{origin or 'nowhere'}'.")
        return widget

    async def _begin(self, hello: Hello) -> None:
        widget = self._allowed(hello.widget)
        contact = widget_contact_id(widget.tenant, f"{widget.id}/{hello.id or uuid7()}")
        self._parts.returning.arrive(widget.tenant, contact)
        self._widget, self._claim, self._after = widget.id, Claim(widget.tenant, contact), hello.last_seq
        request = pb.OpenConversationRequest(
            request_id=step_request_id(contact, "open"),
            tenant=widget.tenant,
            contact_id=contact,
            widget=widget.id,
            customer_address=hello.visitor,
        )
        with self._parts.telemetry.contact_span(contact), acting_as(self._principal()):
            opened = await self._parts.conversations.open(request)
        await self._socket.send(frames.welcome(contact, self._token(), opened.number))

    async def _resume(self, hello: Hello) -> None:
        widget = self._allowed(hello.widget)
        try:
            claim = self._parts.tokens.read(hello.token)
        except BadToken as error:
            why = "is too old" if error.expired else "is not valid here"
            raise BadFrame("bad_token", f"The token {why}: say hello without one.") from error
        if claim.tenant != widget.tenant:
            raise BadFrame("bad_token", "The token is another widget's: say hello without one.")
        place = Place(claim.tenant, claim.contact_id, claim.site, claim.leg, claim.arrived_at, claim.queue)
        with acting_as(Principal(f"customer/{claim.contact_id}", claim.tenant, frozenset(), "")):
            await self._parts.returning.come_back(place, widget.id)
        self._widget, self._claim, self._after = widget.id, claim, hello.last_seq
        seq = self._parts.conversations.last_number(claim.tenant, claim.contact_id)
        await self._socket.send(frames.welcome(claim.contact_id, self._token(), seq))

    def _token(self) -> str:
        """With the conversation as it is now."""
        found = self._parts.conversations.find(self._claim.tenant, self._claim.contact_id)
        if found is not None and found.state:
            queue = found.queue if found.task else ""
            self._claim = self._claim._replace(
                site=self._parts.settings.site,
                leg=found.leg,
                arrived_at=found.arrived_at,
                queue=queue,
                seq=len(found.messages),
            )
        return self._parts.tokens.make(self._claim)

    async def _listen(self) -> None:
        async for data in self._socket:
            if not self._flood.allows():
                await self._tell_bad(BadFrame("too_many", "Too many frames; wait a little."))
                continue
            try:
                match frame := frames.parse(data):
                    case Said():
                        await self._say(frame)
                    case Close():
                        await self._close()
                    case Hello():
                        raise BadFrame("second_hello", "This connection has had its hello.")
            except BadFrame as bad:
                await self._tell_bad(bad)

    async def _say(self, said: Said) -> None:
        contact = self._claim.contact_id
        request = pb.ReceiveMessageRequest(
            request_id=step_request_id(contact, f"message/{said.id}"),
            tenant=self._claim.tenant,
            contact_id=contact,
            widget=self._widget,
            message_id=said.id,
            text=said.text,
        )
        with self._parts.telemetry.span("omnichannel.message", traceparent=trace_of(contact)):
            try:
                await self._parts.conversations.receive(request)
            except ServiceError as error:
                code = "unavailable" if error.retryable else error.reason.lower()
                await self._socket.send(frames.error(code, error.message, id=said.id, retry=error.retryable))

    async def _close(self) -> None:
        contact = self._claim.contact_id
        request = pb.CloseConversationRequest(
            request_id=step_request_id(contact, f"close/{self._connection}"),
            tenant=self._claim.tenant,
            contact_id=contact,
            cause="customer",
        )
        try:
            await self._parts.conversations.close(request)
        except ServiceError as error:
            code = "unavailable" if error.retryable else error.reason.lower()
            await self._socket.send(frames.error(code, error.message, retry=error.retryable))

    async def _follow(self, after: int) -> None:
        """Sends what the conversation has and gets, until it ends for the customer."""
        try:
            over = False
            key = (self._claim.tenant, self._claim.contact_id)
            async for item, conversation in self._parts.conversations.follow(*key, after):
                if item is not None:
                    await self._socket.send(frames.message(item))
                    continue
                if conversation.moved_to:
                    there = self._parts.returning.elsewhere(conversation.moved_to)
                    await self._end(Refused("elsewhere", str(there), TRY_LATER, there.url))
                    return
                await self._socket.send(frames.state(conversation.state, self._token()))
                over = conversation.ended_at is not None
                if over:
                    break
            await self._socket.send(frames.closed())
            await self._socket.close(NORMAL, "the conversation has ended")
        except ConnectionClosed:
            pass
        except Exception:
            log.exception("following a conversation failed")
            await self._socket.close(TRY_LATER, "connect again")

    async def _report_presence(self, present: bool) -> None:
        tenant, contact = self._claim.tenant, self._claim.contact_id
        word = "here" if present else "gone"
        fact = self._parts.commands.fact(
            pb.PresenceReported(contact_id=contact, connection=self._connection, present=present),
            id=f"{tenant}/omnichannel/{contact}/{self._connection}/{word}",
            tenant=tenant,
            stream=contact,
            correlation_id=contact,
            traceparent=trace_of(contact),
        )
        try:
            await self._parts.commands.tell(fact)
        except ServiceError as error:
            log.warning("a customer's presence is not recorded", extra={"error": repr(error), "contact_id": contact})

    def _principal(self) -> Principal:
        return Principal(f"customer/{self._claim.contact_id}", self._claim.tenant, frozenset(), "")

    async def _tell_bad(self, bad: BadFrame) -> None:
        self._bad += 1
        await self._socket.send(frames.error(bad.code, bad.message))
        if self._bad >= MOST_BAD_FRAMES:
            raise Refused("too_many_bad_frames", "Too many frames that cannot be used.")

    async def _end(self, refusal: Refused) -> None:
        try:
            retry = refusal.close_code == TRY_LATER
            await self._socket.send(frames.error(refusal.code, refusal.message, retry=retry, url=refusal.url))
            await self._socket.close(refusal.close_code, refusal.code)
        except ConnectionClosed:
            pass
