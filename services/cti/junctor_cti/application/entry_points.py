"""What a called number leads to, and whose phone a SIP user is: look-ups in the directory's replica."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from junctor.directory.v1 import directory_pb2
from junctor_journal.replica import Replica
from junctor_journal.state_index import StateIndex
from junctor_service.pools import DEFAULT_POOL, partition_of_pool

DEFAULT_LANGUAGE = "en"
PREFIX_DIGITS = 6
UNREACHABLE_AFTER_MS = 30_000
"""How long a contact waits for a leader who cannot be reached, where its plan does not say."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Where a call to a number goes."""

    tenant: str
    number: str
    flow: str
    language: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unreachable:
    """What a contact in line gets while nobody who decides for it is reached, after so many milliseconds; "" for nothing."""

    treatment: str
    after_ms: int
    prompt: str


class EntryPoints:
    """The directory's numbers and agents as `cti` needs them."""

    def __init__(self, replica: Replica[directory_pb2.DirectoryValue]) -> None:
        self._replica = replica
        self._numbers = StateIndex(replica, "number", lambda item: item.id)
        self._devices = StateIndex(replica, "agent", lambda item: item.value.value.agent.device)

    def of_number(self, number: str) -> EntryPoint | None:
        """The tenant's entry point of a called number; the number decides the tenant."""
        for item in self._numbers.find(number):
            value = item.value.value.number
            return EntryPoint(
                item.tenant, number, value.flow, value.language or self._language(item.tenant), dict(value.data)
            )
        return None

    def blocked(self, tenant: str, caller_hash: str, now: int) -> bool:
        item = self._replica.get(tenant, "block", caller_hash)
        if item is None:
            return False
        until = item.value.value.block.until
        return until == 0 or until > now

    def credential(self, user: str) -> Mapping[str, str] | None:
        """HA1 by algorithm of the agent's phone with this SIP user; None for an unknown one."""
        found = self.agent_of_device(user)
        if found is None:
            return None
        item = self._replica.get(found[0], "agent", found[1])
        return dict(item.value.value.agent.device_ha1) if item is not None else None

    def agent_of_device(self, device: str) -> tuple[str, str] | None:
        """Tenant and agent whose phone it is."""
        for item in self._devices.find(device):
            return item.tenant, item.id
        return None

    def unreachable(self, tenant: str, queue: str) -> Unreachable:
        """What the queue's plan says of a pool that cannot be reached."""
        found = self._replica.get(tenant, "queue", queue)
        plan = self._replica.get(tenant, "plan", found.value.value.queue.plan) if found is not None else None
        if plan is None:
            return Unreachable("", 0, "")
        value = plan.value.value.plan
        return Unreachable(
            value.unreachable, value.unreachable_after_ms or UNREACHABLE_AFTER_MS, value.unreachable_prompt
        )

    def partition(self, tenant: str, queue: str, partitions: int) -> int:
        """The router's partition of the queue's pool: the directory's, else by the pool's name."""
        found = self._replica.get(tenant, "queue", queue)
        pool = (found.value.value.queue.pool if found is not None else "") or DEFAULT_POOL
        return partition_of_pool(self._replica, tenant, pool, partitions)

    def _language(self, tenant: str) -> str:
        item = self._replica.get(tenant, "tenant", "self")
        return (item.value.value.tenant.language if item is not None else "") or DEFAULT_LANGUAGE


def caller_data(number: str) -> dict[str, str]:
    """What a flow may know of the caller: the number's first digits, too few to name a person."""
    return {"caller_prefix": number[: PREFIX_DIGITS + number.startswith("+")]} if number else {}
