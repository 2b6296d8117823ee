"""What the chart makes, against what Kubernetes and the operators take."""

import json
import subprocess
from functools import cache

import pytest
from jsonschema import Draft202012Validator

from helm.object_schemas import KINDS, file_of
from helm.rendered import CHART, INSTALLS, tool
from helm.tests.conftest import objects, rendered

# Not asked for: images pulled anew at each start (they are pinned), more than one pod (the profiles say how many, and why some
# are one), a rule of affinity (pods are spread by topology), and for trials Services that a node's port leads to.
_LEFT_OUT = (
    "container-image-pull-policy",
    "deployment-replicas",
    "deployment-has-host-podantiaffinity",
    "statefulset-has-host-podantiaffinity",
)
_LEFT_OUT_OF_TRIALS = ("service-type",)


@cache
def validator(api_version, kind):
    path = file_of(api_version, kind)
    assert path.exists(), f"no schema of {kind} {api_version}: add it to helm/object_schemas.py"
    return Draft202012Validator(json.loads(path.read_text()))


def wrong_with(one):
    """Each sentence names the object and the place in it."""
    errors = validator(one["apiVersion"], one["kind"]).iter_errors(one)
    return [f"{one['kind']}/{one['metadata']['name']}: {error.json_path}: {error.message[:300]}" for error in errors]


@pytest.mark.parametrize("install", INSTALLS)
def test_helm_lint_has_nothing_to_say(install):
    values = [part for file in INSTALLS[install] for part in ("--values", str(file))]
    command = [tool("helm"), "lint", "--strict", "--quiet", str(CHART), *values]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("install", INSTALLS)
def test_every_object_is_as_its_schema_has_it(install):
    assert [problem for one in objects(install) for problem in wrong_with(one)] == []


def test_all_kinds_that_have_a_schema_are_made_by_some_install():
    made = {(one["apiVersion"], one["kind"]) for install in INSTALLS for one in objects(install)}
    known = {("/".join(filter(None, gv)), kind) for gv, kinds in KINDS.items() for kind in kinds}
    assert known - made - {("v1", "PersistentVolumeClaim")} == set()


def test_the_schemas_find_what_is_wrong():
    """A check that cannot fail is none: an unknown field, a wrong type and a missing field are each found."""
    service = next(one for one in objects("single") if one["kind"] == "Service")
    policy = next(one for one in objects("single") if one["kind"] == "NetworkPolicy")
    topic = next(one for one in objects("production-operators") if one["kind"] == "KafkaTopic")
    assert wrong_with({**service, "spec": {**service["spec"], "selectors": {}}})
    assert wrong_with({**policy, "spec": {**policy["spec"], "podSelector": "all"}})
    assert wrong_with({**topic, "spec": {**topic["spec"], "partitions": "twelve"}})
    assert not wrong_with(service)


@pytest.mark.parametrize("install", INSTALLS)
def test_the_policy_linter_finds_nothing(install):
    left_out = (*_LEFT_OUT, *(_LEFT_OUT_OF_TRIALS if install.startswith("single") else ()))
    ignored = [part for test in left_out for part in ("--ignore-test", test)]
    command = [tool("kube-score"), "score", "--output-format", "ci", "--ignore-container-cpu-limit", *ignored, "-"]
    done = subprocess.run(command, input=rendered(install), capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if not line.startswith(("[OK]", "[SKIPPED]"))]
    assert found == []
    assert "[OK]" in done.stdout, done.stderr


def test_the_policy_linter_finds_what_is_wrong():
    careless = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"name": "x", "image": "x"}]},
    }
    command = [tool("kube-score"), "score", "--output-format", "ci", "-"]
    done = subprocess.run(command, input=json.dumps(careless), capture_output=True, text=True, check=False)
    assert done.stdout.count("[CRITICAL]") > 3
