"""Two whole sites on this machine, the mirrors between them, a voter in each, and the witness in a third place.

What goes from one place to another goes by addresses that a `Network` gives: a test puts a link between them that it can cut.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from junctor_journal import topics

from junctor_local import health, memory, places
from junctor_local.child import Child
from junctor_local.mirror import Mirror
from junctor_local.ports import free_port
from junctor_local.site import Site
from junctor_local.site_ports import HOST, SERVICES, SitePorts, free_site_ports
from junctor_local.supervised import Supervised
from junctor_local.tokens import signing_key, workload_secret

NAMES = ("a", "b")
WITNESS = "witness"
PARTITIONS = 12
_READY_LIMIT = 300.0


class Network(Protocol):
    """How one place reaches an address in another."""

    def between(self, source: str, target: str, address: str) -> str:
        """The address to use at `source` for `address` (host:port) in `target`; a site's name, or `witness`."""
        ...


class Straight:
    """Nothing lies between."""

    def between(self, source: str, target: str, address: str) -> str:
        """That address."""
        return address


@dataclass(frozen=True, slots=True)
class Place:
    """A site with its voter and the mirror of the other site's topics, which runs here."""

    site: Site
    voter: Supervised
    mirror: Supervised


class TwoSites:
    """Both under one folder, `a` and `b`, with one token issuer's key in two places; all processes are children of this one.

    async with TwoSites(tmp_path) as sites:
        sites["a"].address("router")
    """

    def __init__(
        self,
        directory: Path,
        *,
        services: Sequence[str] = SERVICES,
        without: Sequence[str] = (),
        network: Network | None = None,
        preferred: Mapping[str, Sequence[int]] | None = None,
        settings: Mapping[str, str] | None = None,
        reach_far_kafka: bool = True,
        processes: bool = True,
        ports: Mapping[str, SitePorts] | None = None,
    ) -> None:
        """`without`: parts of a site that are not started. `preferred`: what a site leads where nobody does, else a half each.

        `reach_far_kafka`: whether a site that takes over asks the other's Kafka for what was not mirrored.
        """
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._network = network or Straight()
        ports = ports or {name: free_site_ports() for name in NAMES}
        half = PARTITIONS // 2
        self._preferred = preferred or {"a": range(half), "b": range(half, PARTITIONS)}
        self._far_ports = {name: free_port(HOST) for name in NAMES}
        self._voter_ports = {name: free_port(HOST) for name in (*NAMES, WITNESS)}
        self._secret = secrets.token_urlsafe(16)
        self._share_issuer()
        self.witness = self._voter(WITNESS, self.directory / WITNESS)
        self._sites = {
            name: Site(
                self.directory / name,
                name=name,
                ports=ports[name],
                processes=processes,
                services=services,
                without=without,
                settings={**self._settings(name, ports, reach_far_kafka), **(settings or {})},
                kafka_properties=self._listeners(name, ports[name]),
            )
            for name in NAMES
        }
        self.places = {
            name: Place(site, self._voter(name, site.directory / "voter"), self._mirror(name))
            for name, site in self._sites.items()
        }

    def __getitem__(self, name: str) -> Site:
        return self._sites[name]

    def voters(self, seen_from: str) -> dict[str, str]:
        """The voters' addresses by name, as a place reaches them; "" is a place that nothing lies between."""
        return {
            name: f"{HOST}:{port}"
            if seen_from in {name, ""}
            else self._network.between(seen_from, name, f"{HOST}:{port}")
            for name, port in self._voter_ports.items()
        }

    async def start(self) -> None:
        """Starts everything; returns when each component is ready and both mirrors copy. Raises as `Site.start`."""
        try:
            await asyncio.gather(self.witness.up(), *(place.voter.up() for place in self.places.values()))
            await asyncio.gather(*(site.start() for site in self._sites.values()))
            await asyncio.gather(*(place.mirror.up() for place in self.places.values()))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Nothing is left running."""
        await asyncio.gather(*(place.mirror.down() for place in self.places.values()))
        await asyncio.gather(*(site.stop() for site in self._sites.values()))
        await asyncio.gather(self.witness.down(), *(place.voter.down() for place in self.places.values()))

    async def kill(self, name: str) -> None:
        """SIGKILL to every process of a site at once, as where its power fails; the witness is none of them."""
        place = self.places[name]
        await asyncio.gather(place.site.crash(), place.voter.down(kill=True), place.mirror.down(kill=True))

    async def restart(self, name: str) -> None:
        """Starts a killed site again on what its disks have."""
        place = self.places[name]
        await place.voter.up()
        await place.site.start()
        await place.mirror.up()

    def pss_bytes(self) -> dict[str, int]:
        """Memory by `site/component`, in bytes, shared pages counted in proportion."""
        found = {
            f"{name}/{part}": size for name, site in self._sites.items() for part, size in site.pss_bytes().items()
        }
        del found["b/supervisor"]  # One process is the parent of both.
        for name, place in self.places.items():
            for part in (place.voter, place.mirror):
                if part.child.pid:
                    found[f"{name}/{part.name}"] = memory.pss_bytes(part.child.pid)
        if self.witness.child.pid:
            found[WITNESS] = memory.pss_bytes(self.witness.child.pid)
        return found

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _share_issuer(self) -> None:
        """People and services have one issuer, who is in both sites with the same key and the same secret."""
        first, second = (self.directory / name / "issuer" for name in NAMES)
        key = signing_key(first)
        workload_secret(first)
        if not second.exists():
            shutil.copytree(first, second)
        (self.directory / "jwks.json").write_text(json.dumps(key.jwks()), encoding="utf-8")

    def _settings(self, name: str, ports: Mapping[str, SitePorts], reach_far_kafka: bool) -> dict[str, str]:
        other = _other(name)
        found = {
            "JUNCTOR_OTHER_SITE": other,
            "JUNCTOR_VOTERS": ",".join(f"{voter}={address}" for voter, address in self.voters(name).items()),
            "JUNCTOR_CTI__OTHER_SITES": f"{other}={ports[other].address('sip')}",
            "JUNCTOR_CTI__OTHER_SITES_SECRET": self._secret,
        }
        if self._preferred.get(name):
            found["JUNCTOR_PREFERRED_PARTITIONS"] = ",".join(map(str, self._preferred[name]))
        if reach_far_kafka:
            found["JUNCTOR_OTHER_KAFKA_BOOTSTRAP"] = self._kafka_of(other, name)
        return found

    def _kafka_of(self, target: str, source: str) -> str:
        return self._network.between(source, target, f"{HOST}:{self._far_ports[target]}")

    def _listeners(self, name: str, ports: SitePorts) -> dict[str, str]:
        """A listener of its own for the other site: clients go on by the address that a broker tells them."""
        near, controller = ports.address("kafka"), ports.address("kafka_controller")
        far = f"{HOST}:{self._far_ports[name]}"
        return {
            "listeners": f"PLAINTEXT://{near},FAR://{far},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{near},FAR://{self._kafka_of(name, _other(name))}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
        }

    def _mirror(self, name: str) -> Supervised:
        other = _other(name)
        site = self._sites[name]
        declared = topics.mirrored(places.repository() / "topics.yaml")
        mirror = Mirror(
            site.directory / "mirror",
            source=(other, self._kafka_of(other, name)),
            target=(name, site.kafka.bootstrap),
            topics=[declaration.name for declaration in declared],
        )

        async def start() -> None:
            await mirror.start()
            await mirror.mirroring(_READY_LIMIT)

        return Supervised("mirror", mirror.child, start, mirror.copies, self._kafka_of(other, name), _nothing)

    def _voter(self, name: str, directory: Path) -> Supervised:
        address = f"{HOST}:{self._voter_ports[name]}"
        command = [sys.executable, "-m", "junctor_local.witness"]
        env = {
            "JUNCTOR_WITNESS__GRPC_LISTEN": address,
            "JUNCTOR_WITNESS__STATE_DIR": str(directory),
            "JUNCTOR_WITNESS__JWKS": str(self.directory / "jwks.json"),
        }
        child = Child("voter", command, directory / "voter.log", env=env)

        async def answers() -> bool:
            return await health.serving(address)

        async def start() -> None:
            await child.start()
            await child.ready(answers, _READY_LIMIT)

        return Supervised("voter", child, start, answers, address, _nothing)


def _other(name: str) -> str:
    return NAMES[1 - NAMES.index(name)]


def _nothing() -> None:
    """The state of two sites is kept by nobody."""
