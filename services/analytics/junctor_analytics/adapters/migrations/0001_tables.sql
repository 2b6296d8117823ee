-- Tables that rows are inserted into. Analysts use the views of the later files: they show each row once.
-- A repeated event makes an equal key; ReplacingMergeTree and the max() columns make one row of the repeats.

CREATE TABLE IF NOT EXISTS event_rows (
    tenant LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    event_id String,
    site LowCardinality(String),
    service LowCardinality(String),
    type LowCardinality(String),
    contact_id String,
    journal_partition Int32,
    sequence Int64,
    log_offset Int64,
    data String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX contact contact_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, time, event_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS contact_rows (
    tenant LowCardinality(String),
    arrived_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    contact_id String,
    channel SimpleAggregateFunction(max, LowCardinality(String)),
    direction SimpleAggregateFunction(max, LowCardinality(String)),
    entry_point SimpleAggregateFunction(max, String),
    ended_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))),
    closed_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))),
    cause SimpleAggregateFunction(max, LowCardinality(String)),
    disposition SimpleAggregateFunction(max, String),
    detail SimpleAggregateFunction(max, String),
    customer_hash SimpleAggregateFunction(max, String),
    journey_id SimpleAggregateFunction(max, String),
    previous_contact_id SimpleAggregateFunction(max, String),
    site SimpleAggregateFunction(max, LowCardinality(String)),
    INDEX contact contact_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(arrived_at)
ORDER BY (tenant, arrived_at, contact_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS segment_rows (
    tenant LowCardinality(String),
    started_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    contact_id String,
    segment UInt32,
    kind SimpleAggregateFunction(max, LowCardinality(String)),
    queue SimpleAggregateFunction(max, LowCardinality(String)),
    agent_id SimpleAggregateFunction(max, String),
    flow SimpleAggregateFunction(max, LowCardinality(String)),
    reservation_id SimpleAggregateFunction(max, String),
    ended_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))),
    result SimpleAggregateFunction(max, LowCardinality(String)),
    channel SimpleAggregateFunction(max, LowCardinality(String)),
    INDEX contact contact_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(started_at)
ORDER BY (tenant, started_at, contact_id, segment)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS task_rows (
    tenant LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    event_id String,
    contact_id String,
    state LowCardinality(String),
    queue LowCardinality(String),
    agent_id String,
    channel LowCardinality(String),
    assigned_at Nullable(DateTime64(3, 'UTC')),
    ended_at Nullable(DateTime64(3, 'UTC')),
    completed_at Nullable(DateTime64(3, 'UTC')),
    disposition String,
    cause LowCardinality(String),
    waited_ms Int64,
    INDEX contact contact_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, time, event_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS agent_state_rows (
    tenant LowCardinality(String),
    started_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    agent_id String,
    state LowCardinality(String),
    reason SimpleAggregateFunction(max, String),
    session SimpleAggregateFunction(max, UInt64),
    ended_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC')))
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(started_at)
ORDER BY (tenant, started_at, agent_id, state)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS recording_rows (
    tenant LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    event_id String,
    recording_id String,
    contact_id String,
    state LowCardinality(String),
    path String,
    duration_ms Int64,
    bytes Int64,
    sha256 String,
    reason String,
    agent_id String,
    queue LowCardinality(String),
    INDEX contact contact_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, time, event_id, recording_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS audit_rows (
    tenant LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    id String,
    site LowCardinality(String),
    service LowCardinality(String),
    action LowCardinality(String),
    subject String,
    roles Array(LowCardinality(String)),
    agent_id String,
    outcome LowCardinality(String),
    reason LowCardinality(String),
    target String,
    trace_id String
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, time, id)
SETTINGS non_replicated_deduplication_window = 10000;

-- The columns of the OpenTelemetry collector's ClickHouse exporter.
CREATE TABLE IF NOT EXISTS otel_trace_rows (
    Timestamp DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9, 'UTC'),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), TraceId, SpanId)
SETTINGS non_replicated_deduplication_window = 10000;

-- Queues as the directory has them; the newest version counts. Deleted queues stay, for reports of the past.
CREATE TABLE IF NOT EXISTS queue_rows (
    tenant LowCardinality(String),
    queue String,
    name String,
    service_level_ms Int64,
    service_level_percent UInt32,
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, queue)
SETTINGS non_replicated_deduplication_window = 10000;

-- Where a decision lies in its service's journal: enough to tell whether it counts (docs/two-sites.md, section 2).
ALTER TABLE event_rows ADD COLUMN IF NOT EXISTS site_epoch UInt64;
ALTER TABLE task_rows ADD COLUMN IF NOT EXISTS journal_partition Int32, ADD COLUMN IF NOT EXISTS site_epoch UInt64,
    ADD COLUMN IF NOT EXISTS sequence Int64;
ALTER TABLE task_rows ADD COLUMN IF NOT EXISTS outcome_value Int64;
ALTER TABLE task_rows ADD COLUMN IF NOT EXISTS customer_segment LowCardinality(String);

-- Each half of an interval under the decision that says so: one may be void and the other not.
ALTER TABLE agent_state_rows ADD COLUMN IF NOT EXISTS journal_partition Int32, ADD COLUMN IF NOT EXISTS site_epoch UInt64,
    ADD COLUMN IF NOT EXISTS sequence Int64,
    MODIFY ORDER BY (tenant, started_at, agent_id, state, journal_partition, site_epoch, sequence);

-- Site epochs that ended another: where the ended one was cut.
CREATE TABLE IF NOT EXISTS site_epoch_rows (
    service LowCardinality(String),
    journal_partition Int32,
    site_epoch UInt64,
    previous_site_epoch UInt64,
    cut_sequence Int64,
    site LowCardinality(String),
    started_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (service, journal_partition, site_epoch)
SETTINGS non_replicated_deduplication_window = 10000;
