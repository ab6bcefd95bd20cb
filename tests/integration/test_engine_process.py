"""Tests the engine's process: its lock, port, signals and data directory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from components import missing
from fixtures.clickhouse import EngineProcess

from auditlane.runtime.errors import AlreadyRunning, ConfigError, PortInUse, exit_code


class Running:
    """Runs engines in one directory. The last one is stopped at the end of the test."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.pool = urllib3.PoolManager(retries=False, maxsize=8)
        self.engine: EngineProcess | None = None

    def start(self, *extra: str) -> None:
        self.engine = EngineProcess(self.data, extra=extra)

    def ask(self, sql: str, **parameters: str) -> urllib3.BaseHTTPResponse:
        assert self.engine is not None
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return self.pool.request("POST", f"{self.engine.url}/?{query}", body=sql.encode())

    def end(self) -> None:
        self.pool.clear()
        if self.engine is not None and self.engine.process.poll() is None:
            self.engine.kill()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    engines = Running(tmp_path / "clickhouse")
    engines.start()
    yield engines
    engines.end()


def refused(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "auditlane.local.engine", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_the_ready_line_names_url_and_pid(running: Running) -> None:
    assert running.engine is not None
    native = "{}:{}".format(*running.engine.native)
    facts = {"url": running.engine.url, "native": native, "pid": running.engine.process.pid}
    assert {name: running.engine.ready[name] for name in facts} == facts
    assert (running.engine.ready["ready"], running.engine.ready["part"]) == (True, "clickhouse")
    assert running.pool.request("GET", running.engine.url + "/ping").data == b"Ok.\n"


def test_acknowledged_rows_and_their_tokens_outlive_a_clean_stop(running: Running) -> None:
    assert running.engine is not None
    settings = "ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    assert running.ask("CREATE DATABASE audit ENGINE = Atomic").status == 200
    for table in ("audit.t", "plain"):  # also a table in `default`, which the engine would overlay with files
        assert running.ask(f"CREATE TABLE {table} (a UInt32) {settings}").status == 200
        assert running.ask(f"INSERT INTO {table} FORMAT CSV\n1\n2\n", insert_deduplication_token="x").status == 200
    assert running.engine.stop() == 0
    running.start()
    for table in ("audit.t", "plain"):
        assert running.ask(f"INSERT INTO {table} FORMAT CSV\n3\n4\n", insert_deduplication_token="x").status == 200
        assert running.ask(f"SELECT groupArray(a) FROM (SELECT a FROM {table} ORDER BY a)").data == b"[1,2]\n"
    assert running.ask("SELECT engine FROM system.databases WHERE name = 'default'").data == b"Atomic\n"


def test_a_second_process_on_the_directory_is_refused(running: Running) -> None:
    code, text = refused("--data", str(running.data))
    assert code == exit_code(AlreadyRunning)
    assert f"Another ClickHouse uses {running.data}." in text
    assert "Traceback" not in text
    assert running.ask("SELECT 1").data == b"1\n"


@pytest.mark.parametrize("option", ["--port", "--native-port"])
def test_a_port_in_use_is_reported(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = refused("--data", str(tmp_path / "d"), option, str(port))
    assert code == exit_code(PortInUse)
    assert text.startswith(f"Port {port} is in use")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "192.0.2.1", "example.org"])
def test_it_listens_on_the_loopback_only(tmp_path: Path, host: str) -> None:
    code, text = refused("--data", str(tmp_path / "d"), "--host", host)
    assert code == exit_code(ConfigError)
    assert "loopback" in text


@pytest.mark.parametrize("text", ["", "[]", '{"init": 1}', '{"init": ""}', '{"nobody": "x"}', "{"])
def test_an_invalid_password_file_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / "users.json").write_text(text)
    code, output = refused("--data", str(tmp_path / "d"), "--users", str(tmp_path / "users.json"))
    assert code == exit_code(ConfigError)
    assert "users.json" in output
    assert "init, worker, query, analyst" in output


def test_stdin_is_not_readable_as_a_table(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path / "data", stdin=b"1,2\n")
    assert urllib3.request("POST", engine.url, body=b"SHOW TABLES").data == b""
    engine.stop()


BEHIND_ENVIRON = """
import ctypes, os, sys
from pathlib import Path
from auditlane.local.landlock import confine, readable_paths

os.environ["TMPDIR"] = sys.argv[1]
confined = confine([Path(sys.argv[1])], readable_paths("chdb"))
print(confined)
if not confined:
    raise SystemExit
libc = ctypes.CDLL(None)
environ = ctypes.POINTER(ctypes.c_void_p).in_dll(libc, "environ")
count = next(index for index in range(1_000_000) if not environ[index])
AT_SYSINFO_EHDR = 33
entries = [*environ[:count], None, AT_SYSINFO_EHDR, 0x11, None, None]
moved = (ctypes.c_void_p * len(entries))(*entries)
ctypes.c_void_p.in_dll(libc, "environ").value = ctypes.addressof(moved)
from chdb import _chdb
"""


