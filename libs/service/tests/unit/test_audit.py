"""Audit records reach their topic in order, also after Kafka was away, and nothing waits for them."""

import asyncio
import time

from junctor.audit.v1 import audit_pb2
from junctor_service import audit
from junctor_service.append import MemoryAppend
from junctor_service.audit import KafkaAudit, Outcome
from junctor_service.tokens import Principal, Role

ANN = Principal("ann", "acme", frozenset({Role.SUPERVISOR, Role.AGENT}), "ann")


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_record_says_who_what_where_and_why(settings):
    append = MemoryAppend()
    part = KafkaAudit("router", settings, append)
    await part.start()
    part.record("recording.play", ANN, "acme", Outcome.ALLOWED, target="r1")
    part.record("/x.v1.X/Y", None, "", Outcome.REFUSED, "TOKEN_EXPIRED")
    await until(lambda: len(append.records) == 2)
    first, second = (audit_pb2.AuditRecord.FromString(record.value) for record in append.records)
    assert [record.key for record in append.records] == ["acme/router", "none/router"]
    assert append.records[0].topic == "junctor.audit.v1"
    assert append.records[0].headers == {"tenant": "acme", "site": "a"}
    assert (first.action, first.subject, list(first.roles), first.target) == (
        "recording.play",
        "ann",
        ["agent", "supervisor"],
        "r1",
    )
    assert first.outcome == audit_pb2.AUDIT_OUTCOME_ALLOWED
    assert (second.outcome, second.reason) == (audit_pb2.AUDIT_OUTCOME_REFUSED, "TOKEN_EXPIRED")
    assert abs(first.time - time.time() * 1000) < 60_000
    await part.stop(time.monotonic() + 1)


async def test_records_wait_for_kafka_and_keep_their_order(settings, monkeypatch):
    monkeypatch.setattr(audit, "RETRY_PAUSE", 0.01)
    append = MemoryAppend(failure=ConnectionError("away"))
    part = KafkaAudit("router", settings, append)
    await part.start()
    for n in range(5):
        part.record(f"act{n}", ANN, "acme", Outcome.ALLOWED)
    await asyncio.sleep(0)
    append.failure = None
    await until(lambda: len(append.records) == 5)
    actions = [audit_pb2.AuditRecord.FromString(record.value).action for record in append.records]
    assert actions == [f"act{n}" for n in range(5)]
    await part.stop(time.monotonic() + 1)


async def test_stopping_appends_what_waits_and_a_full_queue_is_counted(settings, monkeypatch):
    monkeypatch.setattr(audit, "QUEUE_LIMIT", 3)
    append = MemoryAppend()
    part = KafkaAudit("router", settings, append)
    await part.start()
    for n in range(5):
        part.record(f"act{n}", ANN, "acme", Outcome.ALLOWED)
    assert part.dropped == 2
    await part.stop(time.monotonic() + 2)
    assert len(append.records) == 3
