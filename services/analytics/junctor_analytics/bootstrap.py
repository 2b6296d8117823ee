"""The one place where `analytics` is put together."""

from __future__ import annotations

from functools import partial

from junctor.analytics.v1 import analytics_pb2_grpc
from junctor_service.background import Background
from junctor_service.foundation import Foundation
from junctor_service.run import Service

from junctor_analytics.adapters.clickhouse_http import ClickHouseAddress, ClickHouseHttp, ClickHouseWarehouse
from junctor_analytics.adapters.clickhouse_reader import ClickHouseReader
from junctor_analytics.adapters.schema import Retention, prepare
from junctor_analytics.adapters.sqlite_positions import SqlitePositions
from junctor_analytics.application.decoding import topics_of
from junctor_analytics.application.ingest import Ingest, IngestSettings
from junctor_analytics.application.queue_dimension import QueueDimension
from junctor_analytics.application.reports import Reports
from junctor_analytics.entrypoints.grpc import AnalyticsServicer
from junctor_analytics.settings import AnalyticsSettings


def bind(settings: AnalyticsSettings) -> Service:
    f = Foundation("analytics", settings)
    user, password = settings.clickhouse_user, settings.clickhouse_password.reveal()
    native, database = settings.clickhouse_native, settings.clickhouse_database
    tls, authority = settings.clickhouse_tls, settings.clickhouse_authority
    http = ClickHouseHttp(ClickHouseAddress(settings.clickhouse_url, user, password, database, authority))
    retention = Retention(settings.retention_days, settings.trace_retention_days)
    warehouse = ClickHouseWarehouse(http, partial(prepare, retention=retention))
    limits = IngestSettings(
        flush_every=settings.flush_every,
        batch_records=settings.batch_records,
        batch_bytes=settings.batch_bytes,
        topics=topics_of(settings.other_site),
    )
    positions = SqlitePositions(settings.positions_file)
    ingest = Ingest(f.log, warehouse, positions, f.telemetry, f.clock, limits)
    queues = Background("queue dimension", QueueDimension(f.replica(), warehouse, f.clock).run)
    reader = ClickHouseReader(native.host, native.port, user, password, database, tls=tls, authority=authority)
    servicer = AnalyticsServicer(Reports(reader, f.clock))
    return f.service(
        [(analytics_pb2_grpc.add_AnalyticsServiceServicer_to_server, servicer)],
        before=[warehouse, reader],
        components=[queues, ingest],
    )
