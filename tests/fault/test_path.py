"""Kills each service while a file is imported. The supervisor restarts the service, and each event is stored once."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from cloudtrail_records import lines
from fixtures.stack import AUDITLANE, Stack, running, until

RECORDS = 16_000  # enough for the import to take a while


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory):
    """Start a stack that these tests may damage."""
    with running(tmp_path_factory.mktemp("fault") / "data") as started:
        started.client.command("SYSTEM STOP MERGES audit.events")
        yield started


def _file(folder: Path, tenant: str) -> tuple[Path, int]:
    """Write a file with CloudTrail records for this tenant. Returns its path and the number of records."""
    path = folder / f"{tenant}.jsonl"
    path.write_bytes(lines(RECORDS, tenant))
    return path, RECORDS


def _exact(stack: Stack, tenant: str, rows: int) -> None:
    mine = f"tenant_id = '{tenant}'"
    until(lambda: stack.count(where=mine) >= rows, 120, f"{rows} rows of {tenant}")
    until(
        lambda: stack.run("status", "--data", str(stack.data), "--json", check=False).returncode == 0, 60, "all parts"
    )
    assert stack.count(where=mine) == stack.count("uniqExact(event_id)", where=mine) == rows


@pytest.mark.parametrize(
    "part", ["worker", *(pytest.param(part, marks=pytest.mark.long) for part in ("kafka", "clickhouse", "registry"))]
)
def test_a_part_killed_during_an_import_loses_and_duplicates_nothing(own: Stack, part: str, tmp_path: Path) -> None:
    tenant = f"kill-{part}"
    path, rows = _file(tmp_path, tenant)
    before = own.pids()[part]
    assert before is not None
    importing = subprocess.Popen([*AUDITLANE, "import", str(path), "--format", "cloudtrail"], env=own.env)
    try:
        until(lambda: own.count(where=f"tenant_id = '{tenant}'"), 60, "the first rows")
        os.kill(before, signal.SIGKILL)
        assert importing.wait(120) == 0
    finally:
        importing.kill()
    _exact(own, tenant, rows)
    assert own.pids()[part] not in (before, None)


@pytest.mark.long
def test_importing_twice_and_after_a_kill_adds_nothing_for_a_reader(own: Stack, tmp_path: Path) -> None:
    tenant = "import-killed"
    path, rows = _file(tmp_path, tenant)
    command = [*AUDITLANE, "import", str(path), "--format", "cloudtrail"]
    first = subprocess.Popen(command, env=own.env)
    until(lambda: own.count(where=f"tenant_id = '{tenant}'"), 60, "the first rows")
    first.kill()
    first.wait()
    for again in range(2):
        assert subprocess.run(command, env=own.env, check=False).returncode == 0, again
    mine = f"tenant_id = '{tenant}'"
    until(lambda: own.count("uniqExact(event_id)", where=mine) == rows, 120, "every event")
    assert own.count(table="log", where=mine) == rows
    listed = own.run("events", "--tenant", tenant, "--json", "--all").stdout.splitlines()
    exported = own.run("export", "--tenant", tenant, "--format", "jsonl").stdout.splitlines()
    assert len(listed) == len(exported) == rows
