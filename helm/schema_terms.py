"""Words to describe values with, each giving a part of a JSON Schema (draft 2020-12, as far as Helm's validator takes it)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
_DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"
_HOST = r"([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"


def section(about: str, **values: Schema) -> Schema:
    """An object with these values and no others."""
    return {"type": "object", "description": about, "additionalProperties": False, "properties": values}


def text(about: str, pattern: str = "") -> Schema:
    return {"type": "string", "description": about, **({"pattern": pattern} if pattern else {})}


def name(about: str) -> Schema:
    """The name of a Kubernetes object; empty where there is none."""
    return text(about, f"^$|{_NAME}")


def duration(about: str) -> Schema:
    """As 500ms, 30s, 10m, 1d."""
    return text(about, _DURATION)


def host(about: str) -> Schema:
    return text(about, f"^({_HOST})?$")


def address(about: str) -> Schema:
    """host:port; empty where there is none."""
    return text(about, f"^({_HOST}:[0-9]{{1,5}})?$")


def url(about: str, schemes: str = "https?") -> Schema:
    return text(about, f"^(({schemes})://[^ ]+)?$")


def number(about: str, minimum: int, maximum: int | None = None) -> Schema:
    return {
        "type": "integer",
        "description": about,
        "minimum": minimum,
        **({"maximum": maximum} if maximum is not None else {}),
    }


def switch(about: str) -> Schema:
    return {"type": "boolean", "description": about}


def choice(about: str, *values: str) -> Schema:
    return {"type": "string", "description": about, "enum": list(values)}


def several(about: str, one: Mapping[str, Any]) -> Schema:
    return {"type": "array", "description": about, "items": dict(one)}


def mapping(about: str) -> Schema:
    """Names and texts that are not ours, as labels and annotations are."""
    return {"type": "object", "description": about, "additionalProperties": {"type": "string"}}


def port(about: str) -> Schema:
    return number(about, 1, 65535)


def quantity(about: str) -> Schema:
    """As 500m, 1.5, 256Mi."""
    return {"type": ["string", "number"], "description": about, "pattern": _QUANTITY}


def resources() -> Schema:
    amounts = {
        "cpu": quantity("Processors."),
        "memory": quantity("Memory."),
        "ephemeral-storage": quantity("Disk that ends with the pod."),
    }
    return section(
        "What a pod asks for and is limited to.",
        requests=section("What is set aside for a pod.", **amounts),
        limits=section("What a pod may use at most.", **amounts),
    )


def tolerations(about: str) -> Schema:
    fields = {key: {"type": "string"} for key in ("key", "operator", "value", "effect")}
    fields["tolerationSeconds"] = {"type": "integer"}
    return several(about, {"type": "object", "additionalProperties": False, "properties": fields})


def placement() -> dict[str, Schema]:
    """What every workload has."""
    return {
        "resources": resources(),
        "priorityClassName": name("Priority of its pods; that of global.priorityClassName if empty."),
        "nodeSelector": mapping("Labels of the nodes where its pods may run, beside those of global.nodeSelector."),
        "tolerations": tolerations("Taints that its pods bear, beside those of global.tolerations."),
        "podAnnotations": mapping("Annotations of its pods, beside those of global.podAnnotations."),
    }


def persistence(about: str) -> Schema:
    return section(
        about,
        enabled=switch("Whether the disk outlives the pod."),
        size=quantity("Its size."),
        storageClass=name("Its storage class; that of global.storageClass if empty."),
    )


def autoscaling() -> Schema:
    return section(
        "Pods by load, in place of a fixed number.",
        enabled=switch("Whether a HorizontalPodAutoscaler sets the number of pods."),
        min=number("Fewest pods.", 1, 12),
        max=number("Most pods.", 1, 12),
        cpuPercent=number("Load of the processors that is aimed at, in percent of what is requested.", 1, 100),
    )


def public_service(what: str) -> Schema:
    return section(
        f"How {what} reached from outside the cluster without a route.",
        type=choice("ClusterIP: not at all.", "ClusterIP", "NodePort", "LoadBalancer"),
        nodePort=number("The node's port, with type NodePort; 0: any.", 0, 32767),
    )
