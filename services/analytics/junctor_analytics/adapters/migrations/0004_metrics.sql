-- What services count and measure, read every few seconds. A counter's and a histogram's Value are sums since the
-- service's start; Count is how many values a histogram's sum holds.
CREATE TABLE IF NOT EXISTS metric_rows (
    TimeUnix DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Site LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricUnit LowCardinality(String) CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Value Float64 CODEC(ZSTD(1)),
    Count UInt64 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (MetricName, ServiceName, Site, Attributes, TimeUnix)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE OR REPLACE VIEW metrics AS
SELECT * FROM metric_rows FINAL;
