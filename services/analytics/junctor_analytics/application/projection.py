"""Events become rows. The same record always gives the same rows, so that a range that is read again is the same batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2
from junctor.directory.v1 import directory_pb2
from junctor.ivr.v1 import ivr_pb2
from junctor.omnichannel.v1 import omnichannel_pb2
from junctor.recording.v1 import recording_pb2
from junctor.router.v1 import router_pb2
from junctor_journal.events import Event

from junctor_analytics.application import tables
from junctor_analytics.application.event_data import event_json
from junctor_analytics.application.tables import Row
from junctor_analytics.application.values import enum_text, moment, moment_or_none, text

# Events are parsed as the messages of these files; an event of none of them is of an unknown type.
KNOWN = (contact_pb2, cti_pb2, directory_pb2, ivr_pb2, omnichannel_pb2, recording_pb2, router_pb2)

Values = dict[str, Any]


def contact_of(event: Event) -> str:
    """The contact that an event is about; empty for none."""
    return text(getattr(event.message, "contact_id", "") or event.correlation_id)


def rows_of(event: Event) -> list[Row]:
    """The event's own row first, then those of contact, segment, task, agent state or recording."""
    message = event.message
    assert message is not None
    rows = [Row(tables.EVENTS, _event(event, message))]
    project = _PROJECTIONS.get(event.type)
    return rows if project is None else [*rows, *project(event, message)]


def _event(event: Event, message: Message) -> Values:
    return {
        "tenant": text(event.tenant),
        "time": moment(event.time),
        "event_id": event.id,
        "site": text(event.site),
        "service": event.source.rpartition("/")[2],
        "type": event.type,
        "contact_id": contact_of(event),
        **_place(event),
        "log_offset": event.offset,
        "data": event_json(message),
    }


def _place(event: Event) -> Values:
    """In the journal of its service: by it a reader tells whether the decision counts."""
    return {
        "journal_partition": event.journal_partition,
        "sequence": event.sequence,
        "site_epoch": max(event.site_epoch, 0),
    }


def _site_epoch(event: Event, started: Any) -> list[Row]:
    values = {
        "service": event.source.rpartition("/")[2],
        "journal_partition": event.journal_partition,
        "site_epoch": started.epoch.site_epoch,
        "previous_site_epoch": started.previous_site_epoch,
        "cut_sequence": started.cut_seq,
        "site": text(started.site),
        "started_at": moment(started.now),
    }
    return [Row(tables.SITE_EPOCHS, values)]


def _opened(event: Event, opened: Any) -> list[Row]:
    values = {
        "tenant": event.tenant,
        "arrived_at": moment(opened.arrived_at),
        "contact_id": opened.contact_id,
        "channel": enum_text(opened, "channel"),
        "direction": enum_text(opened, "direction"),
        "entry_point": text(opened.entry_point),
        "customer_hash": opened.customer_hash,
        "journey_id": opened.journey_id,
        "previous_contact_id": opened.previous_contact_id,
        "site": opened.site or event.site,
    }
    return [Row(tables.CONTACTS, values)]


def _closed(event: Event, closed: Any) -> list[Row]:
    values = {
        "tenant": event.tenant,
        "arrived_at": moment(closed.arrived_at),
        "contact_id": closed.contact_id,
        "channel": enum_text(closed, "channel"),
        "ended_at": moment_or_none(closed.ended_at),
        "closed_at": moment_or_none(closed.closed_at),
        "cause": enum_text(closed, "cause"),
        "disposition": text(closed.disposition),
        "detail": text(closed.detail),
    }
    return [Row(tables.CONTACTS, values)]


def _segment(event: Event, segment: Any) -> Values:
    return {
        "tenant": event.tenant,
        "started_at": moment(segment.started_at),
        "contact_id": segment.contact_id,
        "segment": segment.segment,
        "kind": enum_text(segment, "kind"),
        "queue": segment.queue,
        "agent_id": segment.agent_id,
        "channel": enum_text(segment, "channel"),
    }


def _segment_started(event: Event, started: Any) -> list[Row]:
    more = {"flow": started.flow, "reservation_id": started.reservation_id}
    return [Row(tables.SEGMENTS, _segment(event, started) | more)]


