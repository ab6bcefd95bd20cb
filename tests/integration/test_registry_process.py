"""Tests the registry's process: its ready line, lock, port, shutdown and storage."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import urllib3
from fixtures.registry import RegistryProcess

from auditlane.contract.registry import RegistryClient
from auditlane.local.registry.http import MAX_BODY_BYTES
from auditlane.runtime.errors import AlreadyRunning, PartFailed, PortInUse, RegistryRefused, exit_code


def start_to_fail(data: Path, port: int = 0, host: str = "127.0.0.1") -> tuple[int, str]:
    command = [
        sys.executable,
        "-m",
        "auditlane.local.registry",
        "--data",
        str(data),
        "--port",
        str(port),
        "--host",
        host,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_it_responds_keeps_its_data_and_exits_cleanly(own_registry: RegistryProcess) -> None:
    client = RegistryClient(own_registry.url)
    ids = {name: client.register(name, json.dumps({"type": "string", "x": name})) for name in ("a", "b")}
    client.set_compatibility("a", "FULL")
    client.close()
    assert own_registry.end(signal.SIGTERM) == 0
    own_registry.start()
    assert {name: client.latest(name).schema_id for name in ids} == ids
    assert client.compatibility("a") == "FULL"
    assert client.register("c", '"int"') == max(ids.values()) + 1
    client.close()


def test_an_open_connection_does_not_prevent_its_exit(own_registry: RegistryProcess) -> None:
    pool = urllib3.PoolManager()
    assert pool.request("GET", f"{own_registry.url}/subjects").status == 200
    assert own_registry.end(signal.SIGINT) == 0
    pool.clear()


def test_a_second_registry_on_the_folder_is_refused(own_registry: RegistryProcess) -> None:
    code, complaint = start_to_fail(own_registry.data)
    assert code == exit_code(AlreadyRunning)
    assert "ALREADY_RUNNING" in complaint
    assert str(own_registry.data) in complaint


def test_a_port_in_use_is_named(own_registry: RegistryProcess, tmp_path: Path) -> None:
    code, complaint = start_to_fail(tmp_path / "other", own_registry.port)
    assert code == exit_code(PortInUse)
    assert "PORT_IN_USE" in complaint
    assert str(own_registry.port) in complaint
    assert "--port" in complaint


@pytest.mark.parametrize(("host", "port", "expected"), [("192.0.2.1", 0, exit_code(PartFailed)), ("::1", 70_000, 2)])
def test_an_address_that_is_not_ours_is_named(tmp_path: Path, host: str, port: int, expected: int) -> None:
    code, complaint = start_to_fail(tmp_path, port, host)
    assert code == expected
    assert (host if port == 0 else "65535") in complaint


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, complaint = start_to_fail(tmp_path / "file" / "data")
    assert code == exit_code(PartFailed)
    assert str(tmp_path / "file") in complaint


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "registry.sqlite").write_text("this is not a database, and it is long enough to be read as one" * 10)
    code, complaint = start_to_fail(tmp_path)
    assert code == exit_code(PartFailed)
    assert "registry.sqlite" in complaint


def test_an_oversized_body_is_refused_and_other_requests_served(own_registry: RegistryProcess) -> None:
    client = RegistryClient(own_registry.url, timeout_s=20)
    with pytest.raises(RegistryRefused, match="413"):
        client.register("large", json.dumps({"type": "string", "x": "x" * MAX_BODY_BYTES}))
    chunks = (b"x" * (1 << 20) for _ in range((MAX_BODY_BYTES >> 20) + 2))
    pool = urllib3.PoolManager(timeout=20)
    answer = pool.request(
        "POST", f"{own_registry.url}/subjects/a", body=chunks, headers={"Content-Type": "application/json"}
    )
    assert answer.status == 413
    assert client.subjects() == frozenset()
    client.close()
    pool.clear()


def test_its_memory_is_bounded(own_registry: RegistryProcess) -> None:
    assert own_registry.process is not None
    assert psutil.Process(own_registry.process.pid).memory_info().rss < 100 << 20
