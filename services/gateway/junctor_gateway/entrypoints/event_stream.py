"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) of a stream of responses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from google.protobuf.message import Message

from junctor_gateway.application.json_messages import to_text
from junctor_gateway.application.positions import position_of
from junctor_gateway.application.problems import problem_of
from junctor_gateway.entrypoints.answers import told
from junctor_gateway.entrypoints.open_stream import OpenStream

MEDIA_TYPE = "text/event-stream"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


async def events(stream: OpenStream) -> AsyncIterator[bytes]:
    """The events. One of the type `problem` is the last where the stream failed; a comment stands for quiet."""
    yield b": open\n\n"
    try:
        async for response in stream.read():
            yield b": quiet\n\n" if response is None else _event(response)
    except Exception as error:
        failed = told(error)
        wait = f"retry: {round(failed.retry_after * 1000)}\n" if failed.retryable else ""
        yield f"{wait}event: problem\ndata: {json.dumps(problem_of(failed), ensure_ascii=False)}\n\n".encode()
    finally:
        await stream.close()


async def parts(stream: OpenStream) -> AsyncIterator[bytes]:
    """The bytes of a file that comes in parts. A failure breaks the answer off, so that it is not taken for whole."""
    try:
        async for response in stream.read():
            if response is not None:
                yield response.ListFields()[0][1] if response.ListFields() else b""
    finally:
        await stream.close()


def _event(response: Message) -> bytes:
    position = position_of(response)
    id = f"id: {position}\n" if position is not None else ""
    return f"{id}data: {to_text(response)}\n\n".encode()
