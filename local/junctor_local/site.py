"""A whole site on this machine: Kafka, ClickHouse, media, token issuer and the services, supervised."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from junctor_journal import topics
from junctor_journal.errors import LogUnavailable
from junctor_journal.kafka import KafkaLog

from junctor_local import memory, places, site_settings, site_state
from junctor_local.child import NotReady
from junctor_local.clickhouse import ClickHouseServer
from junctor_local.kafka import KafkaServer
from junctor_local.mirror import copies_of
from junctor_local.site_parts import ALL_SERVICES, SiteParts
from junctor_local.site_ports import (
    OF_TWO,
    SERVICES,
    PortInUse,
    SitePorts,
    free_site_ports,
    release_ports,
    standard_ports,
)
from junctor_local.site_state import ComponentState, Phase, SiteState
from junctor_local.supervised import Supervised
from junctor_local.tokens import SigningKey, signing_key, workload_secret

# Reports wait for calls, not calls for reports.
GIVES_WAY, NICENESS = frozenset({"clickhouse", "analytics"}), 10


class SiteIsUp(RuntimeError):
    """Another process runs this site; the text has its id and says what to do."""


class Site:
    """One site in one folder; what it wrote there is found again at the next start.

    Its processes are children of this one and end with it, however it ends.
    """

    def __init__(
        self,
        directory: Path,
        *,
        name: str = "a",
        processes: bool = True,
        free_ports: bool = False,
        ports: SitePorts | None = None,
        services: Sequence[str] = SERVICES,
        settings: Mapping[str, str] | None = None,
        without: Collection[str] = (),
        kafka_properties: Mapping[str, str] | None = None,
        before: Sequence[Supervised] = (),
        after: Sequence[Supervised] = (),
    ) -> None:
        """`processes`: one per service, else one for all; `settings` are added to the services' environment and win.
        `without`: of kafka, clickhouse, media and issuer those that no service needs. `kafka_properties` go before ours.
        `before` and `after`: more components, started with Kafka and after the services.

        A setting that names a real Kafka, ClickHouse, media server or issuer keeps the local one from being started.
        """
        self.directory = directory.resolve()
        self.name = name
        self.processes = processes
        self.services = tuple(services)
        self.ports = ports or (free_site_ports() if free_ports else standard_ports())
        self.directory.mkdir(parents=True, exist_ok=True)
        self.kafka = KafkaServer(
            self.directory / "kafka",
            self.ports.numbers["kafka"],
            self.ports.numbers["kafka_controller"],
            properties=kafka_properties,
        )
        self.clickhouse = ClickHouseServer(
            self.directory / "clickhouse", self.ports.numbers["clickhouse_tcp"], self.ports.numbers["clickhouse_http"]
        )
        self.env = {
            **site_settings.environment(
                name,
                self.directory,
                self.ports,
                workload_secret(self.directory / "issuer"),
                self.clickhouse.passwords.junctor,
            ),
            **(settings or {}),
        }
        self._phase: Phase = "starting"
        self._lock: int | None = None
        parts = SiteParts(self.directory, self.ports, self.env, self._write_state)
        real = site_settings.configured(settings or {})
        self._after = tuple(part.name for part in after)
        for part in (*before, *after):
            part.changed = self._write_state
        made = [*before, *self._parts(parts, real), *after]
        self._components = {part.name: part for part in made if part.name not in without}
        for component in GIVES_WAY & self._components.keys():
            self._components[component].child.niceness = NICENESS

    @property
    def key(self) -> SigningKey:
        """The key that the site's tokens are signed with."""
        return signing_key(self.directory / "issuer")

    @property
    def components(self) -> tuple[str, ...]:
        """The names of what this site runs, in the order of their start."""
        return tuple(self._components)

    def address(self, name: str) -> str:
        """Where a component is reached: host:port, or a URL where it has one. KeyError if unknown."""
        return site_settings.addresses(self.ports)[name]

    def pid(self, name: str) -> int | None:
        """The process id of a component while it runs."""
        return self._component(name).child.pid

    def log(self, name: str) -> Path:
        """The log file of a component."""
        return self._component(name).child.log

    def pss_bytes(self) -> dict[str, int]:
        """The memory of each component and of the supervisor in bytes, shared pages counted in proportion."""
        found = {name: memory.pss_bytes(c.child.pid) for name, c in self._components.items() if c.child.pid}
        found["supervisor"] = memory.pss_bytes(os.getpid(), descendants=False)
        return found

    async def start(self) -> None:
        """Starts everything and returns when each component is ready.

        Raises SiteIsUp, PortInUse, FileNotFoundError (Java or a download is missing) or NotReady (a component does not
        come up; the text has the end of its log). Nothing is left running then.
        """
        self._take_lock()
        try:
            self._check_machine()
            self._write_state()
            later = {*self._service_names(), *self._after}
            await self._all_up([name for name in self._components if name not in later])
            await self._make_topics()
            await self._all_up(self._service_names())
            await self._all_up(self._after)
        except BaseException as error:
            self._phase = "failed"
            await self._all_down()
            self._write_state(str(error))
            self._release_lock()
            raise
        self._phase = "ready"
        self._write_state()

    async def stop(self) -> None:
        """Stops the services, then what they use; nothing is left running."""
        self._phase = "stopping"
        self._write_state()
        await self._all_down()
        self._write_state()
        self._release_lock()

    async def crash(self) -> None:
        """SIGKILL to all processes at once, which stay down; `start` brings the site back on what its disks have."""
        await asyncio.gather(*(component.down(kill=True) for component in self._components.values()))
        self._phase = "failed"
        self._write_state("killed")
        self._release_lock()

    async def kill(self, name: str) -> None:
        """SIGKILL to a component, which comes back by itself; returns when the process is gone."""
        await self._component(name).child.kill()

    async def stop_component(self, name: str, kill: bool = False) -> None:
        """Stops a component (`kill`: by SIGKILL) and leaves it down until `start_component`."""
        await self._component(name).down(kill)

    async def start_component(self, name: str) -> None:
        """Starts a stopped component and returns when it is ready; NotReady if it does not come up."""
        await self._component(name).up()

    async def healthy(self, name: str, limit: float = 30) -> None:
        """Returns when the component runs and says that it is ready; TimeoutError after `limit` seconds."""
        component = self._component(name)
        async with asyncio.timeout(limit):
            while not (component.child.running and await component.healthy()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        release_ports(self.ports)

    def _parts(self, parts: SiteParts, real: Mapping[str, str]) -> list[Supervised]:
        local = {
            "kafka": lambda: parts.kafka(self.kafka),
            "clickhouse": lambda: parts.clickhouse(self.clickhouse),
            "media": parts.media,
            "issuer": parts.issuer,
        }
        made = [make() for name, make in local.items() if site_settings.CONFIGURED_BY[name] not in real]
        if self.processes:
            return made + [parts.service(name) for name in self.services]
        return made + ([parts.all_services(self.services)] if self.services else [])

    def _service_names(self) -> tuple[str, ...]:
        return self.services if self.processes else (ALL_SERVICES,) if self.services else ()

    def _component(self, name: str) -> Supervised:
        if not self.processes and name in self.services:
            name = ALL_SERVICES
        try:
            return self._components[name]
        except KeyError:
            raise KeyError(f"the site has no component {name}; it has {', '.join(self._components)}") from None

    async def _all_up(self, names: Sequence[str]) -> None:
        try:
            async with asyncio.TaskGroup() as starting:
                for name in names:
                    starting.create_task(self._components[name].up(), name=f"start {name}")
        except* (NotReady, OSError) as failures:
            first = failures.exceptions[0]
            raise first from None

    async def _all_down(self) -> None:
        services = [self._components[name] for name in self._service_names()]
        await asyncio.gather(*(component.down() for component in services))
        await asyncio.gather(*(c.down() for c in self._components.values() if c not in services))

    async def _make_topics(self) -> None:
        declared = topics.declared(places.repository() / "topics.yaml")
        if other := self.env.get("JUNCTOR_OTHER_SITE"):
            declared += copies_of(other, topics.mirrored(places.repository() / "topics.yaml"))
        kafka = KafkaLog(self.env["JUNCTOR_KAFKA_BOOTSTRAP"], client_id="junctor-site")
        await kafka.start()
        try:
            await kafka.ensure_topics(declared)
        except LogUnavailable as error:
            raise NotReady(f"The topics could not be made: {error}") from error
        finally:
            await kafka.stop()

    def _check_machine(self) -> None:
        if "kafka" in self._components and shutil.which("java") is None:
            raise FileNotFoundError(
                "Java 17 is missing: Kafka needs it. On Debian: apt-get install openjdk-17-jre-headless; "
                "elsewhere: https://adoptium.net/temurin/releases/?version=17"
            )
        sentences = self.ports.in_use(self._listened())
        if sentences:
            sentences.append("Stop what holds them, or choose other ports: junctor up --ports-from 21000.")
            raise PortInUse("\n".join(sentences))

    def _listened(self) -> list[str]:
        return [name for name in self.ports.numbers if "JUNCTOR_OTHER_SITE" in self.env or name not in OF_TWO]

    def _take_lock(self) -> None:
        lock = os.open(self.directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            known = site_state.read(self.directory)
            holder = f", process {known.supervisor.pid}" if known else ""
            raise SiteIsUp(
                f"Site {self.name} is up already{holder}. See it with `junctor status`, stop it with `junctor down`, "
                "or start another one with `junctor up --site NAME --ports-from 21000`."
            ) from None
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _write_state(self, failure: str = "") -> None:
        site_state.write(
            SiteState(
                site=self.name,
                directory=str(self.directory),
                supervisor=site_state.this_process(),
                phase=self._phase,
                failure=failure,
                all_in_one=not self.processes,
                components={name: _state_of(component) for name, component in self._components.items()},
                addresses=site_settings.addresses(self.ports),
                environment=self.env,
            )
        )


def _state_of(component: Supervised) -> ComponentState:
    pid = component.child.pid
    try:
        process = site_state.process_state(pid) if pid is not None else None
    except psutil.NoSuchProcess:
        process = None
    return ComponentState(process, component.wanted, component.restarts, component.address, str(component.child.log))
