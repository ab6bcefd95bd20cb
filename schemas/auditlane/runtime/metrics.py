"""All metrics that auditlane exposes, with their names, kinds, labels and meanings. The docs include this list.

Metrics are updated per batch, never per event. Labels have low cardinality: never a tenant, an actor or an event id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Exporter = Literal["worker", "serve", "lag", "verify", "canary", "outbox relay"]
LATE_S: Final = 5.0  # minimum delay after its Kafka timestamp for a stored row to count as late


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric in Prometheus' terms. `labels` are its label names.

    `by` names the exporters that expose it: the worker, `serve`, `lag --serve`, `verify --metrics`, `canary` and
    `outbox relay`. With several `serve` processes, counters and histograms are summed, and a gauge is aggregated as
    `across` specifies.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    by: tuple[Exporter, ...] = ("worker",)
    across: Literal["sum", "max", "min"] = "sum"


_SERVE: Final[tuple[Exporter, ...]] = ("serve",)
_VERIFY: Final[tuple[Exporter, ...]] = ("verify",)
_WORKER_SERVE: Final[tuple[Exporter, ...]] = ("worker", "serve")
_SERVE_LAG: Final[tuple[Exporter, ...]] = ("serve", "lag")
_SERVE_CANARY: Final[tuple[Exporter, ...]] = ("serve", "canary")
_RELAY: Final[tuple[Exporter, ...]] = ("outbox relay",)
_ALL: Final[tuple[Exporter, ...]] = ("worker", "serve", "lag", "canary", "outbox relay")

METRICS: tuple[Metric, ...] = (
    # Worker: messages and their results.
    Metric("auditlane_worker_messages_total", "counter", "Messages read from Kafka."),
    Metric("auditlane_worker_bytes_total", "counter", "Bytes of keys and values read from Kafka."),
    Metric("auditlane_worker_rows_total", "counter", "Rows sent to ClickHouse in acknowledged inserts."),
    Metric(
        "auditlane_worker_late_rows_total",
        "counter",
        f"Rows among them that were stored more than {LATE_S:g} s after their Kafka timestamp.",
    ),
    Metric(
        "auditlane_worker_parts_total",
        "counter",
        "ClickHouse parts created: one insert per range and partition of the table.",
    ),
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
    Metric("auditlane_worker_commit_seconds", "histogram", "Duration of one commit of offsets, including failed ones."),
    Metric(
        "auditlane_worker_publish_seconds",
        "histogram",
        "Duration of publishing one range's dead letters, until Kafka has acknowledged all of them.",
    ),
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
    Metric(
        "auditlane_worker_pending_intent_seconds",
        "gauge",
        "Age of the oldest committed intent whose range is not completed, 0 if all are.",
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
    Metric(
        "auditlane_worker_window_tokens",
        "gauge",
        "Deduplication tokens that this worker has used in the last 600 s. All workers' sum must stay below "
        "`auditlane_worker_window_size`.",
    ),
    Metric("auditlane_worker_window_size", "gauge", "Deduplication tokens that the table keeps."),
    Metric("auditlane_worker_held_bytes", "gauge", "Bytes of messages held in ranges."),
    Metric("auditlane_worker_partitions", "gauge", "Partitions assigned to this worker."),
    Metric(
        "auditlane_worker_expected_partitions",
        "gauge",
        "Partitions of all topics that the consumer group reads; all workers' assigned partitions add up to it.",
    ),
    Metric(
        "auditlane_worker_halted_partitions", "gauge", "Halted partitions: consuming them further would lose events."
    ),
    Metric(
        "auditlane_worker_failing_partitions",
        "gauge",
        "Partitions whose range has failed or made no progress for a minute and is being retried.",
    ),
    Metric("auditlane_worker_circuit_open_partitions", "gauge", "Partitions halted by the circuit breaker."),
    Metric(
        "auditlane_worker_loop_age_seconds",
        "gauge",
        "Time since the consuming loop last ran. `/health/live` fails above `AUDITLANE_WORKER_STALL_S`.",
    ),
    Metric(
        "auditlane_worker_kafka_brokers",
        "gauge",
        "Kafka brokers by the state of the consumer's connection: up, connecting, down, idle (not needed so far).",
        ("state",),
    ),
    Metric(
        "auditlane_worker_kafka_round_trip_seconds",
        "gauge",
        "99th percentile of the round trip to the slowest broker, over the last 15 s. Includes up to 0.5 s in which a "
        "broker waits for messages.",
    ),
    # The consumer group, as seen from outside the workers.
    Metric(
        "auditlane_group_up",
        "gauge",
        "1 if the last reading succeeded, else 0, by reading: lag, dead_letters. The other values of a reading that "
        "fails are those of the last success.",
        ("reading",),
        _SERVE_LAG,
    ),
    Metric(
        "auditlane_group_read_timestamp_seconds",
        "gauge",
        "Time of the last successful reading, in seconds since 1970.",
        ("reading",),
        _SERVE_LAG,
    ),
    Metric("auditlane_group_members", "gauge", "Members of the consumer group with a partition.", (), _SERVE_LAG),
    Metric(
        "auditlane_group_partitions",
        "gauge",
        "Partitions of the shared topic, and of all dedicated topics as `<topic>.*`.",
        ("topic",),
        _SERVE_LAG,
    ),
    Metric("auditlane_group_unassigned_partitions", "gauge", "Partitions that no worker owns.", ("topic",), _SERVE_LAG),
    Metric(
        "auditlane_group_failing_partitions",
        "gauge",
        "Partitions whose worker has failed to store their next messages for a minute.",
        ("topic",),
        _SERVE_LAG,
    ),
    Metric("auditlane_group_lag_records", "gauge", "Messages that are not completed.", ("topic",), _SERVE_LAG),
    Metric("auditlane_group_lag_seconds", "gauge", "Age of the oldest message not completed.", ("topic",), _SERVE_LAG),
    Metric(
        "auditlane_group_lost_offsets",
        "gauge",
        "Offsets that Kafka deleted before the group had completed them.",
        ("topic",),
        _SERVE_LAG,
    ),
    Metric("auditlane_dead_letters_open", "gauge", "Open dead letters, by reject code.", ("code",), _SERVE_LAG),
    Metric(
        "auditlane_dead_letters_oldest_seconds",
        "gauge",
        "Age of the oldest open dead letter, by the Kafka timestamp of its message; 0 if none are open.",
        (),
        _SERVE_LAG,
    ),
    # The canary, in `auditlane canary` or with `AUDITLANE_SERVE_CANARY`.
    Metric(
        "auditlane_canary_results_total",
        "counter",
        "Events of the canary by result: visible, late (visible after `AUDITLANE_CANARY_LATE_S`), lost (not visible "
        "within `AUDITLANE_CANARY_LOST_S`), refused (by Kafka or the registry).",
        ("result",),
        _SERVE_CANARY,
    ),
    Metric(
        "auditlane_canary_acknowledged_seconds",
        "histogram",
        "Time until Kafka acknowledged an event of the canary.",
        (),
        _SERVE_CANARY,
    ),
    Metric(
        "auditlane_canary_visible_seconds",
        "histogram",
        "Time until an event of the canary was visible, in time or late; too long by up to a tenth.",
        (),
        _SERVE_CANARY,
    ),
    Metric(
        "auditlane_canary_success_age_seconds",
        "gauge",
        "Time since an event of the canary was last visible in time, or since the first was sent if none was; 0 in a "
        "process that sends none.",
        (),
        _SERVE_CANARY,
        "max",
    ),
    Metric(
        "auditlane_canary_up",
        "gauge",
        "1 if the last event of the canary was visible in time and none is overdue, else 0; 0 in a process that sends "
        "none.",
        (),
        _SERVE_CANARY,
        "max",
    ),
    # The relay of a transactional outbox.
    Metric("auditlane_outbox_sent_total", "counter", "Rows sent to Kafka and deleted.", (), _RELAY),
    Metric(
        "auditlane_outbox_set_aside_total",
        "counter",
        "Rows set aside because they cannot be encoded, or Kafka refused them repeatedly.",
        (),
        _RELAY,
    ),
    Metric(
        "auditlane_outbox_failures_total",
        "counter",
        "Failed steps, by part: database, or kafka (also the registry).",
        ("part",),
        _RELAY,
    ),
    Metric("auditlane_outbox_waiting_rows", "gauge", "Rows that wait to be sent.", (), _RELAY, "max"),
    Metric("auditlane_outbox_set_aside_rows", "gauge", "Rows that are set aside.", (), _RELAY, "max"),
    Metric(
        "auditlane_outbox_oldest_seconds",
        "gauge",
        "Age of the oldest waiting row; 0 if no rows are waiting.",
        (),
        _RELAY,
        "max",
    ),
    # The last run of `auditlane verify --metrics`.
    Metric("auditlane_verify_offsets", "gauge", "Offsets by their status.", ("status",), _VERIFY),
    Metric("auditlane_verify_two_times", "gauge", "Event ids that a tenant used with more than one time.", (), _VERIFY),
    Metric(
        "auditlane_verify_conflicts",
        "gauge",
        "Events with the same tenant, id and time but different content.",
        (),
        _VERIFY,
    ),
    Metric(
        "auditlane_verify_ok", "gauge", "1 if nothing was missing, extra, duplicate or different, else 0.", (), _VERIFY
    ),
    Metric("auditlane_verify_completed_seconds", "gauge", "Completion time, in seconds since 1970.", (), _VERIFY),
    # Events over HTTP.
    Metric("auditlane_ingest_events_total", "counter", "Events accepted, that is, acknowledged by Kafka.", (), _SERVE),
    Metric(
        "auditlane_ingest_refused_total", "counter", "Refused events and requests, by error code.", ("code",), _SERVE
    ),
    Metric(
        "auditlane_contract_refusals_total",
        "counter",
        "Events refused by their tenant's contract, by whether it was changed within the previous hour (yes, no).",
        ("changed",),
        _SERVE,
    ),
    Metric(
        "auditlane_ingest_ack_seconds", "histogram", "Time until Kafka has acknowledged a slice of events.", (), _SERVE
    ),
    # The gateway's spool; all are 0 without `AUDITLANE_INGEST_SPOOL_BYTES`.
    Metric("auditlane_ingest_spool_bytes", "gauge", "Bytes of the spool's files, of all processes.", (), _SERVE, "max"),
    Metric("auditlane_ingest_spool_limit_bytes", "gauge", "`AUDITLANE_INGEST_SPOOL_BYTES`.", (), _SERVE, "max"),
    Metric(
        "auditlane_ingest_spool_events",
        "gauge",
        "Events on disk that Kafka has not acknowledged, of this process and of processes that ended.",
        (),
        _SERVE,
    ),
    Metric(
        "auditlane_ingest_spool_oldest_seconds",
        "gauge",
        "Age of the oldest event on disk; 0 if there are none. Too high by up to the time that one file covers.",
        (),
        _SERVE,
        "max",
    ),
    Metric(
        "auditlane_ingest_spool_set_aside_files",
        "gauge",
        "Files with events that Kafka rejected or with damaged bytes, in the subfolders `rejected` and `damaged`.",
        (),
        _SERVE,
        "max",
    ),
    Metric(
        "auditlane_ingest_spool_sent_total",
        "counter",
        "Events that were read from disk and then acknowledged by Kafka.",
        (),
        _SERVE,
    ),
    Metric(
        "auditlane_ingest_spool_dropped_total",
        "counter",
        "Lost events that were reported as `events.dropped`, by reason: killed (only in memory), full, damaged, "
        "rejected (by Kafka).",
        ("reason",),
        _SERVE,
    ),
    # HTTP.
    Metric("auditlane_http_requests_total", "counter", "Requests answered.", ("route", "method", "status"), _SERVE),
    Metric(
        "auditlane_http_request_seconds",
        "histogram",
        "Time to the first byte of the response.",
        ("route", "method"),
        _SERVE,
    ),
    Metric(
        "auditlane_http_refused_total",
        "counter",
        "Requests refused by a limit: BUSY (of the process), RATE_LIMITED (of a tenant or client).",
        ("code",),
        _SERVE,
    ),
    Metric("auditlane_http_requests_in_progress", "gauge", "Requests that occupy a slot.", (), _SERVE),
    Metric(
        "auditlane_http_requests_limit", "gauge", "Slots, of `AUDITLANE_SERVE_MAX_CONCURRENCY` a process.", (), _SERVE
    ),
    Metric(
        "auditlane_clickhouse_request_seconds",
        "histogram",
        "Time until ClickHouse's response to a statement begins, by the route that needs it; `(background)` for live "
        "streams and export jobs.",
        ("route",),
        _SERVE,
    ),
    Metric(
        "auditlane_clickhouse_read_rows_total",
        "counter",
        "Rows that ClickHouse has read when a response begins.",
        ("route",),
        _SERVE,
    ),
    Metric(
        "auditlane_clickhouse_read_bytes_total",
        "counter",
        "Uncompressed bytes that ClickHouse has read when a response begins.",
        ("route",),
        _SERVE,
    ),
    Metric("auditlane_streams_open", "gauge", "Open live streams.", (), _SERVE),
    Metric("auditlane_export_rows_total", "counter", "Rows exported.", ("format",), _SERVE),
    Metric(
        "auditlane_export_jobs",
        "gauge",
        "Export jobs that are not removed yet, by state: queued, running, done, failed, cancelled.",
        ("state",),
        _SERVE,
        "max",
    ),
    Metric(
        "auditlane_export_job_age_seconds",
        "gauge",
        "Time since the oldest job in a state was created: queued, running. 0 if no jobs are in it.",
        ("state",),
        _SERVE,
        "max",
    ),
    Metric(
        "auditlane_trail_events_total",
        "counter",
        "Auditlane's own audit events: emitted (acknowledged by Kafka), spooled (waiting in a file), dropped (lost), "
        "refused and undelivered (both retried).",
        ("result",),
        _SERVE,
    ),
    Metric(
        "auditlane_trail_waiting_events",
        "gauge",
        "Auditlane's own audit events in memory that Kafka has not acknowledged.",
        (),
        _SERVE,
    ),
    Metric(
        "auditlane_trail_spool_bytes",
        "gauge",
        "Bytes of auditlane's own audit events spooled in files for Kafka.",
        (),
        _SERVE,
        "max",
    ),
    Metric(
        "auditlane_credentials_stale",
        "gauge",
        "1 if the current version of a file (keys, signing-keys) is invalid, so that its last valid one is in use.",
        ("file",),
        _SERVE,
        "max",
    ),
    Metric(
        "auditlane_credentials_timestamp_seconds",
        "gauge",
        "Modification time of the version in use of a file (keys, signing-keys), in seconds since 1970.",
        ("file",),
        _SERVE,
        "min",
    ),
    # The schema registry, as a worker or `serve` sees it.
    Metric(
        "auditlane_registry_requests_total",
        "counter",
        "Requests to the schema registry, by result: ok, not_found, refused, unavailable (a retry may succeed).",
        ("result",),
        _WORKER_SERVE,
    ),
    Metric(
        "auditlane_registry_request_seconds",
        "histogram",
        "Duration of a request to the schema registry, including failed ones.",
        (),
        _WORKER_SERVE,
    ),
    Metric(
        "auditlane_registry_response_timestamp_seconds",
        "gauge",
        "Time of the registry's last response, in seconds since 1970, or 0. Cached contracts in use are at most as old "
        "as that, plus `AUDITLANE_REGISTRY_REFRESH_S`.",
        (),
        _WORKER_SERVE,
        "max",
    ),
    # Every process.
    Metric("auditlane_build_info", "gauge", "Always 1; the label has the version.", ("version",), _ALL, "max"),
    Metric(
        "auditlane_store_version",
        "gauge",
        "Number of the newest migration that the store has, or 0 while it is unknown. A worker reads it at its start.",
        (),
        _WORKER_SERVE,
        "max",
    ),
    Metric("process_cpu_seconds_total", "counter", "CPU time of the process, in user and system mode.", (), _ALL),
    Metric("process_resident_memory_bytes", "gauge", "Resident memory.", (), _ALL),
    Metric("process_virtual_memory_bytes", "gauge", "Virtual memory.", (), _ALL),
    Metric("process_open_fds", "gauge", "Open file descriptors.", (), _ALL, "max"),
    Metric("process_max_fds", "gauge", "Limit of open file descriptors.", (), _ALL, "min"),
    Metric("process_start_time_seconds", "gauge", "Start time, in seconds since 1970.", (), _ALL, "min"),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}


def exposed_by(exporter: Exporter) -> dict[str, str]:
    """Return the metrics that an exporter exposes, as a mapping from name to kind."""
    return {metric.name: metric.kind for metric in METRICS if exporter in metric.by}
