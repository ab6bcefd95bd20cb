"""All events that auditlane's processes log, with their names, levels, meanings and actions. The docs include this
list.

A name is stable; the fields beside it are not. Libraries and the SDK, which logs sentences to the application's logger,
are not listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
_UNFORESEEN = "Report it with the traceback."


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event. `action` tells operators how to respond, and is empty if no response is needed."""

    name: str
    levels: tuple[Level, ...]
    meaning: str
    action: str = ""


LOG_EVENTS: tuple[LogEvent, ...] = (
    # Worker: the process and its group.
    LogEvent(
        "worker.waiting",
        ("warning",),
        "A service that the worker needs to start is unavailable, or the tables do not exist yet; it retries.",
    ),
    LogEvent("worker.draining", ("info",), "The worker was asked to stop and stores what it has buffered."),
    LogEvent("worker.drain_unfinished", ("warning",), "The worker stops with ranges in flight; their intents remain."),
    LogEvent("worker.stopped", ("info",), "The worker has left its group."),
    LogEvent(
        "worker.hard_exit",
        ("error",),
        "Shutdown took longer than `AUDITLANE_SHUTDOWN_TIMEOUT_S`, so the process exited with code 70; its successor "
        "continues from the intents.",
        "Check whether Kafka or ClickHouse hangs.",
    ),
    LogEvent(
        "group.classic",
        ("warning",),
        "The brokers do not support the group protocol `consumer`; the worker uses `classic`.",
        "None, or set `AUDITLANE_GROUP_PROTOCOL=classic`.",
    ),
    LogEvent("process.ended", ("warning",), "One of several processes has exited, and is restarted.", "See its log."),
    LogEvent(
        "brokers.asked_again",
        ("warning",),
        "The facts about assigned partitions could not be read yet.",
    ),
    LogEvent(
        "kafka.error",
        ("warning",),
        "librdkafka reports an error from which it recovers.",
        "Check the brokers.",
    ),
    # Worker: partitions.
    LogEvent(
        "partition.assigned",
        ("info", "warning"),
        "The worker consumes the partition from `offset`; `pending` is the range that its intent announces. A warning "
        "has a `note`: the committed offset was lost, reset or invalid.",
    ),
    LogEvent("partition.revoked", ("info",), "The partition moves to another worker."),
    LogEvent(
        "partition.lost",
        ("info",),
        "The group has excluded this worker, usually because it stalled; another one continues.",
        "If it recurs, check the host's load.",
    ),
    LogEvent(
        "partition.read_again",
        ("info",),
        "Messages were discarded to free memory, and are read again from `offset`.",
    ),
    LogEvent("seek.refused", ("debug",), "The partition is not being fetched yet, so it is assigned again instead."),
    LogEvent(
        "partition.halted",
        ("error",),
        "The partition is not consumed any further until an operator intervenes.",
        "Act on `reason`: see Halted partitions in Running workers.",
    ),
    # Worker: ranges.
    LogEvent("range.stored", ("debug",), "The range's rows are stored."),
    LogEvent(
        "range.failed",
        ("warning", "debug"),
        "A step of the range failed, and is repeated: `step` (insert, letters), `remedy`, `cause`, `error`. At level "
        "debug, it only waits for another insert. One line a minute for each step, remedy and cause.",
        "None while it is rare; otherwise restore what `error` names.",
    ),
    LogEvent(
        "range.dead_letters",
        ("warning",),
        "Messages of the range were rejected and published as dead letters; `first` is the first reason.",
        "`auditlane dlq list`",
    ),
    LogEvent(
        "commit.failed",
        ("warning",),
        "Kafka did not accept a commit; it is repeated. One line a minute for each error.",
        "If it recurs, check the brokers.",
    ),
    LogEvent("dead_letter.cut_off", ("warning",), "A dead letter exceeded the topic's size limit and was truncated."),
    LogEvent(
        "validation.failed",
        ("error",),
        "Validation raised an unexpected error; the messages that cause it become dead letters `NOT_JUDGED`.",
        _UNFORESEEN,
    ),
    LogEvent(
        "registry.unanswered",
        ("warning",),
        "The registry fails for one schema or subject but responds to others, so its messages are rejected.",
        "Check that entry in the registry; replay the dead letters.",
    ),
    LogEvent(
        "store.unavailable",
        ("warning",),
        "ClickHouse could not be queried for the newest stored offsets of a partition.",
    ),
    LogEvent(
        "store.version_unknown",
        ("info",),
        "The worker's account may not read the record of migrations, so the metric `auditlane_store_version` is 0.",
        "Grant the worker's role its current rights: see Roles in Running on a cluster.",
    ),
    LogEvent(
        "provenance.off",
        ("warning",),
        "There are no provenance keys, so no event counts as vouched for by the gateway.",
        "Set `AUDITLANE_PROVENANCE_KEYS_FILE`.",
    ),
    # Serve: requests.
    LogEvent("http.request", ("info",), "A request was answered. Health checks are logged only if they fail."),
    LogEvent("http.client_gone", ("info",), "The client disconnected before the response."),
    LogEvent("http.failed", ("error",), "A request failed with a status from 500 on.", "Act on `code`: see Errors."),
    LogEvent("http.unforeseen", ("error",), "A request failed with an unexpected error.", _UNFORESEEN),
    LogEvent("health.part", ("warning",), "A service that requests depend on failed, or works again."),
    LogEvent(
        "credentials.readable", ("warning",), "Other users can read a file of keys.", "`chmod 600` the file in `path`."
    ),
    LogEvent(
        "credentials.broken",
        ("error",),
        "A file of keys cannot be read; the previous content remains in force.",
        "Correct the file in `path`.",
    ),
    # Serve: ingest.
    LogEvent("ingest.failed", ("warning",), "Kafka or the registry failed for events; their sender retries."),
    LogEvent("ingest.kafka", ("warning",), "The connection to Kafka failed. One line a minute.", "Check the brokers."),
    LogEvent("ingest.unforeseen", ("error",), "An event failed with an unexpected error.", _UNFORESEEN),
    LogEvent(
        "contract.refuses",
        ("warning",),
        "A tenant's contract has rejected events since it was changed within the previous hour.",
        "Check the change with the tenant.",
    ),
    # Serve: queries and exports.
    LogEvent("stream.poll_failed", ("error",), "Live streams could not be polled; the poll is repeated."),
    LogEvent("stream.poll_broken", ("error",), "A poll failed with an unexpected error.", _UNFORESEEN),
    LogEvent("stream.failed", ("error",), "The query of a live stream was refused, and the stream ended."),
    LogEvent(
        "places.unreadable",
        ("error",),
        "The file of `AUDITLANE_GEOIP_FILE` cannot be read; the previous content remains in use.",
        "Correct the file in `path`.",
    ),
    LogEvent("export.taken", ("info",), "This process works on an export job."),
    LogEvent("export.done", ("info",), "The job's file is complete."),
    LogEvent("export.retry", ("warning",), "A service was unavailable; the job resumes."),
    LogEvent("export.failed", ("error",), "The job has failed; its user sees `code`.", "Act on `code`: see Errors."),
    LogEvent("export.lost", ("info",), "Another process has taken over the job, or it was cancelled."),
    LogEvent("export.given_back", ("info",), "The process stops; another one resumes the job."),
    LogEvent("export.end_not_written", ("warning",), "The job's end could not be saved; another process resumes it."),
    LogEvent(
        "export.extent_not_kept",
        ("warning",),
        "The end of a download could not be saved; the next one since the last repeats its events.",
    ),
    LogEvent(
        "export.folder",
        ("warning",),
        "The folder or bucket of export jobs cannot be used.",
        "Check `AUDITLANE_EXPORT_DIR` or `AUDITLANE_EXPORT_URL`.",
    ),
    LogEvent("export.broken", ("error",), "A download ended early, and the client received a truncated response."),
    LogEvent("export.unforeseen", ("error",), "A job or the search for jobs failed unexpectedly.", _UNFORESEEN),
    LogEvent(
        "structure.registry",
        ("warning",),
        "The registry failed or refused while the data structure was read or changed.",
        "Check the registry.",
    ),
    LogEvent(
        "structure.field_kept",
        ("warning",),
        "A field of the environment was changed; the listed tenants keep their own field of that name.",
        "Correct the tenants' contracts if they should follow.",
    ),
    # Serve and `lag --serve`: metrics.
    LogEvent(
        "reading.failed",
        ("warning", "error"),
        "The consumer group's lag, the dead letters or the store's version could not be read for the metrics. One line "
        "until a reading succeeds.",
        "Act on `error`; at level error, report it with the log.",
    ),
    # Serve: the security check.
    LogEvent(
        "security_check.made",
        ("info",),
        "The security of the installation was checked.",
        "If `findings` is not 0, run `auditlane doctor --security`.",
    ),
    LogEvent(
        "security_check.waits",
        ("warning",),
        "ClickHouse cannot decide which process makes the security check; the claim is retried.",
        "Check ClickHouse.",
    ),
    LogEvent("security_check.failed", ("error",), "The security check ended with an unexpected error.", _UNFORESEEN),
    LogEvent(
        "security_check.defect",
        ("error",),
        "One check failed unexpectedly; it is reported as not made, and the others are still made.",
        _UNFORESEEN,
    ),
    # auditlane's own audit trail.
    LogEvent("trail.off", ("warning",), "Actions in this process are not recorded.", "Set the variables in `missing`."),
    LogEvent("trail.waits", ("warning",), "Kafka or the registry is unavailable; audit events wait or are spooled."),
    LogEvent("trail.spool", ("warning",), "The spool's files cannot be used.", "Check `AUDITLANE_TRAIL_SPOOL_DIR`."),
    LogEvent("trail.refused", ("warning",), "An audit event was refused, and is retried.", "Check the base contract."),
    LogEvent("trail.undelivered", ("warning",), "Kafka did not accept an audit event, and it is sent again."),
    LogEvent("trail.resent", ("info",), "Spooled audit events were sent."),
    LogEvent(
        "trail.version_unknown",
        ("info",),
        "ClickHouse did not return the version of the previous start; the query is repeated.",
    ),
    LogEvent(
        "trail.damaged",
        ("warning",),
        "The spool had damaged records, which are now in its subfolder `damaged`.",
    ),
    LogEvent(
        "trail.dropped",
        ("warning",),
        "An audit event was lost, as the event `events.dropped` reports later.",
        "Restore Kafka; raise `AUDITLANE_TRAIL_SPOOL_BYTES`.",
    ),
    # The canary.
    # The relay of a transactional outbox.
    LogEvent(
        "outbox.failing",
        ("error",),
        "The relay cannot read its database, or reach Kafka or the registry; it retries. Rows stay in the table.",
        "Restore what `problem` names.",
    ),
    LogEvent("outbox.recovered", ("info",), "The relay sends rows again."),
    LogEvent(
        "outbox.set_aside",
        ("error",),
        "Rows were set aside, because a contract rejects them or Kafka refused them repeatedly.",
        "`auditlane outbox status` shows each reason; after the fix, run `auditlane outbox retry`.",
    ),
    LogEvent(
        "canary.overdue",
        ("warning",),
        "An event of the canary takes longer than `AUDITLANE_CANARY_LATE_S`; `problem` tells how far it got.",
        "Check the workers with `auditlane lag`, then the parts.",
    ),
    LogEvent(
        "canary.failed",
        ("warning",),
        "An event of the canary was lost or refused: the first of several.",
        "Restore what `problem` names.",
    ),
    LogEvent("canary.recovered", ("info",), "An event of the canary was visible in time again."),
    LogEvent("canary.unforeseen", ("error",), "The canary ended with an unexpected error.", _UNFORESEEN),
    # Serve: the observer.
    LogEvent("observe.leading", ("info",), "This process observes the installation from now on."),
    LogEvent("observe.replaced", ("info",), "Another process observes the installation from now on."),
    LogEvent(
        "observe.event", ("info",), "An event about the installation's operation was recorded: `action`, `resource`."
    ),
    LogEvent(
        "observe.unmeasured",
        ("warning",),
        "A part of the installation could not be measured: `what`. Its conditions do not change meanwhile.",
        "Restore what `problem` names.",
    ),
    LogEvent(
        "observe.store",
        ("warning",),
        "ClickHouse cannot be asked. The observing process continues, and records its events once it has renewed the "
        "lease.",
        "Restore ClickHouse; if it refuses, run `auditlane init` and check the account's grants.",
    ),
    LogEvent("observe.not_released", ("info",), "Another process can take over only when the lease has ended."),
    LogEvent(
        "observe.state_unreadable",
        ("warning",),
        "The previous observer's state is invalid, so conditions may be reported twice.",
    ),
    LogEvent("observe.unforeseen", ("error",), "A check failed unexpectedly; the next one is made.", _UNFORESEEN),
    # Worker and serve: tracing.
    LogEvent(
        "tracing.failed",
        ("warning",),
        "OpenTelemetry reports a problem, such as spans that it could not export and dropped. One line a minute for "
        "each of its loggers.",
        "Check the collector and the OTEL_* variables.",
    ),
    # The demo of the embedded stack.
    LogEvent("history.importing", ("info",), "The demo's past events are being sent."),
    LogEvent("demo.waiting", ("warning",), "A service of the stack is unavailable; the demo waits."),
    LogEvent("event.refused", ("warning",), "An event of the demo was not sent."),
)
