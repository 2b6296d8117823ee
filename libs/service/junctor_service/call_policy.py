"""What a call must have before its handler runs: pure checks on principal, method options and request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from junctor.options.v1 import options_pb2

from junctor_service.errors import Code, FieldViolation, ServiceError, invalid
from junctor_service.tenant import TENANT_METADATA, is_tenant
from junctor_service.tokens import EVERY_TENANT, Principal, Refusal, Role

LONGEST_REQUEST_ID = 128


@dataclass(frozen=True, slots=True)
class MethodRule:
    """What the proto says about a method. Empty `allowed_roles`: every valid token of the tenant."""

    method: str
    allowed_roles: frozenset[Role]


@cache
def rule_of(method: str) -> MethodRule:
    """The rule of /package.Service/Method. A method that is in no loaded proto lets every valid token in."""
    try:
        descriptor: Any = descriptor_pool.Default().FindMethodByName(method.lstrip("/").replace("/", "."))
    except KeyError:
        return MethodRule(method, frozenset())
    numbers = descriptor.GetOptions().Extensions[options_pb2.allowed_roles]
    if options_pb2.ROLE_UNSPECIFIED in numbers:
        return MethodRule(method, frozenset())
    names = {options_pb2.Role.Name(number).removeprefix("ROLE_").lower() for number in numbers}
    return MethodRule(method, frozenset(Role(name) for name in names))


def check_role(principal: Principal, rule: MethodRule) -> None:
    """Raises `ServiceError` (PERMISSION_DENIED) unless the principal has one of the method's roles."""
    if rule.allowed_roles and not rule.allowed_roles & principal.roles:
        wanted = ", ".join(sorted(role.value for role in rule.allowed_roles))
        raise ServiceError(
            Code.PERMISSION_DENIED, f"The token has none of the roles that may do this: {wanted}.", reason="WRONG_ROLE"
        )


def for_tenant(principal: Principal, named: str | None) -> Principal:
    """The principal of this call, whose metadata name a tenant or none.

    A service's token takes the named tenant; another token's own tenant is the only one that it may name.
    """
    if named is not None and not is_tenant(named):
        raise invalid(f"{TENANT_METADATA} is not a tenant's id.", reason="TENANT_MALFORMED")
    if principal.tenant == EVERY_TENANT:
        return principal if named is None else replace(principal, tenant=named)
    if named not in {None, principal.tenant}:
        raise _other_tenant()
    return principal


def check_request(principal: Principal, request: Message) -> None:
    """Checks the fields `tenant`, `agent_id` and `request_id` where the request has them; fills the first two if empty.

    Raises `ServiceError`: PERMISSION_DENIED for another tenant or agent, INVALID_ARGUMENT without request id.
    """
    kinds = request.DESCRIPTOR.fields_by_name
    fields: Any = request
    if _is_text(kinds.get("tenant")):
        if not fields.tenant and principal.tenant != EVERY_TENANT:
            fields.tenant = principal.tenant
        elif fields.tenant and fields.tenant != principal.tenant:
            raise _tenant_not_named() if principal.tenant == EVERY_TENANT else _other_tenant()
    if principal.only_agent and _is_text(kinds.get("agent_id")):
        if principal.agent_id is None:
            raise ServiceError(Code.PERMISSION_DENIED, "The token names no agent.", reason="OTHER_AGENT")
        if not fields.agent_id:
            fields.agent_id = principal.agent_id
        elif fields.agent_id != principal.agent_id:
            raise ServiceError(
                Code.PERMISSION_DENIED, "An agent may act for its own agent id only.", reason="OTHER_AGENT"
            )
    if _is_text(kinds.get("request_id")):
        _check_request_id(fields.request_id)


def seconds_for(remaining: float | None, default: float, limit: float) -> float:
    """How long a call may take: the caller's deadline, the default without one, never more than the limit."""
    return min(default if remaining is None else remaining, limit)


def _check_request_id(request_id: str) -> None:
    if not request_id:
        violation = FieldViolation("request_id", "It is empty; give the same id again when you retry.")
        raise invalid("The request has no request_id.", violation, reason="REQUEST_ID_MISSING")
    if len(request_id) > LONGEST_REQUEST_ID:
        violation = FieldViolation("request_id", f"It is longer than {LONGEST_REQUEST_ID} characters.")
        raise invalid("The request_id is too long.", violation, reason="REQUEST_ID_TOO_LONG")


def _is_text(field: Any) -> bool:
    return field is not None and field.type == field.TYPE_STRING and not field.is_repeated


def _other_tenant() -> ServiceError:
    return ServiceError(Code.PERMISSION_DENIED, "The token is another tenant's.", reason=Refusal.WRONG_TENANT.value)


def _tenant_not_named() -> ServiceError:
    return ServiceError(
        Code.PERMISSION_DENIED, f"A service's call for a tenant names it in {TENANT_METADATA}.", reason="TENANT_MISSING"
    )
