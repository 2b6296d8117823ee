"""The chart at the API server that KUBECONFIG names, in namespaces of its own. Nothing has to run there: objects are made."""

import base64
import subprocess

import pytest
from kubernetes.client import CoreV1Api, V1ObjectMeta, V1Secret
from kubernetes.dynamic import DynamicClient

from helm import rendered as chart
from helm.rendered import CHART, INSTALLS, tool

OWN_GROUPS = ("", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "rbac.authorization.k8s.io")


def helm(verb, namespace, files, *arguments):
    values = [part for file in files for part in ("--values", str(file))]
    command = [tool("helm"), verb, "junctor", str(CHART), "--namespace", namespace, *values, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("install", INSTALLS)
def test_the_api_server_takes_every_object_of_kubernetes_own(client, namespace, install):
    """Validated as for a real request, unknown fields refused; operators' objects need their definitions there.

    Accounts are made, the rest is tried: a pod is taken where its account is.
    """
    dynamic = DynamicClient(client)
    done = chart.template(INSTALLS[install], f"--namespace={namespace}")
    taken = 0
    found = chart.objects(done.stdout)
    for one in sorted(found, key=lambda one: one["kind"] != "ServiceAccount"):
        if one["apiVersion"].rpartition("/")[0] not in OWN_GROUPS:
            continue
        resource = dynamic.resources.get(api_version=one["apiVersion"], kind=one["kind"])
        query = [("fieldValidation", "Strict"), *([] if one["kind"] == "ServiceAccount" else [("dryRun", "All")])]
        made = resource.create(body=one, namespace=namespace, query_params=query)
        assert made.metadata.name == one["metadata"]["name"]
        taken += 1
    assert taken > 30


def test_secrets_that_are_not_there_or_lack_a_key_end_the_install(client, namespace):
    CoreV1Api(client).create_namespaced_secret(
        namespace, V1Secret(metadata=V1ObjectMeta(name="kafka-login"), string_data={"username": "junctor"})
    )
    refused = helm("install", namespace, INSTALLS["production"])
    assert refused.returncode != 0
    missing = f"global.keys.existingSecret is personal-data, and there is no such Secret in the namespace {namespace}"
    assert missing in refused.stderr
    assert "global.kafka.login.existingSecret is kafka-login, and that Secret has no password: add it" in refused.stderr
    assert "has no username" not in refused.stderr


def test_an_upgrade_keeps_the_secrets_that_the_install_made(client, namespace):
    def secrets():
        found = CoreV1Api(client).list_namespaced_secret(namespace, label_selector="app.kubernetes.io/part-of=junctor")
        return {one.metadata.name: one.data for one in found.items}

    installed = helm("install", namespace, INSTALLS["single"])
    assert installed.returncode == 0, installed.stderr
    assert "This is a trial" in installed.stdout
    made = secrets()
    assert set(made) == {f"junctor-{part}" for part in ("clickhouse", "issuer", "keys", "sip-nonce")}
    assert len(bytes.fromhex(base64.b64decode(made["junctor-keys"]["master-key"]).decode())) == 32
    upgraded = helm("upgrade", namespace, INSTALLS["single"], "--set=global.image.tag=next")
    assert upgraded.returncode == 0, upgraded.stderr
    assert secrets() == made
    gone = subprocess.run(
        [tool("helm"), "uninstall", "junctor", "--namespace", namespace], capture_output=True, text=True, check=False
    )
    assert gone.returncode == 0, gone.stderr
    assert secrets() == made
