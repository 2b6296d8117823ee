"""What every service stands on, put together once: log, tokens, telemetry, sealing, replica, server.

A service's `bootstrap.bind` makes one `Foundation`, takes from it what it needs, and ends with `service(...)`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from importlib.metadata import version
from typing import Any, TypeVar

from junctor.directory.v1 import directory_pb2
from junctor.journal.v1 import journal_pb2
from junctor.site.v1 import site_pb2_grpc
from junctor_journal import topics
from junctor_journal.apply import Fold
from junctor_journal.events import Event
from junctor_journal.kafka import KafkaLog
from junctor_journal.ledger import Effects, Ledger, LedgerSettings
from junctor_journal.owner_settings import OwnerSettings
from junctor_journal.pump import GroupPump, Pump
from junctor_journal.replica import Replica
from junctor_journal.subscription import Subscription

from junctor_service.audit import KafkaAudit
from junctor_service.client import Channels
from junctor_service.clock import SystemClock
from junctor_service.commands import Commands
from junctor_service.drain import remaining
from junctor_service.effect_tasks import EffectTasks
from junctor_service.health import Health
from junctor_service.heartbeats import Heartbeats, Standing
from junctor_service.metrics_page import MetricsPage
from junctor_service.personal_data import Sealer, open_sealer
from junctor_service.probes import ProbeServer
from junctor_service.reactions import Reactions
from junctor_service.run import Component, Service
from junctor_service.server import GrpcServer, Servicing
from junctor_service.settings import CommonSettings, HostPort
from junctor_service.site_shift import SiteServicer
from junctor_service.telemetry import Telemetry
from junctor_service.tls import brokers_from
from junctor_service.token_source import workload_tokens
from junctor_service.trace_context import contact_traceparent
from junctor_service.two_sites import SiteParts, two_sites
from junctor_service.verifier import verifier_from

S = TypeVar("S")

DIRECTORY_STATE = topics.state("directory")
_STATES_SECONDS, _LARGE_SECONDS, _OWNERS_SECONDS = 20.0, 1.0, 2.0
"""How long the journal's states may hold up the replica; from when on they are large; how long their owners may then."""


