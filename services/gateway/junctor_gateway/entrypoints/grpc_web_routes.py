"""gRPC-Web, binary and text: each RPC at /<package.Service>/<Method>."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response
from google.protobuf.message import DecodeError, Message
from junctor_service.errors import Code, ServiceError, invalid
from starlette.responses import StreamingResponse

from junctor_gateway.application.catalogue import Method
from junctor_gateway.application.problems import HttpError
from junctor_gateway.entrypoints.answers import answering, told
from junctor_gateway.entrypoints.calls import Calls
from junctor_gateway.entrypoints.grpc_web_frames import (
    BadFrame,
    Compressed,
    message_frame,
    message_of,
    status_trailers,
    trailers_frame,
)
from junctor_gateway.entrypoints.open_stream import OpenStream
from junctor_gateway.entrypoints.request_reading import asked_timeout, body_of, caller_of, unary_timeout
from junctor_gateway.settings import GatewaySettings

BINARY = "application/grpc-web"
TEXT = "application/grpc-web-text"
_HEADERS = {"cache-control": "no-store"}


def add_grpc_web_route(app: FastAPI, method: Method, calls: Calls, settings: GatewaySettings) -> None:
    """Serves the method at its `rpc_path`. Errors of the call are trailers, as in gRPC: the HTTP status is 200."""

    async def handle(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind.removesuffix("+proto") not in {BINARY, TEXT}:
            raise HttpError(
                415, Code.INVALID_ARGUMENT, f"This path speaks {BINARY} and {TEXT}.", reason="WRONG_CONTENT_TYPE"
            )
        text = kind.removesuffix("+proto") == TEXT
        try:
            frames = await _frames(request, method, calls, settings, text)
        except Exception as error:
            return Response(_end(told(error), text), media_type=kind, headers=_HEADERS)
        if isinstance(frames, bytes):
            return Response(frames, media_type=kind, headers=_HEADERS)
        return StreamingResponse(frames, media_type=kind, headers=_HEADERS)

    app.add_api_route(
        method.rpc_path, answering(handle), methods=["POST"], include_in_schema=False, response_model=None
    )


async def _frames(
    request: Request, method: Method, calls: Calls, settings: GatewaySettings, text: bool
) -> bytes | AsyncIterator[bytes]:
    caller = await calls.admission.admit(method, caller_of(request))
    message = _message(await body_of(request, settings), method.request, text)
    if method.streams:
        return _stream_frames(await calls.stream(method, message, caller, asked_timeout(request)), text)
    response = await calls.unary(method, message, caller, unary_timeout(request, settings))
    return message_frame(response.SerializeToString(), text=text) + _end(None, text)


async def _stream_frames(stream: OpenStream, text: bool) -> AsyncIterator[bytes]:
    try:
        async for response in stream.read():
            if response is not None:
                yield message_frame(response.SerializeToString(), text=text)
        yield _end(None, text)
    except Exception as error:
        yield _end(told(error), text)
    finally:
        await stream.close()


def _message(body: bytes, message_class: type[Message], text: bool) -> Message:
    try:
        return message_class.FromString(message_of(body, text=text))
    except Compressed as error:
        raise ServiceError(Code.UNIMPLEMENTED, "Compressed messages are not taken.", reason="COMPRESSED") from error
    except BadFrame as error:
        raise invalid(f"The body is not a gRPC-Web request: {error}.", reason="REQUEST_MALFORMED") from error
    except DecodeError as error:
        raise invalid(f"The body is not a {message_class.DESCRIPTOR.name}.", reason="REQUEST_MALFORMED") from error


def _end(error: ServiceError | None, text: bool) -> bytes:
    if error is None:
        return trailers_frame(status_trailers(0, "", b""), text=text)
    details = error.to_status().SerializeToString()
    return trailers_frame(status_trailers(int(error.code), error.message, details), text=text)
