"""Audit: refusals and privileged acts go to `junctor.audit.v1`, and as a line to the log."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from junctor.audit.v1 import audit_pb2

from junctor_service import ids
from junctor_service.append import Append
from junctor_service.clock import Clock, SystemClock
from junctor_service.drain import remaining
from junctor_service.settings import CommonSettings
from junctor_service.tenant import SITE_HEADER, TENANT_HEADER, is_tenant
from junctor_service.tokens import Principal
from junctor_service.trace_context import current_trace_id

log = logging.getLogger(__name__)

TOPIC = "junctor.audit.v1"
NO_TENANT = "none"
QUEUE_LIMIT = 10_000
RETRY_PAUSE = 0.5


class Outcome(Enum):
    """How an audited act ended."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    FAILED = "failed"


class Audit(Protocol):
    """Where audited acts are recorded."""

    def record(
        self,
        action: str,
        principal: Principal | None,
        tenant: str,
        outcome: Outcome,
        reason: str = "",
        target: str = "",
    ) -> None:
        """Records one act; never blocks, never raises. No personal data in any of the arguments."""


@dataclass(frozen=True, slots=True)
class AuditedAct:
    """What was recorded."""

    action: str
    principal: Principal | None
    tenant: str
    outcome: Outcome
    reason: str
    target: str


class MemoryAudit:
    """Keeps the acts in a list, for tests."""

    def __init__(self) -> None:
        self.acts: list[AuditedAct] = []

    def record(
        self,
        action: str,
        principal: Principal | None,
        tenant: str,
        outcome: Outcome,
        reason: str = "",
        target: str = "",
    ) -> None:
        """See `Audit.record`."""
        self.acts.append(AuditedAct(action, principal, tenant, outcome, reason, target))


class KafkaAudit:
    """Appends the acts to the topic in order, in the background; tries again while Kafka is away.

    10,000 records wait at most; beyond that the newest is not appended and `dropped` counts it. The log has a line for
    each of them in any case. Repeats of a record after a lost acknowledgement have the same id.
    """

    name = "audit"

    def __init__(self, service: str, settings: CommonSettings, append: Append, clock: Clock | None = None) -> None:
        self.dropped = 0
        self._service = service
        self._site = settings.site
        self._append = append
        self._clock = clock or SystemClock()
        self._queue: deque[audit_pb2.AuditRecord] = deque()
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Always once started: a service does its work while the audit waits for Kafka."""
        return self._task is not None

    def record(
        self,
        action: str,
        principal: Principal | None,
        tenant: str,
        outcome: Outcome,
        reason: str = "",
        target: str = "",
    ) -> None:
        """See `Audit.record`."""
        subject = principal.subject if principal else ""
        line = {"action": action, "subject": subject, "audit_tenant": tenant, "outcome": outcome.value}
        log.info("audit", extra={**line, "reason": reason, "target": target})
        if len(self._queue) >= QUEUE_LIMIT:
            self.dropped += 1
            return
        now = self._clock.now_ms()
        self._queue.append(
            audit_pb2.AuditRecord(
                id=ids.uuid7(now),
                time=now,
                site=self._site,
                service=self._service,
                action=action,
                tenant=tenant,
                subject=subject,
                roles=sorted(role.value for role in principal.roles) if principal else [],
                agent_id=(principal.agent_id or "") if principal else "",
                outcome=audit_pb2.AuditOutcome.Value(f"AUDIT_OUTCOME_{outcome.name}"),
                reason=reason,
                target=target,
                trace_id=current_trace_id(),
            )
        )
        self._more.set()

    async def start(self) -> None:
        """Begins to append."""
        self._task = asyncio.create_task(self._keep_appending(), name="audit")

    async def stop(self, deadline: float) -> None:
        """Appends what waits, until the deadline."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        while self._queue and remaining(deadline) > 0:
            try:
                await asyncio.wait_for(self._append_first(), remaining(deadline))
            except Exception:
                await asyncio.sleep(min(RETRY_PAUSE, remaining(deadline)))
        if self._queue:
            log.error("audit records were not appended", extra={"count": len(self._queue)})

    async def _keep_appending(self) -> None:
        failing = False
        while True:
            await self._more.wait()
            try:
                while self._queue:
                    await self._append_first()
                    failing = False
                self._more.clear()
            except Exception as error:
                if not failing:
                    log.warning("audit cannot be appended now", extra={"waiting": len(self._queue)}, exc_info=error)
                failing = True
                await asyncio.sleep(RETRY_PAUSE)

    async def _append_first(self) -> None:
        record = self._queue[0]
        tenant = record.tenant if is_tenant(record.tenant) else NO_TENANT
        headers = {TENANT_HEADER: tenant, SITE_HEADER: self._site}
        await self._append(TOPIC, f"{tenant}/{self._service}", record.SerializeToString(), headers)
        self._queue.popleft()
