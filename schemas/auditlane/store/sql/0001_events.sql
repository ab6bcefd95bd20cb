-- The worker's table: one row per accepted message. Readers use the view `log`.
-- LowCardinality where values repeat; Map rather than JSON because it inserts several times as fast.
-- ZSTD for texts: 40 % fewer bytes for 20 % more CPU per insert. Parts of single inserts stay compact: one file per
-- column costs a third of an insert. The index on kafka_timestamp lets the insert's guard skip parts of other times.
-- The deduplication window holds the tokens of the newest inserts of all workers together.
CREATE TABLE IF NOT EXISTS {database}.events (
    tenant_id LowCardinality(String),
    occurred_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    event_id UUID,
    action LowCardinality(String),
    actor_id String CODEC(ZSTD(1)),
    actor_type LowCardinality(String),
    actor_name Nullable(String) CODEC(ZSTD(1)),
    on_behalf_of Nullable(String),
    resource LowCardinality(String),
    resource_id Nullable(String) CODEC(ZSTD(1)),
    outcome Enum8('unknown' = 0, 'success' = 1, 'failure' = 2, 'denied' = 3),
    severity Enum8('Info' = 0, 'Low' = 1, 'Medium' = 2, 'High' = 3, 'Critical' = 4, 'Error' = 5),
    description Nullable(String) CODEC(ZSTD(1)),
    ip Nullable(IPv6),
    user_agent LowCardinality(Nullable(String)),
    request_id Nullable(String) CODEC(ZSTD(1)),
    before Nullable(String) CODEC(ZSTD(1)),
    after Nullable(String) CODEC(ZSTD(1)),
    source LowCardinality(String),
    metadata Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    fields Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    schema_id UInt32,
    ingested_at DateTime64(3, 'UTC'),
    kafka_topic LowCardinality(String),
    kafka_topic_id UUID,
    kafka_partition UInt32,
    kafka_offset UInt64 CODEC(Delta, ZSTD(1)),
    kafka_timestamp DateTime64(3, 'UTC'),
    -- Who vouches for the row: the gateway for a client, or only Kafka's access control on the topic.
    provenance Enum8('kafka' = 0, 'gateway' = 1),
    provenance_id LowCardinality(String) DEFAULT kafka_topic COMMENT 'Client id if provenance is gateway, else the topic',
    defaulted Array(LowCardinality(String)) COMMENT 'Fields that the producer did not set: they hold a default',
    -- Covers exactly the values that the producer set, so that it does not depend on how the event was sent. RowBinary
    -- writes the length of each value and distinguishes NULL from empty, so that different contents encode differently.
    content_hash FixedString(16) MATERIALIZED CAST(substring(SHA256(formatRowNoNewline('RowBinary',
        action, actor_id, actor_type, actor_name, on_behalf_of, resource, resource_id, outcome, severity, description,
        ip, user_agent, if(has(defaulted, 'request_id'), NULL, request_id), before, after,
        if(has(defaulted, 'source'), '', source), mapSort(metadata),
        mapSort(mapFilter((name, value) -> NOT has(defaulted, name), fields)))), 1, 16), 'FixedString(16)'),
    -- The largest value wins a merge: that of the earliest Kafka timestamp, then of the lowest offset.
    first_wins UInt64 MATERIALIZED bitNot(bitOr(
        bitShiftLeft(toUInt64(toUnixTimestamp64Milli(kafka_timestamp)), 22), bitAnd(kafka_offset, 4194303))),
    INDEX kafka_time kafka_timestamp TYPE minmax GRANULARITY 1,
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(first_wins)
PARTITION BY toYYYYMM(occurred_at)
PRIMARY KEY (tenant_id, occurred_at, event_id)
ORDER BY (tenant_id, occurred_at, event_id, content_hash)
SETTINGS non_replicated_deduplication_window = 40000, min_bytes_for_wide_part = 134217728;

-- What readers see: each event once; of identical copies, the first that reached Kafka wins. Events with the same
-- (tenant_id, occurred_at, event_id) but different contents are different events, and in conflict.
CREATE VIEW IF NOT EXISTS {database}.log AS
SELECT
    tenant_id, occurred_at, event_id, action, actor_id, actor_type, actor_name, on_behalf_of, resource, resource_id,
    outcome, severity, description, ip, user_agent, request_id, before, after, source, metadata, fields,
    schema_id, ingested_at, kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, kafka_timestamp,
    provenance, provenance_id, defaulted, content_hash
FROM {database}.events FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
