"""Tests `auditlane events` and `auditlane export` as processes, on the real engine."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from querying import START, Store, event, store

ROWS = 450


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.add(
            [
                event(
                    number,
                    occurred_at=START + timedelta(seconds=number),
                    action="login" if number % 2 else "log\x1b[2Jout",
                    metadata={"region": "eu"} if number % 5 == 0 else {},
                    description="=1+1",
                )
                for number in range(ROWS)
            ]
        )
        made.generate("big", 50_000)
        yield made


def run(filled: Store, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "auditlane.cli", *arguments],
        env=environment(filled),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environment(filled: Store) -> dict[str, str]:
    return os.environ | {
        "AUDITLANE_CLICKHOUSE_URL": filled.settings.clickhouse_url,
        "AUDITLANE_CLICKHOUSE_DATABASE": filled.database,
    }


def actors(output: str) -> list[str]:
    return [json.loads(line)["actor_id"] for line in output.splitlines()]


def people(*numbers: int) -> list[str]:
    return [f"u-{number}" for number in numbers]


def test_events_are_listed_newest_first_filtered_and_sorted(filled):
    newest = run(filled, "events", "--tenant", "acme", "--json")
    assert actors(newest.stdout) == people(*range(ROWS - 1, ROWS - 21, -1))
    some = run(
        filled, "events", "--tenant", "acme", "--action", "login", "-w", "metadata.region=eu", "-n", "3", "--json"
    )
    assert actors(some.stdout) == people(445, 435, 425)
    every = run(filled, "events", "--tenant", "acme", "--all", "--json")
    assert actors(every.stdout) == people(*range(ROWS - 1, -1, -1))
    assert run(filled, "events", "--tenant", "other", "--all", "--json").stdout == ""
    oldest = run(filled, "events", "--tenant", "acme", "--sort", "occurred_at", "-n", "250", "--json")
    assert actors(oldest.stdout) == people(*range(250))
    wrong = run(filled, "events", "--tenant", "acme", "--sort", "action")
    assert wrong.returncode == 3
    assert "cannot be sorted by 'action'" in wrong.stderr


def test_the_query_option_filters_and_reports_errors(filled):
    options = ("--tenant", "acme", "--query", "action:log* metadata.region:eu -action:login")
    found = run(filled, "events", *options, "-n", "2", "--json")
    assert actors(found.stdout) == people(440, 430)
    assert actors(run(filled, "export", *options).stdout)[:2] == people(440, 430)
    wrong = run(filled, "events", "--tenant", "acme", "-q", "actr:x")
    assert wrong.returncode == 3
    assert "column 1" in wrong.stderr
    assert "Did you mean actor?" in " ".join(wrong.stderr.split())


def test_a_table_contains_no_control_characters(filled):
    found = run(filled, "events", "--tenant", "acme", "-n", "2")
    assert found.returncode == 0
    assert "u-449" in found.stdout
    assert "\x1b" not in found.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["events", "--tenant", "acme", "-w", "actr=x"], "Known filters"),
        (["events", "--tenant", "acme", "-w", "actor"], "name=value"),
        (["events", "--tenant", "acme", "--from", "yesterday"], "RFC 3339"),
        (["export", "--tenant", "acme", "--outcome", "won"], "success"),
        (["events", "--tenant", "a b"], "letters, digits"),
    ],
)
def test_invalid_arguments_exit_with_code_3_and_no_traceback(filled, arguments, message):
    found = run(filled, *arguments)
    assert found.returncode == 3
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_export_to_a_file(filled, tmp_path):
    first = run(filled, "export", "--tenant", "acme", "--format", "csv", "--output", "log.csv", cwd=tmp_path)
    assert first.returncode == 0
    assert "450 events" in first.stderr
    text = (tmp_path / "log.csv").read_bytes()
    assert text.count(b"\r\n") == ROWS + 1
    assert b'"\'=1+1"' in text
    again = run(filled, "export", "--tenant", "acme", "--format", "csv", "--output", "log.csv", cwd=tmp_path)
    assert again.returncode == 5
    assert "--force" in again.stderr
    forced = run(
        filled, "export", "--tenant", "acme", "-f", "csv", "-o", "log.csv", "--force", "--raw-formulas", cwd=tmp_path
    )
    assert forced.returncode == 0
    assert b'"=1+1"' in (tmp_path / "log.csv").read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.long
def test_export_as_parquet_and_pdf_with_columns(filled, tmp_path):
    options = ("export", "--tenant", "acme", "--where", "metadata.region=eu", "--columns", "event_id,metadata,actor_id")
    for name in ("log.parquet", "log.pdf"):
        made = run(filled, *options, "--format", name.split(".")[1], "--output", name, cwd=tmp_path)
        assert made.returncode == 0, made.stderr
        assert "90 events" in made.stderr
    table = pq.read_table(tmp_path / "log.parquet")
    assert (table.column_names, table.num_rows) == (["event_id", "metadata", "actor_id"], 90)
    assert (tmp_path / "log.pdf").read_bytes().startswith(b"%PDF")
    wrong = run(filled, "export", "--tenant", "acme", "--columns", "color")
    assert wrong.returncode == 3
    assert "Known columns: sentence, event_id" in wrong.stderr


def test_export_to_an_unwritable_path(filled, tmp_path):
    found = run(filled, "export", "--tenant", "acme", "--output", str(tmp_path / "no" / "log.jsonl"))
    assert found.returncode == 2
    assert "--output" in found.stderr


def test_export_only_replaces_files(filled, tmp_path):
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for target in (pipe, folder):
        found = run(filled, "export", "--tenant", "acme", "--output", str(target), "--force")
        assert found.returncode == 2
        assert "is not a file" in found.stderr
    assert pipe.is_fifo()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").write_text("old")
    assert run(filled, "export", "--tenant", "acme", "--output", str(tmp_path / "link"), "--force").returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text().count("\n") == ROWS


def small_files() -> None:
    """Limit the size of the child's files to 64 KiB, which simulates a full disk (but with EFBIG instead of ENOSPC)."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))


@pytest.mark.parametrize("to_file", [True, False])
def test_export_to_a_full_disk(filled, tmp_path, to_file):
    arguments = ["--output", "log.jsonl"] if to_file else []
    with (tmp_path / "stdout").open("w") as stdout:
        found = subprocess.run(
            [sys.executable, "-m", "auditlane.cli", "export", "--tenant", "big", *arguments],
            env=environment(filled),
            cwd=tmp_path,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
            preexec_fn=small_files,
        )
    assert found.returncode == 2
    target = (tmp_path / "log.jsonl").resolve() if to_file else "to standard output"
    assert f"Cannot write {target}: File too large" in found.stderr
    assert "Traceback" not in found.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["stdout"]


def test_export_to_a_closed_pipe(filled):
    command = [sys.executable, "-m", "auditlane.cli", "export", "--tenant", "big"]
    with subprocess.Popen(
        command, env=environment(filled), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as export:
        assert export.stdout
        assert json.loads(export.stdout.readline())["tenant_id"] == "big"
        export.stdout.close()
        assert export.wait(60) == 141
        assert export.stderr
        assert export.stderr.read() == ""


def test_an_unreachable_clickhouse_exits_with_code_6():
    found = subprocess.run(
        [sys.executable, "-m", "auditlane.cli", "events", "--tenant", "acme"],
        env=os.environ | {"AUDITLANE_CLICKHOUSE_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 6
    assert "AUDITLANE_CLICKHOUSE_URL" in found.stderr
