"""From the journal to the world: after each valid entry of this slot, what the call's state asks for is started."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from junctor.cti.v1 import cti_pb2
from junctor.router.v1 import router_pb2
from junctor_journal.entry_read import EntryRead
from junctor_service.client import rpc
from junctor_service.effect_tasks import EffectTasks
from junctor_service.ids import step_request_id
from junctor_service.telemetry import Telemetry
from junctor_service.trace_context import contact_traceparent

from junctor_cti.application.calls import device_stream
from junctor_cti.application.performer import Peers, Performer, disown
from junctor_cti.application.relay_performer import RelayPerformer
from junctor_cti.application.roll_call import RollCalls
from junctor_cti.application.slot import Slot
from junctor_cti.domain.device import Device
from junctor_cti.domain.relay import contact_of
from junctor_cti.domain.todo import Todo, relay_todo, todo

log = logging.getLogger(__name__)

DEVICE_STATES = {"idle": router_pb2.DEVICE_STATE_IDLE, "unregistered": router_pb2.DEVICE_STATE_UNREGISTERED}


class CallEffects:
    """The journal's `Effects` of `cti`. `done` keeps what this process did for live calls, so that it is not repeated."""

    def __init__(self, tasks: EffectTasks, telemetry: Telemetry) -> None:
        self._tasks = tasks
        self._telemetry = telemetry
        self._slots: dict[int, tuple[Slot, Performer, RelayPerformer, Peers]] = {}
        self._roll_calls: dict[int, RollCalls] = {}
        self._done: dict[str, set[str]] = {}
        self._takeovers: set[asyncio.Task[None]] = set()

    def serve(self, slot: Slot, performer: Performer, relays: RelayPerformer, peers: Peers) -> None:
        """The slot is one of this process."""
        self._slots[slot.partition] = (slot, performer, relays, peers)
        self._roll_calls[slot.partition] = RollCalls(slot, self._tasks, peers.router)

    def on_entry(self, partition: int, entry: EntryRead, mine: bool) -> None:
        if not mine or partition not in self._slots:
            return
        slot, _, _, peers = self._slots[partition]
        body = entry.body
        if isinstance(body, cti_pb2.OfferReported) and entry.outcome.refusal is not None:
            self._tasks.start(
                partition,
                f"{entry.stream}/disown/{body.reservation_id}",
                lambda: disown(peers, entry.tenant, body.contact_id, body.reservation_id),
            )
        for event in entry.events:
            if event.type == "junctor.contact.v1.ContactOpened":
                slot.know_contact(entry.tenant, entry.stream)
                self._telemetry.start_contact_span(entry.stream, "contact", {"channel": "voice"}).end()
        if slot.ready:
            self._look(slot, entry.tenant, entry.stream)
            if isinstance(body, cti_pb2.FenceRaised):
                self._roll_calls[partition].begun(body.partition, body.site_epoch)
            self._roll_calls[partition].look()
            if any(_parts(event.message) for event in entry.events):
                self._roll_calls[partition].parted()

    def on_ready(self, partition: int, fold: Any) -> None:
        if partition not in self._slots:
            return
        task = asyncio.create_task(self._take_over(partition), name=f"take over {partition}")
        self._takeovers.add(task)
        task.add_done_callback(self._takeovers.discard)

    def on_lost(self, partition: int) -> None:
        if partition in self._slots:
            self._slots[partition][0].lose()
            self._tasks.end(partition)

    async def _take_over(self, partition: int) -> None:
        slot = self._slots[partition][0]
        try:
            await slot.take_over()
        except OSError as error:
            log.error("the edge cannot listen", extra={"partition": partition, "error": str(error)})
            raise
        self._done.clear()
        for tenant, stream in list(slot.fold.streams()):
            self._look(slot, tenant, stream)
        self._roll_calls[partition].all_begun()

    def _look(self, slot: Slot, tenant: str, stream: str) -> None:
        line = slot.fold.get(tenant, stream)
        slot.devices.see(stream, line)
        _, performer, relays, _ = self._slots[slot.partition]
        if line is None:
            self._done.pop(stream, None)
            slot.forget(stream)
        elif line.call is not None:
            self._start(slot, stream, performer, todo(line.call))
        elif line.relay is not None:
            slot.know_contact(tenant, stream)
            self._start(slot, stream, relays, relay_todo(line.relay))
        elif line.device is not None and line.device.reported < line.device.changes:
            self._report(slot, line.device)

    def _start(self, slot: Slot, stream: str, performer: Performer | RelayPerformer, asked_for: Iterable[Todo]) -> None:
        done = self._done.setdefault(stream, set())
        for wanted in asked_for:
            if wanted.key in done:
                continue
            self._tasks.start(
                slot.partition,
                f"{stream}/{wanted.key}",
                lambda wanted=wanted: self._do(performer, stream, wanted, done),  # type: ignore[misc]
                lambda error, wanted=wanted: performer.failed(stream, wanted, error),  # type: ignore[misc]
                performer.tries(wanted),
            )

    async def _do(self, performer: Performer | RelayPerformer, stream: str, wanted: Todo, done: set[str]) -> None:
        with self._telemetry.span(
            "cti.step", traceparent=contact_traceparent(contact_of(stream)), attributes={"step": wanted.key}
        ):
            await performer.do(stream, wanted)
        done.add(wanted.key)

    def _report(self, slot: Slot, device: Device) -> None:
        """The router is told what the phone does; a phone that is nobody's is only noted."""
        changes, state = device.changes, device.state
        found = slot.entry_points.agent_of_device(device.device)
        peers = self._slots[slot.partition][3]

        async def report() -> None:
            if found is not None:
                request = router_pb2.ReportDeviceRequest(
                    request_id=step_request_id(f"{slot.site}/{device.tenant}/{device.device}", "device", changes),
                    tenant=device.tenant,
                    agent_id=found[1],
                    state=DEVICE_STATES[state],
                    edge=slot.agents_edge,
                )
                await rpc(peers.router.ReportDevice(request, timeout=5))
            await told()

        async def told(_: Exception | None = None) -> None:
            fact = cti_pb2.DeviceReported(tenant=device.tenant, device=device.device, changes=changes)
            stream = device_stream(device.device)
            await slot.record(fact, f"{stream}/reported/{changes}/{device.tenant}", device.tenant, stream)

        self._tasks.start(slot.partition, f"{device.tenant}/{device.device}/{changes}", report, told)


def _parts(event: Any) -> bool:
    """Whether a phone of this edge has let go of a contact of another site."""
    return isinstance(event, cti_pb2.RelayStateChanged) and event.state == "ended"
