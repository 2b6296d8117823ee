"""Every span and metric name that Junctor uses, with its meaning. An unlisted name raises where it is used.

RPC spans are named by the method and need no entry. Metric names give the unit in brackets.
"""

from __future__ import annotations

SPANS: dict[str, str] = {
    "cti.call": "a call at the edge, from INVITE to the end of its last leg",
    "cti.invite": "an INVITE until its final answer",
    "cti.leg": "one leg, from its set-up to its end",
    "cti.media": "a command to the media server",
    "cti.step": "one step of a contact: flow, route, connect, record, close",
    "contact": "a contact, from its arrival to its end: the root of its trace",
    "contact.segment": "one segment of a contact",
    "analytics.insert": "a batch of rows inserted into ClickHouse",
    "analytics.project": "an event turned into rows",
    "directory.apply": "a configuration change applied",
    "gateway.request": "an HTTP request",
    "ivr.flow": "a flow session",
    "ivr.step": "one node of a flow",
    "journal.append": "a journal record from append to read-back",
    "journal.apply": "an input applied",
    "journal.input": "an input appended",
    "omnichannel.message": "a message taken in or delivered",
    "omnichannel.step": "one step of a text contact",
    "recording.seal": "a recording closed, hashed and sealed",
    "recording.start": "a recording from command to first packet",
    "relay.publish": "events published from a journal record",
    "router.apply": "an input of a pool, from its making to the journal's entry",
    "router.match": "a contact and an agent brought together: from coming in line to the offer",
}

METRICS: dict[str, str] = {
    "junctor.analytics.insert_delay": "event to row [ms]",
    "junctor.analytics.rows": "rows inserted [rows]",
    "junctor.analytics.skipped_records": "records, span lines and rows left out [records]",
    "junctor.clock.backward_jumps": "times that the clock was set back [jumps]",
    "junctor.cti.calls": "live calls [calls]",
    "junctor.cti.invite_duration": "INVITE to 200 OK [ms]",
    "junctor.cti.spooled_facts": "facts on disk while Kafka is away [facts]",
    "junctor.deadletter.records": "inputs given up [records]",
    "junctor.journal.append_duration": "append to read-back [ms]",
    "junctor.journal.apply_duration": "one apply [ms]",
    "junctor.journal.entries": "entries applied [entries]",
    "junctor.journal.void_records": "records that do not count [records]",
    "junctor.omnichannel.connections": "customers' WebSockets [connections]",
    "junctor.omnichannel.conversations": "live conversations [conversations]",
    "junctor.recording.active": "recordings under way [recordings]",
    "junctor.relay.events": "events published [events]",
    "junctor.router.agents": "agents logged in, by state [agents]",
    "junctor.router.apply_duration": "one apply of the core, of every 64th input [ms]",
    "junctor.router.apply_longest": "the longest apply of the core since the last reading [ms]",
    "junctor.router.edges": "edges of two sites, each by its state [edges]",
    "junctor.router.match_duration": "coming in line to the offer [ms]",
    "junctor.router.offers": "contacts being offered [contacts]",
    "junctor.router.waiting": "contacts that wait [contacts]",
    "junctor.rpc.client_duration": "calls made [ms]",
    "junctor.rpc.server_duration": "calls handled [ms]",
    "junctor.service.ready": "1 while all parts of the service are ready, 0 otherwise [ready]",
    "junctor.telemetry.spans_dropped": "spans lost because the queue was full [spans]",
}


class UnlistedName(LookupError):
    """A span or metric name that is not in this file: an error in the program."""


def check_span(name: str) -> str:
    """The name itself. Raises `UnlistedName`."""
    if name not in SPANS:
        raise UnlistedName(f"the span name {name!r} is not in telemetry_names.py")
    return name


def check_metric(name: str) -> str:
    """The name itself. Raises `UnlistedName`."""
    if name not in METRICS:
        raise UnlistedName(f"the metric name {name!r} is not in telemetry_names.py")
    return name


def unit_of(name: str) -> str:
    """The unit of a listed metric."""
    return METRICS[name].rpartition("[")[2].rstrip("]")
