"""Junctor in two clusters as two active sites, the witness's vote a Lease of a third: what a `Desk` needs of two sites."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from junctor_local.tokens import signing_key, workload_secret

from e2e.cluster.kubernetes import Cluster
from e2e.cluster.release import NAMESPACE, NODE_PORTS, InstalledSite, images_archive

WITNESS_MANIFEST = Path(__file__).parents[2] / "helm" / "witness.yaml"
WITNESS_NAMESPACE, ACCOUNT = "junctor-witness", "junctor-register"
KAFKA_PORT, VOTER_PORT, CHATS_PORT = 30992, 30551, 30552
_OTHER = {"a": "b", "b": "a"}


class TwoInstalledSites:
    """`sites["a"]`, `sites["b"]`: profile `single` with `site-a` and `site-b` on top, as docs/helm.md has a trial of two."""

    def __init__(self) -> None:
        self.witness = Cluster("witness")
        self._clusters: Mapping[str, Cluster] = {"a": Cluster("a"), "b": Cluster("b")}
        self._sites = {
            name: InstalledSite(cluster, ("single", f"site-{name}"), self._values(name), issuer="issuer")
            for name, cluster in self._clusters.items()
        }

    def __getitem__(self, name: str) -> InstalledSite:
        return self._sites[name]

    def voters(self, seen_from: str) -> dict[str, str]:
        """The voters' places by name, the same from everywhere."""
        own = {name: f"{cluster.address}:{VOTER_PORT}" for name, cluster in self._clusters.items()}
        return own | {"witness": f"lease:{WITNESS_NAMESPACE}@{self._kubeconfig}"}

    async def up(self) -> None:
        """Three clusters, with the images on the two that run pods."""
        await asyncio.gather(self.witness.up(), *(cluster.up() for cluster in self._clusters.values()))
        for cluster in self._clusters.values():
            await cluster.load(images_archive())

    async def install(self, tag: str) -> dict[str, float]:
        """Both sites at once; returns how many seconds each `helm install --wait` took."""
        self._kubeconfig.write_text(await self._witness_access())
        self._kubeconfig.chmod(0o600)
        made = self._secrets()
        for cluster in self._clusters.values():
            await cluster.kubectl("create", "namespace", NAMESPACE)
            await cluster.kubectl("apply", "-n", NAMESPACE, "-f", "-", input=made)
        took = await asyncio.gather(*(site.install(tag) for site in self._sites.values()))
        return dict(zip(self._sites, took, strict=True))

    async def kill(self, name: str) -> float:
        """The site and all in it; returns when, by `time.monotonic`."""
        return await self._clusters[name].kill()

    async def restart(self, name: str) -> None:
        """What was killed, on what its disks have."""
        await self._clusters[name].back()

    async def down(self) -> None:
        """Nothing is left."""
        await asyncio.gather(*(cluster.down() for cluster in (self.witness, *self._clusters.values())))

    @property
    def _kubeconfig(self) -> Path:
        return self.witness.directory / "register.yaml"

    async def _witness_access(self) -> str:
        """A kubeconfig that may keep the witness's votes and nothing else."""
        await self.witness.kubectl("apply", "-f", str(WITNESS_MANIFEST))
        token = await self.witness.kubectl("create", "token", ACCOUNT, "-n", WITNESS_NAMESPACE, "--duration=24h")
        authority = (self.witness.directory / "certs" / "apiserver.crt").read_bytes()
        server = {
            "server": f"https://{self.witness.address}:6443",
            "certificate-authority-data": base64.b64encode(authority).decode(),
        }
        found = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "witness",
            "clusters": [{"name": "witness", "cluster": server}],
            "users": [{"name": ACCOUNT, "user": {"token": token.strip()}}],
            "contexts": [{"name": "witness", "context": {"cluster": "witness", "user": ACCOUNT}}],
        }
        return json.dumps(found)

    def _secrets(self) -> str:
        """What is equal at both sites."""
        folder = self.witness.directory / "issuer"
        signing_key(folder)
        contents = {
            "personal-data": {"master-key": secrets.token_hex(32)},
            "sites": {"sites-secret": secrets.token_urlsafe(32)},
            "issuer": {
                "workload-secret": workload_secret(folder),
                "signing-key.pem": (folder / "signing-key.pem").read_text(),
            },
            "register-kubeconfigs": {"witness": self._kubeconfig.read_text()},
        }
        items = [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
            for name, data in contents.items()
        ]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    def _values(self, name: str) -> dict[str, Any]:
        """As helm/tests/examples/peer-trial.yaml, with a Lease as the witness."""
        own, other = self._clusters[name].address, self._clusters[_OTHER[name]].address
        voters = {
            "peer": f"{other}:{VOTER_PORT}",
            "witness": f"lease:{WITNESS_NAMESPACE}",
            "kubeconfigs": {"existingSecret": "register-kubeconfigs"},
        }
        peer = {
            "sip": f"{other}:{NODE_PORTS['sip']}",
            "omnichannel": {"grpc": f"{other}:{CHATS_PORT}", "web": f"ws://{other}:{NODE_PORTS['web_chat']}/"},
            "existingSecret": "sites",
            "kafka": {"brokers": [f"{other}:{KAFKA_PORT}"], "claimed": True},
        }
        return {
            "global": {
                "site": {"voters": voters, "peer": peer},
                "keys": {"existingSecret": "personal-data"},
                "tokens": {"existingSecret": "issuer"},
            },
            "kafka": {
                "advertise": f"{own}:{KAFKA_PORT}",
                "service": {"type": "NodePort", "nodePort": KAFKA_PORT},
            },
            "voter": {"service": {"type": "NodePort", "nodePort": VOTER_PORT}},
            "omnichannel": {"sites": {"type": "NodePort", "nodePort": CHATS_PORT}},
        }
