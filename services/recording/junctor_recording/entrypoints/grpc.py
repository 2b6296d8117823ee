"""The RPCs of junctor.recording.v1.RecordingService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

from junctor.recording.v1 import recording_pb2 as pb
from junctor.recording.v1 import recording_pb2_grpc

from junctor_recording.application.recordings import Recordings


class RecordingServicer(recording_pb2_grpc.RecordingServiceServicer):
    """Errors are `ServiceError`; the server turns them into gRPC's."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    async def StartRecording(self, request: pb.StartRecordingRequest, context: Any) -> pb.StartRecordingResponse:
        return cast(pb.StartRecordingResponse, await self._recordings.command(request))

    async def StopRecording(self, request: pb.StopRecordingRequest, context: Any) -> pb.StopRecordingResponse:
        return cast(pb.StopRecordingResponse, await self._recordings.command(request))

    async def PauseRecording(self, request: pb.PauseRecordingRequest, context: Any) -> pb.PauseRecordingResponse:
        return cast(pb.PauseRecordingResponse, await self._recordings.command(request))

    async def ResumeRecording(self, request: pb.ResumeRecordingRequest, context: Any) -> pb.ResumeRecordingResponse:
        return cast(pb.ResumeRecordingResponse, await self._recordings.command(request))

    async def GetRecording(self, request: pb.GetRecordingRequest, context: Any) -> pb.GetRecordingResponse:
        return await self._recordings.get(request)

    async def FetchAudio(self, request: pb.FetchAudioRequest, context: Any) -> AsyncIterator[pb.FetchAudioResponse]:
        async for part in self._recordings.fetch(request):
            yield part

    async def EraseRecording(self, request: pb.EraseRecordingRequest, context: Any) -> pb.EraseRecordingResponse:
        return await self._recordings.erase(request)
