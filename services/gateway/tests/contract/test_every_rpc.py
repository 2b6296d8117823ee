"""Every RPC of every proto has its paths, its place in the document, and is described by the proto's own words."""

import importlib
import re
from pathlib import Path

import jsonschema
import pytest
from google.protobuf import descriptor_pb2
from junctor_gateway.application import comments
from junctor_gateway.application.catalogue import methods
from junctor_gateway.application.openapi import document

ROOT = Path(__file__).parents[4]
PROTOS = sorted((ROOT / "proto" / "junctor").rglob("*.proto"))


def written() -> list[tuple[str, str, str]]:
    """(package, service, method), read from the protos' text."""
    found = []
    for proto in PROTOS:
        text = proto.read_text()
        package = re.search(r"^package ([\w.]+);", text, re.M)[1]
        for service in re.finditer(r"^service (\w+) \{(.*?)^\}", text, re.M | re.S):
            found += [(package, service[1], name) for name in re.findall(r"^  rpc (\w+)\(", service[2], re.M)]
    return found


BETWEEN_SITES = ("junctor.register.v1", "junctor.site.v1")
RPCS = [rpc for rpc in written() if rpc[0] not in BETWEEN_SITES]


def test_the_protos_have_rpcs():
    assert len(RPCS) >= 40
    assert {package.split(".")[1] for package, _, _ in RPCS} == {
        "router", "cti", "ivr", "recording", "omnichannel", "analytics", "directory",
    }  # fmt: skip


@pytest.mark.parametrize("between", BETWEEN_SITES)
def test_what_goes_on_between_sites_is_not_offered(between):
    assert any(package == between for package, _, _ in written())
    assert not [method for method in methods() if method.service_type.startswith(between)]
    assert not [path for path in document()["paths"] if f"/{between.split('.')[1]}/" in path]


@pytest.mark.parametrize(("package", "service", "name"), RPCS, ids=str)
def test_has_its_paths(package, service, name):
    method = next(m for m in methods() if (m.service_type, m.name) == (f"{package}.{service}", name))
    assert method.http_path == f"/v1/{package.split('.')[1]}/{name}"
    assert method.rpc_path == f"/{package}.{service}/{name}"
    operations = document()["paths"][method.http_path]
    assert ("get" in operations) == method.is_query
    assert method.comment and operations["post"]["description"].startswith(method.comment)
    assert method.is_query != method.takes_request_id, "either it reads, or a repeat of it is recognised"


async def test_each_path_is_served(gateway):
    for method in methods():
        anonymous = {"authorization": ""}
        answer = await gateway.http.post(method.http_path, json={}, headers=anonymous)
        assert (answer.status_code, answer.json()["reason"]) == (401, "TOKEN_MISSING"), method.http_path
        web = await gateway.http.post(method.rpc_path, headers={**anonymous, "content-type": "application/grpc-web"})
        assert b"grpc-status: 16\r\n" in web.content, method.rpc_path
        got = await gateway.http.get(method.http_path, headers=anonymous)
        assert got.status_code == (401 if method.is_query else 405), method.http_path


def test_the_descriptors_are_those_of_the_generated_code():
    for file in comments.descriptor_set().file:
        module = importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
        kept = descriptor_pb2.FileDescriptorProto()
        kept.CopyFrom(file)
        kept.ClearField("source_code_info")
        for message in kept.message_type:
            for field in message.field:
                field.ClearField("json_name")
        loaded = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(loaded)
        assert [m.name for m in kept.message_type] == [m.name for m in loaded.message_type], file.name
        for ours, theirs in zip(kept.message_type, loaded.message_type, strict=True):
            assert [(f.name, f.number, f.type) for f in ours.field] == [
                (f.name, f.number, f.type) for f in theirs.field
            ]


def test_everything_is_described():
    schemas = document()["components"]["schemas"]
    bare = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        if name.startswith("junctor.")
        for field, inner in schema.get("properties", {}).items()
        if not inner.get("description")
    ]
    assert bare == []
    enums = {name: schema["description"] for name, schema in schemas.items() if "enum" in schema}
    assert enums and all(": \n" not in text and not text.endswith(": ") for text in enums.values())


def test_schemas_are_schemas_and_references_lead_somewhere():
    schemas = document()["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    references = set(re.findall(r"#/components/schemas/([\w.]+)", str(document())))
    assert references <= set(schemas)
    operations = [op for path in document()["paths"].values() for op in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
