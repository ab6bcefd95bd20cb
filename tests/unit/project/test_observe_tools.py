"""Tests that Prometheus' own programs accept the rules, and that the rules' unit tests and inhibitions work. Skipped if
the programs are not installed.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.workers import wait_until
from prometheus_tools import succeed, tool

from auditlane.local import ports

OBSERVE = Path(__file__).parents[3] / "deploy" / "observe"


def test_promtool_accepts_the_rules_and_the_example() -> None:
    promtool = tool("promtool")
    succeed(promtool, "check", "rules", *map(str, (OBSERVE / "rules").glob("*.yaml")))
    succeed(promtool, "check", "config", str(OBSERVE / "prometheus.yml"))


@pytest.mark.parametrize("tests", sorted(path.stem for path in (OBSERVE / "tests").glob("*.yaml")))
def test_promtool_passes_the_unit_tests(tests: str) -> None:
    succeed(tool("promtool"), "test", "rules", str(OBSERVE / "tests" / f"{tests}.yaml"))


class Alertmanager:
    """A running Alertmanager with the example configuration."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log

    def send(self, *alerts: dict[str, str], **more: str) -> None:
        """Report alerts, given by their labels, as Prometheus would."""
        body = json.dumps([{"labels": labels, **more} for labels in alerts]).encode()
        request = urllib.request.Request(f"{self.url}/api/v2/alerts", body, {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def statuses(self) -> dict[tuple[str, str], dict[str, Any]] | None:
        """Return the status of each alert by name and severity, or None while Alertmanager is starting."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
                found = json.load(answer)
        except OSError:
            return None
        return {(one["labels"]["alertname"], one["labels"]["severity"]): one["status"] for one in found}


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    program = tool("alertmanager", "prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    [port] = ports.free(1)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={OBSERVE / 'alertmanager.yml'}",
                f"--storage.path={folder}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    made = Alertmanager(f"http://127.0.0.1:{port}", folder / "log")
    try:
        wait_until(lambda: made.statuses() is not None, why=made.log.read_text)
        yield made
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize(
    ("source", "target", "silent"),
    [
        ("AuditlaneNoWorker", "AuditlaneLag", True),
        ("AuditlaneNoWorker", "AuditlanePartitionUnassigned", True),
        ("AuditlanePartitionHalted", "AuditlaneFreshnessBurn", True),
        ("AuditlaneCircuitOpen", "AuditlaneDeadLetters", True),
        ("AuditlaneKafkaUnreachable", "AuditlaneRetries", True),
        ("AuditlaneQueryErrorsBurn", "AuditlaneQueryErrorsBurn", True),
        ("AuditlaneNoWorker", "AuditlaneRetentionDanger", False),
        ("AuditlaneNoWorker", "AuditlaneQueryErrorsBurn", False),
        ("AuditlaneLag", "AuditlaneNoWorker", False),
    ],
)
def test_an_alert_that_explains_another_silences_it(
    alertmanager: Alertmanager, source: str, target: str, silent: bool
) -> None:
    explains, explained = (source, "page"), (target, "ticket")
    alerts = [{"alertname": name, "severity": severity} for name, severity in (explains, explained)]
    alertmanager.send(*alerts)

    def status() -> dict[str, Any] | None:
        told = (alertmanager.statuses() or {}).get(explained)
        return told if told and told["state"] != "unprocessed" else None

    found = wait_until(status, why=alertmanager.log.read_text)
    alertmanager.send(*alerts, endsAt="2020-01-01T00:00:00Z", startsAt="2019-01-01T00:00:00Z")
    assert bool(found["inhibitedBy"]) == silent
