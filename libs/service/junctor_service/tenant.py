"""The tenant of a call and of a record: header names, the current one, the key of a record."""

from __future__ import annotations

import re
from collections.abc import Iterable

from junctor_service.errors import Code, ServiceError
from junctor_service.tokens import EVERY_TENANT, current_principal

TENANT_METADATA = "x-junctor-tenant"
TENANT_HEADER = "tenant"
SITE_HEADER = "site"
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def is_tenant(text: str) -> bool:
    """Whether it can be a tenant's id: 1-63 lower-case letters, digits and hyphens."""
    return _TENANT.fullmatch(text) is not None


def current_tenant() -> str:
    """The tenant that the current call is for. Raises `ServiceError` (INVALID_ARGUMENT) if it is for none."""
    principal = current_principal()
    if principal is None or principal.tenant == EVERY_TENANT:
        raise ServiceError(
            Code.INVALID_ARGUMENT,
            f"The call names no tenant in its metadata {TENANT_METADATA}.",
            reason="TENANT_MISSING",
        )
    return principal.tenant


def require_same_tenant(tenant: str) -> None:
    """Raises `ServiceError` (PERMISSION_DENIED) if the current call is not for this tenant."""
    if current_tenant() != tenant:
        raise ServiceError(Code.PERMISSION_DENIED, "This belongs to another tenant.", reason="OTHER_TENANT")


def record_key(tenant: str, stream: str) -> str:
    """The key of a record: `<tenant>/<stream>`. Raises `ValueError` for what is no tenant."""
    if not is_tenant(tenant):
        raise ValueError(f"{tenant!r} is not a tenant's id")
    return f"{tenant}/{stream}"


def split_key(key: str) -> tuple[str, str]:
    """Tenant and stream of a record's key. Raises `ValueError`."""
    tenant, slash, stream = key.partition("/")
    if not slash or not is_tenant(tenant):
        raise ValueError(f"{key!r} is not <tenant>/<stream>")
    return tenant, stream


def tenant_of_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> str | None:
    """The tenant that a call's metadata name, if any."""
    for name, value in metadata or ():
        if name == TENANT_METADATA:
            return value if isinstance(value, str) else value.decode("ascii", "replace")
    return None
