"""A Kubernetes site of this machine (site.sh) as the tests use it: its life, its link, kubectl and helm."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from junctor_local import places

from e2e.cluster.network_rules import TABLE

HERE = Path(__file__).parent
Name = Literal["a", "b", "witness"]
SLOW = 1_200.0
"""Seconds, for what takes many times as long where others use the machine as well."""


class CommandFailed(RuntimeError):
    """A program of a cluster ended with another status than 0; the text has its command and what it said."""


async def run(*command: str | Path, env: dict[str, str] | None = None, input: str = "", limit: float = 300.0) -> str:
    """The standard output. Raises CommandFailed, and TimeoutError after `limit` seconds, when the process is ended."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    try:
        async with asyncio.timeout(limit):
            output, errors = await process.communicate(input.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise TimeoutError(f"not within {limit:.0f} s: {' '.join(map(str, command))}") from None
    if process.returncode:
        raise CommandFailed(f"{' '.join(map(str, command))}\n{output.decode()}{errors.decode()}")
    return output.decode() + "".join(
        f"{line}\n" for line in errors.decode().splitlines() if line.startswith("Warning:")
    )


@dataclass(frozen=True, slots=True)
class Cluster:
    """One site. `address` is its node's, which everything outside of it uses."""

    name: Name

    @property
    def address(self) -> str:
        return f"10.90.{self._number}.2"

    @property
    def _number(self) -> int:
        """As site.sh has it: its networks are made of it."""
        return ("a", "b", "witness").index(self.name) + 1

    @property
    def directory(self) -> Path:
        return places.cache() / "kubernetes" / self.name

    @property
    def env(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.directory / "kubeconfig")}

    async def up(self) -> None:
        """Starts the site anew; whatever was left of it is gone."""
        await self.down()
        await run(HERE / "site.sh", self.name, "up", limit=SLOW)

    async def down(self) -> None:
        await run(HERE / "site.sh", self.name, "down")

    async def cut(self) -> None:
        """Takes the link to the other sites and to this machine away; nothing inside is told."""
        await run(HERE / "site.sh", self.name, "cut")

    async def mend(self) -> None:
        await run(HERE / "site.sh", self.name, "mend")

    async def kill(self) -> float:
        """Ends every process of the site at once, its containers' too, as where its power fails; when, by `time.monotonic`."""
        said = await run(HERE / "site.sh", self.name, "kill")
        return float(said.split()[-1])

    async def back(self) -> None:
        """Starts a killed site on what its disks have."""
        await run(HERE / "site.sh", self.name, "back", limit=SLOW)

    async def load(self, archive: Path) -> None:
        """Brings images to the node."""
        await run(HERE / "site.sh", self.name, "load", archive, limit=SLOW)

    async def has(self, image: str) -> bool:
        """Whether the site is up and its node has an image whose name ends so."""
        socket = self.directory / "containerd" / "sock"
        if not socket.exists():
            return False
        listed = await run("ctr", "-a", socket, "-n", "k8s.io", "images", "ls", "-q")
        return any(line.endswith(f"/{image}") for line in listed.splitlines())

    async def kubectl(self, *arguments: str, input: str = "", limit: float = 120.0) -> str:
        return await run(
            places.cache() / "kubernetes" / "bin" / "kubectl", *arguments, env=self.env, input=input, limit=limit
        )

    async def helm(self, *arguments: str, limit: float = 600.0) -> str:
        return await run(places.cache() / "helm" / "bin" / "helm", *arguments, env=self.env, limit=limit)

    async def objects(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """The objects of a kind as the API server tells them."""
        found = json.loads(await self.kubectl("get", kind, "-o", "json", *arguments))
        items: list[dict[str, Any]] = found["items"]
        return items

    async def from_node(self, *command: str | Path, limit: float = 60.0) -> str:
        """Runs a program where the site's node runs: what it reaches, the site reaches."""
        return await run("nsenter", f"--net=/var/run/netns/junctor-{self.name}", *command, limit=limit)

    async def refused(self) -> set[tuple[str, str, str, int]]:
        """What NetworkPolicies refused since the site came up: from whom, to whom (components, or addresses), protocol, port.
        Left out is what was asked of a Service that kube-proxy did not know yet."""
        found = json.loads(await self.from_node("nft", "-j", "list", "set", "ip", TABLE, "refused"))
        names = json.loads((self.directory / "addresses.json").read_text())
        (refused,) = [one["set"] for one in found["nftables"] if "set" in one]
        places = [one["concat"] for one in refused.get("elem", ())]
        services = f"10.{96 + self._number}."
        return {
            (names.get(of, of), names.get(to, to), protocol, port)
            for of, to, protocol, port in places
            if not to.startswith(services)
        }

    async def inside(self, *command: str | Path, limit: float = 300.0) -> str:
        """Runs a program on this machine that finds the cluster's names."""
        resolver = self.directory / "resolv.conf"
        resolver.write_text(f"nameserver {self.address}\noptions timeout:2\n")
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return await run("unshare", "--mount", "sh", "-c", script, resolver, *command, limit=limit)
