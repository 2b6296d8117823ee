"""One of two sites: a whole site with its voter and the mirror of the other site's topics."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from junctor_journal import topics

from junctor_local import health, places
from junctor_local.child import Child
from junctor_local.mirror import Mirror
from junctor_local.site import Site
from junctor_local.supervised import Supervised
from junctor_local.two_sites_plan import PARTITIONS, WITNESS, Network, Plan, Straight, keys, other

VOTER, MIRROR = "voter", "mirror"
_READY_LIMIT = 60.0


def site_of_two(
    directory: Path,
    name: str,
    plan: Plan,
    *,
    network: Network | None = None,
    preferred: Mapping[str, Sequence[int]] | None = None,
    settings: Mapping[str, str] | None = None,
    reach_far_kafka: bool = True,
    **how: Any,
) -> Site:
    """Site `name` in `directory`/`name`; its start does not wait for the other one. `how`: see `Site`.

    `preferred`: what a site leads where nobody does, else a half each. `reach_far_kafka`: whether a site that takes over
    asks the other's Kafka for what was not mirrored.
    """
    way = network or Straight()
    half = PARTITIONS // 2
    leads = preferred or {"a": range(half), "b": range(half, PARTITIONS)}
    return Site(
        directory / name,
        name=name,
        ports=plan.ports[name],
        settings={
            **_settings(directory, name, plan, way, leads.get(name, ()), reach_far_kafka),
            **(settings or {}),
        },
        kafka_properties=_listeners(name, plan, way),
        before=[voter(directory, name, plan)],
        after=[_mirror(directory, name, plan, way)],
        **how,
    )


def voter(directory: Path, name: str, plan: Plan) -> Supervised:
    """The voter of a site, or the witness."""
    place = directory / name if name == WITNESS else directory / name / VOTER
    command = [sys.executable, "-m", "junctor_local.witness"]
    address = plan.voter_address(name)
    child = Child(VOTER, command, place / "voter.log", env=voter_settings(directory, name, plan))

    async def answers() -> bool:
        return await health.serving(address)

    async def start() -> None:
        await child.start()
        await child.ready(answers, _READY_LIMIT)

    return Supervised(VOTER, child, start, answers, address, _nothing)


def voter_settings(directory: Path, name: str, plan: Plan) -> dict[str, str]:
    """The settings of a voter as a program."""
    place = directory / name if name == WITNESS else directory / name / VOTER
    return {
        "JUNCTOR_WITNESS__GRPC_LISTEN": plan.voter_address(name),
        "JUNCTOR_WITNESS__STATE_DIR": str(place),
        "JUNCTOR_WITNESS__JWKS": str(directory / "jwks.json"),
    }


def _settings(
    directory: Path, name: str, plan: Plan, network: Network, leads: Sequence[int], reach_far_kafka: bool
) -> dict[str, str]:
    there = other(name)
    found = {
        "JUNCTOR_OTHER_SITE": there,
        "JUNCTOR_VOTERS": ",".join(f"{voter}={address}" for voter, address in plan.voters(name, network).items()),
        "JUNCTOR_CTI__OTHER_SITES": f"{there}={plan.ports[there].address('sip')}",
        "JUNCTOR_CTI__OTHER_SITES_SECRET": plan.secret,
        "JUNCTOR_OMNICHANNEL__OTHER_SITES": f"{there}={plan.ports[there].address('omnichannel')}",
        "JUNCTOR_OMNICHANNEL__OTHER_SITES_WEB": f"{there}=ws://{plan.ports[there].address('web_chat')}",
        "JUNCTOR_MASTER_KEY": plan.master_key,
        "JUNCTOR_KEY_STORE_DIR": str(keys(directory)),
    }
    if leads:
        found["JUNCTOR_PREFERRED_PARTITIONS"] = ",".join(map(str, leads))
    if reach_far_kafka:
        found["JUNCTOR_OTHER_KAFKA_BOOTSTRAP"] = _kafka_of(there, name, plan, network)
    return found


def _kafka_of(target: str, source: str, plan: Plan, network: Network) -> str:
    return network.between(source, target, plan.ports[target].address("kafka_far"))


def _listeners(name: str, plan: Plan, network: Network) -> dict[str, str]:
    """A listener of its own for the other site: clients go on by the address that a broker tells them."""
    ports = plan.ports[name]
    near, controller = ports.address("kafka"), ports.address("kafka_controller")
    return {
        "listeners": f"PLAINTEXT://{near},FAR://{ports.address('kafka_far')},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{near},FAR://{_kafka_of(name, other(name), plan, network)}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
    }


def _mirror(directory: Path, name: str, plan: Plan, network: Network) -> Supervised:
    there = other(name)
    declared = topics.mirrored(places.repository() / "topics.yaml")
    source = _kafka_of(there, name, plan, network)
    mirror = Mirror(
        directory / name / MIRROR,
        source=(there, source),
        target=(name, plan.ports[name].address("kafka")),
        topics=[declaration.name for declaration in declared],
    )
    return Supervised(MIRROR, mirror.child, mirror.start, mirror.copies, source, _nothing)


def _nothing() -> None:
    """Nobody keeps the state of what is no site's."""
