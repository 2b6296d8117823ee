"""`python -m helm.reference` writes what is made from chart_values.py and the repository: the charts' values.schema.json,
the table of values in docs/helm.md, and files/topics.yaml. With `--check` it says what is out of date (exit status 1).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from helm.chart_values import CHARTS, GLOBAL, UMBRELLA
from helm.schema_terms import Schema, section

HELM = Path(__file__).resolve().parent
REPOSITORY = HELM.parent
CHART = HELM / "junctor"
MANUAL = REPOSITORY / "docs" / "helm.md"
BEGIN, END = "<!-- values: made by helm.reference -->\n", "<!-- end of values -->\n"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_ANY_GLOBAL: Schema = {"type": "object", "description": "Checked by the umbrella chart."}


def schemas() -> dict[Path, Schema]:
    """The schema of each chart, by its file."""
    found: dict[Path, Schema] = {}
    for chart, values in CHARTS.items():
        one = section(f"Values of {chart}.", **values, **{"global": _ANY_GLOBAL})
        found[CHART / "charts" / chart / "values.schema.json"] = {"$schema": _DRAFT, **one}
    parts = {
        chart: section(f"Values of {chart}.", **values, **{"global": _ANY_GLOBAL}) for chart, values in CHARTS.items()
    }
    whole = section(
        "Values of Junctor.",
        **{"global": section("What all parts share.", **GLOBAL)},
        **UMBRELLA,
        **parts,
        **{"junctor-library": {"type": "object", "description": "Templates only."}},
    )
    found[CHART / "values.schema.json"] = {"$schema": _DRAFT, **whole}
    return found


def defaults() -> dict[str, Any]:
    """The values of an install without any values file."""
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    for chart in CHARTS:
        found[chart] = yaml.safe_load((CHART / "charts" / chart / "values.yaml").read_text())
    return found


def leaves(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each value that is no section, by its dotted path."""
    for key, one in schema.items():
        if one.get("properties") and one.get("additionalProperties") is False:
            yield from leaves(one["properties"], f"{path}{key}.")
        else:
            yield f"{path}{key}", one


def at(values: Any, path: str) -> Any:
    """The value at a dotted path. KeyError where there is none."""
    for key in path.split("."):
        values = values[key]
    return values


def table() -> str:
    """The values of the chart as Markdown, by section."""
    known = defaults()
    parts = {"global": GLOBAL, **UMBRELLA, **CHARTS}
    lines: list[str] = []
    umbrella = dict(leaves(UMBRELLA))
    for part, values in (("global", GLOBAL), ("", {}), *CHARTS.items()):
        rows = [(f"{part}.{path}", one) for path, one in leaves(values)] if part else list(umbrella.items())
        lines += [
            f"### `{part or 'networkPolicies and others'}`",
            "",
            "| value | default | what |",
            "| --- | --- | --- |",
        ]
        for path, one in rows:
            if path.endswith(
                tuple(f".digests.{name}" for name in GLOBAL["image"]["properties"]["digests"]["properties"])
            ):
                continue
            lines.append(f"| `{path}` | {_shown(known, path)} | {one['description']}{_choices(one)} |")
        lines.append("")
    assert parts
    return "\n".join(lines)


def _shown(known: Any, path: str) -> str:
    try:
        value = at(known, path)
    except KeyError:
        return ""
    return "" if value in ("", [], {}) else f"`{json.dumps(value).strip(chr(34))}`"


def _choices(one: Mapping[str, Any]) -> str:
    return f" One of {', '.join(f'`{value}`' for value in one['enum'] if value)}." if "enum" in one else ""


def wanted() -> dict[Path, str]:
    """Every file that is made, and what it must hold."""
    found = {path: json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for path, schema in schemas().items()}
    found[CHART / "files" / "topics.yaml"] = (REPOSITORY / "topics.yaml").read_text()
    manual = MANUAL.read_text()
    head, tail = manual[: manual.index(BEGIN) + len(BEGIN)], manual[manual.index(END) :]
    found[MANUAL] = f"{head}\n{table()}\n{tail}"
    return found


def main() -> int:
    stale = [path for path, text in wanted().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(REPOSITORY)} is out of date: run `make helm-reference`.\n")
        return 1 if stale else 0
    for path, text in wanted().items():
        if path in stale:
            path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