def _segment_ended(event: Event, ended: Any) -> list[Row]:
    more = {"ended_at": moment_or_none(ended.ended_at), "result": enum_text(ended, "result")}
    return [Row(tables.SEGMENTS, _segment(event, ended) | more)]


def _task_completed(event: Event, task: Any) -> list[Row]:
    values = {
        "tenant": event.tenant,
        "time": moment(event.time),
        "event_id": event.id,
        "contact_id": task.contact_id,
        "state": "completed",
        "queue": task.queue,
        "agent_id": task.agent_id,
        "channel": enum_text(task, "channel"),
        "assigned_at": moment_or_none(task.assigned_at),
        "ended_at": moment_or_none(task.ended_at),
        "completed_at": moment_or_none(task.completed_at) or moment(event.time),
        "disposition": text(task.disposition),
        "outcome_value": task.outcome_value,
        "customer_segment": text(task.segment),
        **_place(event),
    }
    return [Row(tables.TASKS, values)]


def _task_canceled(event: Event, task: Any) -> list[Row]:
    values = {
        "tenant": event.tenant,
        "time": moment(event.time),
        "event_id": event.id,
        "contact_id": task.contact_id,
        "state": "canceled",
        "queue": task.queue,
        "cause": text(task.cause),
        "waited_ms": task.waited_ms,
        "ended_at": moment(event.time),
        **_place(event),
    }
    return [Row(tables.TASKS, values)]


def _agent_state(event: Event, changed: Any) -> list[Row]:
    """The state that ends and the one that begins, each an interval; an event of a pending state alone is none."""
    if changed.state == changed.previous:
        return []
    now = moment(event.time)
    begun = {
        "tenant": event.tenant,
        "started_at": now,
        "agent_id": changed.agent_id,
        "state": enum_text(changed, "state"),
        "reason": text(changed.reason),
        "session": changed.session,
        **_place(event),
    }
    rows = [Row(tables.AGENT_STATES, begun)]
    if changed.previous_since > 0:
        ended = {
            "tenant": event.tenant,
            "started_at": moment(changed.previous_since),
            "agent_id": changed.agent_id,
            "state": enum_text(changed, "previous"),
            "ended_at": now,
            **_place(event),
        }
        rows.append(Row(tables.AGENT_STATES, ended))
    return rows


def _recording(state: str) -> Callable[[Event, Any], list[Row]]:
    def project(event: Event, recording: Any) -> list[Row]:
        values: Values = {
            "tenant": event.tenant,
            "time": moment(event.time),
            "event_id": event.id,
            "recording_id": getattr(recording, "recording_id", ""),
            "contact_id": recording.contact_id,
            "state": state,
        }
        for field in ("path", "duration_ms", "bytes", "sha256", "reason", "agent_id", "queue"):
            if field in recording.DESCRIPTOR.fields_by_name:
                values[field] = getattr(recording, field)
        if state == "erased":
            return [Row(tables.RECORDINGS, values | {"recording_id": id}) for id in recording.recording_ids]
        return [Row(tables.RECORDINGS, values)]

    return project


_PROJECTIONS: dict[str, Callable[[Event, Any], list[Row]]] = {
    "junctor.journal.v1.EpochStarted": _site_epoch,
    "junctor.contact.v1.ContactOpened": _opened,
    "junctor.contact.v1.ContactClosed": _closed,
    "junctor.contact.v1.SegmentStarted": _segment_started,
    "junctor.contact.v1.SegmentEnded": _segment_ended,
    "junctor.router.v1.TaskCompleted": _task_completed,
    "junctor.router.v1.TaskCanceled": _task_canceled,
    "junctor.router.v1.AgentStateChanged": _agent_state,
    "junctor.recording.v1.RecordingRequested": _recording("requested"),
    "junctor.recording.v1.RecordingStarted": _recording("recording"),
    "junctor.recording.v1.RecordingFailed": _recording("failed"),
    "junctor.recording.v1.RecordingSealed": _recording("sealed"),
    "junctor.recording.v1.RecordingErased": _recording("erased"),
}
