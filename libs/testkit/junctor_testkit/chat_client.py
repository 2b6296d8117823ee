"""A customer in a chat: the JSON frames of omnichannel's WebSocket, with resending and coming back as a widget does it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """`author` is customer, bot, agent or system; `at` Unix milliseconds."""

    seq: int
    author: str
    text: str
    at: int
    agent: str = ""
    id: str = ""


@dataclass(slots=True)
class _Seen:
    messages: list[ChatMessage] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    closed: bool = False


class ChatClient:
    """One conversation over as many connections as it takes. Messages come once and in order, whatever breaks.

    `url` may be a function, asked for each connection: the customer comes back to whoever serves then.
    """

    def __init__(
        self, url: str | Callable[[], str], widget: str, *, visitor: str = "", origin: str | None = None
    ) -> None:
        self._url = url if callable(url) else lambda: url
        self._widget = widget
        self._visitor = visitor
        self._origin = origin
        self._id = str(uuid.uuid4())
        self.token = ""
        """What brings this customer back to the conversation, as it was told last."""
        self._told_url = ""
        self.contact_id = ""
        self._seen = _Seen()
        self._socket: ClientConnection | None = None
        self._unsent: dict[str, str] = {}
        self._running: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self.connections = 0

    @property
    def messages(self) -> list[ChatMessage]:
        """All messages so far, by number."""
        return self._seen.messages

    @property
    def states(self) -> list[str]:
        """The states that were told, in order; again after each new connection."""
        return self._seen.states

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The error frames so far."""
        return self._seen.errors

    @property
    def closed(self) -> bool:
        """The conversation has ended."""
        return self._seen.closed

    @property
    def last_seq(self) -> int:
        return self._seen.messages[-1].seq if self._seen.messages else 0

    async def __aenter__(self) -> ChatClient:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._running is not None
        self._running.cancel()
        await asyncio.wait({self._running})
        if self._socket is not None:
            await self._socket.close()

    async def say(self, text: str) -> str:
        """Sends a message, again after each break until it comes back; returns its id."""
        id = str(uuid.uuid4())
        self._unsent[id] = text
        await self._send({"type": "message", "id": id, "text": text})
        return id

    async def close(self) -> None:
        """The customer ends the conversation; returns when that is told back."""
        await self.until(lambda: self.contact_id != "")
        await self._send({"type": "close"})
        await self.until(lambda: self.closed)

    async def drop(self) -> None:
        """Breaks the connection without a word, as a lost network does."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def until(self, condition: Callable[[], object], seconds: float = 15.0) -> None:
        """Returns once the condition holds. Raises `TimeoutError` that tells what was seen."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: bool(condition()))
        except TimeoutError as error:
            raise TimeoutError(f"not in {seconds} s; seen: {self._seen}") from error

    async def hears(self, author: str, seconds: float = 15.0, after: int = 0) -> ChatMessage:
        """The first message by that author with a number above `after`."""

        def found() -> ChatMessage | None:
            return next((m for m in self.messages if m.author == author and m.seq > after), None)

        await self.until(found, seconds)
        message = found()
        assert message is not None
        return message

    async def _send(self, frame: dict[str, Any]) -> None:
        if self._socket is not None and self.contact_id:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(json.dumps(frame))

    async def _run(self) -> None:
        pause = 0.05
        while not self.closed:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                url, self._told_url = self._told_url or self._url(), ""
                async with connect(url, origin=self._origin, open_timeout=5, close_timeout=1) as socket:  # type: ignore[arg-type]
                    await self._talk(socket)
                    pause = 0.05
            self._socket = None
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)

    async def _talk(self, socket: ClientConnection) -> None:
        hello: dict[str, Any] = {"type": "hello", "widget": self._widget, "id": self._id, "visitor": self._visitor}
        if self.token:
            hello |= {"token": self.token, "last_seq": self.last_seq}
        await socket.send(json.dumps(hello))
        self.connections += 1
        async for data in socket:
            frame = json.loads(data)
            async with self._changed:
                self._take(frame)
                self._changed.notify_all()
            if frame["type"] == "welcome":
                self._socket = socket
                for id, text in list(self._unsent.items()):
                    await socket.send(json.dumps({"type": "message", "id": id, "text": text}))
            elif frame["type"] == "error" and frame.get("retry"):
                await asyncio.sleep(0.2)
                again = frame.get("id")
                if again in self._unsent:
                    await socket.send(json.dumps({"type": "message", "id": again, "text": self._unsent[again]}))
                elif not self.contact_id:
                    await socket.send(json.dumps(hello))

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "welcome":
                self.contact_id = frame["conversation"]
                self.token = frame["token"]
            case "message":
                self._unsent.pop(frame.get("id", ""), None)
                if frame["seq"] > self.last_seq:
                    self._seen.messages.append(
                        ChatMessage(
                            frame["seq"],
                            frame["from"],
                            frame["text"],
                            frame["at"],
                            frame.get("agent", ""),
                            frame.get("id", ""),
                        )
                    )
            case "state":
                self._seen.states.append(frame["state"])
                self.token = frame["token"]
            case "error":
                self._told_url = frame.get("url", "")
                self._seen.errors.append(frame)
                if not frame.get("retry"):
                    self._unsent.pop(frame.get("id", ""), None)
            case "closed":
                self._seen.closed = True
