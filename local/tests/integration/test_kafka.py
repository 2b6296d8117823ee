"""A real broker: its life, and what a client finds after a crash."""

import socket
from pathlib import Path

import pytest
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import NewRecord, TopicDeclaration, TopicPartition
from junctor_local.child import NotReady
from junctor_local.kafka import KafkaServer

PARTITION = TopicPartition("local.test", 0)


async def end_offset(bootstrap: str) -> int:
    log = KafkaLog(bootstrap, client_id="test")
    await log.start()
    try:
        return (await log.end_offsets([PARTITION]))[PARTITION]
    finally:
        await log.stop()


async def test_records_outlive_sigkill_and_an_orderly_stop(tmp_path: Path) -> None:
    async with KafkaServer(tmp_path) as kafka:
        log = KafkaLog(kafka.bootstrap, client_id="test")
        await log.start()
        await log.ensure_topics([TopicDeclaration(PARTITION.topic, 1, {})])
        appender = await log.appender(PARTITION.topic, 0)
        await appender.append([NewRecord(b"key", b"value", ())])
        await appender.close()
        await log.stop()
        first = kafka.pid
        await kafka.kill()
        assert not kafka.running
        await kafka.start()
        assert kafka.pid != first
        assert await end_offset(kafka.bootstrap) == 1
        await kafka.stop()
        assert not await kafka.answers()
        await kafka.start()
        assert await end_offset(kafka.bootstrap) == 1


async def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        kafka = KafkaServer(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(NotReady, match="Address already in use"):
            await kafka.start()
        assert not kafka.running


async def test_without_java_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="Java 17"):
        await KafkaServer(tmp_path).start()
