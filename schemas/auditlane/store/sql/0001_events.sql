-- The worker's table: one row per accepted message. Readers use the view `log`.
-- LowCardinality where values repeat; Map rather than JSON because it inserts several times as fast.
-- ZSTD for texts: 40 % fewer bytes for 20 % more CPU per insert. Parts of single inserts stay compact: one file per
-- column costs a third of an insert. The index on kafka_timestamp lets the insert's guard skip parts of other times.
-- The deduplication window holds the tokens of the newest inserts of all workers together.
-- A partition is a month, or a day (`auditlane init --partitions day`). One that has received nothing for a day is
-- merged into one part, in which FINAL has nothing left to do.
-- Views take the types and comments of columns from here: `{columns of events: …}`.
CREATE TABLE IF NOT EXISTS {database}.events (
    tenant_id LowCardinality(String) COMMENT 'The tenant',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it happened' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event: with tenant_id, occurred_at and content_hash, its identity',
    action LowCardinality(String) COMMENT 'What happened',
    actor_id String COMMENT 'Who did it' CODEC(ZSTD(1)),
    actor_type LowCardinality(String) COMMENT 'Kind of the actor: user, service, api_key, system or anonymous',
    actor_name Nullable(String) COMMENT 'Readable name of the actor' CODEC(ZSTD(1)),
    on_behalf_of Nullable(String) COMMENT 'User on whose behalf the actor acted',
    resource LowCardinality(String) COMMENT 'Kind of the resource affected',
    resource_id Nullable(String) COMMENT 'Id of the resource' CODEC(ZSTD(1)),
    outcome Enum8('unknown' = 0, 'success' = 1, 'failure' = 2, 'denied' = 3) COMMENT 'Result of the action',
    severity Enum8('Info' = 0, 'Low' = 1, 'Medium' = 2, 'High' = 3, 'Critical' = 4, 'Error' = 5)
        COMMENT 'Severity, which compares in the order of its values',
    description Nullable(String) COMMENT 'Sentence for readers' CODEC(ZSTD(1)),
    ip Nullable(IPv6) COMMENT 'Address of the actor, IPv4 as ::ffff:192.0.2.1',
    user_agent LowCardinality(Nullable(String)) COMMENT 'User agent as the actor sent it',
    request_id Nullable(String) COMMENT 'Id that correlates the event with other logs' CODEC(ZSTD(1)),
    before Nullable(String) COMMENT 'JSON text of the changed object before the action' CODEC(ZSTD(1)),
    after Nullable(String) COMMENT 'JSON text of the changed object after the action' CODEC(ZSTD(1)),
    source LowCardinality(String) COMMENT 'Service that sent the event, as it names itself',
    metadata Map(LowCardinality(String), String) COMMENT 'Further values of the producer' CODEC(ZSTD(1)),
    fields Map(LowCardinality(String), String)
        COMMENT 'Custom fields as text: numbers in their shortest form, times in RFC 3339' CODEC(ZSTD(1)),
    schema_id UInt32 COMMENT 'Id in the registry of the schema that the event was written with',
    ingested_at DateTime64(3, 'UTC') COMMENT 'When the worker received it',
    kafka_topic LowCardinality(String) COMMENT 'Topic of the message',
    kafka_topic_id UUID COMMENT 'Id that Kafka gave the topic',
    kafka_partition UInt32 COMMENT 'Partition of the message',
    kafka_offset UInt64 COMMENT 'Offset of the message' CODEC(Delta, ZSTD(1)),
    kafka_timestamp DateTime64(3, 'UTC') COMMENT 'Time of the message in Kafka',
    provenance Enum8('kafka' = 0, 'gateway' = 1)
        COMMENT 'Who vouches for the row, which no sender can set: the gateway for a client, or Kafka''s access control',
    provenance_id LowCardinality(String) DEFAULT kafka_topic
        COMMENT 'Client id, oidc: and a user of your own issuer, test: and the sender of a test event, or the topic',
    defaulted Array(LowCardinality(String))
        COMMENT 'Fields that the producer did not set: filled in by the gateway, or with their first default',
    -- Covers exactly the values that the producer set, so that it does not depend on how the event was sent. RowBinary
    -- writes the length of each value and distinguishes NULL from empty, so that different contents encode differently.
    content_hash FixedString(16) MATERIALIZED CAST(substring(SHA256(formatRowNoNewline('RowBinary',
        action, actor_id, actor_type, actor_name, on_behalf_of, resource, resource_id, outcome, severity, description,
        ip, user_agent, if(has(defaulted, 'request_id'), NULL, request_id), before, after,
        if(has(defaulted, 'source'), '', source), mapSort(metadata),
        mapSort(mapFilter((name, value) -> NOT has(defaulted, name), fields)))), 1, 16), 'FixedString(16)')
        COMMENT 'Hash of everything that the producer set, which the API shows as lower(hex(content_hash))',
    -- The largest value wins a merge: that of the earliest Kafka timestamp, then of the lowest offset.
    first_wins UInt64 MATERIALIZED bitNot(bitOr(
        bitShiftLeft(toUInt64(toUnixTimestamp64Milli(kafka_timestamp)), 22), bitAnd(kafka_offset, 4194303)))
        COMMENT 'Rank among identical copies: the largest remains after a merge',
    INDEX kafka_time kafka_timestamp TYPE minmax GRANULARITY 1,
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1,
    -- What readers look for: in a log of any length, ClickHouse reads only the granules that may contain the value.
    INDEX event_id event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX actor_id actor_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX actor_name actor_name TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX resource_id resource_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ip ip TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX metadata_values mapValues(metadata) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX field_values mapValues(fields) TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ReplacingMergeTree(first_wins)
PARTITION BY {partitioning}
PRIMARY KEY (tenant_id, occurred_at, event_id)
ORDER BY (tenant_id, occurred_at, event_id, content_hash)
SETTINGS non_replicated_deduplication_window = 40000, min_bytes_for_wide_part = 134217728,
    min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;

-- What readers see: each event once; of identical copies, the first that reached Kafka wins. Events with the same
-- (tenant_id, occurred_at, event_id) but different contents are different events, and in conflict.
CREATE VIEW IF NOT EXISTS {database}.log (
    {columns of events: tenant_id, occurred_at, event_id, action, actor_id, actor_type, actor_name, on_behalf_of,
        resource, resource_id, outcome, severity, description, ip, user_agent, request_id, before, after, source,
        metadata, fields, schema_id, ingested_at, kafka_topic, kafka_topic_id, kafka_partition, kafka_offset,
        kafka_timestamp, provenance, provenance_id, defaulted, content_hash}
) COMMENT 'Each event once'
AS
SELECT
    tenant_id, occurred_at, event_id, action, actor_id, actor_type, actor_name, on_behalf_of, resource, resource_id,
    outcome, severity, description, ip, user_agent, request_id, before, after, source, metadata, fields,
    schema_id, ingested_at, kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, kafka_timestamp,
    provenance, provenance_id, defaulted, content_hash
FROM {database}.events FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- The same events for clients that read Arrow, in which an enum is a number, and an id or an address is binary.
CREATE VIEW IF NOT EXISTS {database}.log_text (
    {columns of events: tenant_id, occurred_at},
    event_id String COMMENT 'Id of the event, as text',
    {columns of events: action, actor_id, actor_type, actor_name, on_behalf_of, resource, resource_id},
    outcome LowCardinality(String) COMMENT 'Result of the action, as text',
    severity LowCardinality(String) COMMENT 'Severity, as text, which compares by alphabet',
    {columns of events: description},
    ip Nullable(String) COMMENT 'Address of the actor, as text, IPv4 as 192.0.2.1',
    {columns of events: user_agent, request_id, before, after, source, metadata, fields, schema_id, ingested_at,
        kafka_topic},
    kafka_topic_id String COMMENT 'Id that Kafka gave the topic, as text',
    {columns of events: kafka_partition, kafka_offset, kafka_timestamp},
    provenance LowCardinality(String) COMMENT 'Who vouches for the row, as text: gateway or kafka',
    {columns of events: provenance_id, defaulted},
    content_hash String COMMENT 'Hash of everything that the producer set, in hexadecimal, as the API shows it'
) COMMENT 'Each event once, with enums, ids and addresses as text'
AS
SELECT
    tenant_id, occurred_at, toString(event_id) AS event_id, action, actor_id, actor_type, actor_name, on_behalf_of,
    resource, resource_id, toString(outcome) AS outcome, toString(severity) AS severity, description,
    replaceRegexpOne(toString(ip), '^::ffff:([0-9]+[.][0-9.]+)$', '\\1') AS ip, user_agent, request_id,
    before, after, source, metadata, fields, schema_id, ingested_at, kafka_topic,
    toString(kafka_topic_id) AS kafka_topic_id, kafka_partition, kafka_offset, kafka_timestamp,
    toString(provenance) AS provenance, provenance_id, defaulted, lower(hex(content_hash)) AS content_hash
FROM {database}.events FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
