"""NetworkPolicies of a cluster of one node as rules of its kernel (nftables). Pure; what applies them is network_policies.py.

A table of its own, so that nothing of the node's other rules is touched. What is refused is kept in its set `refused`, but for
what a pod asks, or is asked, before its address is known: it is repeated, and let through then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

Object = Mapping[str, Any]
Ports = tuple[str, ...]
TABLE, BRIDGE = "policies", "cni0"
NO_POD = "127.0.0.1"
"""A set is never empty."""
_HEAD = f"""
add table ip {TABLE}
add set ip {TABLE} refused {{ type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags dynamic; size 65535; }}
add chain ip {TABLE} refuse
add chain ip {TABLE} egress
add chain ip {TABLE} ingress
add chain ip {TABLE} forward {{ type filter hook forward priority 10; policy accept; }}
add chain ip {TABLE} input {{ type filter hook input priority 10; policy accept; }}
flush table ip {TABLE}
"""


@dataclass(frozen=True, slots=True)
class Pod:
    """One that has an address of its own. `ports`: (name, protocol) to number."""

    namespace: str
    labels: Mapping[str, str]
    address: str
    ports: Mapping[tuple[str, str], int]


def pods_of(objects: Iterable[Object]) -> list[Pod]:
    """Those that run, or are about to, and have an address."""
    found = []
    for one in objects:
        status, spec = one["status"], one["spec"]
        if spec.get("hostNetwork") or not status.get("podIP") or status.get("phase") in ("Succeeded", "Failed"):
            continue
        ports = {
            (port["name"], port.get("protocol", "TCP")): port["containerPort"]
            for container in spec["containers"]
            for port in container.get("ports") or ()
            if "name" in port
        }
        metadata = one["metadata"]
        found.append(Pod(metadata["namespace"], metadata.get("labels") or {}, status["podIP"], ports))
    return found


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """A label selector; an empty one selects everything."""
    for name, value in (selector.get("matchLabels") or {}).items():
        if labels.get(name) != value:
            return False
    for one in selector.get("matchExpressions") or ():
        there, values = one["key"] in labels, one.get("values") or ()
        met = {
            "Exists": there,
            "DoesNotExist": not there,
            "In": there and labels[one["key"]] in values,
            "NotIn": not there or labels[one["key"]] not in values,
        }[one["operator"]]
        if not met:
            return False
    return True


def script(
    policies: Iterable[Object], pods: Iterable[Pod], namespaces: Mapping[str, Mapping[str, str]], free: Iterable[str]
) -> str:
    """For `nft -f`, in one transaction. `namespaces`: their labels. `free`: addresses that may reach everything, as the
    node itself may."""
    policies, pods = list(policies), list(pods)
    known = _set([NO_POD, *(pod.address for pod in pods)])
    lines = [
        f'add rule ip {TABLE} refuse iifname "{BRIDGE}" ip saddr != {known} drop',
        f'add rule ip {TABLE} refuse oifname "{BRIDGE}" ip daddr != {known} drop',
        *(
            f"add rule ip {TABLE} refuse {begins} add @refused {{ ip saddr . ip daddr . meta l4proto . th dport }}"
            for begins in ("tcp flags & (fin | syn | rst | ack) == syn", "meta l4proto udp ct state new")
        ),
        f"add rule ip {TABLE} refuse drop",
    ]
    for chain in ("forward", "input"):
        lines.append(f"add rule ip {TABLE} {chain} ct state established,related accept")
        lines += [f"add rule ip {TABLE} {chain} ip saddr {address} accept" for address in free]
        lines.append(f"add rule ip {TABLE} {chain} jump egress")
    lines.append(f"add rule ip {TABLE} forward jump ingress")
    for direction, own, other, word in (
        ("ingress", "daddr", "saddr", "from"),
        ("egress", "saddr", "daddr", "to"),
    ):
        closed: set[str] = set()
        for policy in policies:
            spec = policy["spec"]
            chosen = [
                pod
                for pod in pods
                if pod.namespace == policy["metadata"]["namespace"] and selects(spec["podSelector"], pod.labels)
            ]
            if not chosen or direction.capitalize() not in _types(spec):
                continue
            closed |= {pod.address for pod in chosen}
            for rule in spec.get(direction) or ():
                peers = _peers(rule.get(word), policy["metadata"]["namespace"], pods, namespaces)
                for selves, there, ports in _allowed(rule, chosen, peers, pods, direction):
                    source = f"ip {own} {_set(selves)} {_match(other, there)}"
                    lines += [f"add rule ip {TABLE} {direction} {source} {port} return" for port in ports]
        if closed:
            lines.append(f"add rule ip {TABLE} {direction} ip {own} {_set(closed)} goto refuse")
    return "\n".join([_HEAD.strip(), *lines, ""])


def _types(spec: Object) -> list[str]:
    found: list[str] = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return found


def _peers(
    peers: Any, namespace: str, pods: Iterable[Pod], namespaces: Mapping[str, Mapping[str, str]]
) -> list[str] | None:
    """Addresses and networks; None for anybody."""
    if not peers:
        return None
    found: list[str] = []
    for peer in peers:
        if "ipBlock" in peer:
            if peer["ipBlock"].get("except"):
                raise NotImplementedError("a network with exceptions")
            if ":" not in peer["ipBlock"]["cidr"]:
                found.append(peer["ipBlock"]["cidr"])
            continue
        found += [
            pod.address
            for pod in pods
            if selects(peer.get("podSelector") or {}, pod.labels)
            and (
                selects(peer["namespaceSelector"], namespaces.get(pod.namespace, {}))
                if "namespaceSelector" in peer
                else pod.namespace == namespace
            )
        ]
    return found


def _allowed(
    rule: Object, chosen: list[Pod], peers: list[str] | None, pods: Iterable[Pod], direction: str
) -> Iterator[tuple[list[str], list[str] | None, Ports]]:
    """(the policy's pods, the others or None, matches of ports). A port's name is that of who is called."""
    if peers is not None and not peers:
        return
    ports = rule.get("ports") or ()
    if direction == "ingress":
        by_ports = sorted((_matches(ports, pod.ports), pod.address) for pod in chosen)
        for found, group in groupby(by_ports, key=lambda one: one[0]):
            yield [address for _, address in group], peers, found
        return
    selves = [pod.address for pod in chosen]
    if not any(isinstance(port.get("port"), str) for port in ports):
        yield selves, peers, _matches(ports, {})
        return
    for pod in pods:
        if peers is None or pod.address in peers:
            yield selves, [pod.address], _matches(ports, pod.ports)


def _matches(ports: Iterable[Object], named: Mapping[tuple[str, str], int]) -> Ports:
    ports = list(ports)
    if not ports:
        return ("",)
    found = []
    for port in ports:
        protocol, number = port.get("protocol", "TCP"), port.get("port")
        if isinstance(number, str):
            number = named.get((number, protocol))
            if number is None:
                continue
        if number is None:
            found.append(f"meta l4proto {protocol.lower()}")
            continue
        last = f"-{port['endPort']}" if "endPort" in port else ""
        found.append(f"{protocol.lower()} dport {number}{last}")
    return tuple(found)


def _match(side: str, addresses: list[str] | None) -> str:
    if addresses is None or "0.0.0.0/0" in addresses:
        return ""
    return f"ip {side} {_set(addresses)}"


def _set(addresses: Iterable[str]) -> str:
    return f"{{ {', '.join(sorted(set(addresses)))} }}"
