"""The OpenAPI 3.1 document of all RPCs; descriptions are the protos' comments."""

from __future__ import annotations

from functools import cache
from typing import Any

from junctor_gateway.application.catalogue import Method, methods, service_comments
from junctor_gateway.application.openapi_schemas import Schema, description_of, field_schema, reference, schemas_of
from junctor_gateway.application.positions import resumes
from junctor_gateway.application.problems import MEDIA_TYPE

_INTRODUCTION = """\
Every RPC of every service as JSON, in protobuf's JSON mapping (names in lowerCamelCase, 64-bit integers as strings;
requests may use the protos' names too). Calls that only read are answered to GET with query parameters as well.
Streams are server-sent events: `data` is one response, the id is `<partition>:<seq>`; give the last one again in
`Last-Event-ID`. Errors are problem details (RFC 9457); where `retryable` is true the same request with the same
`Idempotency-Key` may be sent again after `Retry-After`. The same RPCs are served as gRPC-Web at
`/<package.Service>/<Method>`.
"""
_PROBLEM: Schema = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "reason", "retryable"],
    "properties": {
        "type": {"type": "string", "description": "A URN of the reason."},
        "title": {"type": "string", "description": "The reason in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "One sentence for a person."},
        "code": {"type": "string", "description": "The gRPC status code's name."},
        "reason": {"type": "string", "description": "Names the error for programs, in UPPER_SNAKE_CASE."},
        "retryable": {"type": "boolean", "description": "Whether the same request may succeed later."},
        "retryAfterMs": {"type": "integer", "description": "How long to wait before; where retryable."},
        "errors": {
            "type": "array",
            "description": "The fields at fault.",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {
                    "field": {"type": "string", "description": "The field's path in the body."},
                    "detail": {"type": "string", "description": "What is wrong with it, in a sentence."},
                },
            },
        },
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


@cache
def document() -> dict[str, Any]:
    """The whole document. Not to be changed."""
    messages = [message for method in methods() for message in (method.request, method.response)]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Junctor", "version": "1", "description": _INTRODUCTION, "license": {"name": "Apache-2.0"}},
        "tags": [{"name": name, "description": text} for name, text in service_comments().items()],
        "paths": {method.http_path: _operations(method) for method in methods()},
        "components": {
            "schemas": schemas_of(messages) | {"Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"token": []}],
    }


def _operations(method: Method) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": reference(method.request.DESCRIPTOR.full_name)}}}
    found = {"post": _operation(method, "") | {"requestBody": body}}
    if method.is_query:
        get = _operation(method, ".get")
        get["parameters"] = [*_query_parameters(method), *get["parameters"]]
        found["get"] = get
    return found


def _operation(method: Method, suffix: str) -> dict[str, Any]:
    first, _, _ = method.comment.partition(". ")
    operation: dict[str, Any] = {
        "operationId": f"{method.service}.{method.name}{suffix}",
        "tags": [method.service],
        "summary": first.rstrip("."),
        "description": method.comment,
        "parameters": _headers(method),
        "responses": {
            "200": {"description": _answer(method), "content": _content(method)},
            "default": {
                "description": "A problem.",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if method.roles:
        operation["x-allowed-roles"] = list(method.roles)
        operation["description"] += f"\n\nRoles: {', '.join(method.roles)}."
    return operation


def _answer(method: Method) -> str:
    if method.streams_bytes:
        return "The file; asked for as text/event-stream, its parts."
    return "Server-sent events, each with one such response as its data." if method.streams else "The response."


def _content(method: Method) -> dict[str, Any]:
    schema = {"schema": reference(method.response.DESCRIPTOR.full_name)}
    if method.streams_bytes:
        return {"application/octet-stream": {}, "text/event-stream": schema}
    return {"text/event-stream" if method.streams else "application/json": schema}


def _headers(method: Method) -> list[dict[str, Any]]:
    found = [_header("x-junctor-tenant", "For which tenant; only services' tokens need it.")]
    if method.takes_request_id:
        found.append(_header("Idempotency-Key", "The request_id, where the body has none."))
    if method.streams and not method.streams_bytes:
        after = (
            "Go on after this event." if resumes(method.request) else "The stream begins with the whole state anyway."
        )
        found.append(_header("Last-Event-ID", after))
    return found


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string"}}


def _query_parameters(method: Method) -> list[dict[str, Any]]:
    return [
        {"name": field.name, "in": "query", "description": description_of(field), "schema": field_schema(field)}
        for field in method.request.DESCRIPTOR.fields
        if field.message_type is None
    ]
