"""What two sites on this machine and their witness know of each other: names, ports and secrets.

One process that runs both has it in memory. Where each is a process of its own it is kept in a file beside their folders.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from junctor_local.ports import free_port
from junctor_local.site_ports import HOST, SitePorts, free_site_ports, ports_from, standard_ports
from junctor_local.tokens import signing_key, workload_secret

NAMES = ("a", "b")
WITNESS = "witness"
PARTITIONS = 12
_FILE = "two-sites.json"
# By default the second site's ports and the witness's lie here; of a chosen block each site takes so many.
_SECOND_BLOCK, _BLOCK = 21000, 1100


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


class DifferentIssuers(RuntimeError):
    """Two folders hold sites that were each alone: who has a token of one is unknown to the other. Remove one of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`secret`: what the edges of both sites sign their calls with. `master_key`: what wraps contacts' keys, hexadecimal."""

    ports: Mapping[str, SitePorts]
    witness_port: int
    secret: str
    master_key: str

    def voter_address(self, name: str) -> str:
        """Where the voter of a site, or the witness, listens."""
        return f"{HOST}:{self.witness_port}" if name == WITNESS else self.ports[name].address("voter")

    def voters(self, seen_from: str, network: Network) -> dict[str, str]:
        """The voters' addresses by name, as a place reaches them; "" is a place that nothing lies between."""
        return {
            name: self.voter_address(name)
            if seen_from in {name, ""}
            else network.between(seen_from, name, self.voter_address(name))
            for name in (*NAMES, WITNESS)
        }


def other(name: str) -> str:
    """The other site's name."""
    return NAMES[1 - NAMES.index(name)]


def new_plan(ports: Mapping[str, SitePorts], witness_port: int) -> Plan:
    """With secrets of its own."""
    return Plan(ports, witness_port, secrets.token_urlsafe(16), secrets.token_hex(32))


def free_plan(ports: Mapping[str, SitePorts] | None = None) -> Plan:
    """On ports that stay reserved for this process."""
    return new_plan(ports or {name: free_site_ports() for name in NAMES}, free_port(HOST))


def stable_plan(directory: Path, first: int | None = None) -> Plan:
    """On the documented ports, or on a block that begins at `first`, with the secrets of the plan that `directory` has, and
    the keys of a site `a` that was alone. ValueError for a block out of range or a damaged plan."""
    near = standard_ports() if first is None else ports_from(first)
    far = _SECOND_BLOCK if first is None else first + _BLOCK
    ports_from(far + _BLOCK)  # Room for the witness.
    made = new_plan({"a": near, "b": ports_from(far)}, far + _BLOCK)
    if before := kept(directory):
        return replace(made, secret=before.secret, master_key=before.master_key)
    alone = directory / "a" / "state" / "keys"
    if (alone / "master.key").exists():
        shutil.copytree(alone, keys(directory), dirs_exist_ok=True)
        return replace(made, master_key=(alone / "master.key").read_text(encoding="ascii").strip())
    return made


def keys(directory: Path) -> Path:
    """The key store that both sites use, in place of a database that both reach."""
    return directory / "keys"


def of_two(directory: Path) -> bool:
    """Whether a site's folder is one of two sites': its journal, its keys and its votes are theirs."""
    return kept(directory.parent) is not None and directory.name in NAMES


def keep(plan: Plan, directory: Path) -> None:
    """Writes it into `directory` (mode 0600: it holds secrets)."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / _FILE
    partial = path.with_suffix(".new")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(plan), file, indent=1)
    partial.replace(path)


def kept(directory: Path) -> Plan | None:
    """The plan in `directory`; None if there is none. ValueError if the file is damaged."""
    path = directory / _FILE
    try:
        found = json.loads(path.read_text())
        return Plan(**{**found, "ports": {name: SitePorts(**of) for name, of in found["ports"].items()}})
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove it once no process of the sites runs") from error


def share_issuer(directory: Path) -> None:
    """People and services have one issuer, who is in both sites with the same key and the same secret; the voters have
    the key in `jwks.json`. Raises `DifferentIssuers`."""
    first, second = (directory / name / "issuer" for name in NAMES)
    key, secret = signing_key(first), workload_secret(first)
    if not second.exists():
        shutil.copytree(first, second)
    if signing_key(second).id != key.id or workload_secret(second) != secret:
        raise DifferentIssuers(
            f"{first.parent} and {second.parent} have token issuers of their own: each was a site alone. "
            "Remove one of the two folders, and with it what that site stored."
        )
    (directory / "jwks.json").write_text(json.dumps(key.jwks()), encoding="utf-8")
