"""From events on Kafka to rows, reports and timelines in ClickHouse."""

import json
import time
import uuid

from junctor.analytics.v1 import analytics_pb2
from junctor.audit.v1 import audit_pb2
from junctor.cti.v1 import cti_pb2
from junctor_analytics.domain.agent_figures import agent_figures
from junctor_analytics.domain.queue_figures import queue_figures
from junctor_analytics.domain.records import Span
from junctor_service.client import rpc

BEGIN = (time.time_ns() // 3_600_000_000_000 - 3) * 3_600_000


def moment(ms):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}"


async def test_a_contact_is_seen_in_every_table_and_its_trace_ends_at_the_insert(place, floor, tenant):
    await place.process.start()
    await place.ready()
    day = floor(3, tenant, BEGIN)
    for _ in range(5):
        day.contact()
    day.agents()
    await place.publish(day.facts)
    await place.counted("events", len(day.facts))
    await place.counted("contacts", 5)
    await place.counted("segments", len(day.segments))
    await place.counted("tasks", len(day.tasks))
    await place.counted("agent_states", len(day.states))
    contact = day.tasks[0].contact_id
    rows = await place.select(
        "SELECT channel, direction, entry_point, cause, site, closed_at >= ended_at FROM contacts"
        " WHERE contact_id = %(contact)s",
        contact=contact,
    )
    assert rows in ([("voice", "inbound", "95588", "agent", "a", 1)], [("chat", "inbound", "95588", "agent", "a", 1)])
    data = await place.select("SELECT data FROM events WHERE tenant = %(tenant)s")
    assert not any("13800001111" in row for (row,) in data)
    assert any(json.loads(row).get("channel") == "voice" for (row,) in data)
    request = analytics_pb2.GetContactTimelineRequest(tenant=tenant, contact_id=contact)
    entries = (await rpc(place.stub.GetContactTimeline(request, timeout=10))).entries
    mine = sorted(fact.time for fact in day.facts if fact.contact == contact)
    assert [entry.at for entry in entries] == mine
    trace = uuid.UUID(contact).hex
    spans = "SELECT SpanName, ServiceName FROM otel_traces WHERE TraceId = %(trace)s LIMIT 1"
    await place.until(lambda: place.select(spans, trace=trace), [("analytics.insert", "analytics")])


async def test_reports_in_sql_are_the_domains_figures(place, floor, tenant):
    await place.process.start()
    day = floor(11, tenant, BEGIN)
    for _ in range(250):
        day.contact()
    day.agents()
    await place.ready()
    await place.publish(day.shuffled())
    await place.counted("events", len(day.facts))
    for begin, end in ((BEGIN - 10**7, BEGIN + 10**7), (BEGIN + 600_000, BEGIN + 1_800_000), (BEGIN, BEGIN)):
        span = Span(begin, end)
        wanted = queue_figures(day.segments, day.tasks, {}, span)
        found = await place.select(
            "SELECT * FROM queue_report(tenant = %(tenant)s, from = %(since)s, to = %(until)s)",
            since=moment(begin),
            until=moment(end),
        )
        assert len(found) == len(wanted)
        for row, figures in zip(found, wanted, strict=True):
            same(row, figures)
        agents = agent_figures(day.segments, day.tasks, day.states, span)
        found = await place.select(
            "SELECT * FROM agent_report(tenant = %(tenant)s, from = %(since)s, to = %(until)s)",
            since=moment(begin),
            until=moment(end),
        )
        assert len(found) == len(agents)
        for row, figures in zip(found, agents, strict=True):
            same(row, figures)
    request = analytics_pb2.ReportQueuesRequest(tenant=tenant, to=BEGIN + 10**7)
    answer = await rpc(place.stub.ReportQueues(request, timeout=10))
    wanted = queue_figures(day.segments, day.tasks, {}, Span(0, BEGIN + 10**7))
    assert [(q.queue, q.offered, q.answered, q.overflowed) for q in answer.queues] == [
        (q.queue, q.offered, q.answered, q.overflowed) for q in wanted
    ]


def same(row, figures):
    for value, name in zip(row, figures.__dataclass_fields__, strict=True):
        wanted = getattr(figures, name)
        close = isinstance(value, float) and wanted is not None and abs(value - wanted) < 1e-6 * max(1, abs(wanted))
        assert close or value == wanted, (name, row, figures)


async def test_what_cannot_be_read_is_passed_over(place, fact, tenant):
    await place.process.start()
    await place.ready()
    contact = str(uuid.uuid4())
    message = cti_pb2.CallStateChanged(tenant=tenant, contact_id=contact)
    good = [fact("cti", BEGIN + n, contact, message) for n in range(2)]
    await place.publish(good[:1])
    await place.send_value("junctor.cti.events.v1", b"no event")
    foreign = [("ce_id", b"1"), ("ce_type", b"junctor.future.v9.Unheard"), ("ce_tenant", tenant.encode())]
    await place.send_value("junctor.cti.events.v1", b"", headers=foreign)
    broken = [("ce_id", b"2"), ("ce_type", b"junctor.cti.v1.CallStateChanged"), ("ce_tenant", tenant.encode())]
    await place.send_value("junctor.cti.events.v1", b"\xff\xff\xff", headers=broken)
    await place.send_value("junctor.spans.v1", b'{"half": \n[]\n')
    await place.send_value("junctor.audit.v1", b"\xff\xff")
    record = audit_pb2.AuditRecord(
        id=str(uuid.uuid4()), time=BEGIN, tenant=tenant, action="recording.play", subject="ann", roles=["supervisor"],
        outcome=2,
    )  # fmt: skip
    await place.send_value("junctor.audit.v1", record.SerializeToString())
    await place.publish(good[1:])
    await place.counted("events", 2)
    await place.counted("audit", 1)
    rows = await place.select("SELECT action, roles, outcome FROM audit WHERE tenant = %(tenant)s")
    assert rows == [("recording.play", ["supervisor"], "refused")]
    assert place.process.log.read_text().count("a record was skipped") == 5
