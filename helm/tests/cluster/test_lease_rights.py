"""The rights that the chart and helm/witness.yaml give for votes, at the API server that KUBECONFIG names."""

import pytest
import yaml
from junctor_register.holdings import Holding, Register
from junctor_register.lease_voter import LeaseVoter
from junctor_register.voter import VoterUnavailable
from kubernetes.client import (
    ApiClient,
    ApiException,
    AuthenticationV1TokenRequest,
    Configuration,
    CoordinationV1Api,
    CoreV1Api,
    V1ObjectMeta,
    V1ServiceAccount,
    V1TokenRequestSpec,
)
from kubernetes.dynamic import DynamicClient

from helm import rendered as chart

WITNESS = chart.HELM / "witness.yaml"
LEASE = "junctor-register-router"
FIRST = Register({0: Holding(1, "a")}, {"a": "kafka-a"})
SECOND = Register({0: Holding(1, "a", renewed=1)}, {"a": "kafka-a"})


def make(client, namespace, made):
    dynamic = DynamicClient(client)
    for one in made:
        dynamic.resources.get(api_version=one["apiVersion"], kind=one["kind"]).create(body=one, namespace=namespace)


def as_account(client, namespace, account):
    """A client with the token of an account and nothing else."""
    asked = AuthenticationV1TokenRequest(spec=V1TokenRequestSpec(audiences=[]))
    given = CoreV1Api(client).create_namespaced_service_account_token(account, namespace, asked)
    own = Configuration(host=client.configuration.host)
    own.ssl_ca_cert, own.verify_ssl = client.configuration.ssl_ca_cert, client.configuration.verify_ssl
    own.api_key["BearerToken"] = f"Bearer {given.status.token}"
    return ApiClient(own)


@pytest.fixture
def account_of_chart(client, namespace):
    """The account whose token the other site has, where this site's vote is a Lease of its cluster."""
    done = chart.template(chart.INSTALLS["production-site-a"], f"--namespace={namespace}")
    kinds = ("ServiceAccount", "Role", "RoleBinding")
    found = [one for one in chart.objects(done.stdout) if one["kind"] in kinds]
    make(client, namespace, [one for one in found if one["metadata"]["name"] == "centre-register"])
    return namespace, as_account(client, namespace, "centre-register")


@pytest.fixture
def account_of_witness(client, namespace):
    """The account of the third place, there under another name."""
    found = yaml.safe_load_all(WITNESS.read_text().replace("junctor-witness", namespace))
    make(client, namespace, [one for one in found if one["kind"] != "Namespace"])
    return namespace, as_account(client, namespace, "junctor-register")


@pytest.fixture(params=["account_of_chart", "account_of_witness"])
def place(request):
    return request.getfixturevalue(request.param)


async def test_it_keeps_the_votes_and_a_late_write_is_refused(place):
    namespace, client = place
    voter = LeaseVoter(client, namespace, "router", timeout=10)
    assert (await voter.read()).value == Register()
    first = await voter.write(FIRST, "")
    second = await voter.write(SECOND, first.now.version)
    assert (first.written, second.written) == (True, True)
    late = await voter.write(FIRST, first.now.version)
    assert (late.written, late.now) == (False, second.now)


async def test_it_may_do_nothing_else(place):
    namespace, client = place
    await LeaseVoter(client, namespace, "router", timeout=10).write(FIRST, "")
    leases, core = CoordinationV1Api(client), CoreV1Api(client)
    for forbidden in (
        lambda: leases.delete_namespaced_lease(LEASE, namespace),
        lambda: leases.patch_namespaced_lease(LEASE, namespace, {"metadata": {"labels": {"a": "b"}}}),
        lambda: leases.list_namespaced_lease(namespace),
        lambda: leases.read_namespaced_lease("another", namespace),
        lambda: leases.read_namespaced_lease(LEASE, "default"),
        lambda: core.list_namespaced_secret(namespace),
        lambda: core.list_namespaced_pod(namespace),
    ):
        with pytest.raises(ApiException) as refused:
            forbidden()
        assert refused.value.status == 403


async def test_a_right_that_is_missing_is_told_with_the_account_and_the_verb(client, namespace):
    CoreV1Api(client).create_namespaced_service_account(
        namespace, V1ServiceAccount(metadata=V1ObjectMeta(name="nobody"))
    )
    voter = LeaseVoter(as_account(client, namespace, "nobody"), namespace, "router", timeout=10)
    who = f'User "system:serviceaccount:{namespace}:nobody" cannot'
    with pytest.raises(VoterUnavailable, match=f'{who} get resource "leases".*in the namespace "{namespace}"'):
        await voter.read()
    with pytest.raises(VoterUnavailable, match=f'{who} create resource "leases"'):
        await voter.write(FIRST, "")
