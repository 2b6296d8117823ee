"""The components of a local site: how each is started and how it says that it is well."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from junctor_local import health
from junctor_local.child import Child, tcp_answers
from junctor_local.clickhouse import ClickHouseServer
from junctor_local.kafka import KafkaServer
from junctor_local.ng_ping import ng_answers
from junctor_local.site_ports import HOST, SitePorts
from junctor_local.site_settings import addresses
from junctor_local.supervised import Supervised

# The name of the one process that runs all services.
ALL_SERVICES = "services"
# Of one process; all services in one take long on a machine that has much else to do.
_READY_LIMIT = 180.0


@dataclass(frozen=True, slots=True)
class SiteParts:
    """Makes the components of the site in `directory`; `changed` is called after each start and end of one."""

    directory: Path
    ports: SitePorts
    env: Mapping[str, str]
    changed: Callable[[], None]

    def kafka(self, server: KafkaServer) -> Supervised:
        """The broker."""
        address = addresses(self.ports)["kafka"]
        return Supervised("kafka", server.child, server.start, server.answers, address, self.changed)

    def clickhouse(self, server: ClickHouseServer) -> Supervised:
        """The ClickHouse endpoint."""
        address = addresses(self.ports)["clickhouse"]
        return Supervised("clickhouse", server.child, server.start, server.answers, address, self.changed)

    def media(self) -> Supervised:
        """junctor-media, well when it answers a ping of the ng protocol."""
        command = [sys.executable, "-m", "junctor_local.media", "--ng", self.ports.address("media_ng")]
        command += ["--dtmf-log", self.ports.address("media_dtmf"), "--interface", HOST]
        command += ["--port-min", str(self.ports.rtp_first), "--port-max", str(self.ports.rtp_last)]

        async def answers() -> bool:
            return await ng_answers(HOST, self.ports.numbers["media_ng"])

        return self._part("media", command, self.ports.address("media_ng"), answers)

    def issuer(self) -> Supervised:
        """The token issuer."""
        command = [sys.executable, "-m", "junctor_local.issuer", "--listen", self.ports.address("issuer")]
        command += ["--directory", str(self.directory / "issuer")]

        async def answers() -> bool:
            return await tcp_answers(HOST, self.ports.numbers["issuer"])

        return self._part("issuer", command, addresses(self.ports)["issuer"], answers)

    def service(self, name: str) -> Supervised:
        """One service in a process of its own, well when its gRPC health says SERVING."""
        return self._services(name, ["-m", f"junctor_{name}"], [name])

    def all_services(self, names: Sequence[str]) -> Supervised:
        """All services in one process, well when each one's gRPC health says SERVING."""
        return self._services(ALL_SERVICES, ["-m", "junctor_local.all_in_one", *names], names)

    def _services(self, name: str, arguments: Sequence[str], services: Sequence[str]) -> Supervised:
        asked = [self.ports.address(service) for service in services]

        async def answers() -> bool:
            return all(await asyncio.gather(*(health.serving(address) for address in asked)))

        return self._part(name, [sys.executable, *arguments], asked[0], answers, self.env)

    def _part(
        self,
        name: str,
        command: Sequence[str],
        address: str,
        answers: Callable[[], Awaitable[bool]],
        env: Mapping[str, str] | None = None,
    ) -> Supervised:
        child = Child(name, command, self.directory / "logs" / f"{name}.log", env=env, cwd=self.directory)

        async def start() -> None:
            await child.start()
            await child.ready(answers, _READY_LIMIT)

        return Supervised(name, child, start, answers, address, self.changed)
