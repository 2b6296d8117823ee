"""Who calls, and whether the call may go on: the same checks that the services make again, made before they are asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from google.protobuf.message import Message
from junctor_service.audit import Audit, Outcome
from junctor_service.call_policy import check_request, check_role, for_tenant, rule_of
from junctor_service.errors import Code, ServiceError, unavailable
from junctor_service.tokens import KeysUnavailable, Principal, TokenRefused
from junctor_service.verifier import TokenVerifier

from junctor_gateway.application.catalogue import Method

_AUDITED = frozenset({Code.UNAUTHENTICATED, Code.PERMISSION_DENIED})


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request says of who sends it. `token` and `tenant` are passed on; `principal` once it is admitted."""

    token: str | None
    tenant: str | None = None
    traceparent: str = ""
    principal: Principal | None = None


class Admission:
    """Raises what the caller is told; refusals are audited."""

    def __init__(self, verifier: TokenVerifier, audit: Audit) -> None:
        self._verifier = verifier
        self._audit = audit

    async def admit(self, method: Method, caller: Caller) -> Caller:
        """The caller with its principal. Raises `ServiceError`: UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE."""
        try:
            principal = await self._verifier.verify(caller.token)
            caller = replace(caller, principal=principal)
            check_role(principal, rule_of(method.rpc_path))
            return replace(caller, principal=for_tenant(principal, caller.tenant))
        except TokenRefused as error:
            refused = ServiceError(Code.UNAUTHENTICATED, error.message, reason=error.refusal.value)
            raise self._audited(method, caller, refused) from error
        except KeysUnavailable as error:
            raise unavailable(str(error), reason="TOKEN_KEYS_UNAVAILABLE") from error
        except ServiceError as error:
            raise self._audited(method, caller, error) from None

    def check(self, method: Method, caller: Caller, request: Message) -> None:
        """Fills in tenant and agent, and refuses another's. Raises `ServiceError`."""
        assert caller.principal is not None
        try:
            check_request(caller.principal, request)
        except ServiceError as error:
            raise self._audited(method, caller, error) from None

    def _audited(self, method: Method, caller: Caller, error: ServiceError) -> ServiceError:
        if error.code in _AUDITED:
            principal = caller.principal
            tenant = caller.tenant or (principal.tenant if principal else "")
            self._audit.record(method.rpc_path, principal, tenant, Outcome.REFUSED, error.reason)
        return error
