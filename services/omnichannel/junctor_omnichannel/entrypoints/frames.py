"""The frames of a customer's WebSocket: JSON texts. README.md shows them all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from junctor.omnichannel.v1 import omnichannel_pb2 as pb

LONGEST_TEXT = 4_000
LONGEST_ID = 200
SHORTEST_CONVERSATION_ID = 16


class BadFrame(Exception):
    """A frame that cannot be used; `code` is for programs, the text for people. The frame alone is lost."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Hello:
    """`token` to come back (`last_seq`: the last message seen), or a new conversation named by `id`."""

    widget: str
    token: str
    last_seq: int
    visitor: str
    id: str


@dataclass(frozen=True, slots=True)
class Said:
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Typing:
    pass


@dataclass(frozen=True, slots=True)
class Close:
    pass


Frame = Hello | Said | Typing | Close


def parse(data: str | bytes) -> Frame:
    """Raises `BadFrame`."""
    if isinstance(data, bytes):
        raise BadFrame("binary_frame", "Send text frames with JSON in them, not binary ones.")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadFrame("not_json", "The frame is not JSON.") from error
    if not isinstance(content, dict):
        raise BadFrame("not_json", 'The frame is not a JSON object like {"type": "message"}.')
    match content.get("type"):
        case "hello":
            widget = _text(content, "widget")
            if not widget:
                raise BadFrame("missing_field", "The hello lacks 'widget'.")
            id = _text(content, "id")
            if id and len(id) < SHORTEST_CONVERSATION_ID:
                raise BadFrame("wrong_field", "'id' names your conversation: make a random one, like a UUID.")
            return Hello(
                widget,
                _text(content, "token", longest=4_096),
                _number(content, "last_seq"),
                _text(content, "visitor"),
                id,
            )
        case "message":
            return _said(content)
        case "typing":
            return Typing()
        case "close":
            return Close()
        case None:
            raise BadFrame("missing_field", "The frame lacks 'type'.")
        case other:
            raise BadFrame("unknown_type", f"'{str(other)[:40]}' is no frame; there are hello, message, typing, close.")


def _said(content: dict[str, Any]) -> Said:
    id = _text(content, "id")
    if not id:
        raise BadFrame("missing_field", "The message lacks 'id': make one, and send it again with the same id.")
    text = content.get("text")
    if not isinstance(text, str) or not text.strip():
        raise BadFrame("missing_field", "The message lacks 'text'.")
    if len(text) > LONGEST_TEXT:
        raise BadFrame("too_long", f"A message has at most {LONGEST_TEXT} characters; this one has {len(text)}.")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise BadFrame("not_text", "The message is no valid Unicode text.")
    return Said(id, text)


def _text(content: dict[str, Any], field: str, longest: int = LONGEST_ID) -> str:
    value = content.get(field, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadFrame("wrong_field", f"'{field}' must be a text.")
    if len(value) > longest or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadFrame("wrong_field", f"'{field}' must be a text of at most {longest} characters.")
    return value


def _number(content: dict[str, Any], field: str) -> int:
    value = content.get(field, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise BadFrame("wrong_field", f"'{field}' must be a whole number from 0 up.")
    return value


def welcome(conversation: str, token: str, seq: int) -> str:
    """`seq`: the last message that the conversation has now."""
    return _frame("welcome", conversation=conversation, token=token, seq=seq)


def message(item: pb.Message) -> str:
    """`from` is customer, bot, agent or system; a customer's has the `id` that it was sent with."""
    fields: dict[str, Any] = {
        "seq": item.number,
        "from": pb.Author.Name(item.author).removeprefix("AUTHOR_").lower(),
        "text": item.text,
        "at": item.at,
    }
    if item.agent_id:
        fields["agent"] = item.agent_id
    if item.message_id:
        fields["id"] = item.message_id
    return _frame("message", **fields)


def state(name: str, token: str) -> str:
    """with_bot, queued, with_agent, wrapping or closed; wrapping is the end for the customer. The token takes the place of the
    one before: it knows the place in line."""
    return _frame("state", state=name, token=token)


def error(code: str, message: str, *, id: str = "", retry: bool = False, url: str = "") -> str:
    """`id` names the message that it is about; `retry`: the same frame may succeed later; `url`: at that address."""
    fields: dict[str, Any] = {"code": code, "message": message}
    if id:
        fields["id"] = id
    if retry:
        fields["retry"] = True
    if url:
        fields["url"] = url
    return _frame("error", **fields)


def closed() -> str:
    """The last frame of a conversation."""
    return _frame("closed")


def _frame(type: str, **fields: Any) -> str:
    return json.dumps({"type": type, **fields}, ensure_ascii=False, separators=(",", ":"))
