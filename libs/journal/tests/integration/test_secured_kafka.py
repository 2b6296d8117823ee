"""Kafka behind TLS and a login: the log works as without, and strangers are turned away."""

from __future__ import annotations

import asyncio

import pytest
from junctor_journal.brokers import Brokers
from junctor_journal.errors import LogUnavailable
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import TopicDeclaration, TopicPartition
from junctor_journal.subscription import Subscription
from junctor_testkit.certificates import Authority
from junctor_testkit.secured_kafka import secured_kafka


async def test_the_log_works_behind_tls_and_a_login_and_strangers_are_turned_away(tmp_path):
    async with secured_kafka(tmp_path) as kafka:
        await _write_and_read(kafka.brokers())
        for stranger in (
            kafka.brokers(password="wrong"),
            kafka.brokers(authority=Authority(tmp_path / "other")),
            kafka.brokers(encrypted=False),
        ):
            log = KafkaLog(stranger, write_timeout=2)
            with pytest.raises(LogUnavailable, match="cannot be reached"):
                await log.tail({TopicPartition("t", 0): 0})


async def _write_and_read(at):
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


def test_a_password_is_not_shown():
    assert "right" not in repr(Brokers("h:1", None, "junctor", "right"))
