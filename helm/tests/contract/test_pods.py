"""What runs: as restricted as Kubernetes' standard asks, with settings that the services read."""

import importlib
import re

import pytest
from junctor_service.setting_values import parse_host_port
from junctor_service.settings import load_settings

from helm.chart_values import SERVICES
from helm.rendered import INSTALLS, template
from helm.tests.conftest import objects, pods

ON_NODES_NETWORK = {
    "single": {"StatefulSet/centre-media"},
    "single-site-b": {"StatefulSet/centre-media"},
    "production-operators": {"StatefulSet/centre-media"},
    "production-site-a": {"StatefulSet/centre-media"},
}
CLASSES = {
    service: getattr(importlib.import_module(f"junctor_{service}.settings"), f"{service.capitalize()}Settings")
    for service in SERVICES
}
# What Kubernetes puts in.
FIELDS = {
    "metadata.name": "centre-cti-0",
    "status.podIP": "10.1.2.3",
    "status.hostIP": "192.0.2.10",
    "metadata.labels['apps.kubernetes.io/pod-index']": "0",
}
VOLUMES = {"configMap", "emptyDir", "secret", "persistentVolumeClaim", "downwardAPI", "projected", "ephemeral", "csi"}


@pytest.mark.parametrize("install", INSTALLS)
def test_pods_are_restricted(install):
    """The restricted Pod Security Standard (kubernetes.io/docs/concepts/security/pod-security-standards), and more."""
    for name, spec in pods(install):
        assert bool(spec.get("hostNetwork")) == (name in ON_NODES_NETWORK.get(install, ())), name
        assert not spec.get("hostPID") and not spec.get("hostIPC"), name
        keeps_votes = install == "production-site-a" and name.endswith(("/centre-router", "/centre-directory"))
        assert spec["automountServiceAccountToken"] is keeps_votes, name
        assert spec["enableServiceLinks"] is False, name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] and security["runAsUser"] == 10001, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= VOLUMES, (name, volume)
        for container in spec["containers"] + spec.get("initContainers", []):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]} and not own["privileged"], name
            assert not any("hostPort" in port for port in container.get("ports", [])), name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name


