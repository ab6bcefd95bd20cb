"""Tests that every command that uses Kafka names an invalid variable, and that no command prints a traceback."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from auditlane.cli.app import app
from auditlane.runtime import log
from auditlane.runtime.errors import ConfigError

AWAY = "127.0.0.1:1"


@pytest.fixture
def environ(monkeypatch, tmp_path):
    monkeypatch.setattr(log, "configure", lambda *_, **__: None)  # leaves this process's logging unchanged
    for name in ("DATA_DIR", "CACHE_DIR"):
        monkeypatch.setenv(f"AUDITLANE_{name}", str(tmp_path))
    for name in ("REGISTRY_URL", "CLICKHOUSE_URL"):
        monkeypatch.setenv(f"AUDITLANE_{name}", f"http://{AWAY}")
    monkeypatch.setenv("AUDITLANE_KAFKA_BOOTSTRAP", AWAY)
    monkeypatch.setenv("AUDITLANE_KAFKA_EXTRA", '{"foo": 1}')


@pytest.mark.parametrize(
    "command", ["init", "worker", "worker --processes 2", "dlq list", "replay audit.events", "verify", "lag"]
)
def test_a_bad_option_is_a_configuration_error(environ, command):
    error = CliRunner().invoke(app, command.split()).exception
    assert isinstance(error, ConfigError), error
    assert "AUDITLANE_KAFKA_EXTRA" in str(error)


def test_the_doctor_reports_it_among_its_findings(environ):
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "AUDITLANE_KAFKA_EXTRA" in result.output
