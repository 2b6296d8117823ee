"""The chart says what the product does: topics, rights, callers, mirror, metrics, runbooks."""

import re
from pathlib import Path

import pytest
import yaml
from junctor_journal import topics
from junctor_local.mirror import Mirror, copies_of
from junctor_service.telemetry_names import METRICS

from helm.chart_values import SERVICES
from helm.rendered import CHART
from helm.tests.conftest import objects

REPOSITORY = CHART.parents[1]
TOPICS = REPOSITORY / "topics.yaml"
RUNBOOKS = REPOSITORY / "docs" / "runbooks"


def source(service):
    """All code of a service, tests left out."""
    folder = REPOSITORY / "services" / service / f"junctor_{service}"
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*.py")))


def of_kind(install, kind):
    return {one["metadata"]["name"]: one for one in objects(install) if one["kind"] == kind}


def test_strimzi_makes_the_declared_topics_and_the_copies_of_the_other_sites():
    made = {
        name: (
            one["spec"]["partitions"],
            one["spec"]["config"]["cleanup.policy"],
            one["spec"]["config"]["retention.ms"],
        )
        for name, one in of_kind("production-site-a", "KafkaTopic").items()
    }
    declared = topics.declared(TOPICS) + copies_of("b", topics.mirrored(TOPICS))
    assert made == {
        one.name: (one.partitions, one.config["cleanup.policy"], int(one.config["retention.ms"])) for one in declared
    }


def rights(install, service):
    return of_kind(install, "KafkaUser")[f"centre-{service}"]["spec"]["authorization"]["acls"]


def allowed(acls, operation):
    """Topics, and beginnings of topics with a star behind."""
    return {
        acl["resource"]["name"] + ("*" if acl["resource"].get("patternType") == "prefix" else "")
        for acl in acls
        if acl["resource"]["type"] == "topic" and operation in acl["operations"]
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_read_the_events_that_its_code_names_and_no_others(service):
    code = source(service)
    named = set(re.findall(r'"(junctor\.\w+\.events\.v1)"', code))
    named |= {topics.events(other) for other in re.findall(r'topics\.events\("(\w+)"\)', code)}
    if "topics.events(service)" in code:
        named |= {topics.events(other) for other in yaml.safe_load(TOPICS.read_text())["services"]}
    found = {name for name in allowed(rights("production-operators", service), "Read") if name.endswith(".events.v1")}
    assert found == named - {topics.events(service)}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_read_the_directorys_state_where_its_code_follows_it(service):
    may = "junctor.directory.state.v1" in allowed(rights("production-operators", service), "Read")
    assert may == ("replica()" in source(service) and service != "directory")


@pytest.mark.parametrize("service", SERVICES)
def test_only_who_has_a_journal_may_write_to_one(service):
    writes = allowed(rights("production-operators", service), "Write")
    told = {"junctor.audit.v1", "junctor.spans.v1", "junctor.metrics.v1"}
    decides = service in yaml.safe_load(TOPICS.read_text())["services"]
    assert writes == told | ({f"junctor.{service}.*"} if decides else set())


def callers():
    """Who calls whom, as network policies let them."""
    found = {}
    for name, policy in of_kind("single", "NetworkPolicy").items():
        for rule in policy["spec"].get("ingress") or ():
            if rule["ports"][0]["port"] == "grpc":
                peers = (peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule["from"])
                found[name.removeprefix("centre-")] = set(peers) - {"check"}
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_policies_let_services_call_whom_their_code_calls(service):
    named = set(re.findall(r"settings\.(\w+)_address", source(service))) & set(SERVICES)
    if service == "gateway":
        named = set(SERVICES) - {"gateway"}
    assert {called for called, by in callers().items() if service in by} == named


def test_of_two_sites_a_service_that_is_led_may_ask_the_owner_of_a_partition_to_hand_it_over():
    for install in ("single-site-b", "production-site-a"):
        for service in ("router", "directory"):
            spec = of_kind(install, "NetworkPolicy")[f"centre-{service}"]["spec"]
            own = {"podSelector": spec["podSelector"]}
            assert any(own in rule.get("from", ()) for rule in spec["ingress"]), (install, service)
            assert any(own in rule.get("to", ()) for rule in spec["egress"]), (install, service)


def test_everything_that_runs_has_a_policy_and_nothing_is_let_through_by_default():
    for install in ("single", "single-site-b", "production", "production-site-a"):
        policies = of_kind(install, "NetworkPolicy")
        everything = policies.pop("centre-refuse-all")["spec"]
        assert everything["policyTypes"] == ["Ingress", "Egress"] and not {"ingress", "egress"} & set(everything)
        running = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in objects(install)
                   if one["kind"] in ("Deployment", "StatefulSet", "Job", "Pod")}  # fmt: skip
        assert {name.removeprefix("centre-") for name in policies} == running, install


def test_the_mirror_has_the_settings_of_the_local_site(tmp_path):
    text = of_kind("single-site-b", "ConfigMap")["centre-mirror"]["data"]["mirror.properties"]
    local = Mirror(
        tmp_path,
        source=("a", "192.0.2.20:30992"),
        target=("b", "centre-kafka.centre.svc.cluster.local:9092"),
        topics=[one.name for one in topics.mirrored(TOPICS)],
    )

    def settings(properties):
        pairs = dict(line.split("=", 1) for line in properties.splitlines() if "=" in line)
        pairs["a->b.topics"] = ",".join(sorted(pairs["a->b.topics"].split(",")))
        return {name: value for name, value in pairs.items() if not name.startswith("config.providers")}

    assert settings(text) == settings(local._settings)


def shown_names():
    """Each metric as Prometheus has it, that some code records."""
    code = (path for folder in ("libs", "services") for path in REPOSITORY.glob(f"{folder}/*/junctor_*/**/*.py"))
    recorded = "\n".join(path.read_text() for path in code if path.name != "telemetry_names.py")
    for name, about in METRICS.items():
        if f'"{name}"' in recorded:
            unit = about.rpartition("[")[2].rstrip("]")
            shown = name.replace(".", "_") + ("_ms" if unit == "ms" else "")
            yield from (shown, f"{shown}_sum", f"{shown}_count")


def test_alerts_and_dashboards_ask_for_metrics_that_are_recorded():
    asked = (CHART / "files" / "alerts.yaml").read_text() + (
        CHART / "files" / "dashboards" / "services.json"
    ).read_text()
    names = set(re.findall(r"\bjunctor_[a-z_]+", asked))
    assert len(names) > 8
    assert names <= set(shown_names())


def test_each_alert_has_a_runbook_and_each_runbook_an_alert():
    groups = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert {path.stem for path in RUNBOOKS.glob("Junctor*.md")} == alerts
    for path in RUNBOOKS.glob("Junctor*.md"):
        text = path.read_text()
        assert re.findall(r"^## (.+)", text, re.MULTILINE) == ["What it means", "What to look at", "What to do"], path


def test_rules_are_filled_in():
    rules = [
        rule for group in of_kind("production", "PrometheusRule")["centre"]["spec"]["groups"] for rule in group["rules"]
    ]
    assert sum(rule["alert"] == "JunctorServiceMissing" for rule in rules) == len(SERVICES)
    for rule in rules:
        assert "$namespace" not in rule["expr"] and "$release" not in rule["expr"] and "$service" not in rule["expr"]
        assert (REPOSITORY / Path(rule["annotations"]["runbook"])).exists(), rule["alert"]
