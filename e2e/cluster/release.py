"""Junctor as installed by its chart in a cluster, seen from outside: what a `Stage` needs of a site."""

from __future__ import annotations

import base64
import json
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from junctor_local import places
from junctor_local.clickhouse_configuration import ANALYST, DATABASE
from junctor_local.tokens import SigningKey, signing_key

from e2e.cluster.kubernetes import Cluster, CommandFailed

CHART = Path(__file__).parents[2] / "helm" / "junctor"
NAMESPACE = RELEASE = "junctor"
NODE_PORTS = {"sip": 30560, "http": 30080, "web_chat": 30090}
GRPC_PORT = 50051
LIMIT_SECONDS = 900.0
LIMIT = f"{LIMIT_SECONDS - 30:.0f}s"


@dataclass
class InstalledSite:
    """Installed with `install`; `address`, `key` and `clickhouse` are those of a local site.

    `values`: what goes on top of the profiles. `issuer`: the Secret with the key that signs tokens.
    """

    cluster: Cluster
    profiles: tuple[str, ...] = ("single",)
    values: Mapping[str, Any] = field(default_factory=dict)
    issuer: str = f"{RELEASE}-issuer"
    _services: dict[str, str] = field(default_factory=dict)
    _key: SigningKey | None = None
    clickhouse: Any = None

    async def install(self, tag: str) -> float:
        """`helm install --wait`; returns how long it took in seconds."""
        began = time.monotonic()
        await self._helm("install", tag)
        took = time.monotonic() - began
        await self._learn()
        return took

    async def found(self) -> bool:
        """Whether the release is there from an earlier run."""
        try:
            await self._learn()
        except (CommandFailed, KeyError):
            return False
        return True

    async def upgrade(self, tag: str) -> float:
        """`helm upgrade --wait` to images of another tag; returns how long it took in seconds."""
        began = time.monotonic()
        await self._helm("upgrade", tag)
        return time.monotonic() - began

    async def rollback(self) -> float:
        """`helm rollback --wait` to the revision before; returns how long it took in seconds."""
        began = time.monotonic()
        await self.cluster.helm("rollback", RELEASE, "-n", NAMESPACE, "--wait", "--timeout", LIMIT, limit=LIMIT_SECONDS)
        return time.monotonic() - began

    async def test(self) -> str:
        """`helm test`, with the logs of its pods."""
        return await self.cluster.helm("test", RELEASE, "-n", NAMESPACE, "--logs", "--timeout", "5m")

    async def images(self) -> dict[str, str]:
        """The image that each running pod of the release has, by the pod's name."""
        pods = await self.cluster.objects("pods", "-n", NAMESPACE, "--field-selector=status.phase=Running")
        return {pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in pods}

    async def restarts(self) -> dict[str, int]:
        """How often each pod's container was started again, where it was; jobs may try until Kafka is there."""
        pods = await self.cluster.objects("pods", "-n", NAMESPACE, "--field-selector=status.phase=Running")
        statuses = {pod["metadata"]["name"]: pod["status"].get("containerStatuses", []) for pod in pods}
        return {name: count for name, found in statuses.items() if (count := sum(s["restartCount"] for s in found))}

    async def judged(self) -> dict[str, Any]:
        """What e2e/judge finds in the release's Kafka: `contacts`, and `broken` promises."""
        program = (
            "import asyncio, json, sys; from e2e.judge import judge; found = asyncio.run(judge(sys.argv[1])); "
            "print(json.dumps({'contacts': found.contacts, 'broken': found.broken}))"
        )
        broker = f"{RELEASE}-kafka.{NAMESPACE}.svc.cluster.local:9092"
        said = await self.cluster.inside(sys.executable, "-c", program, broker)
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found

    @property
    def key(self) -> SigningKey:
        assert self._key is not None, "not installed"
        return self._key

    def address(self, name: str) -> str:
        """Where a component is reached from this machine, as a local site tells it."""
        if name == "sip":
            return f"{self.cluster.address}:{NODE_PORTS['sip']}"
        if name == "web_chat":
            return f"ws://{self.cluster.address}:{NODE_PORTS['web_chat']}"
        if name == "http":
            return f"http://{self.cluster.address}:{NODE_PORTS['http']}"
        return f"{self._services[f'{RELEASE}-{name}']}:{GRPC_PORT}"

    async def start(self) -> None:
        """It runs since its installation."""

    async def stop(self) -> None:
        """It ends with its cluster."""

    async def _helm(self, verb: str, tag: str) -> None:
        own = self.cluster.directory / "values.json"
        own.write_text(json.dumps(self.values))
        files = [*(CHART / "profiles" / f"{profile}.yaml" for profile in self.profiles), own]
        options = [f"--values={file}" for file in files]
        where = ("-n", NAMESPACE, "--create-namespace") if verb == "install" else ("-n", NAMESPACE)
        tagged = f"--set=global.image.tag={tag}"
        await self.cluster.helm(
            verb, RELEASE, str(CHART), *where, *options, tagged, "--wait", "--timeout", LIMIT, limit=LIMIT_SECONDS
        )

    async def _learn(self) -> None:
        services = await self.cluster.objects("services", "-n", NAMESPACE)
        self._services = {service["metadata"]["name"]: service["spec"]["clusterIP"] for service in services}
        folder = self.cluster.directory / "issuer"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "signing-key.pem").write_text(await self._secret(self.issuer, "signing-key.pem"))
        self._key = signing_key(folder)
        analyst = {
            "host": self._services[f"{RELEASE}-clickhouse"],
            "port": 9000,
            "user": ANALYST,
            "password": await self._secret(f"{RELEASE}-clickhouse", "analyst-password"),
            "database": DATABASE,
        }
        self.clickhouse = SimpleNamespace(analyst=analyst)

    async def _secret(self, name: str, key: str) -> str:
        found = json.loads(await self.cluster.kubectl("get", "secret", name, "-n", NAMESPACE, "-o", "json"))
        return base64.b64decode(found["data"][key]).decode()


def images_archive() -> Path:
    """All images as one archive that containerd takes; made by `make images`."""
    return places.cache() / "images" / "images.tar"


def version() -> str:
    """The tag of the images that `make images` makes of this work tree."""
    project = tomllib.loads((Path(__file__).parents[2] / "cli" / "pyproject.toml").read_text())
    return str(project["project"]["version"])


def next_version() -> str:
    """The tag of the same images under another version, to upgrade to."""
    return f"{version()}-next"
