"""Every metric that auditlane exposes, in one list: name, kind, labels, meaning. The docs include this list.

Metrics are updated per batch, never per event. Labels have low cardinality: never a tenant, an actor or an event id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric in Prometheus' terms; `labels` are its label names."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


METRICS: tuple[Metric, ...] = (
    # Worker: messages and their results.
    Metric("auditlane_worker_messages_total", "counter", "Messages read from Kafka."),
    Metric("auditlane_worker_bytes_total", "counter", "Bytes of keys and values read from Kafka."),
    Metric("auditlane_worker_rows_total", "counter", "Rows sent to ClickHouse in acknowledged inserts."),
    Metric("auditlane_worker_parts_total", "counter", "ClickHouse parts created: one insert per range and month."),
    Metric("auditlane_worker_dead_letters_total", "counter", "Rejected messages, by reject code.", ("code",)),
    Metric("auditlane_worker_ranges_total", "counter", "Completed ranges: first attempt, or redo.", ("how",)),
    Metric(
        "auditlane_worker_retries_total",
        "counter",
        "Failed steps (insert, letters, commit), by reaction: retry, retry_slower, wait (for another insert; no "
        "error), look (check whether the rows were stored), halt, open_circuit.",
        ("step", "class"),
    ),
    Metric("auditlane_worker_insert_seconds", "histogram", "Duration of validating and inserting one range."),
    Metric(
        "auditlane_worker_freshness_seconds",
        "histogram",
        "Time from the Kafka timestamp of a range's oldest message until its rows are stored.",
    ),
    Metric(
        "auditlane_worker_skipped_offsets_total",
        "counter",
        "Offsets without a message, such as Kafka's control records.",
    ),
    # This worker's lag; `auditlane lag` reports it per partition.
    Metric("auditlane_worker_lag_records", "gauge", "Messages in this worker's partitions that are not completed."),
    Metric(
        "auditlane_worker_lag_seconds",
        "gauge",
        "Age of the oldest message that is not completed; a lower bound until it has been read.",
    ),
    # The consumer group, and the worker's limits.
    Metric("auditlane_worker_rebalances_total", "counter", "Rebalances: assigned, revoked, lost.", ("what",)),
    Metric(
        "auditlane_worker_recovered_intents_total",
        "counter",
        "Ranges completed whose intent an earlier assignment had committed.",
    ),
    Metric(
        "auditlane_worker_insert_rate_factor",
        "gauge",
        "Current insert rate as a fraction of `AUDITLANE_INSERT_PARTS_PER_SECOND`.",
    ),
    Metric("auditlane_worker_held_bytes", "gauge", "Bytes of messages held in ranges."),
    Metric("auditlane_worker_partitions", "gauge", "Partitions assigned to this worker."),
    Metric(
        "auditlane_worker_halted_partitions", "gauge", "Halted partitions: consuming them further would lose events."
    ),
    Metric(
        "auditlane_worker_failing_partitions",
        "gauge",
        "Partitions whose range has failed or made no progress for a minute and is being retried.",
    ),
    Metric("auditlane_worker_circuit_open_partitions", "gauge", "Partitions halted by the circuit breaker."),
    # The last run of `auditlane verify --metrics`.
    Metric("auditlane_verify_offsets", "gauge", "Offsets by their status.", ("status",)),
    Metric("auditlane_verify_two_times", "gauge", "Event ids that a tenant used with more than one time."),
    Metric("auditlane_verify_conflicts", "gauge", "Events with the same tenant, id and time but different content."),
    Metric("auditlane_verify_ok", "gauge", "1 if nothing was missing, extra, doubled or different, else 0."),
    Metric("auditlane_verify_completed_seconds", "gauge", "Completion time, in seconds since 1970."),
    # Events over HTTP.
    Metric("auditlane_ingest_events_total", "counter", "Events accepted, that is, acknowledged by Kafka."),
    Metric("auditlane_ingest_refused_total", "counter", "Refused events and requests, by error code.", ("code",)),
    Metric(
        "auditlane_contract_refusals_total",
        "counter",
        "Events refused by their tenant's contract, by whether it was changed within the previous hour (yes, no).",
        ("changed",),
    ),
    Metric("auditlane_ingest_ack_seconds", "histogram", "Time until Kafka has acknowledged a slice of events."),
    # HTTP.
    Metric("auditlane_http_requests_total", "counter", "Requests answered.", ("route", "status")),
    Metric("auditlane_http_request_seconds", "histogram", "Time to the first byte of the response.", ("route",)),
    Metric("auditlane_export_rows_total", "counter", "Rows exported.", ("format",)),
    Metric(
        "auditlane_trail_events_total",
        "counter",
        "Auditlane's own audit events: emitted (acknowledged by Kafka), spooled (waiting in a file), dropped (lost), "
        "refused and undelivered (both retried).",
        ("result",),
    ),
    Metric("auditlane_trail_spool_bytes", "gauge", "Bytes of auditlane's own audit events spooled in files for Kafka."),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
