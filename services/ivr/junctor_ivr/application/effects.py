"""What follows from the journal: each awaited media verb is asked of cti, and a refusal becomes a fact."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from junctor.ivr.v1 import ivr_pb2
from junctor_journal.aggregates import AggregateFold
from junctor_service.clock import Clock
from junctor_service.effect_tasks import EffectTasks
from junctor_service.ids import step_request_id
from junctor_service.telemetry import Telemetry
from junctor_service.trace_context import contact_traceparent

from junctor_ivr.application.mapping import MAPPING
from junctor_ivr.domain.session import Session

Report = Callable[..., Awaitable[None]]


class Prompter(Protocol):
    """The outside world of a flow."""

    async def request(self, tenant: str, prompt: ivr_pb2.PromptRequested, request_id: str) -> None:
        """Begins a media verb; a repeat with the same `request_id` changes nothing. Its end comes as an event of cti.

        Raises an exception with `retryable`.
        """


class FlowEffects:
    """Made for entries that this process owns; repeated from the state after a crash or a change of owner.

    A verb that cti cannot be asked for is tried again until it is answered, no longer awaited, or past `expires_at`,
    when the session's own timer ends it.
    """

    def __init__(
        self, tasks: EffectTasks, prompter: Prompter, report: Report, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._tasks = tasks
        self._prompter = prompter
        self._report = report
        self._telemetry = telemetry
        self._clock = clock
        self._awaited: dict[int, dict[tuple[str, str], str]] = {}

    def on_entry(self, partition: int, entry: Any, mine: bool) -> None:
        if not mine:
            return
        awaited = self._awaited.setdefault(partition, {})
        for event in entry.events:
            match event.message:
                case ivr_pb2.FlowNodeEntered() | ivr_pb2.FlowEnded():
                    awaited.pop((entry.tenant, entry.stream), None)
                case ivr_pb2.PromptRequested() as prompt:
                    self._ask(partition, entry.tenant, prompt, entry.input.traceparent)

    def on_ready(self, partition: int, fold: Any) -> None:
        self._awaited[partition] = {}
        for (tenant, _), session in cast(AggregateFold[Session], fold).streams().items():
            if session.awaiting is not None:
                prompt = cast(ivr_pb2.PromptRequested, MAPPING.to_message(session.awaiting))
                self._ask(partition, tenant, prompt, "")

    def on_lost(self, partition: int) -> None:
        self._awaited.pop(partition, None)
        self._tasks.end(partition)

    def _ask(self, partition: int, tenant: str, prompt: ivr_pb2.PromptRequested, traceparent: str) -> None:
        contact = prompt.contact_id
        request_id = step_request_id(contact, f"prompt {prompt.verb_id}", prompt.expires_at)
        self._awaited[partition][tenant, contact] = request_id

        async def ask() -> None:
            if not self._is_awaited(partition, tenant, contact, request_id):
                return
            if self._clock.now_ms() >= prompt.expires_at:
                return
            with self._telemetry.span(
                "ivr.step",
                traceparent=traceparent or _trace_of(contact),
                attributes={"verb": prompt.verb_id},
            ):
                await self._prompter.request(tenant, prompt, request_id)

        async def failed(error: Exception) -> None:
            await self._report(
                ivr_pb2.MediaVerbReported(contact_id=contact, verb_id=prompt.verb_id, cause="failed"),
                id=f"{tenant}/ivr/{request_id}/failed",
                tenant=tenant,
                stream=contact,
                correlation_id=contact,
                causation_id=request_id,
                traceparent=traceparent,
            )

        self._tasks.start(partition, request_id, ask, failed)

    def _is_awaited(self, partition: int, tenant: str, contact: str, request_id: str) -> bool:
        return self._awaited.get(partition, {}).get((tenant, contact)) == request_id


def _trace_of(contact_id: str) -> str:
    try:
        return contact_traceparent(contact_id)
    except ValueError:
        return ""
