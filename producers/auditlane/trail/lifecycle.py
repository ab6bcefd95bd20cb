"""Records the lifecycle of auditlane's services in its own audit trail: starts, stops, restarts and new versions.

A service is a process, or a group of processes whose parent records for all of them. Starting and consuming never wait
for it: the sink sends from its own thread, and the previous version is queried in another.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal

from auditlane.access.audit import AuditRecord, AuditSink, NullAuditSink
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.log import auditlane_version, get
from auditlane.runtime.process import ProcessExit
from auditlane.runtime.settings import Settings
from auditlane.store.client import connect
from auditlane.store.service_versions import last_started_version
from auditlane.trail.sink import ServiceAuditSink, from_settings

WORKER: Final = "worker"
_RESOURCE: Final = "service"
_CONNECT_S: Final = 2.0
_QUERY_S: Final = 3.0
_RETRY_S: Final = 10.0  # interval of queries for the previous version while ClickHouse is unavailable

Previous = Callable[[datetime], str | None]
"""Returns the version of the service's last start before a time, or None. Raises AuditlaneError."""


def service_started(service: str, *, running: str, instance: str, processes: int = 1) -> AuditRecord:
    """Return the record of a start. `running` is the running version."""
    several = {"processes": str(processes)} if processes > 1 else {}
    return _record("service.started", service, {"version": running, "instance": instance} | several)


def service_stopped(service: str, *, running: str, instance: str, cause: str = "") -> AuditRecord:
    """Return the record of a stop, which is a failure if there is a cause."""
    record = _record("service.stopped", service, {"version": running, "instance": instance})
    if not cause:
        return record
    return replace(record, outcome="failure", severity="Medium", metadata={**record.metadata, "cause": cause})


def worker_restarted(service: str, ended: ProcessExit, *, running: str, host: str) -> AuditRecord:
    """Return the record of a process that ended unexpectedly and was restarted."""
    facts = {"version": running, "instance": instance_name(host, ended.pid), "cause": ended.cause}
    return replace(_record("worker.restarted", service, facts), outcome="failure", occurred_at=ended.at)


def version_changed(service: str, previous: str | None, *, running: str, at: datetime) -> AuditRecord | None:
    """Return the record of a new version, or None if the previous start had the same version or there was none."""
    if previous is None or previous == running:
        return None
    return replace(_record("version.changed", service, {"previous": previous, "version": running}), occurred_at=at)


def cause_of(error: BaseException) -> str:
    """Return the cause of a service's end: an AuditlaneError's code, or the type of any other exception."""
    return error.code if isinstance(error, AuditlaneError) else type(error).__name__


def instance_name(host: str, pid: int) -> str:
    """Return a process's name in an installation, `host:pid`."""
    return f"{host}:{pid}"


def _record(action: str, service: str, metadata: dict[str, str]) -> AuditRecord:
    return AuditRecord(action=action, actor_type="system", resource=_RESOURCE, resource_id=service, metadata=metadata)


class Lifecycle:
    """Records the lifecycle of one service of this process. `started` and `stopped` take effect only once."""

    def __init__(self, service: str, sink: AuditSink, *, previous: Previous | None = None) -> None:
        """Create the lifecycle of `service`, "worker" or "serve". Without `previous`, version changes are not
        recorded.
        """
        self._service = service
        self._sink = sink
        self._previous = previous
        self._version = auditlane_version()
        self._host = socket.gethostname()
        self._instance = instance_name(self._host, os.getpid())
        self._ended = threading.Event()
        self._started = False
        self._lookup: threading.Thread | None = None

    def started(self, *, processes: int = 1) -> None:
        """Record that the service is ready and, in the background, whether its version has changed since the previous
        start.
        """
        if self._started:
            return
        self._started, now = True, datetime.now(UTC)
        record = service_started(self._service, running=self._version, instance=self._instance, processes=processes)
        self._sink.record(replace(record, occurred_at=now))
        if self._previous is not None:
            self._lookup = threading.Thread(
                target=self._record_version, args=(self._previous, now), name="version-changed", daemon=True
            )
            self._lookup.start()

    def restarted(self, ended: ProcessExit) -> None:
        """Record that one of the service's processes ended unexpectedly and was restarted."""
        self._sink.record(worker_restarted(self._service, ended, running=self._version, host=self._host))

    def stopped(self, cause: str = "") -> None:
        """Record that the service stopped, as a failure if a cause is given. Does nothing unless it was started."""
        if not self._started or self._ended.is_set():
            return
        self._ended.set()
        if self._lookup is not None:
            self._lookup.join(_CONNECT_S + _QUERY_S)
        self._sink.record(service_stopped(self._service, running=self._version, instance=self._instance, cause=cause))

    @contextmanager
    def running(self) -> Iterator[Lifecycle]:
        """Record the stop at the end of the block, as a failure if the block raises."""
        try:
            yield self
        except BaseException as error:
            self.stopped(cause_of(error))
            raise
        self.stopped()

    def _record_version(self, previous: Previous, at: datetime) -> None:
        """Query the previous version until ClickHouse returns it or the service stops."""
        while True:
            try:
                record = version_changed(self._service, previous(at), running=self._version, at=at)
            except AuditlaneError as error:
                get("trail").info("trail.version_unknown", problem=str(error))
            else:
                if record is not None:
                    self._sink.record(record)
                return
            if self._ended.wait(_RETRY_S):
                return


def lifecycle_of(settings: Settings, service: str, sink: AuditSink) -> Lifecycle:
    """Return the lifecycle of this process's service. If switched off in the settings, it records nothing."""
    if not settings.trail_lifecycle or isinstance(sink, NullAuditSink):
        return Lifecycle(service, NullAuditSink())
    previous = partial(_previous_version, settings, service) if settings.clickhouse_url else None
    return Lifecycle(service, sink, previous=previous)


@contextmanager
def recorded(settings: Settings, service: str) -> Iterator[Lifecycle]:
    """Yield the lifecycle of a process that has no other use for a sink. The stop is recorded at the block's end."""
    null: ServiceAuditSink = NullAuditSink()
    sink = from_settings(settings, _uncounted) if settings.trail_lifecycle else null
    with sink.running(), lifecycle_of(settings, service, sink).running() as lifecycle:
        yield lifecycle


def _uncounted(_result: str) -> None:
    """Do nothing, since the sink logs events that it cannot deliver."""


def _previous_version(settings: Settings, service: str, before: datetime) -> str | None:
    client = connect(settings, connect_timeout=_CONNECT_S, send_receive_timeout=_QUERY_S)
    try:
        # A worker's events are in the only shard that its account may read. Those of `serve` are in its topic's shard,
        # which may not be the one of its ClickHouse.
        table: Literal["events", "log"] = "events" if service == WORKER else "log"
        return last_started_version(client, settings.clickhouse_database, service, before=before, table=table)
    finally:
        client.close()
