-- The operation of this installation over time: a row for each minute, kept for a week. NULL is a value that was not
-- measured. All rows of a minute are inserted under one deduplication token, so that only the first is stored.
CREATE TABLE IF NOT EXISTS {database}.observations (
    minute DateTime('UTC') COMMENT 'Start of the minute' CODEC(Delta, ZSTD(1)),
    received_per_second Nullable(Float64) COMMENT 'Messages that arrived in Kafka',
    stored_per_second Nullable(Float64) COMMENT 'Messages that workers stored or rejected',
    lag_seconds Nullable(Float64) COMMENT 'Age of the oldest message that is not stored',
    lag_events Nullable(UInt64) COMMENT 'Messages that are not stored',
    freshness_p50_s Nullable(Float64) COMMENT 'From Kafka''s timestamp until a worker validated the row',
    freshness_p99_s Nullable(Float64) COMMENT 'From Kafka''s timestamp until a worker validated the row',
    dead_letters Nullable(UInt64) COMMENT 'Messages that were rejected in this minute',
    query_p99_s Nullable(Float64) COMMENT 'To the first byte of a response, in the process that wrote the row',
    ingest_p99_s Nullable(Float64) COMMENT 'Of a request to emit events, in the process that wrote the row',
    disk_used_ratio Nullable(Float64) COMMENT 'Of the fullest disk'
) ENGINE = MergeTree
ORDER BY minute
TTL minute + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- Which process holds a lease, one row per claim: the row with the highest epoch counts, and merges keep only that one.
-- Concurrent claims of an epoch use one deduplication token, so that only the first is stored; `owner` identifies the
-- process. `state` passes to the next owner.
CREATE TABLE IF NOT EXISTS {database}.leases (
    name String COMMENT 'Name of the lease',
    epoch UInt64 COMMENT 'Number of the claim, of which the highest holds the lease',
    owner UUID COMMENT 'Id of the process that claimed it',
    expires_at DateTime64(3, 'UTC') COMMENT 'When the lease expires unless it is renewed',
    state String COMMENT 'State that passes to the next owner' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(epoch)
ORDER BY name
SETTINGS non_replicated_deduplication_window = 1000;
