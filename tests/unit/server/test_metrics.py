"""Tests the metrics of `serve`. Exactly the listed names exist, and sums over several processes never decrease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import generate_latest, values
from prometheus_client.parser import text_string_to_metric_families
from serving import Served

from auditlane.contract.partition import Partition
from auditlane.operations.dlq.followed import open_letters
from auditlane.operations.lag import PartitionLag
from auditlane.query.export.jobs.runner import figures
from auditlane.runtime.instruments import Instruments
from auditlane.runtime.metrics import exposed_by
from auditlane.sdk import SpoolStats
from auditlane.server import shared_metrics, state_metrics
from auditlane.server.metrics import HttpMetrics

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LAG = PartitionLag(Partition("audit.events", 0), 10, 15, lag=5, lost=0, age_s=8.0, member="")


def samples(text: str | bytes) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(text if isinstance(text, str) else text.decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_exactly_the_listed_metrics_are_exposed(tmp_path: Path) -> None:
    given = {"kafka_bootstrap": "127.0.0.1:1", "registry_url": "http://127.0.0.1:1"}
    with Served(tmp_path, **given) as served:
        readings = served.app.state.services.readings.metrics
        readings.read_lag([LAG])
        readings.read_letters(open_letters([]))
        families = list(text_string_to_metric_families(served.request("/metrics").data.decode()))
    found = {one.name + "_total" * (one.type == "counter"): one.type for one in families}
    assert {name: kind for name, kind in found.items() if not name.endswith("_created")} == exposed_by("serve")


def test_requests_are_counted_by_method(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        served.request("/v1/token", method="POST", body={})
        served.request("/v1/token", method="PROPFIND")
        found = samples(served.request("/metrics").data)
    assert found["auditlane_http_requests_total", "POST", "/v1/token", "400"] == 1
    assert not any("PROPFIND" in key for key in found)
    assert any("(other)" in key for key in found)
    assert found["auditlane_http_requests_limit",] == 256
    assert found["auditlane_http_requests_in_progress",] == 0


def test_export_jobs_are_counted_by_state_with_the_age_of_the_oldest() -> None:
    made = Instruments()
    later = NOW.replace(hour=1)
    jobs = figures([("queued", later), ("queued", NOW), ("failed", NOW)])
    assert jobs["queued"].oldest == NOW
    state_metrics.export_jobs(made, lambda: jobs)()
    found = samples(generate_latest(made.registry))
    assert found["auditlane_export_jobs", "queued"] == 2
    assert found["auditlane_export_jobs", "running"] == 0
    assert found["auditlane_export_job_age_seconds", "queued"] > 0
    assert found["auditlane_export_job_age_seconds", "running"] == 0


def test_a_stale_credentials_file_is_reported() -> None:
    made = Instruments()
    keys: Any = SimpleNamespace(problem="line 1", modified_at=5.0)
    signing: Any = SimpleNamespace(problem="", modified_at=7.0)
    state_metrics.credentials(made, keys, signing)()
    assert made.registry.get_sample_value("auditlane_credentials_stale", {"file": "keys"}) == 1
    assert made.registry.get_sample_value("auditlane_credentials_timestamp_seconds", {"file": "signing-keys"}) == 7


# Several processes


Start = Callable[[int], HttpMetrics]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Provide a function that creates a process's metrics as if it were running in that process."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")

    def started(number: int) -> HttpMetrics:
        for name, value in shared_metrics.variables(tmp_path, number).items():
            monkeypatch.setenv(name, value)
        return HttpMetrics(shared_metrics.join())

    yield started
    values.close_all_multiprocess_files()


def test_any_process_reports_the_sum_of_all(start: Start) -> None:
    first, second = start(0), start(1)
    for metrics, requests in ((first, 2), (second, 3)):
        metrics.slots(100)(1)
        for _ in range(requests):
            metrics.observe("/v1/events", "GET", 200, 0.3)
    for metrics in (first, second):
        found = samples(metrics.render())
        assert found["auditlane_http_requests_total", "GET", "/v1/events", "200"] == 5
        assert found["auditlane_http_request_seconds_count", "GET", "/v1/events"] == 5
        assert found["auditlane_http_requests_limit",] == 200
        assert found["auditlane_http_requests_in_progress",] == 2


def test_a_process_that_is_replaced_continues_with_its_counters(start: Start, tmp_path: Path) -> None:
    first, second = start(0), start(1)
    for metrics in (first, second):
        metrics.slots(100)(1)
        metrics.observe("/v1/events", "GET", 200, 0.3)
        metrics.render()
    before = samples(second.render())
    shared_metrics.forget(tmp_path, 0)
    dead = samples(second.render())
    assert dead["auditlane_http_requests_limit",] == 100, "its gauges are gone"
    again = start(0)
    again.slots(100)
    again.observe("/v1/events", "GET", 200, 0.3)
    after = samples(second.render())
    counters = [key for key in before if key[0].endswith(("_total", "_count", "_sum", "_bucket"))]
    assert all(before[key] <= dead[key] <= after[key] for key in counters)
    assert after["auditlane_http_requests_total", "GET", "/v1/events", "200"] == 3
    assert after["auditlane_http_requests_limit",] == 200
    assert after["auditlane_http_requests_in_progress",] == 1


def test_the_folder_of_several_processes_is_removed() -> None:
    with shared_metrics.folder() as path:
        (path / "counter_0.db").write_bytes(b"")
    assert not path.exists()


def test_the_spools_counters_never_decrease() -> None:
    made = Instruments()
    found: list[SpoolStats | None] = [None]
    measure = state_metrics.ingest_spool(made, lambda: found[0])

    def value(name: str, *labels: str) -> float:
        return samples(generate_latest(made.registry))[(f"auditlane_ingest_spool_{name}", *labels)]

    for sent, full in ((0, 0), (3, 0), (3, 2), (7, 5)):
        found[0] = SpoolStats(size=10, limit=40, events=2, oldest_s=1.5, set_aside=4, sent=sent, dropped={"full": full})
        measure()
        measure()
        assert (value("sent_total"), value("dropped_total", "full"), value("bytes")) == (sent, full, 10)
    assert (value("limit_bytes"), value("events"), value("oldest_seconds"), value("set_aside_files")) == (40, 2, 1.5, 4)
    assert value("dropped_total", "damaged") == 0
    found[0] = None
    measure()
    assert (value("sent_total"), value("events")) == (7, 0)
