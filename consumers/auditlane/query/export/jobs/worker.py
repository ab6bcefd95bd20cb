"""Creates a job's file and saves checkpoints. After an interruption, it resumes from the last checkpoint."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.cancellation import CancelScope
from auditlane.query.export.download import CountRows
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.jobs.lease import Lease, LeaseLost
from auditlane.query.export.jobs.record import Failure, JobRecord
from auditlane.query.export.jobs.storage import Output
from auditlane.query.filters import Filter
from auditlane.runtime.errors import AuditlaneError, ConfigError, Unavailable
from auditlane.runtime.log import get

_CHECKPOINT_BYTES: Final = 16 << 20
_ATTEMPTS: Final = 6  # consecutive attempts without progress after which a job fails
_MAX_BACKOFF_S: Final = 15.0

FilterOf = Callable[[JobRecord], Filter]


class WorkerStopping(Exception):
    """This process is stopping, so the job has to be released."""


class Worker:
    """Works on leases, each in its own thread. `stop` ends all of them at their next chunk."""

    def __init__(
        self,
        exporter: Exporter,
        filter_of: FilterOf,
        count_rows: CountRows,
        require_space: Callable[[TenantScope], None] = lambda scope: None,
        on_done: Callable[[JobRecord], None] = lambda record: None,
    ) -> None:
        """Create a worker that creates files with `exporter`.

        `require_space` raises an error if a tenant has no space left, and `on_done` is called when a file is complete.
        """
        self._on_done = on_done
        self._exporter = exporter
        self._require_space = require_space
        self._filter_of = filter_of
        self._count_rows = count_rows
        self._stopping = threading.Event()
        self._cancel_scopes: dict[str, CancelScope] = {}

    def stop(self) -> None:
        """Release every job."""
        self._stopping.set()
        for scope in list(self._cancel_scopes.values()):
            scope.cancel()

    def abandon(self, id_: str) -> None:
        """Cancel the queries of a job whose lease is lost."""
        if (found := self._cancel_scopes.get(id_)) is not None:
            found.cancel()

    def work(self, lease: Lease, record: JobRecord) -> None:
        """Work on the lease until the job ends, the lease is lost, or `stop` is called. Never raises."""
        cancel_scope = self._cancel_scopes[record.id] = CancelScope()
        try:
            with cancel_scope.active():
                self._work(lease, record)
        finally:
            del self._cancel_scopes[record.id]

    def _work(self, lease: Lease, record: JobRecord) -> None:
        log = get("export").bind(job=record.id, tenant=record.tenant, epoch=lease.attempt.epoch)
        try:
            self._persist(lease, record)
            self._on_done(record)
            log.info("export.done", rows=lease.attempt.rows, bytes=lease.attempt.size)
            self._count_rows(record.format, lease.attempt.rows)
        except LeaseLost:
            with contextlib.suppress(OSError, AuditlaneError):
                lease.job.discard(lease.attempt)
            log.info("export.lost")
        except WorkerStopping:
            self._end(lease, owner="")
            log.info("export.given_back", rows=lease.attempt.rows)
        except AuditlaneError as error:
            if self._end(lease, state="failed", failure=Failure.of(error)):
                with contextlib.suppress(OSError, AuditlaneError):  # removed when the job expires
                    lease.job.drop_outputs()
            log.error("export.failed", code=error.code, problem=str(error))
        except Exception:
            self._end(lease, state="failed", failure=Failure(code="INTERNAL", message="An internal error occurred."))
            log.exception("export.unforeseen")

    def _end(self, lease: Lease, **changes: object) -> bool:
        """Save the end of the attempt. Returns False if the job no longer belongs to this worker."""
        try:
            lease.save(**changes)
        except (LeaseLost, OSError, AuditlaneError):
            get("export").warning("export.end_not_written", job=lease.job.id)
            return False
        return True

    def _persist(self, lease: Lease, record: JobRecord) -> None:
        """Create the file. Resumes after temporary failures, until several attempts in a row have made no progress."""
        failures = 0
        while True:
            before = lease.attempt.rows
            try:
                return self._attempt(lease, record)
            except AuditlaneError as error:
                self._check()  # the failure may be due to a stop
                if not isinstance(error, Unavailable):
                    raise
                if not lease.job.holds(lease.attempt.epoch):  # the job was cancelled or taken over
                    raise LeaseLost from error
                failures = 1 if lease.attempt.rows > before else failures + 1
                get("export").warning("export.retry", job=record.id, problem=str(error), rows=lease.attempt.rows)
                if failures >= _ATTEMPTS:
                    raise
                if self._stopping.wait(min(_MAX_BACKOFF_S, 0.5 * 2.0**failures)):
                    raise WorkerStopping from error
            except OSError as error:
                raise ConfigError(
                    f"Cannot write the export file: {error.strerror or error}.",
                    fix="Ask the operator to free space in AUDITLANE_EXPORT_DIR.",
                ) from error

    def _attempt(self, lease: Lease, record: JobRecord) -> None:
        if not (record.format.lines and lease.attempt.position):  # other formats start over, with the same bound
            lease.save(file=lease.attempt.epoch, size=0, segments=(), rows=0, position=None)
        with lease.job.writing(lease.attempt, lease.save, self._check) as output:
            self._write(lease, record, output)
        with contextlib.suppress(OSError, AuditlaneError):  # the job is done; its files are removed when it expires
            lease.job.drop_outputs(keep=lease.attempt)

    def _write(self, lease: Lease, record: JobRecord, output: Output) -> None:
        attempt = lease.attempt
        export = self._exporter.export(
            record.scope,
            self._filter_of(record),
            record.form,
            counted=record.counted,
            after=attempt.after,
            written=attempt.rows if attempt.position else 0,
        )
        self._require_space(record.scope)
        saved_at, saved_bytes = time.monotonic(), attempt.size
        try:
            for piece in export:
                output.write(piece)
                self._check()
                waited = time.monotonic() - saved_at
                due = waited >= output.checkpoint_s or output.tell() - saved_bytes >= _CHECKPOINT_BYTES
                if due and export.position:
                    durable = output.sync()
                    saved_at, saved_bytes = time.monotonic(), output.tell()
                    at = export.position
                    place = (at.occurred_us, at.event_id, at.content_hash) if record.format.lines else None
                    lease.save(rows=export.written, size=saved_bytes, position=place, **durable)
                    self._require_space(record.scope)
            durable = output.sync()
            lease.save(state="done", rows=export.written, size=output.tell(), position=None, **durable)
        finally:
            export.close()

    def _check(self) -> None:
        if self._stopping.is_set():
            raise WorkerStopping
