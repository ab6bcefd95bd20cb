"""Tests `auditlane up` and other commands in unusual environments: proxies, time zones, odd home directories, ignored
signals, and full disks.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from fixtures.clickhouse import EngineProcess
from fixtures.kafka import make_broker

from auditlane.local import cache
from auditlane.runtime.settings import load
from auditlane.store.client import connect

_WITHIN_S = 240
_PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_IGNORING = ["sh", "-c", 'trap "" CHLD PIPE INT HUP TERM; exec "$@"', "sh"]


def surroundings() -> dict[str, str]:
    """Return an environment that is hostile to commands. Only the download folder is shared with other tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUDITLANE_")}
    for name in ("no_proxy", "NO_PROXY", "XDG_CACHE_HOME"):
        kept.pop(name, None)
    configured = os.environ.get("AUDITLANE_CACHE_DIR")
    downloads = str(cache.folder(Path(configured) if configured else None))
    odd = {"TZ": "CST-8", "HOME": "/proc", "AUDITLANE_CACHE_DIR": downloads}
    return kept | odd | dict.fromkeys(_PROXIES, "http://127.0.0.1:9")


def command(*arguments: object, env: dict[str, str], **options: Any) -> subprocess.CompletedProcess[str]:
    line = [*_IGNORING, sys.executable, "-m", "auditlane.cli", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, env=env, timeout=120, **options)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a stack in a hostile environment, and yield the variables for running commands."""
    folder = tmp_path_factory.mktemp("odd")
    make_broker(folder / "probe")  # skips if Kafka is neither installed nor downloadable
    env = surroundings()
    line = [*_IGNORING, sys.executable, "-m", "auditlane.cli", "up", "--data", str(folder / "data"), "--port", "0"]
    with (folder / "err").open("w+b") as err:
        up = subprocess.Popen([*line, "--json"], stdout=subprocess.PIPE, stderr=err, env=env, text=True)
        try:
            assert up.stdout is not None
            ready = up.stdout.readline()
            assert ready, (folder / "err").read_text()
            state = json.loads(ready)
            yield env | state["env"]
            pids = [row["pid"] for row in state["parts"]]
            up.send_signal(signal.SIGTERM)
            assert up.wait(120) == 0, (folder / "err").read_text()
            assert not any(psutil.pid_exists(pid) for pid in pids)
        finally:
            if up.poll() is None:
                up.kill()
                up.wait()
            if up.stdout:
                up.stdout.close()


def wait_for_events(tenant: str, count: int, env: dict[str, str]) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while len(command("events", "--tenant", tenant, "--json", env=env).stdout.splitlines()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_everything_works_in_a_hostile_environment(odd: dict[str, str], tmp_path: Path) -> None:
    def done(*arguments: object) -> str:
        found = command(*arguments, env=odd)
        assert found.returncode == 0, found.stderr
        return found.stdout

    done("emit", "--tenant", "acme", "--action", "Login")
    lines = tmp_path / "events.jsonl"
    lines.write_text('{"tenant_id": "acme", "action": "Imported", "occurred_at": "2026-01-01T00:00:00Z"}\n')
    own = {**odd, "AUDITLANE_CACHE_DIR": ""}  # the home directory is not writable
    imported = command("import", lines, env=own)
    assert (imported.returncode, "Traceback" in imported.stderr) == (0, False), imported.stderr
    wait_for_events("acme", 2, odd)
    assert json.loads(done("keys", "create", "--role", "writer", "--json"))["secret"]
    assert len(done("export", "--tenant", "acme").splitlines()) == 2
    assert json.loads(done("doctor", "--json"))["healthy"]
    done("lag", "--json")
    done("verify", "--json")
    done("token", "--tenant", "acme")
    assert json.loads(done("status", "--data", odd["AUDITLANE_DATA_DIR"], "--json"))["ready"]


@pytest.fixture(scope="module")
def stored(odd: dict[str, str]) -> dict[str, str]:
    """Store an event for the tenant `full`, and return the variables for running commands."""
    assert command("emit", "--tenant", "full", "--action", "a", env=odd).returncode == 0
    wait_for_events("full", 1, odd)
    return odd


@pytest.mark.parametrize(
    "arguments",
    [
        "serve --port 0",
        "worker",
        "emit --tenant full --action a",
        "events --tenant full",
        "export --tenant full",
        "lag",
        "doctor",
        "verify",
        "init",
        "token --tenant acme",
        "structure show --tenant acme",
    ],
)
def test_output_to_a_full_disk(stored: dict[str, str], arguments: str) -> None:
    """This includes commands that keep running, and commands that have already done their work."""
    line = ["sh", "-c", '"$@" >/dev/full', "sh", sys.executable, "-m", "auditlane.cli", *arguments.split()]
    env = stored | ({"AUDITLANE_WORKER_PORT": "0", "AUDITLANE_CONSUMER_GROUP": "full"} if arguments == "worker" else {})
    found = subprocess.run(line, capture_output=True, text=True, env=env, timeout=120)
    assert found.returncode not in (0, -signal.SIGKILL)
    assert "Traceback" not in found.stderr
    assert found.stderr.count("Cannot write to standard output: No space left on device.") == 1


@pytest.mark.parametrize("zone", ["CST-8", "EST5EDT,M3.2.0,M11.1.0", "Nowhere/Bad", ""])
def test_the_engine_starts_in_every_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    engine = EngineProcess(tmp_path / "clickhouse")
    try:
        client = connect(load(clickhouse_url=engine.url))
        assert client.command("SELECT toString(toDateTime(0)) || timezone()") == "1970-01-01 00:00:00UTC"
        client.close()
    finally:
        assert engine.stop() == 0
