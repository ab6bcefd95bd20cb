"""Tests that `auditlane emit` and `import` print a single sentence when they fail, which names the option or
variable.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient
from auditlane.local import ports


@pytest.fixture
def run(registry, unique, tmp_path):
    client = RegistryClient(registry)
    client.register(f"{unique}-value", json.dumps(base_schema()))
    client.close()
    environ = os.environ | {
        "AUDITLANE_KAFKA_BOOTSTRAP": f"127.0.0.1:{ports.free(1)[0]}",
        "AUDITLANE_REGISTRY_URL": registry,
        "AUDITLANE_TOPIC": unique,
        "AUDITLANE_CACHE_DIR": str(tmp_path),
    }

    def run(*arguments: str, stdin: str = "", code: int) -> str:
        command = [sys.executable, "-m", "auditlane.cli", *arguments]
        done = subprocess.run(command, env=environ, input=stdin, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        return done.stderr

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--action", "Login"], ["tenant_id is missing", "--tenant"]),
        ([], ["tenant_id and action are missing", "--tenant and --action"]),
        (["--tenant", "a", "--action", "b", "--time", "yesterday"], ["RFC 3339", "2024-05-01T12:00:00Z", "--time"]),
        (["--tenant", "a", "--action", "b", "--request-id", "1", "--event-id", "1"], ["must be a UUID", "--event-id"]),
    ],
)
def test_an_error_names_the_option(run, arguments, words):
    output = run("emit", *arguments, code=3)
    assert output.startswith("error EVENT_INVALID: ")
    for word in words:
        assert word in output


def test_emit_to_a_dead_kafka_reports_it_once(run):
    output = run("emit", "--tenant", "a", "--action", "b", "--timeout", "1", code=6)
    assert output.startswith("error KAFKA_UNAVAILABLE: ")
    assert "AUDITLANE_KAFKA_BOOTSTRAP" in output
    assert len(output.splitlines()) == 2
