"""NetworkPolicies as rules of the kernel: who may reach whom, and at what."""

import pytest

from e2e.cluster.network_rules import Pod, pods_of, script, selects

CALLER = Pod("centre", {"app": "caller"}, "10.1.0.1", {})
SERVER = Pod("centre", {"app": "server"}, "10.1.0.2", {("grpc", "TCP"): 50051})
STRANGER = Pod("other", {"app": "caller"}, "10.1.0.3", {})
PODS = [CALLER, SERVER, STRANGER]


def policy(selector, **spec):
    return {"metadata": {"namespace": "centre"}, "spec": {"podSelector": {"matchLabels": selector}, **spec}}


def rules(*policies, chain, namespaces=None):
    written = script(policies, PODS, namespaces or {}, ["10.9.0.1"])
    return [line.split(f"{chain} ", 1)[1] for line in written.splitlines() if f"rule ip policies {chain} " in line]


def test_who_is_chosen_by_no_policy_reaches_everybody():
    assert rules(chain="ingress") == rules(chain="egress") == []


def test_a_policy_refuses_what_it_does_not_name():
    every = policy({"app": "server"}, policyTypes=["Ingress"])
    assert rules(every, chain="ingress") == ["ip daddr { 10.1.0.2 } goto refuse"]
    assert rules(every, chain="egress") == []


def test_a_pod_is_chosen_in_the_policys_namespace_and_the_ports_name_is_the_servers():
    let = [{"from": [{"podSelector": {"matchLabels": {"app": "caller"}}}], "ports": [{"port": "grpc"}]}]
    assert rules(policy({"app": "server"}, ingress=let), chain="ingress") == [
        "ip daddr { 10.1.0.2 } ip saddr { 10.1.0.1 } tcp dport 50051 return",
        "ip daddr { 10.1.0.2 } goto refuse",
    ]
    to = [{"to": [{"podSelector": {}}], "ports": [{"port": "grpc"}]}]
    assert rules(policy({"app": "caller"}, policyTypes=["Egress"], egress=to), chain="egress") == [
        "ip saddr { 10.1.0.1 } ip daddr { 10.1.0.2 } tcp dport 50051 return",
        "ip saddr { 10.1.0.1 } goto refuse",
    ]


def test_another_namespace_a_network_and_a_range_of_ports():
    namespaces = {"other": {"name": "other"}, "centre": {}}
    let = [
        {"from": [{"namespaceSelector": {"matchLabels": {"name": "other"}}}]},
        {"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}, {"ipBlock": {"cidr": "2001:db8::/32"}}]},
        {"ports": [{"protocol": "UDP", "port": 16400, "endPort": 17999}]},
        {"from": [{"podSelector": {"matchLabels": {"app": "nobody"}}}]},
    ]
    assert rules(policy({"app": "server"}, ingress=let), chain="ingress", namespaces=namespaces) == [
        "ip daddr { 10.1.0.2 } ip saddr { 10.1.0.3 }  return",
        "ip daddr { 10.1.0.2 } ip saddr { 192.0.2.0/24 }  return",
        "ip daddr { 10.1.0.2 }  udp dport 16400-17999 return",
        "ip daddr { 10.1.0.2 } goto refuse",
    ]


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ({"key": "app", "operator": "In", "values": ["a", "b"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["a"]}, False),
        ({"key": "else", "operator": "NotIn", "values": ["a"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
    ],
)
def test_expressions_of_selectors(expression, selected):
    assert selects({"matchExpressions": [expression]}, {"app": "a"}) is selected


def test_pods_without_an_address_of_their_own_have_no_rules():
    def pod(**status):
        return {"metadata": {"namespace": "n"}, "spec": {"containers": [{}]}, "status": status}

    there = pod(podIP="10.1.0.9", phase="Running")
    gone = [pod(phase="Pending"), pod(podIP="10.1.0.8", phase="Succeeded")]
    on_the_node = {**there, "spec": {"containers": [{}], "hostNetwork": True}}
    assert [one.address for one in pods_of([there, *gone, on_the_node])] == ["10.1.0.9"]
