"""Tests which starts, stops, restarts and version changes auditlane's own audit trail records."""

from __future__ import annotations

import os
import signal
import socket
import threading
from datetime import UTC, datetime
from importlib.metadata import version

import pytest

from auditlane.access.audit import AuditRecord, NullAuditSink
from auditlane.contract.vocabulary import ACTIONS
from auditlane.runtime.errors import ConfigError, StoreUnavailable
from auditlane.runtime.process import ProcessExit
from auditlane.runtime.settings import load
from auditlane.trail import lifecycle as lifecycles
from auditlane.trail.lifecycle import Lifecycle, Previous, lifecycle_of, recorded, version_changed, worker_restarted

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
VERSION = version("auditlane")


class Kept:
    """A sink that keeps its records."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.changed = threading.Event()

    def record(self, record: AuditRecord) -> None:
        assert ACTIONS[record.action].required.keys() <= record.metadata.keys()
        self.records.append(record)
        if record.action == "version.changed":
            self.changed.set()

    def actions(self) -> list[tuple[str, str]]:
        return [(record.action, record.outcome) for record in self.records]


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (0, "exit code 0"),
        (70, "exit code 70"),
        (-signal.SIGKILL, "SIGKILL"),
        (-signal.SIGSEGV, "SIGSEGV"),
        (-(signal.SIGRTMIN + 1), f"signal {signal.SIGRTMIN + 1}"),
    ],
)
def test_the_cause_of_a_restart_is_the_signal_or_the_exit_code(code: int, cause: str) -> None:
    record = worker_restarted("worker", ProcessExit(4_711, code, T0), running="1.2.0", host="node-a")
    assert record.metadata == {"version": "1.2.0", "instance": "node-a:4711", "cause": cause}
    assert (record.outcome, record.resource, record.resource_id) == ("failure", "service", "worker")
    assert record.occurred_at == T0


@pytest.mark.parametrize("previous", [None, "1.2.0"])
def test_the_same_version_and_a_first_start_are_no_change(previous: str | None) -> None:
    assert version_changed("serve", previous, running="1.2.0", at=T0) is None


@pytest.mark.parametrize("previous", ["1.1.9", "1.3.0"])
def test_an_upgrade_and_a_downgrade_are_changes(previous: str) -> None:
    record = version_changed("serve", previous, running="1.2.0", at=T0)
    assert record is not None
    assert (record.metadata, record.occurred_at) == ({"previous": previous, "version": "1.2.0"}, T0)


def test_a_start_and_a_stop_are_recorded_once_each() -> None:
    kept = Kept()
    with Lifecycle("worker", kept).running() as lifecycle:
        lifecycle.started(processes=2)
        lifecycle.started(processes=2)
        lifecycle.stopped()
    assert kept.actions() == [("service.started", "success"), ("service.stopped", "success")]
    process = {"version": VERSION, "instance": f"{socket.gethostname()}:{os.getpid()}"}
    assert [record.metadata for record in kept.records] == [process | {"processes": "2"}, process]


@pytest.mark.parametrize(
    ("error", "cause"), [(ConfigError("No."), "CONFIG_INVALID"), (ZeroDivisionError("text"), "ZeroDivisionError")]
)
def test_a_crash_is_a_failed_stop_with_its_cause(error: Exception, cause: str) -> None:
    kept = Kept()
    with pytest.raises(type(error)), Lifecycle("serve", kept).running() as lifecycle:
        lifecycle.started()
        raise error
    assert kept.actions() == [("service.started", "success"), ("service.stopped", "failure")]
    assert (kept.records[1].severity, kept.records[1].metadata["cause"]) == ("Medium", cause)


def test_a_service_that_did_not_start_does_not_stop() -> None:
    kept = Kept()
    with pytest.raises(ConfigError), Lifecycle("worker", kept).running():
        raise ConfigError("No.")
    assert kept.records == []


def test_a_new_version_is_recorded_even_if_clickhouse_responds_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycles, "_RETRY_S", 0)
    answers: list[str | Exception] = [StoreUnavailable("No response."), "0.0.9"]
    queried: list[datetime] = []

    def previous(before: datetime) -> str | None:
        queried.append(before)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    kept = Kept()
    with Lifecycle("worker", kept, previous=previous).running() as lifecycle:
        lifecycle.started()
        assert kept.changed.wait(10)
    started, changed, _ = kept.records
    assert (changed.action, changed.metadata) == ("version.changed", {"previous": "0.0.9", "version": VERSION})
    assert started.occurred_at == changed.occurred_at
    assert queried == [started.occurred_at] * 2  # the query cannot find this start


def test_a_stop_ends_the_search_for_the_previous_version() -> None:
    asked = threading.Event()

    def previous(_before: datetime) -> str | None:
        asked.set()
        raise StoreUnavailable("No response.")

    kept = Kept()
    with Lifecycle("worker", kept, previous=previous).running() as lifecycle:
        lifecycle.started()
        assert asked.wait(10)
    assert [action for action, _ in kept.actions()] == ["service.started", "service.stopped"]
    assert not [one for one in threading.enumerate() if one.name == "version-changed"]


def test_the_setting_switches_recording_off() -> None:
    kept = Kept()
    parts = {"kafka_bootstrap": "127.0.0.1:1", "registry_url": "http://127.0.0.1:1", "clickhouse_url": "http://x:1"}
    with recorded(load(trail_lifecycle=False, **parts), "worker") as lifecycle:
        lifecycle.started()
    off = lifecycle_of(load(trail_lifecycle=False, **parts), "serve", kept)  # type: ignore[arg-type]
    off.started()
    off.stopped()
    assert kept.records == []


def test_a_sink_that_records_nothing_queries_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Previous:
        raise AssertionError("ClickHouse is queried")

    monkeypatch.setattr(lifecycles, "connect", refuse)
    silent = lifecycle_of(load(clickhouse_url="http://127.0.0.1:1"), "serve", NullAuditSink())
    silent.started()
    silent.stopped()
