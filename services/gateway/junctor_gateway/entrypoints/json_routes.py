"""The routes of JSON and event streams, one for each RPC."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from google.protobuf.message import Message
from junctor_service.errors import Code
from starlette.responses import StreamingResponse

from junctor_gateway.application import positions
from junctor_gateway.application.admission import Caller
from junctor_gateway.application.catalogue import Method
from junctor_gateway.application.json_messages import from_json, from_query, to_text
from junctor_gateway.application.problems import HttpError
from junctor_gateway.entrypoints import event_stream
from junctor_gateway.entrypoints.answers import Handler, answering
from junctor_gateway.entrypoints.calls import Calls
from junctor_gateway.entrypoints.request_reading import asked_timeout, body_of, caller_of, unary_timeout
from junctor_gateway.settings import GatewaySettings

JSON = "application/json"
BYTES = "application/octet-stream"


def add_json_route(app: FastAPI, method: Method, calls: Calls, settings: GatewaySettings) -> None:
    """Serves the method at its `http_path`: POST, and GET if it only reads."""
    verbs = ["GET", "POST"] if method.is_query else ["POST"]
    handler = answering(_handler(method, calls, settings))
    app.add_api_route(method.http_path, handler, methods=verbs, include_in_schema=False, response_model=None)


def _handler(method: Method, calls: Calls, settings: GatewaySettings) -> Handler:
    async def handle(request: Request) -> Response:
        caller = await calls.admission.admit(method, caller_of(request))
        message = await _message(request, method, settings)
        if method.streams:
            return await _streamed(request, method, message, caller, calls)
        response = await calls.unary(method, message, caller, unary_timeout(request, settings))
        return Response(to_text(response), media_type=JSON, headers={"cache-control": "no-store"})

    return handle


async def _message(request: Request, method: Method, settings: GatewaySettings) -> Message:
    if request.method == "GET":
        return from_query(request.query_params.multi_items(), method.request)
    body = await body_of(request, settings)
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if body and kind != JSON:
        raise HttpError(
            415, Code.INVALID_ARGUMENT, f"The body is {kind}; expected {JSON}.", reason="WRONG_CONTENT_TYPE"
        )
    message = from_json(body, method.request)
    key = request.headers.get("idempotency-key")
    if key and method.takes_request_id and not message.request_id:  # type: ignore[attr-defined]
        message.request_id = key  # type: ignore[attr-defined]
    return message


async def _streamed(request: Request, method: Method, message: Message, caller: Caller, calls: Calls) -> Response:
    timeout = asked_timeout(request)
    if method.streams_bytes and event_stream.MEDIA_TYPE not in request.headers.get("accept", ""):
        stream = await calls.stream(method, message, caller, timeout)
        return StreamingResponse(event_stream.parts(stream), media_type=BYTES, headers={"cache-control": "no-store"})
    last = request.headers.get("last-event-id")
    if last:
        positions.resume_after(message, positions.parse(last))
    stream = await calls.stream(method, message, caller, timeout)
    return StreamingResponse(
        event_stream.events(stream), media_type=event_stream.MEDIA_TYPE, headers=event_stream.HEADERS
    )
