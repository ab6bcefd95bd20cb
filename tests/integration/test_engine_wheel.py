"""Tests undocumented behavior of chdb-core that auditlane relies on. If a new wheel changes it, a test fails."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import urllib3
from components import missing
from fixtures.clickhouse import EngineProcess

from auditlane.local.engine.serving import SUPPORTED, advice

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """Start one engine for all tests that only read from it."""
    process = EngineProcess(tmp_path_factory.mktemp("engine"))
    yield process
    process.stop()


def ask(engine: EngineProcess, sql: str) -> bytes:
    return urllib3.request("POST", engine.url, body=sql.encode(), retries=False).data


def test_the_installed_wheel_is_the_supported_one() -> None:
    assert version("chdb-core").startswith(f"{SUPPORTED}."), (
        f"auditlane supports chdb-core {SUPPORTED}, which was tested. If every test of this folder passes with"
        f" {version('chdb-core')}, change SUPPORTED, pyproject.toml and constraints.txt."
    )
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"chdb-core=={SUPPORTED}.*" in extras["local"]


def test_an_unsupported_wheel_is_named_with_the_supported_one() -> None:
    assert advice(f"{SUPPORTED}.7") == ""
    message = advice("99.1.0")
    assert "chdb-core 99.1.0" in message
    assert f"pip install 'chdb-core=={SUPPORTED}.*'" in message


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT count() > 0 FROM system.server_settings WHERE name = 'mark_cache_size' AND changed", b"1\n"),
        ("SELECT name FROM system.databases WHERE engine IN ('Overlay', 'Filesystem')", b""),
        ("SELECT engine FROM system.databases WHERE name = 'default'", b"Atomic\n"),
        ("SELECT origin FROM system.functions WHERE name = 'file' AND origin != 'System'", b"SQLUserDefined\n"),
        ("SELECT count() FROM system.disks WHERE name IN ('default', 'backups')", b"2\n"),
        ("SELECT value FROM system.settings WHERE name = 'allow_python_table_function'", b"0\n"),
        ("SELECT count() FROM system.user_directories WHERE type = 'local_directory'", b"0\n"),
        ("SELECT timezone()", b"UTC\n"),
    ],
)
def test_its_configuration_is_applied(engine: EngineProcess, sql: str, expected: bytes) -> None:
    assert ask(engine, sql) == expected


def test_it_is_sandboxed_where_the_kernel_permits(clickhouse_process: EngineProcess, tmp_path: Path) -> None:
    if not clickhouse_process.ready["confined"]:
        missing("Landlock", "this kernel does not support it.")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    ask(clickhouse_process, "CREATE TABLE t (s String) ENGINE = MergeTree ORDER BY s")
    for path in (secret, "/etc/passwd", "/proc/self/environ", f"/proc/{clickhouse_process.process.pid}/environ"):
        output = ask(clickhouse_process, f"INSERT INTO t FROM INFILE '{path}' FORMAT LineAsString")
        assert b"Permission denied" in output, path
    assert ask(clickhouse_process, "SELECT count() FROM t") == b"0\n"
