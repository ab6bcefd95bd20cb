"""Every metric that auditlane exposes, in one list: name, kind, labels, meaning. The docs include this list.

Metrics are updated per batch, never per event. Labels are of low cardinality: never a tenant, an actor or an event id.
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
    # Worker: what was read, what became of it.
    Metric("auditlane_worker_messages_total", "counter", "Messages read from Kafka."),
    Metric("auditlane_worker_bytes_total", "counter", "Bytes of keys and values read from Kafka."),
    Metric("auditlane_worker_rows_total", "counter", "Rows sent to ClickHouse in acknowledged inserts."),
    Metric("auditlane_worker_parts_total", "counter", "Parts made in ClickHouse: inserts, one a range and month."),
    Metric("auditlane_worker_dead_letters_total", "counter", "Messages refused, by their code.", ("code",)),
    Metric("auditlane_worker_ranges_total", "counter", "Ranges completed.", ("how",)),  # how: first, redo
    Metric(
        "auditlane_worker_retries_total",
        "counter",
        "Steps that failed (insert, letters, commit), by what the failure means: retry, retry_slower, wait (behind "
        "another insert: nothing is wrong), look (whether the rows are stored is not known), halt, open_circuit.",
        ("step", "class"),
    ),
    Metric("auditlane_worker_insert_seconds", "histogram", "Duration of judging and inserting one range."),
    Metric(
        "auditlane_worker_freshness_seconds",
        "histogram",
        "Per range: from the Kafka timestamp of its oldest message until its rows are stored.",
    ),
    Metric("auditlane_worker_skipped_offsets_total", "counter", "Offsets without a message: Kafka's control records."),
    # How far behind; by partition: `auditlane lag`.
    Metric("auditlane_worker_lag_records", "gauge", "Messages of this worker's partitions that are not completed."),
    Metric("auditlane_worker_lag_seconds", "gauge", "Age of the oldest of these; at least, where it was not read yet."),
    # The group, and what limits the worker.
    Metric("auditlane_worker_rebalances_total", "counter", "Rebalances: assigned, revoked, lost.", ("what",)),
    Metric("auditlane_worker_recovered_intents_total", "counter", "Ranges another assignment left to be completed."),
    Metric(
        "auditlane_worker_insert_rate_factor",
        "gauge",
        "Fraction of its configured parts per second that backpressure allows.",
    ),
    Metric("auditlane_worker_held_bytes", "gauge", "Bytes of messages held in ranges."),
    Metric("auditlane_worker_partitions", "gauge", "Partitions assigned to this worker."),
    Metric("auditlane_worker_halted_partitions", "gauge", "Partitions halted because going on would lose events."),
    Metric(
        "auditlane_worker_failing_partitions",
        "gauge",
        "Partitions whose range has failed, or not got on, for a minute; it is tried again.",
    ),
    Metric("auditlane_worker_circuit_open_partitions", "gauge", "Of these, halted by the circuit breaker."),
    # `auditlane verify --metrics`: of its last run.
    Metric("auditlane_verify_offsets", "gauge", "Offsets by their status.", ("status",)),
    Metric("auditlane_verify_two_times", "gauge", "Event ids that a tenant used with more than one time."),
    Metric("auditlane_verify_conflicts", "gauge", "Events of one tenant, id and time whose contents differ."),
    Metric("auditlane_verify_ok", "gauge", "1 when nothing was missing, extra, doubled or different, else 0."),
    Metric("auditlane_verify_completed_seconds", "gauge", "When it ended, in seconds since 1970."),
    # Events over HTTP.
    Metric("auditlane_ingest_events_total", "counter", "Events accepted: Kafka acknowledged them."),
    Metric("auditlane_ingest_refused_total", "counter", "Events, and whole requests, refused by code.", ("code",)),
    Metric(
        "auditlane_contract_refusals_total",
        "counter",
        "Events refused by their tenant's contract, by whether it was changed within the hour before (yes, no).",
        ("changed",),
    ),
    Metric("auditlane_ingest_ack_seconds", "histogram", "From a slice of events until Kafka acknowledged all of it."),
    # HTTP.
    Metric("auditlane_http_requests_total", "counter", "Requests answered.", ("route", "status")),
    Metric("auditlane_http_request_seconds", "histogram", "Time to the response's first byte.", ("route",)),
    Metric("auditlane_export_rows_total", "counter", "Rows exported.", ("format",)),
    Metric(
        "auditlane_trail_events_total",
        "counter",
        "Our own audit events: emitted ones Kafka has, spooled ones wait in a file, dropped ones are missing; refused "
        "and undelivered ones are tried again.",
        ("result",),
    ),
    Metric("auditlane_trail_spool_bytes", "gauge", "Bytes of our own audit events that wait in files for Kafka."),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