@pytest.mark.parametrize("install", INSTALLS)
def test_whatever_runs_on_has_three_probes_and_time_to_drain(install):
    for name, spec in pods(install):
        if name.startswith(("Job/", "Pod/")) or name.endswith("/centre-mirror"):
            continue
        (container,) = spec["containers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), name
        environment = {one["name"]: one.get("value", "") for one in container.get("env", [])}
        drain = int(environment.get("JUNCTOR_DRAIN_DEADLINE", "5s")[:-1])
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert spec["terminationGracePeriodSeconds"] >= drain + pause + 5, name


@pytest.mark.parametrize("install", INSTALLS)
def test_services_read_every_setting_and_miss_none(install):
    seen = set()
    for name, spec in pods(install):
        service = name.partition("/centre-")[2]
        if service not in CLASSES:
            continue
        seen.add(service)
        environ = environment(spec["containers"][0]["env"])
        warnings = []
        settings = load_settings(CLASSES[service], service=service, environ=environ, warnings=warnings)
        assert warnings == [], name
        assert settings.site in {"a", "b"}
        assert settings.state_dir.as_posix().startswith("/var/lib/junctor"), name
        assert f"{service}-" in str(settings.grpc_advertise) or service == "gateway", name
        for variable, value in environ.items():
            if variable.startswith("JUNCTOR_") and value.startswith("/etc/junctor/"):
                assert value.rpartition("/")[0] in folders(spec), (name, variable)
    assert seen == set(SERVICES)


def folders(spec):
    return {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}


def test_sites_know_each_other_and_their_voters():
    """The places are read as the services read them."""
    for install, automatic in (("single-site-b", True), ("production-site-a", True)):
        for name, spec in pods(install):
            if not name.endswith(("/centre-router", "/centre-directory")):
                continue
            environ = environment(spec["containers"][0]["env"])
            places = environ["JUNCTOR_VOTERS"].split(",")
            names = {place.partition("=")[0] for place in places}
            assert names == {"a", "b"} | ({"witness"} if automatic else set())
            for place in places:
                kubeconfig = place.partition("@")[2]
                assert not kubeconfig or kubeconfig.rpartition("/")[0] in folders(spec), place
                if "=lease:" not in place:
                    parse_host_port(place.partition("=")[2])
    by_hand = template(
        INSTALLS["single-site-b"], "--set=global.site.takeover=byHand", "--set=global.site.voters.witness="
    )
    assert by_hand.returncode == 0 and "witness=" not in by_hand.stdout


def environment(variables):
    """Name and value as the container sees them, references filled in as Kubernetes does."""
    found = {}
    for one in variables:
        if "value" in one:
            value = re.sub(r"\$\((\w+)\)", lambda match: found[match[1]], one["value"])
        elif "fieldRef" in one["valueFrom"]:
            value = FIELDS[one["valueFrom"]["fieldRef"]["fieldPath"]]
        else:
            value = "0123456789abcdef" * 4
        assert one["name"] not in found, f"{one['name']} is set twice"
        found[one["name"]] = value
    return {name: value for name, value in found.items() if name.startswith("JUNCTOR_")}


def test_a_setting_that_nobody_reads_would_be_found():
    (spec,) = (spec for name, spec in pods("single") if name == "StatefulSet/centre-router")
    environ = {**environment(spec["containers"][0]["env"]), "JUNCTOR_ROUTER__PUMPS": "faust"}
    warnings = []
    load_settings(CLASSES["router"], service="router", environ=environ, warnings=warnings)
    assert len(warnings) == 1


@pytest.mark.parametrize("install", INSTALLS)
def test_secrets_and_settings_that_pods_name_are_there_or_the_users(install):
    made = {
        (one["kind"], one["metadata"]["name"]) for one in objects(install) if one["kind"] in ("Secret", "ConfigMap")
    }
    for one in objects(install):
        if one["kind"] == "Certificate":
            made.add(("Secret", one["spec"]["secretName"]))
        elif one["kind"] == "KafkaUser":
            made.add(("Secret", one["metadata"]["name"]))
        elif one["kind"] == "Kafka":
            made.add(("Secret", f"{one['metadata']['name']}-cluster-ca-cert"))
        elif one["kind"] == "Cluster":
            made |= {("Secret", f"{one['metadata']['name']}-{end}") for end in ("app", "ca")}
    given = "\n".join(file.read_text() for file in INSTALLS[install])
    for name, spec in pods(install):
        for kind, wanted in references(spec):
            assert (kind, wanted) in made or wanted in given, (name, kind, wanted)


def references(spec):
    for volume in spec["volumes"]:
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
    for container in spec["containers"]:
        for variable in container.get("env", []):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield "Secret", reference["name"]


def test_images_come_from_one_registry_and_by_digest_where_one_is_given():
    images = {container["image"] for _, spec in pods("production") for container in spec["containers"]}
    assert f"registry.example.com/junctor/junctor-router@sha256:{'1' * 64}" in images
    assert all(image.startswith("registry.example.com/junctor/junctor-") for image in images)
    assert all(spec["imagePullSecrets"] == [{"name": "registry"}] for _, spec in pods("production"))


def test_what_the_log_calls_by_name_is_found_by_that_name():
    """Services that decide are static members and are called at their own pods: a StatefulSet with a Service for its pods."""
    services = {one["metadata"]["name"]: one for one in objects("single") if one["kind"] == "Service"}
    for one in objects("single"):
        if one["kind"] == "StatefulSet":
            headless = services[one["spec"]["serviceName"]]["spec"]
            assert headless["clusterIP"] == "None" and headless["publishNotReadyAddresses"], one["metadata"]["name"]


def test_the_edge_writes_the_port_that_it_is_reached_at():
    service = next(one for one in objects("single") if one["metadata"]["name"] == "centre-cti-sip")
    ports = {port["protocol"]: port for port in service["spec"]["ports"]}
    assert set(ports) == {"UDP", "TCP"}
    assert all(port["port"] == port["nodePort"] == 30560 for port in ports.values())


def test_an_upgrade_leaves_the_audio_of_calls_alone():
    (media,) = (
        one for one in objects("single") if one["metadata"]["name"] == "centre-media" and one["kind"] == "StatefulSet"
    )
    assert media["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_the_job_that_makes_topics_has_another_name_for_another_image():
    def job(*arguments):
        text = template(INSTALLS["single"], *arguments).stdout
        return re.search(r"kind: Job\nmetadata:\n(?:  #.*\n)?  name: (\S+)", text)[1]

    assert job() == job() != job("--set", "global.image.tag=other")
