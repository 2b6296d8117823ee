"""The `ng` commands: a request dictionary in, a reply dictionary out, with rtpengine's keys and error texts."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

from junctor_local.media import g711
from junctor_local.media.call import Call, CallError
from junctor_local.media.events import DIGITS
from junctor_local.media.playout import DigitPlayer, PlayClock, PlayError, PromptCache, PromptPlayer, read_wav
from junctor_local.media.ports import NoFreePorts, PortPool
from junctor_local.media.sdp import SdpError
from junctor_local.media.side import Report, Side

Message = dict[str, Any]
FOREVER = 1 << 30
_CODEC_NUMBERS = {name: number for number, name in g711.NAMES.items()}


class Commands:
    """All calls of this process. Every command is done at once; none waits."""

    def __init__(self, ports: PortPool, report: Report, loop: asyncio.AbstractEventLoop) -> None:
        self.calls: dict[str, Call] = {}
        self._ports, self._report, self._loop = ports, report, loop
        self._clock = PlayClock(loop)
        self._prompts = PromptCache()
        self._started = time.monotonic()
        self._managed = self._rejected = self._timed_out = 0
        self._commands: dict[str, Callable[[Message], Message]] = {
            "ping": lambda _: {"result": "pong"},
            "offer": self._offer,
            "answer": self._answer,
            "delete": self._delete,
            "query": self._query,
            "statistics": self._statistics,
            "play media": self._play_media,
            "stop media": self._stop_media,
            "play DTMF": self._play_dtmf,
            "block media": lambda m: self._switch(m, "blocked", True),
            "unblock media": lambda m: self._switch(m, "blocked", False),
            "silence media": lambda m: self._switch(m, "silenced", True),
            "unsilence media": lambda m: self._switch(m, "silenced", False),
            "block DTMF": lambda m: self._switch(m, "digits_blocked", True),
            "unblock DTMF": lambda m: self._switch(m, "digits_blocked", False),
            "subscribe request": self._subscribe_request,
            "subscribe answer": self._subscribe_answer,
            "unsubscribe": self._unsubscribe,
        }

    def handle(self, message: object) -> Message:
        """The reply. A request that cannot be done is answered `result: error` with the reason; nothing is raised."""
        if not isinstance(message, dict):
            return _error("Not a dictionary")
        command = self._commands.get(str(message.get("command", "")))
        if command is None:
            return _error("Unrecognized command")
        try:
            return command(message)
        except (CallError, SdpError, PlayError, NoFreePorts) as error:
            return _error(str(error))

    def sweep(self, silent_for: float) -> list[str]:
        """Delete the calls without a packet for `silent_for` seconds: their owner is gone. Their ids."""
        limit = time.monotonic() - silent_for
        dead = [call_id for call_id, call in self.calls.items() if call.last_at < limit]
        for call_id in dead:
            self.calls.pop(call_id).close()
            self._timed_out += 1
        return dead

    def close(self) -> None:
        for call in self.calls.values():
            call.close()
        self.calls.clear()

    def _offer(self, message: Message) -> Message:
        call_id, new = _text(message, "call-id"), False
        call = self.calls.get(call_id)
        if call is None:
            new, call = True, Call(call_id, self._ports, self._clock, self._report, self._loop)
        wanted = message.get("codec", {})
        names = wanted.get("transcode", []) if isinstance(wanted, dict) else []
        transcode = [_CODEC_NUMBERS[name] for name in names if name in _CODEC_NUMBERS]
        try:
            reply = call.offer(
                _text(message, "from-tag"), str(message.get("to-tag", "")), _text(message, "sdp"), transcode
            )
        except (CallError, SdpError, NoFreePorts):
            self._rejected += 1
            if new:
                call.close()
            raise
        self.calls[call_id] = call
        self._managed += new
        return _ok(sdp=reply)

    def _answer(self, message: Message) -> Message:
        call, to_tag = self._call(message), _text(message, "to-tag")
        if to_tag not in call.sides and "" in call.sides:
            call.sides[to_tag] = call.sides.pop("")
            call.sides[to_tag].tag = to_tag
        return _ok(sdp=call.answer(_text(message, "from-tag"), to_tag, _text(message, "sdp")))

    def _delete(self, message: Message) -> Message:
        call = self.calls.pop(_text(message, "call-id"), None)
        if call is None:
            return _ok(warning="Call-ID not found or tags didn't match")
        reply = _describe(call)
        call.close()
        return _ok(**reply)

    def _query(self, message: Message) -> Message:
        return _ok(**_describe(self._call(message)))

    def _statistics(self, _: Message) -> Message:
        sides = [side for call in self.calls.values() for side in call.sides.values()]
        return _ok(
            statistics={
                "currentstatistics": {"sessionsown": len(self.calls), "sessionstotal": len(self.calls)},
                "totalstatistics": {
                    "uptime": str(int(time.monotonic() - self._started)),
                    "managedsessions": self._managed,
                    "rejectedsessions": self._rejected,
                    "timeoutsessions": self._timed_out,
                    "relayedpackets_user": sum(side.packets for side in sides),
                    "relayedpacketerrors_user": sum(sum(side.counts.values()) for side in sides),
                    "lateclock": self._clock.late,
                },
            }
        )

    def _play_media(self, message: Message) -> Message:
        call, tag = self._call(message), _text(message, "from-tag")
        if "blob" in message:
            blob = message["blob"]
            prompt = read_wav(blob if isinstance(blob, bytes) else str(blob).encode(), "blob")
        else:
            prompt = self._prompts.file(_text(message, "file"))
        times = _number(message, "repeat-times", 1)
        call.play(tag, PromptPlayer(prompt, times or FOREVER, call.output(tag)))
        return _ok(duration=prompt.duration_ms)

    def _stop_media(self, message: Message) -> Message:
        player = self._call(message).stop(_text(message, "from-tag"))
        if player is None:
            raise CallError("Not currently playing media")
        return _ok(**{"last-frame-pos": player.played * 20 if isinstance(player, PromptPlayer) else 0})

    def _play_dtmf(self, message: Message) -> Message:
        call, code = self._call(message), str(message.get("code", ""))
        if len(code) != 1 or code.upper() not in DIGITS:
            raise CallError("Out of range 'code' specified")
        side = call.hearing(_text(message, "from-tag"))
        if side.output.event_type is None:
            raise CallError("The hearing side takes no telephone-event")
        frames = min(max(_number(message, "duration", 250), 100), 5000) // 20
        volume = min(abs(_number(message, "volume", 8)), 63)
        call.play(side.tag, DigitPlayer(DIGITS.index(code.upper()), frames, volume, side.output))
        return _ok()

    def _switch(self, message: Message, name: str, value: bool) -> Message:
        call = self._call(message)
        tags = [_text(message, "from-tag")] if "from-tag" in message else []
        if not tags and "all" not in message.get("flags", []):
            raise CallError("No from-tag in message")
        for side in call.chosen(tags):
            setattr(side, name, value)
        return _ok()

    def _subscribe_request(self, message: Message) -> Message:
        call = self._call(message)
        if "all" in message.get("flags", []):
            tags = list(call.sides)
        else:
            tags = [str(tag) for tag in message.get("from-tags", [])] or [_text(message, "from-tag")]
        to_tag = str(message.get("to-tag", "")) or uuid.uuid4().hex
        text = call.subscribe(tags, to_tag)
        return _ok(**{"sdp": text, "from-tag": tags[0], "from-tags": tags, "to-tag": to_tag})

    def _subscribe_answer(self, message: Message) -> Message:
        self._call(message).subscribed(_text(message, "to-tag"), _text(message, "sdp"))
        return _ok()

    def _unsubscribe(self, message: Message) -> Message:
        self._call(message).unsubscribe(_text(message, "to-tag"))
        return _ok()

    def _call(self, message: Message) -> Call:
        call = self.calls.get(_text(message, "call-id"))
        if call is None:
            raise CallError("Unknown call-id")
        return call


def _ok(**fields: object) -> Message:
    return {**fields, "result": "ok"}


def _error(reason: str) -> Message:
    return {"result": "error", "error-reason": reason}


def _text(message: Message, key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str) or not value:
        raise CallError(f"No {key} in message")
    return value


def _number(message: Message, key: str, default: int) -> int:
    """rtpengine takes numbers as integers and as text."""
    value = message.get(key, default)
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise CallError(f"{key} is not a number: {str(value)[:40]!r}") from error


def _describe(call: Call) -> Message:
    totals = {
        "packets": sum(side.packets for side in call.sides.values()),
        "bytes": sum(side.bytes for side in call.sides.values()),
        "errors": sum(sum(side.counts.values()) - side.counts["rtcp"] for side in call.sides.values()),
    }
    return {
        "created": int(call.created),
        "tags": {tag: _describe_side(side) for tag, side in call.sides.items()},
        "subscriptions": list(call.subscriptions),
        "totals": {"RTP": totals},
    }


def _describe_side(side: Side) -> Message:
    host, port = side.source or ("", 0)
    stream = {
        "local port": side.port,
        "endpoint": {"address": host, "port": port},
        "stats": {"packets": side.packets, "bytes": side.bytes, "errors": sum(side.counts.values())},
        "dropped": dict(side.counts),
        "sent": side.output.packets,
    }
    codec = f"{g711.NAMES[side.output.payload_type]}/8000"
    return {"tag": side.tag, "medias": [{"index": 1, "type": "audio", "codec": codec, "streams": [stream]}]}