def test_memory_behind_the_environment_is_not_read_as_the_auxiliary_vector(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEHIND_ENVIRON, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if done.stdout != "True\n":
        missing("Landlock", "this kernel does not support it.")


def test_a_stray_config_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.xml").write_text("<clickhouse><broken>")
    monkeypatch.chdir(tmp_path)
    engine = EngineProcess(tmp_path / "data")
    try:
        assert urllib3.request("GET", engine.url + "/ping").data == b"Ok.\n"
    finally:
        engine.stop()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t FORMAT CSV\n{rows}",
        "INSERT INTO t SELECT * FROM input('w UInt32, n UInt32, i UInt32') FORMAT CSV\n{rows}",
    ],
)
def test_every_acknowledged_batch_survives_a_kill_complete(running: Running, statement: str) -> None:
    """Three writers send batches of 500 rows until the process is killed, which happens twice. Each batch has a unique
    number.
    """
    batch = 500
    running.ask("CREATE TABLE t (w UInt32, n UInt32, i UInt32) ENGINE = MergeTree ORDER BY (w, n)")
    acknowledged: dict[int, list[int]] = {0: [], 1: [], 2: []}
    sent = dict.fromkeys(acknowledged, 0)

    def write(writer: int, enough: threading.Event) -> None:
        while True:
            number = sent[writer] = sent[writer] + 1
            rows = "".join(f"{writer},{number},{i}\n" for i in range(batch))
            try:
                if running.ask(statement.format(rows=rows)).status != 200:
                    return
            except urllib3.exceptions.HTTPError:
                return
            acknowledged[writer].append(number)
            if len(acknowledged[writer]) % 10 == 0:
                enough.set()

    for _ in range(2):
        assert running.engine is not None
        enough = threading.Event()
        writers = [threading.Thread(target=write, args=(writer, enough)) for writer in acknowledged]
        for thread in writers:
            thread.start()
        assert enough.wait(60)
        running.engine.kill()
        for thread in writers:
            thread.join(60)
        running.pool.clear()
        running.start()

    lines = running.ask("SELECT w, n, count(), uniqExact(i) FROM t GROUP BY w, n FORMAT JSONCompactEachRow").data
    stored = {(w, n): (int(rows), int(distinct)) for w, n, rows, distinct in map(json.loads, lines.splitlines())}
    assert set(stored.values()) == {(batch, batch)}
    assert {(writer, number) for writer, numbers in acknowledged.items() for number in numbers} <= set(stored)


def test_a_stop_lets_a_running_request_finish(running: Running) -> None:
    assert running.engine is not None
    answers: list[bytes] = []
    query = "SELECT sum(sleepEachRow(0.2)) FROM numbers(5) SETTINGS max_block_size = 1"
    thread = threading.Thread(target=lambda: answers.append(running.ask(query).data))
    thread.start()
    deadline = 200
    other = urllib3.PoolManager(retries=False)
    while (
        b"sleepEachRow"
        not in other.request(
            "POST", running.engine.url, body=b"SELECT query FROM system.processes WHERE query NOT LIKE '%processes%'"
        ).data
    ):
        deadline -= 1
        assert deadline
        thread.join(0.01)
    assert running.engine.stop() == 0
    thread.join(30)
    assert answers == [b"0\n"]


def test_nothing_of_the_engine_is_left_running(running: Running) -> None:
    assert running.engine is not None
    pid = running.engine.process.pid
    assert running.engine.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def test_a_full_disk_rejects_inserts_and_still_permits_reads(running: Running) -> None:
    """The engine keeps some disk space free. If it has to keep more free than the disk has, it behaves as if the disk
    were full.
    """
    assert running.engine is not None
    running.ask("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    assert running.ask("INSERT INTO t VALUES (1)").status == 200
    running.engine.stop()
    running.start("--keep-free", str(1 << 60))
    for insert in ("INSERT INTO t VALUES (2)", "INSERT INTO t SELECT a FROM input('a UInt64') FORMAT CSV\n2\n"):
        answer = running.ask(insert)
        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "243")
    assert running.ask("SELECT count() FROM t").data == b"1\n"
    running.engine.stop()
    running.start()
    assert running.ask("INSERT INTO t VALUES (2)").status == 200
    assert running.ask("SELECT count() FROM t").data == b"2\n"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_directory_can_be_reopened_whatever_default_contains(running: Running, end: str) -> None:
    assert running.engine is not None
    for turn in range(3):
        if turn == 1:
            assert running.ask("CREATE TABLE kept (a UInt32) ENGINE = MergeTree ORDER BY a").status == 200
        if turn:
            assert running.ask("INSERT INTO kept VALUES (1)").status == 200
            assert running.ask("SELECT count() FROM kept").data == f"{turn}\n".encode()
        getattr(running.engine, end)()
        running.start()
