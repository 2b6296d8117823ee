"""The values as they are described: whole, closed, and in step with what is made from them."""

import copy

import pytest
from jsonschema import Draft202012Validator

from helm import reference
from helm.chart_values import CHARTS, GLOBAL, UMBRELLA

WHOLE = next(schema for path, schema in reference.schemas().items() if path.parent == reference.CHART)


def sections(schema, path="$"):
    """Every schema of an object in it, by its place."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, value in schema.items():
            yield from sections(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from sections(value, f"{path}[{index}]")


def test_what_is_made_from_the_values_is_up_to_date():
    stale = [str(path) for path, text in reference.wanted().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make helm-reference`"


def test_no_section_takes_a_value_that_is_not_described():
    open_ended = {"Checked by the umbrella chart.", "Templates only."}
    for path, schema in sections(WHOLE):
        closed = schema.get("additionalProperties")
        assert closed is False or isinstance(closed, dict) or schema["description"] in open_ended, path


def test_each_value_says_what_it_is_for():
    for part in (GLOBAL, UMBRELLA, *CHARTS.values()):
        for path, schema in reference.leaves(part):
            assert schema["description"].endswith((".", "?")) or "host:port" in schema["description"], path
            assert schema["description"][0].isupper() or schema["description"][0] in "`", path


def test_each_value_has_a_default_and_each_default_is_a_value():
    known = reference.defaults()
    parts = {"global": GLOBAL, **CHARTS}
    described = {f"{part}.{path}" for part, values in parts.items() for path, _ in reference.leaves(values)}
    described |= {path for path, _ in reference.leaves(UMBRELLA)}
    digests = {path for path in described if path.startswith("global.image.digests.")}
    optional = digests | {path for path in described if path.endswith(("cpu", "memory", "ephemeral-storage"))}
    missing = []
    for path in described - optional:
        try:
            reference.at(known, path)
        except KeyError:
            missing.append(path)
    assert missing == []
    errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(WHOLE).iter_errors(known)]
    assert errors == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("global.site.name", "Site A"),
        ("global.kafka.brokers", ["no port"]),
        ("global.clickhouse.http", "clickhouse:8123"),
        ("global.image.digests", {"router": "latest"}),
        ("global.image.digests", {"postgres": ""}),
        ("cti.sip.port", 70000),
        ("cti.sip.advertise", "sip:203.0.113.1"),
        ("router.drainSeconds", "20s"),
        ("omnichannel.idleTimeout", "ten minutes"),
        ("recording.retention", 5),
        ("media.updates", "Sometimes"),
        ("gateway.replicas", 0),
        ("networkPolicies.phones", ["203.0.113.0"]),
        ("routes.gateways", [{"nmae": "public"}]),
        ("global.tolerations", [{"keys": "x"}]),
    ],
)
def test_a_value_that_cannot_be_is_refused(path, wrong):
    values = copy.deepcopy(reference.defaults())
    *way, last = path.split(".")
    reference.at(values, ".".join(way))[last] = wrong
    found = [error.json_path for error in Draft202012Validator(WHOLE).iter_errors(values)]
    assert any(place.startswith(f"$.{path}") for place in found), found
