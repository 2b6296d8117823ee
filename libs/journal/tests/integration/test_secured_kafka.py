"""Kafka behind TLS and a login: the log works as without, and strangers are turned away."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from junctor_journal.brokers import Brokers
from junctor_journal.errors import LogUnavailable
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import TopicDeclaration, TopicPartition
from junctor_journal.subscription import Subscription
from junctor_local.kafka import KafkaServer
from junctor_local.ports import free_port
from junctor_testkit.certificates import Authority

LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required user_junctor='right';"


@pytest.fixture
async def secured(tmp_path):
    """Addresses of a listener that wants TLS and a user, and the authority that signed its certificate."""
    authority, port, plain, controller = Authority(tmp_path / "tls"), free_port(), free_port(), free_port()
    pair = authority.sign("broker")
    listeners = {
        "SECURE": f"127.0.0.1:{port}",
        "PLAINTEXT": f"127.0.0.1:{plain}",
        "CONTROLLER": f"127.0.0.1:{controller}",
    }
    properties = {
        "listeners": ",".join(f"{name}://{at}" for name, at in listeners.items()),
        "advertised.listeners": ",".join(f"{name}://{at}" for name, at in listeners.items() if name != "CONTROLLER"),
        "listener.security.protocol.map": "SECURE:SASL_SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listener.name.secure.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secure.plain.sasl.jaas.config": LOGIN.replace("'", '"'),
        "listener.name.secure.ssl.keystore.type": "PEM",
        "listener.name.secure.ssl.keystore.location": str(pair.both),
    }
    async with KafkaServer(tmp_path / "kafka", plain, controller, properties=properties):
        yield f"127.0.0.1:{port}", authority


async def test_the_log_works_behind_tls_and_a_login(secured):
    address, authority = secured
    at = Brokers(address, ssl.create_default_context(cafile=authority.certificate), "junctor", "right", "PLAIN")
    log = KafkaLog(at)
    await log.start()
    subscription = Subscription(at, "readers", ["t"])
    try:
        await log.ensure_topics([TopicDeclaration("t", 1, {})])
        await log.producer().send("t", b"k", b"v")
        tail = await log.tail({TopicPartition("t", 0): 0})
        assert [record.value for records in (await tail.getmany(5_000)).values() for record in records] == [b"v"]
        await tail.close()
        await subscription.start()
        async with asyncio.timeout(15):
            while not (records := await subscription.getmany()):
                pass
        assert [record.value for record in records] == [b"v"]
    finally:
        await subscription.stop()
        await log.stop()


@pytest.mark.parametrize("wrong", ["password", "authority", "no tls"])
async def test_strangers_are_turned_away(secured, tmp_path, wrong):
    address, authority = secured
    known = Authority(tmp_path / "other") if wrong == "authority" else authority
    tls = None if wrong == "no tls" else ssl.create_default_context(cafile=known.certificate)
    log = KafkaLog(
        Brokers(address, tls, "junctor", "wrong" if wrong == "password" else "right", "PLAIN"), write_timeout=2
    )
    with pytest.raises(LogUnavailable, match="cannot be reached"):
        await log.tail({TopicPartition("t", 0): 0})


def test_a_password_is_not_shown():
    assert "right" not in repr(Brokers("h:1", None, "junctor", "right"))
