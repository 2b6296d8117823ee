"""Every RPC of every service, from the protos' descriptors: nothing about a single RPC is written by hand."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from junctor_service.call_policy import rule_of

from junctor_gateway.application.comments import comments, descriptor_set

PREFIX = "/v1"
BETWEEN_SITES = ("junctor.register.v1", "junctor.site.v1")
"""The register's voters, and what several services answer for themselves (a shift, a share of arrivals): they have no one
address, and are called where they are."""
_PACKAGE = re.compile(r"junctor\.([a-z]+)\.v1")
_QUERIES = re.compile(r"(Get|List|Watch|Fetch|Report|Explain)([A-Z]|$)")


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC. `service` is the service's short name (`router`), `service_type` the full one of the proto."""

    service: str
    service_type: str
    name: str
    request: type[Message]
    response: type[Message]
    streams: bool
    comment: str
    roles: tuple[str, ...]

    @property
    def rpc_path(self) -> str:
        """/package.Service/Method: gRPC's own path, and gRPC-Web's."""
        return f"/{self.service_type}/{self.name}"

    @property
    def http_path(self) -> str:
        """/v1/<service>/<Method>: the path of JSON and of event streams."""
        return f"{PREFIX}/{self.service}/{self.name}"

    @property
    def is_query(self) -> bool:
        """Whether it only reads, so that it is answered to GET as well."""
        return _QUERIES.match(self.name) is not None and not self.takes_request_id

    @property
    def takes_request_id(self) -> bool:
        """Whether the request has an idempotency key."""
        return "request_id" in self.request.DESCRIPTOR.fields_by_name

    @property
    def streams_bytes(self) -> bool:
        """Whether the stream is one file in parts: its messages have one field, of bytes."""
        fields = self.response.DESCRIPTOR.fields
        return self.streams and len(fields) == 1 and fields[0].type == fields[0].TYPE_BYTES


@cache
def methods() -> tuple[Method, ...]:
    """All RPCs but those between sites, by service and in the order of the protos.

    Raises `ValueError` for one that HTTP cannot carry.
    """
    found: list[Method] = []
    for file in descriptor_set().file:
        importlib.import_module(f"{file.name.removesuffix('.proto').replace('/', '.')}_pb2")
    for file in descriptor_set().file:
        service_name = _PACKAGE.fullmatch(file.package)
        for service in file.service:
            if service_name is None:
                raise ValueError(f"{file.package} is not junctor.<service>.v1")
            found += [_method(service_name[1], f"{file.package}.{service.name}", method) for method in service.method]
    offered = (method for method in found if method.service_type.rpartition(".")[0] not in BETWEEN_SITES)
    return tuple(sorted(offered, key=lambda method: method.service))


@cache
def service_comments() -> dict[str, str]:
    """The comment of each service, by short name."""
    return {method.service: comments().get(method.service_type, "") for method in methods()}


def _method(service: str, service_type: str, method: Any) -> Method:
    if method.client_streaming:
        raise ValueError(f"{service_type}.{method.name} streams requests; HTTP/1.1 clients cannot")
    rule = rule_of(f"/{service_type}/{method.name}")
    return Method(
        service=service,
        service_type=service_type,
        name=method.name,
        request=_message_class(method.input_type),
        response=_message_class(method.output_type),
        streams=method.server_streaming,
        comment=comments().get(f"{service_type}.{method.name}", ""),
        roles=tuple(sorted(role.value for role in rule.allowed_roles)),
    )


def _message_class(name: str) -> type[Message]:
    descriptor = descriptor_pool.Default().FindMessageTypeByName(name.removeprefix("."))
    return message_factory.GetMessageClass(descriptor)
