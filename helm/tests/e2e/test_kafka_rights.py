"""The rights that the chart gives each service in Kafka are enough for a call, and a broker that knows them refuses more."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest_v1
from junctor_journal import topics
from junctor_journal.brokers import Brokers
from junctor_journal.errors import LogUnavailable
from junctor_journal.kafka import KafkaLog
from junctor_local import places
from junctor_local.kafka import KafkaServer
from junctor_local.ports import free_port
from junctor_local.site import Site

from e2e.stage import Stage, eventually
from helm.chart_values import SERVICES
from helm.tests.conftest import objects

PASSWORD = "right"
# Numbers of Kafka's protocol: org.apache.kafka.common.resource.ResourceType and PatternType, .acl.AclOperation.
RESOURCES = {"topic": 2, "group": 3, "cluster": 4}
PATTERNS = {"literal": 3, "prefix": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
ALLOW = 3


def rights():
    """User and its rules, as the chart's KafkaUsers have them."""
    for one in objects("production-operators"):
        if one["kind"] == "KafkaUser":
            yield one["metadata"]["name"], one["spec"]["authorization"]["acls"]


@asynccontextmanager
async def guarded_kafka(directory):
    """A broker whose listener wants a login and obeys the chart's rules; host:port of it, and of one for its owner."""
    login, owner, controller = free_port(), free_port(), free_port()
    listeners = f"LOGIN://127.0.0.1:{login},PLAINTEXT://127.0.0.1:{owner}"
    users = " ".join(f'user_{name}="{PASSWORD}"' for name, _ in rights())
    properties = {
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "LOGIN:SASL_PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listener.name.login.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.login.plain.sasl.jaas.config": (
            f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    async with KafkaServer(directory, owner, controller, properties=properties):
        yield f"127.0.0.1:{login}", f"127.0.0.1:{owner}"


async def give_rights(owner):
    rules = [
        (
            RESOURCES[rule["resource"]["type"]],
            rule["resource"]["name"],
            PATTERNS[rule["resource"]["patternType"]],
            f"User:{user}",
            "*",
            OPERATIONS[operation],
            ALLOW,
        )
        for user, acls in rights()
        for rule in acls
        for operation in rule["operations"]
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=owner)
    await admin.start()
    try:
        node = admin._client.get_random_node()
        answer = await admin._client.send(node, _AsItIs(CreateAclsRequest_v1(rules)))
        assert all(code == 0 for code, _ in answer.creation_responses), answer
    finally:
        await admin.close()


class _AsItIs:
    """A request whose version is chosen already."""

    API_KEY = CreateAclsRequest_v1.API_KEY

    def __init__(self, request):
        self._request = request

    def prepare(self, _versions):
        return self._request


class GuardedSite(Site):
    """A site on a broker whose topics are there."""

    async def _make_topics(self):
        pass


async def test_a_call_goes_its_way_with_the_rights_of_the_chart_and_no_more_are_given(tmp_path):
    async with guarded_kafka(tmp_path / "kafka") as (login, owner):
        log = KafkaLog(owner)
        await log.start()
        await log.ensure_topics(topics.declared(places.repository() / "topics.yaml"))
        await log.stop()
        await give_rights(owner)
        settings = {
            "JUNCTOR_KAFKA_BOOTSTRAP": login,
            "JUNCTOR_KAFKA_MECHANISM": "plain",
            "JUNCTOR_KAFKA_PASSWORD": PASSWORD,
        }
        settings |= {f"JUNCTOR_{service.upper()}__KAFKA_USER": f"centre-{service}" for service in SERVICES}
        site = GuardedSite(tmp_path / "site", free_ports=True, settings=settings)
        stage = Stage(site)
        try:
            await stage.open()
            await stage.staff(1)
            live = await stage.talking(await stage.queue())
            await live.call.hang_up()
            client = stage.reports()
            await eventually(lambda: client.contacts([live.contact_id]), 30, "the contact's row is in ClickHouse")
        finally:
            await stage.close()
        await refused(Brokers(login, None, "centre-ivr", PASSWORD, "PLAIN"), topics.inputs("router"))
        await refused(Brokers(login, None, "centre-gateway", PASSWORD, "PLAIN"), topics.events("cti"))


async def refused(brokers, topic):
    """Whoever may not write a topic does not: the record is not there."""
    log = KafkaLog(brokers, write_timeout=3)
    await log.start()
    try:
        with pytest.raises(LogUnavailable):
            async with asyncio.timeout(20):
                await log.producer().send(topic, b"k", b"v")
    finally:
        await log.stop()