class Foundation:
    """The shared parts of one service. Parts are made when asked for; `service` gives them in the order to start."""

    def __init__(self, name: str, settings: CommonSettings) -> None:
        self.name = name
        self.settings = settings
        self.health = Health(name)
        self.clock = SystemClock()
        self.brokers = brokers_from(settings)
        self.log = KafkaLog(self.brokers, client_id=f"{name}-{settings.site}")
        self.telemetry = Telemetry(name, settings, append=self.append)
        self.telemetry.gauge("junctor.service.ready", lambda: float(self.health.ready))
        self.audit = KafkaAudit(name, settings, append=self.append)
        self.verifier = verifier_from(settings)
        self.channels = Channels(workload_tokens(settings, name), telemetry=self.telemetry, settings=settings)
        self.effects = EffectTasks(name)
        self._ledger: Ledger | None = None
        self._replica: Replica[directory_pb2.DirectoryValue] | None = None
        self._sites: SiteParts | None = None
        self._heartbeats: Heartbeats | None = None
        self._reactions: list[Component] = []

    async def append(self, topic: str, key: str, value: bytes, headers: Mapping[str, str]) -> None:
        """Writes one record: the `Append` port of telemetry and audit."""
        await self.log.producer().send(topic, key.encode(), value, [(k, v.encode()) for k, v in headers.items()])

    @property
    def address(self) -> str:
        """Where others reach this process."""
        return str(self.settings.grpc_advertise or self.settings.grpc_listen)

    @property
    def instance(self) -> str:
        """Names this process across its restarts: a static member of its groups, which need not wait for its session."""
        return f"{self.name}-{self.settings.site}-{self.address}".replace(":", "-")

    @cached_property
    def probes(self) -> Sequence[Component]:
        """Health and metrics on addresses of their own, where the settings want them; to be started first."""
        probe, metrics = self.settings.probe_listen, self.settings.metrics_listen
        labels = {"service": self.name, "site": self.settings.site}
        found: list[Component] = [ProbeServer(self.health, probe)] if probe else []
        return [*found, MetricsPage(metrics, self.telemetry.points, labels)] if metrics else found

    @cached_property
    def sealer(self) -> Sealer:
        """Seals personal data with the keys of this service's key store."""
        return open_sealer(self.settings)

    def ledger(
        self,
        new_fold: Callable[[], Fold],
        effects: Effects,
        *,
        pump: Pump | None = None,
        route: Callable[[journal_pb2.Input], int] | None = None,
        timers_wait: Callable[[int], bool] | None = None,
    ) -> Ledger:
        """The service's journal in this process; of two sites' where the settings name another one and the service is one
        whose partitions sites lead in turn. `timers_wait`: see `OwnerSettings`."""
        self._sites = two_sites(self.name, self.settings, self.log) if self.name in topics.LED else None
        self._ledger = Ledger(
            self.name,
            self.log,
            new_fold,
            effects,
            settings=LedgerSettings(
                site=self.settings.site,
                address=self.address,
                instance_id=self.instance,
                owner=OwnerSettings(correlate=_contact_of, timers_wait=timers_wait),
            ),
            pump=pump or GroupPump(),
            clock=self.clock.now_ms,
            route=route,
            sites=None if self._sites is None else self._sites.sites,
        )
        return self._ledger

    def heartbeats(self, *, slot: str = "", hears: bool = False) -> Heartbeats | None:
        """That this process lives is told to both sites; a service that is led, or `hears`, hears all who tell. None
        where there is one site. `slot` names what it serves of an edge that holds slots of agents."""
        other = self.settings.other_site
        if self._heartbeats is None and other is not None:
            self._heartbeats = Heartbeats(
                self.name,
                self.settings.site,
                other,
                self.log,
                slot=slot,
                hears=hears or self.name in topics.LED,
                standing=self._standing,
            )
        return self._heartbeats

    def _standing(self) -> Standing:
        """Raises `Restoring` while the journal is read for the first time: then nothing is told."""
        ledger = self._ledger
        if self._sites is None or ledger is None:
            return Standing()
        count = ledger.partitions
        directory = "" if self._replica is None else self._replica.digest
        return Standing(
            version=version(f"junctor-{self.name}"),
            configuration=f"{count} partitions {directory}".strip(),
            positions=[ledger.position(partition) for partition in range(count)],
            leads=sorted(ledger.owned()),
        )

    def _site_servicers(self) -> list[Servicing]:
        """What a led service of two sites serves beside its own."""
        heartbeats, ledger = self.heartbeats(), self._ledger
        if self._sites is None or heartbeats is None or ledger is None:
            return []
        servicer = SiteServicer(
            self.name,
            self.settings.site,
            self._sites.sites.other,
            ledger,
            self._sites.lead,
            heartbeats,
            self._standing,
            self.audit,
            lambda address: site_pb2_grpc.SiteServiceStub(self.channels.channel(address)),
        )
        return [(site_pb2_grpc.add_SiteServiceServicer_to_server, servicer)]

    @property
    def commands(self) -> Commands:
        """From RPCs to this service's journal; `ledger` first."""
        assert self._ledger is not None, "ledger() first"
        return Commands(self._ledger, self.name, self.settings.site)

    def replica(self) -> Replica[directory_pb2.DirectoryValue]:
        """The directory's values in memory, read to the end before the service is ready."""
        if self._replica is None:
            self._replica = Replica(self.log, DIRECTORY_STATE, directory_pb2.DirectoryValue)
        return self._replica

    def react(self, event_topics: Sequence[str], react: Callable[[Event], Iterable[journal_pb2.Input]]) -> None:
        """Other services' events become inputs of this one."""
        assert self._ledger is not None, "ledger() first"
        group = f"junctor.{self.name}.reactions"
        subscription = Subscription(self.brokers, group, event_topics, instance_id=self.instance)
        self._reactions.append(Reactions(self.name, subscription, self._ledger, react))

    def stub(self, stub_class: Callable[[Any], S], address: HostPort | str | None) -> S:
        """A client of another service: workload token, deadline, retries while UNAVAILABLE."""
        if address is None:
            raise ValueError(f"{self.name} needs the address of {stub_class}; set JUNCTOR_<SERVICE>_ADDRESS.")
        return stub_class(self.channels.channel(str(address)))

    def service(
        self,
        servicers: Sequence[tuple[Any, Any]],
        components: Iterable[Component] = (),
        before: Iterable[Component] = (),
        state_first: bool = False,
    ) -> Service:
        """All parts, in the order to start: log, telemetry, replica, `before`, ledger, `components`, reactions, server.

        `state_first`: of a service whose owner decides by its state alone: the ledger starts first, and the replica is
        read once the journal's states are, so that a restart decides again as soon as it can.
        """
        server = GrpcServer(
            self.name,
            self.settings,
            [*servicers, *self._site_servicers()],
            verifier=self.verifier,
            audit=self.audit,
            health=self.health,
            telemetry=self.telemetry,
        )
        parts: list[Component] = [
            *self.probes,
            _Log(self.log),
            self.telemetry,
            self.audit,
            self.verifier,
            self.channels,
        ]
        replica: list[Component] = []
        if self._replica is not None:
            replica.append(_Replica(self._replica, self._ledger if state_first else None))
        if not state_first:
            parts.extend(replica)
        parts.append(_Effects(self.effects))
        parts.extend(before)
        if self._sites is not None:
            parts.extend(self._sites.components)
        if self._ledger is not None:
            parts.append(_Ledger(self._ledger))
        if state_first:
            parts.extend(replica)
        if self._heartbeats is not None:
            parts.append(self._heartbeats)
        return Service(self.name, [*parts, *components, *self._reactions, server], self.settings, health=self.health)


