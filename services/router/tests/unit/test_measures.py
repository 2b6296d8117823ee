"""The router's metrics and spans, on real telemetry and a real fold; names as docs/metrics.md lists them."""

import json
import re
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
from google.protobuf.any_pb2 import Any
from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_router.application.apply_times import EVERY, ApplyTimes
from junctor_router.application.measures import Measures
from junctor_router.application.pools import PoolsFold
from junctor_service.settings import CommonSettings, load_settings
from junctor_service.telemetry import Telemetry
from junctor_service.telemetry_names import METRICS, SPANS
from junctor_service.trace_context import contact_traceparent

METRICS_PAGE = Path(__file__).parents[4] / "docs" / "metrics.md"
CONTACT = str(uuid.UUID(int=7))
TRACE = "00-0000000000000000000000000000abcd-00000000000000ef-01"


class Site:
    """One partition, applied and read back at once."""

    partitions = 1

    def __init__(self, tmp_path):
        self.rows = []

        async def append(topic, key, value, headers):
            self.rows += [json.loads(line) for line in value.splitlines()]

        environ = {"JUNCTOR_STATE_DIR": str(tmp_path), "JUNCTOR_KAFKA_BOOTSTRAP": "none:1", "JUNCTOR_JWKS": "none"}
        settings = load_settings(CommonSettings, service="router", environ=environ)
        self.telemetry = Telemetry("router", settings, append=append)
        self.measures = Measures(self.telemetry)
        self.fold = PoolsFold(self.measures.times)
        self.measures.watch(self)
        self.now = 1_800_000_000_000

    def owns(self, partition):
        return True

    def state(self, partition):
        return self.fold

    def put(self, body, traceparent="", after_ms=0):
        self.now += after_ms
        packed = Any()
        packed.Pack(body)
        input = journal_pb2.Input(tenant="acme", stream="default", body=packed, traceparent=traceparent)
        input.made_at = self.now - 3
        applied = self.fold.apply(input, body, self.now)
        entry = SimpleNamespace(input=input, tenant="acme", stream="default", now=self.now, messages=applied.events)
        self.measures.entry(0, entry)

    def configure(self, kind, id, **value):
        message = pb.ConfigurationChanged(kind=kind, id=id, version=1)
        message.value.Pack(directory_pb2.Value(id=id, **value))
        self.put(message)

    def points(self):
        return {(point.name, point.attributes.get("state", "")): point for point in self.telemetry.points()}


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    site.configure("queue", "sales", queue=directory_pb2.Queue())
    for agent in ("ann", "bob"):
        site.configure("agent", agent, agent=directory_pb2.Agent(device=f"2{agent}"))
    return site


def request(contact_id):
    return pb.RequestTaskRequest(contact_id=contact_id, queue="sales", channel=contact_pb2.CHANNEL_VOICE)


def test_gauges_are_what_the_state_has(site):
    site.put(request("c1"))
    site.put(request("c2"))
    site.put(pb.LogInRequest(agent_id="ann", state=pb.AGENT_STATE_READY), after_ms=4_000)
    site.put(pb.LogInRequest(agent_id="bob"))
    points = site.points()
    assert points["junctor.router.waiting", ""].value == 1
    assert points["junctor.router.offers", ""].value == 1
    assert points["junctor.router.agents", "ready"].value == 1
    assert points["junctor.router.agents", "not_ready"].value == 1
    assert points["junctor.router.waiting", ""].attributes == {"tenant": "acme", "pool": "default"}
    match = points["junctor.router.match_duration", ""]
    assert (match.value, match.count, match.attributes) == (4_000, 1, {"channel": "voice"})
    assert points["junctor.router.apply_longest", ""].value > 0


def test_an_edge_is_counted_in_its_state(site):
    site.put(pb.EdgeReported(edge="omnichannel/b", reachable=True))
    site.put(pb.EdgeReported(edge="cti/b/0", reachable=True, holds_slots=True))
    assert site.points()["junctor.router.edges", "reached"].value == 1
    site.put(pb.EdgeReported(edge="omnichannel/b", reachable=False))
    site.fold.begin(2, site.now, [])
    points = site.points()
    assert points["junctor.router.edges", "silent"].attributes["edge"] == "omnichannel/b"
    assert points["junctor.router.edges", "uncalled"].attributes["edge"] == "cti/b/0"
    site.put(pb.RollCallAnswered(edge="cti/b/0", site_epoch=2))
    assert site.points()["junctor.router.edges", "reached"].attributes["edge"] == "cti/b/0"


async def test_an_input_with_a_trace_has_its_span_and_a_match_is_in_the_contacts(site):
    await site.telemetry.start()
    site.put(request(CONTACT), contact_traceparent(CONTACT))
    site.put(pb.LogInRequest(agent_id="ann", state=pb.AGENT_STATE_READY), TRACE, after_ms=2_500)
    site.put(pb.LogInRequest(agent_id="bob", state=pb.AGENT_STATE_READY))
    await site.telemetry.stop(2**31)
    spans = [row for row in site.rows if row.get("SpanName", "").startswith("router.")]
    assert [row["SpanName"] for row in spans] == ["router.apply", "router.apply", "router.match"]
    assert [row["SpanAttributes"].get("input") for row in spans] == ["RequestTaskRequest", "LogInRequest", None]
    match = spans[-1]
    assert match["TraceId"] == spans[0]["TraceId"] != spans[1]["TraceId"]
    assert (match["Duration"], match["SpanAttributes"]["queue"]) == (2_500 * 1_000_000, "sales")


def test_every_64th_apply_is_sampled_and_the_longest_of_all_is_kept():
    sampled = []
    times = ApplyTimes(sampled.append)
    for number in range(EVERY * 2):
        times.took(5_000_000 if number == 3 else 1_000_000)
    assert sampled == [1.0, 1.0]
    assert (times.longest_ms(), times.longest_ms()) == (5.0, 0.0)


def test_the_page_lists_the_names_that_there_are():
    listed = re.findall(r"^\| `((?:junctor\.)?router\.[a-z_]+)` \|", METRICS_PAGE.read_text(), re.M)
    known = [name for name in (*METRICS, *SPANS) if "router." in name]
    assert sorted(listed) == sorted(known)
