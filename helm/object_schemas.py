"""`python -m helm.object_schemas FILE …` makes helm/tests/schemas: what the objects that the chart makes may look like.

Each FILE is Kubernetes' OpenAPI document (api/openapi-spec/swagger.json of k8s.io/kubernetes) or a file of
CustomResourceDefinitions, from the sources named in helm/tests/schemas/README.md. Descriptions are left out, and a field
that the schema does not know is an error, as it is for `kubectl --validate=strict`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).resolve().parent / "tests" / "schemas"
# What the chart makes. Group, version and kind; the core group is empty.
KINDS = {
    ("", "v1"): ("ConfigMap", "Secret", "Service", "ServiceAccount", "Pod", "PersistentVolumeClaim"),
    ("apps", "v1"): ("Deployment", "StatefulSet"),
    ("batch", "v1"): ("Job",),
    ("autoscaling", "v2"): ("HorizontalPodAutoscaler",),
    ("policy", "v1"): ("PodDisruptionBudget",),
    ("networking.k8s.io", "v1"): ("NetworkPolicy",),
    ("rbac.authorization.k8s.io", "v1"): ("Role", "RoleBinding"),
    ("kafka.strimzi.io", "v1"): ("Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser", "KafkaMirrorMaker2"),
    ("clickhouse.altinity.com", "v1"): ("ClickHouseInstallation",),
    ("postgresql.cnpg.io", "v1"): ("Cluster",),
    ("cert-manager.io", "v1"): ("Certificate",),
    ("monitoring.coreos.com", "v1"): ("PodMonitor", "PrometheusRule"),
    ("keda.sh", "v1alpha1"): ("ScaledObject",),
    ("gateway.networking.k8s.io", "v1"): ("HTTPRoute",),
}
_TEXT = {"type": "string"}
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_EITHER = {"type": ["string", "integer"]}
_NUMBER_OR_TEXT = {"type": ["string", "number"]}
_PARTS = ("anyOf", "oneOf", "allOf", "not")
_DROPPED = ("description", "default", "example", "format")


def file_of(api_version: str, kind: str) -> Path:
    """Where the schema of an object is kept."""
    return SCHEMAS / f"{kind.lower()}.{api_version.replace('/', '.')}.json"


def closed(schema: Any, *, part: bool = False) -> Any:
    """The schema without descriptions, whose objects take no fields but those it names. A `part` of a schema (of anyOf and
    the like) says something about fields that another part may name, so it stays open."""
    if isinstance(schema, list):
        return [closed(one, part=part) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return _EITHER
    kept = {
        key: {name: closed(one, part=part) for name, one in value.items()}
        if key in ("properties", "$defs")
        else closed(value, part=part or key in _PARTS)
        for key, value in schema.items()
        if not key.startswith("x-kubernetes")
        and (key not in _DROPPED or not isinstance(value, str | int | bool | list))
    }
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if "properties" in schema and not open_ended and not part:
        kept["additionalProperties"] = False
    if schema.get("nullable") and isinstance(kept.get("type"), str):
        kept["type"] = [kept["type"], "null"]
    kept.pop("nullable", None)
    return kept


def of_kubernetes(document: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """apiVersion, kind and schema of each wanted kind of an OpenAPI 2 document."""
    definitions = document["definitions"]
    for name, one in definitions.items():
        for about in one.get("x-kubernetes-group-version-kind", []):
            group, version, kind = about["group"], about["version"], about["kind"]
            if kind in KINDS.get((group, version), ()):
                needed: dict[str, Any] = {}
                _collect(name, definitions, needed)
                yield "/".join(filter(None, (group, version))), kind, {"$ref": f"#/$defs/{name}", "$defs": needed}


def _collect(name: str, definitions: dict[str, Any], found: dict[str, Any]) -> None:
    if name in found:
        return
    one = definitions[name]
    found[name] = _NUMBER_OR_TEXT if name == _QUANTITY else _EITHER if one.get("format") == "int-or-string" else {}
    if not found[name]:
        found[name] = json.loads(json.dumps(closed(one)).replace("#/definitions/", "#/$defs/"))
        for reference in _references(one):
            _collect(reference.removeprefix("#/definitions/"), definitions, found)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def of_definitions(documents: Iterator[Any]) -> Iterator[tuple[str, str, Any]]:
    """The same of CustomResourceDefinitions."""
    for one in documents:
        if not one or one.get("kind") != "CustomResourceDefinition":
            continue
        group, kind = one["spec"]["group"], one["spec"]["names"]["kind"]
        for version in one["spec"]["versions"]:
            if kind in KINDS.get((group, version["name"]), ()):
                schema = closed(version["schema"]["openAPIV3Schema"])
                # Every object has these, whatever its definition says of them.
                schema["properties"] |= {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                }
                yield f"{group}/{version['name']}", kind, schema


def main() -> int:
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:]:
        content = Path(name).read_text(encoding="utf-8")
        made = (
            of_kubernetes(json.loads(content))
            if name.endswith(".json")
            else of_definitions(yaml.safe_load_all(content))
        )
        for api_version, kind, schema in made:
            text = json.dumps(schema, separators=(",", ":"), sort_keys=True)
            file_of(api_version, kind).write_text(text + "\n")
    missing = [
        f"{kind} of {group}/{version}"
        for (group, version), kinds in KINDS.items()
        for kind in kinds
        if not file_of("/".join(filter(None, (group, version))), kind).exists()
    ]
    if missing:
        sys.stderr.write(f"No file has {', '.join(missing)}.\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