def _contact_of(stream: str) -> tuple[str, str]:
    """What a timer does belongs to the stream's contact and its trace; streams that are no contacts have neither."""
    try:
        return stream, contact_traceparent(stream)
    except ValueError:
        return "", ""


class _Log:
    name = "log"

    def __init__(self, log: KafkaLog) -> None:
        self._log = log

    @property
    def ready(self) -> bool:
        return self._log.available

    async def start(self) -> None:
        await self._log.start()

    async def stop(self, deadline: float) -> None:
        await self._log.stop()


class _Replica:
    name = "directory replica"

    def __init__(self, replica: Replica[directory_pb2.DirectoryValue], after: Ledger | None) -> None:
        self._replica = replica
        self._after = after

    @property
    def ready(self) -> bool:
        return self._replica.ready

    async def start(self) -> None:
        if self._after is not None:
            await _decides(self._after)
        await self._replica.start()

    async def stop(self, deadline: float) -> None:
        await self._replica.stop()


async def _decides(ledger: Ledger) -> None:
    """Waits for the states, and where they are large for their owners too: reading the replica would take their time."""
    began = time.monotonic()
    with suppress(TimeoutError):
        await asyncio.wait_for(ledger.follower.wait_ready(), _STATES_SECONDS)
        if time.monotonic() - began > _LARGE_SECONDS:
            async with asyncio.timeout(_OWNERS_SECONDS):
                while not ledger.deciding:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)


class _Ledger:
    name = "ledger"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def ready(self) -> bool:
        return self._ledger.ready

    async def start(self) -> None:
        await self._ledger.start()

    async def stop(self, deadline: float) -> None:
        await self._ledger.stop(max(0.1, remaining(deadline)))


class _Effects:
    name = "effects"
    ready = True

    def __init__(self, tasks: EffectTasks) -> None:
        self._tasks = tasks

    async def start(self) -> None:
        return

    async def stop(self, deadline: float) -> None:
        await self._tasks.drain(max(0.0, remaining(deadline) / 2))
