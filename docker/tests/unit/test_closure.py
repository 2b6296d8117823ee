"""What a program reaches, and what lies in an image."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType

DOCKER = Path(__file__).parents[2]


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docker_{name}", DOCKER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


closure, sbom = program("closure"), program("sbom")


def test_imports_are_found_wherever_they_stand_but_not_those_for_type_checkers(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "import a.b\n"
        "from . import near\n"
        "from .other import thing\n"
        "if TYPE_CHECKING:\n    import never\n"
        "def late():\n    import c\n    load('junctor_x.y:name')\n    load('uvloop')\n    say('not a module.')\n"
    )
    found = set(closure.imports(file, "junctor_p.module"))
    assert {"a.b", "junctor_p", "junctor_p.near", "junctor_p.other", "junctor_p.other.thing", "c"} <= found
    assert {"junctor_x.y", "uvloop"} <= found
    assert not {"never", "not a module."} & found


def test_a_program_that_needs_little_installs_little() -> None:
    found = closure.closure(("junctor_local.media.__main__",))
    assert [line.partition("==")[0] for line in found.locked] == ["uvloop"]
    assert "./local\n" in found.text()


def test_what_a_distribution_requires_comes_with_it_and_its_wanted_extras_too() -> None:
    assert {"pydantic", "pydantic-core", "starlette", "annotated-types"} <= closure.required(["fastapi"])
    assert "psycopg-binary" in closure.required(["psycopg"])


def test_a_bill_of_materials_lists_each_thing_once_and_is_the_same_twice(tmp_path: Path) -> None:
    status = tmp_path / "status"
    entry = (
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\nDescription: C\n more\n"
    )
    status.write_text(entry + "\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n")
    with zipfile.ZipFile(tmp_path / "kafka-clients-4.1.0.jar", "w") as jar:
        jar.writestr(
            "META-INF/maven/g/kafka-clients/pom.properties",
            "groupId=org.kafka\nartifactId=kafka-clients\nversion=4.1.0\n",
        )
    (tmp_path / "plain-1.2.jar").write_bytes(_empty_zip())
    packages = [component["purl"] for component in sbom.debian(status)]
    assert packages == ["pkg:deb/debian/libc6@2.36-9?arch=amd64"]
    jars = list(sbom.jars(tmp_path))
    assert [jar["purl"] for jar in jars] == ["pkg:maven/org.kafka/kafka-clients@4.1.0", "pkg:maven/plain@1.2"]
    assert all(len(jar["hashes"][0]["content"]) == 64 for jar in jars)
    assert json.dumps(sbom.document("n", "1", jars)) == json.dumps(sbom.document("n", "1", jars))
    assert any(component["name"] == "pytest" and component.get("licenses") for component in sbom.python())


def _empty_zip() -> bytes:
    return b"PK\x05\x06" + bytes(18)
