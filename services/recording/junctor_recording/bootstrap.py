"""The one place where the recording service's parts are put together."""

from __future__ import annotations

from typing import cast

from google.protobuf.message import Message
from junctor.cti.v1 import cti_pb2_grpc
from junctor.recording.v1 import recording_pb2_grpc
from junctor_journal.aggregates import AggregateFold
from junctor_service.background import Background
from junctor_service.foundation import Foundation
from junctor_service.run import Component, Service

from junctor_recording.adapters.cti_forks import CtiForks
from junctor_recording.adapters.disk_studio import DiskStudio
from junctor_recording.adapters.recordings_table import RecordingsTable
from junctor_recording.application.catalogue_feed import feed
from junctor_recording.application.mapping import new_fold
from junctor_recording.application.reactions import reactions
from junctor_recording.application.recorder import Recorder
from junctor_recording.application.recordings import Recordings
from junctor_recording.application.retention import Retention
from junctor_recording.domain.recording import Recording
from junctor_recording.entrypoints.grpc import RecordingServicer
from junctor_recording.settings import RecordingSettings

TALKS = ("junctor.cti.events.v1",)


def bind(settings: RecordingSettings) -> Service:
    """The service, ready to start."""
    f = Foundation("recording", settings)

    async def report(message: Message, **origin: str) -> None:
        await f.commands.tell(f.commands.fact(message, **origin))

    def look(tenant: str, contact_id: str) -> Recording | None:
        fold = ledger.state(ledger.partition_of(tenant, contact_id))
        return cast(AggregateFold[Recording], fold).get(tenant, contact_id)

    studio = DiskStudio(
        settings.recordings_dir, f.sealer, seal=settings.seal, host=settings.rtp_host, ports=settings.ports
    )
    cti = cast("cti_pb2_grpc.CtiServiceAsyncStub", f.stub(cti_pb2_grpc.CtiServiceStub, settings.cti_address))
    recorder = Recorder(studio, CtiForks(cti), look, report, f.telemetry, f.clock)
    ledger = f.ledger(new_fold, recorder)
    f.react(TALKS, reactions(f.commands.fact))
    table = RecordingsTable(settings.database_url)
    components: list[Component] = [recorder, Background("catalogue", lambda: feed(f.log, table))]
    if settings.retention:
        retention = Retention(settings.retention, table, report, f.clock)
        components.append(Background("retention", retention.run))
    f.telemetry.gauge("junctor.recording.active", lambda: recorder.live)
    recordings = Recordings(f.commands.apply, look, table, studio, f.audit)
    servicer = RecordingServicer(recordings)
    return f.service(
        [(recording_pb2_grpc.add_RecordingServiceServicer_to_server, servicer)],
        components=components,
        before=[studio, table],
    )
