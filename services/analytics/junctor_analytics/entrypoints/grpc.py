"""junctor.analytics.v1.AnalyticsService."""

from __future__ import annotations

from typing import Any

from junctor.analytics.v1 import analytics_pb2, analytics_pb2_grpc
from junctor_service.errors import FieldViolation, invalid

from junctor_analytics.application.reports import QueueRow, Reports, TimelineRow


class AnalyticsServicer(analytics_pb2_grpc.AnalyticsServiceServicer):
    """Questions only; the tenant was checked before."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def ReportQueues(self, request: Any, context: Any) -> Any:
        rows = await self._reports.queues(request.tenant, getattr(request, "from"), request.to)
        return analytics_pb2.ReportQueuesResponse(queues=[_figures(row) for row in rows])

    async def GetContactTimeline(self, request: Any, context: Any) -> Any:
        if not request.contact_id:
            raise invalid("A contact must be named.", FieldViolation("contact_id", "Must not be empty."))
        rows = await self._reports.timeline(request.tenant, request.contact_id)
        return analytics_pb2.GetContactTimelineResponse(entries=[_entry(row) for row in rows])


def _figures(row: QueueRow) -> Any:
    return analytics_pb2.QueueFigures(
        queue=row.queue,
        offered=row.offered,
        answered=row.answered,
        abandoned=row.abandoned,
        overflowed=row.overflowed,
        service_level=row.service_level,
        asa_ms=row.asa_ms,
        aht_ms=row.aht_ms,
    )


def _entry(row: TimelineRow) -> Any:
    return analytics_pb2.TimelineEntry(
        at=row.at, service=row.service, type=row.type, data=row.data, event_id=row.event_id, void=row.void
    )
