"""One edge slot: the SIP edge, the media server and the journal partition that belong together in this process.

A slot's partition is owned by whoever holds its sockets. `take_over` gives the edge back every leg and binding that the
journal has, before the first packet is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message
from junctor_journal.aggregates import AggregateFold
from junctor_journal.ledger import Ledger
from junctor_service.arrivals import Arrivals
from junctor_service.clock import Clock
from junctor_service.commands import Commands
from junctor_service.ids import edge_id
from junctor_service.personal_data import Sealer
from junctor_service.tokens import EVERY_TENANT
from junctor_service.trace_context import contact_traceparent

from junctor_cti.application.calls import call_of, fence_stream, relay_of
from junctor_cti.application.device_slots import DeviceSlots
from junctor_cti.application.edge_events import EdgeEvents
from junctor_cti.application.entry_points import EntryPoints
from junctor_cti.application.facts import Facts
from junctor_cti.application.other_sites import OtherSites
from junctor_cti.application.ports.edge import BadRecord, Edge, UnknownLeg, WrongState
from junctor_cti.application.ports.media import MediaPort
from junctor_cti.application.redials import Redials
from junctor_cti.domain.call import Call, Leg
from junctor_cti.domain.decide import Line
from junctor_cti.domain.device import STREAM, Device
from junctor_cti.domain.relay import Relay, contact_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Whose:
    """What a leg at the edge belongs to: `contact_id` is the stream of a call or of a relay, `customer` the side that
    came in."""

    tenant: str
    contact_id: str
    customer: bool
    reservation_id: str = ""


class Slot:
    """`legs` tells whose a leg is; `ready` means that the edge has all legs of the journal and the partition is ours."""

    def __init__(
        self,
        partition: int,
        site: str,
        ledger: Ledger,
        commands: Commands,
        facts: Facts,
        media: MediaPort,
        entry_points: EntryPoints,
        sealer: Sealer,
        clock: Clock,
        log_available: Callable[[], bool],
        new_edge: Callable[[EdgeEvents, Callable[[], bool]], Edge],
        others: OtherSites,
        redials: Redials,
        arrivals: Arrivals,
    ) -> None:
        self.partition = partition
        self.site = site
        self.media = media
        self.facts = facts
        self.entry_points = entry_points
        self.sealer = sealer
        self.clock = clock
        self.others = others
        self.redials = redials
        self.arrivals = arrivals
        self.devices = DeviceSlots()
        self.legs: dict[str, Whose] = {}
        self.ready = False
        self.events = EdgeEvents(self)
        self.edge = new_edge(self.events, lambda: self.takes_calls)
        self._edge_started = False
        self._log_available = log_available
        self._ledger = ledger
        self._commands = commands
        self._tenants: dict[str, str] = {}

    @property
    def agents_edge(self) -> str:
        """The edge of the agents whose phones are registered here, as the router knows it."""
        return f"{edge_id('cti', self.site)}/{self.partition}"

    @property
    def partitions(self) -> int:
        """How many the router's journal has, as every service's does."""
        return self._ledger.partitions

    @property
    def takes_calls(self) -> bool:
        """False while the journal cannot be written: what begins now could not be told."""
        return self.ready and not self.facts.away and self._log_available()

    @property
    def fold(self) -> AggregateFold[Line]:
        """The partition as the journal has it; read only."""
        return self._ledger.state(self.partition)  # type: ignore[return-value]

    @property
    def live_calls(self) -> int:
        """Calls of this slot that are not closed; 0 while the slot is not served."""
        if not self.ready:
            return 0
        return sum(line.call is not None and line.call.state != "closed" for line in list(self.fold.streams().values()))

    def know(self, leg_id: str, tenant: str, contact_id: str, *, customer: bool, reservation_id: str = "") -> None:
        self.legs[leg_id] = Whose(tenant, contact_id, customer, reservation_id)
        self._tenants[contact_id] = tenant

    def know_contact(self, tenant: str, contact_id: str) -> None:
        self._tenants[contact_id] = tenant

    def call(self, contact_id: str) -> Call | None:
        """The call as the journal has it, if it is of this slot."""
        tenant = self._tenants.get(contact_id)
        return call_of(self.fold, tenant, contact_id) if tenant is not None else None

    def relay(self, stream: str) -> Relay | None:
        """The relay as the journal has it, if it is of this slot."""
        tenant = self._tenants.get(stream)
        return relay_of(self.fold, tenant, stream) if tenant is not None else None

    def stale(self, partition: int, site_epoch: int) -> bool:
        """Whether a later site epoch of the router's partition is known here: nothing is done for an older one."""
        line = self.fold.get(EVERY_TENANT, fence_stream(partition))
        return line is not None and site_epoch < line.fence

    def forget(self, contact_id: str) -> None:
        """The call or relay is over and nothing is owed."""
        self._tenants.pop(contact_id, None)
        for leg_id in [leg_id for leg_id, whose in self.legs.items() if whose.contact_id == contact_id]:
            del self.legs[leg_id]
            self.edge.forget(leg_id)

    async def record(self, fact: Message, id: str, tenant: str, stream: str) -> Any:
        """The recorded outcome of a fact of this edge; its personal data are sealed with the contact's key."""
        contact = "" if stream.startswith(STREAM) else contact_of(stream)
        input = self._commands.fact(
            self.sealer.seal(fact, tenant, contact or stream),
            id=f"cti/{id}",
            tenant=tenant,
            stream=stream,
            correlation_id=contact,
            traceparent=contact_traceparent(contact) if contact else "",
        )
        return await self.facts.record(input)

    def at_edge(self, command: Callable[..., None], leg_id: str, *arguments: Any) -> None:
        """Gives the edge a command for a leg that may have moved on meanwhile: then nothing is sent."""
        try:
            command(leg_id, *arguments)
        except (UnknownLeg, WrongState) as error:
            log.info("leg moved on meanwhile", extra={"leg_id": leg_id, "error": str(error)})

    def open(self, text: str, tenant: str) -> str:
        """A sealed text of a call."""
        return self.sealer.unseal_text(text, tenant)

    def open_record(self, record: bytes, tenant: str) -> bytes:
        """A sealed record of a leg or a binding."""
        return self.sealer.unseal_text(record.decode("latin-1"), tenant).encode("latin-1")

    async def take_over(self) -> None:
        """The partition is ours: the edge adopts what the journal has of its legs and devices."""
        spooled = self.facts.reload()
        if not self._edge_started:
            await self.edge.start()
            self._edge_started = True
        legs = 0
        for (_, stream), line in list(self.fold.streams().items()):
            self.devices.see(stream, line)
            if line.device is not None:
                self._adopt_device(line.device)
            elif line.relay is not None:
                legs += self._adopt_relay(line.relay)
            elif line.call is not None:
                legs += self._adopt_call(line.call)
        self.ready = True
        log.info("slot is served", extra={"partition": self.partition, "legs": legs, "spooled_facts": spooled})

    def lose(self) -> None:
        """Another process has the partition, or the journal is rebuilt: nothing new is taken."""
        self.ready = False

    async def stop(self) -> None:
        self.ready = False
        await self.events.stop()
        await self.facts.stop()
        if self._edge_started:
            await self.edge.stop()

    def _adopt_call(self, call: Call) -> int:
        whose = Whose(call.tenant, call.contact_id, customer=True)
        adopted = self._adopt_leg(whose, call.customer)
        for leg in (call.agent, *call.leaving):
            if leg is not None:
                reservation = call.offer.reservation_id if call.offer is not None and leg is call.agent else ""
                adopted += self._adopt_leg(replace(whose, customer=False, reservation_id=reservation), leg)
        return adopted

    def _adopt_relay(self, relay: Relay) -> int:
        whose = Whose(relay.tenant, relay.stream, customer=True, reservation_id=relay.reservation_id)
        legs = [leg for leg in (relay.phone, *relay.leaving) if leg is not None]
        return self._adopt_leg(whose, relay.trunk) + sum(
            self._adopt_leg(replace(whose, customer=False), leg) for leg in legs
        )

    def _adopt_leg(self, whose: Whose, leg: Leg) -> int:
        self.know(leg.id, whose.tenant, whose.contact_id, customer=whose.customer, reservation_id=whose.reservation_id)
        if leg.phase == "gone":
            return 0
        try:
            self.edge.state(leg.id)
        except UnknownLeg:
            try:
                self.edge.adopt(self.open_record(leg.record, whose.tenant))
            except BadRecord as error:
                log.error("leg cannot be taken over", extra={"leg_id": leg.id, "error": str(error)})
                return 0
            return 1
        return 0

    def _adopt_device(self, device: Device) -> None:
        for binding in device.bindings:
            self.edge.restore_binding(self.open_record(binding.record, device.tenant))
