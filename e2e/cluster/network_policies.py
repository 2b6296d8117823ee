"""`python -m e2e.cluster.network_policies KUBECONFIG FOLDER FREE...`: keeps the kernel's rules of a node of one's own as the
NetworkPolicies of its cluster want them, as the network plug-in of a real cluster does. Run in the node's network.

FOLDER is the site's: a pod's address is learnt from the plug-in's own notes there, before anything runs in the pod, and
addresses.json tells whose addresses were seen, by component. FREE are addresses that may reach everything.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kubernetes import client, config

from e2e.cluster.network_rules import Object, Pod, pods_of, script

NOTES_SECONDS, LOOK_SECONDS = 0.05, 0.5
"""Between two looks at the plug-in's notes, and at the API server."""
GONE_SECONDS = 60.0
"""A pod's address counts as its own for so long after its end: others find out a little later."""
_NAME, _NAMESPACE = "io.kubernetes.pod.name", "io.kubernetes.pod.namespace"
Named = dict[tuple[str, str], str]
"""Addresses by the pods' namespaces and names."""


class Notes:
    """What the plug-in `host-local` notes: a file named by each address, with the sandbox that has it."""

    def __init__(self, site: Path) -> None:
        self._folder = site / "ipam" / "pods"
        self._ctr = ["ctr", "-a", str(site / "containerd" / "sock"), "-n", "k8s.io", "containers", "info"]
        self._pods: dict[tuple[str, str], tuple[str, str]] = {}

    def read(self) -> Named:
        """Of the pods whose sandboxes are there."""
        found: Named = {}
        for file in self._folder.glob("10.*"):
            try:
                place = file.name, file.read_text().split()[0]
                if place not in self._pods:
                    said = subprocess.run([*self._ctr, place[1]], capture_output=True, check=True, timeout=5).stdout
                    labels = json.loads(said)["Labels"]
                    self._pods[place] = labels[_NAMESPACE], labels[_NAME]
            except (OSError, IndexError, KeyError, ValueError, subprocess.SubprocessError):
                continue  # It is being made, or is gone.
            found[self._pods[place]] = file.name
        return found


class Rules:
    """The kernel's, as of the last `apply`."""

    def __init__(self, site: Path, free: tuple[str, ...]) -> None:
        self._site = site
        self._free = free
        self._names: dict[str, str] = {}
        self._known: dict[str, tuple[float, Pod]] = {}
        self._applied = ""

    def apply(
        self, pods: list[dict[str, Any]], policies: Sequence[Object], namespaces: dict[str, dict[str, str]]
    ) -> None:
        now = time.monotonic()
        self._known |= {pod.address: (now, pod) for pod in pods_of(pods)}
        self._known = {at: (seen, pod) for at, (seen, pod) in self._known.items() if seen > now - GONE_SECONDS}
        wanted = script(policies, [pod for _, pod in self._known.values()], namespaces, self._free)
        if wanted == self._applied:
            return
        subprocess.run(["nft", "-f", "-"], input=wanted, text=True, check=True)
        self._applied = wanted
        self._names |= {
            address: pod.labels.get("app.kubernetes.io/component", "?") for address, (_, pod) in self._known.items()
        }
        (self._site / "addresses.json").write_text(json.dumps(self._names))


def main(kubeconfig: str, folder: str, *free: str) -> None:
    api = config.new_client_from_config(kubeconfig)
    core, networking = client.CoreV1Api(api), client.NetworkingV1Api(api)
    Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text("1")
    notes, rules = Notes(Path(folder)), Rules(Path(folder), free)
    before, looked = Named(), 0.0
    while True:
        named = notes.read()
        if named == before and time.monotonic() < looked + LOOK_SECONDS:
            time.sleep(NOTES_SECONDS)
            continue
        try:
            pods = _items(core.list_pod_for_all_namespaces)
            policies = _items(networking.list_network_policy_for_all_namespaces)
            namespaces = {
                one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in _items(core.list_namespace)
            }
        except Exception as error:
            # An API server that is away, or not up yet: the kernel keeps what it was told.
            logging.warning("the API server does not answer: %s", error)
            time.sleep(1.0)
            continue
        for pod in pods:
            address = named.get((pod["metadata"]["namespace"], pod["metadata"]["name"]))
            if address is not None and not pod["status"].get("podIP"):
                pod["status"]["podIP"] = address
        rules.apply(pods, policies, namespaces)
        before, looked = named, time.monotonic()


def _items(list_all: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(list_all(_preload_content=False, _request_timeout=5).data)["items"]
    return items


if __name__ == "__main__":
    main(*sys.argv[1:])
