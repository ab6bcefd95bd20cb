"""Tests `auditlane up` with the real services: readiness, how commands find the stack, restarts after SIGKILL, and
cleanup.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import urllib3
from clickhouse_driver import Client
from fixtures.kafka import make_broker

from auditlane.local import status
from auditlane.local.health import KafkaProbe
from auditlane.runtime import settings

NAMES = ["kafka", "registry", "clickhouse", "worker", "serve"]
_CACHE = os.environ.get("AUDITLANE_CACHE_DIR")
_WITHIN_S = 180


def cli(*arguments, env=None):
    return subprocess.run(
        [sys.executable, "-m", "auditlane.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment() | (env or {}),
        timeout=120,
    )


def environment():
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUDITLANE_")}
    return clean | ({"AUDITLANE_CACHE_DIR": _CACHE} if _CACHE else {})


class Stack:
    """An `auditlane up` running in a separate folder."""

    def __init__(self, data: Path, *arguments, env=None) -> None:
        self.data = data
        data.mkdir(exist_ok=True)
        with (data / "up.out").open("wb") as out, (data / "up.err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "auditlane.cli", "up", "--data", data, "--port", "0", "--json", *arguments],
                stdout=out,
                stderr=err,
                env=environment() | (env or {}),
                start_new_session=True,
            )

    def wait_ready(self) -> dict:
        self.until(lambda: (self.data / "up.out").read_text().endswith("\n"), "the ready line")
        return json.loads((self.data / "up.out").read_text())

    def status(self) -> dict:
        """Return what `auditlane status` reports, without starting a process for each poll."""
        return status.report(settings.load(data_dir=self.data))

    def part(self, name: str) -> dict:
        return next(row for row in self.status()["parts"] if row["name"] == name)

    def until(self, condition, what):
        deadline = time.monotonic() + _WITHIN_S
        while not (found := condition()):
            assert self.process.poll() is None, (self.data / "up.err").read_text()
            assert time.monotonic() < deadline, f"waited for {what}: {(self.data / 'up.err').read_text()}"
            time.sleep(0.2)
        return found

    def stop(self, number=signal.SIGTERM) -> int:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        return self.process.wait(120)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    make_broker(tmp_path_factory.mktemp("probe"))  # skips if Kafka is neither installed nor downloadable
    started = Stack(tmp_path_factory.mktemp("stack") / "a stack's data")
    try:
        started.wait_ready()
        yield started
    finally:
        assert started.stop() == 0, (started.data / "up.err").read_text()


def test_status_names_the_real_processes(stack):
    found = stack.status()
    assert found["ready"] is True
    assert [row["name"] for row in found["parts"]] == NAMES
    assert {row["state"] for row in found["parts"]} == {"ready"}
    processes = {row["name"]: psutil.Process(row["pid"]) for row in found["parts"]}
    assert processes["kafka"].name() == "java"
    assert "worker" in processes["worker"].cmdline()
    printed = cli("status", "--data", stack.data, "--json")
    assert (printed.returncode, json.loads(printed.stdout)) == (0, found)


def test_env_points_other_commands_at_the_stack(stack):
    printed = cli("env", "--data", stack.data).stdout
    script = 'eval "$PRINTED"; exec "$PYTHON" -m auditlane.cli init --json'
    env = environment() | {"PRINTED": printed, "PYTHON": sys.executable}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["drift"] == []


def test_clickhouses_native_address_is_listed_everywhere(stack):
    rows = {row["name"]: row.get("native") for row in stack.status()["parts"]}
    env = json.loads(cli("env", "--data", stack.data, "--json").stdout)
    addresses = {row["name"]: row.get("native") for row in stack.wait_ready()["parts"]}
    assert rows["clickhouse"] == env["AUDITLANE_CLICKHOUSE_NATIVE"] == addresses["clickhouse"]
    assert not any(address for name, address in rows.items() if name != "clickhouse")
    assert f"{rows['clickhouse']} (native protocol)" in cli("status", "--data", stack.data).stdout
    host, _, port = rows["clickhouse"].rpartition(":")
    account = {"user": env.get("AUDITLANE_CLICKHOUSE_USER", "default")}
    account["password"] = env.get("AUDITLANE_CLICKHOUSE_PASSWORD", "")
    with Client(host, port=int(port), **account) as client:
        assert client.execute("SELECT count() FROM audit.link_claims") == [(0,)]


def test_every_command_finds_the_stack_by_its_data_directory(stack):
    """Without any variables, commands find the addresses and passwords. If only an address is given, they find the
    password for it.
    """
    by_folder = {"AUDITLANE_DATA_DIR": str(stack.data)}
    done = cli("emit", "--tenant", "found", "--action", "Login", env=by_folder)
    assert done.returncode == 0, done.stderr
    assert cli("lag", "--json", env=by_folder).returncode == 0
    url = {"AUDITLANE_CLICKHOUSE_URL": stack.part("clickhouse")["url"]}
    listed = stack.until(lambda: cli("events", "--tenant", "found", "--json", env=by_folder | url).stdout, "the event")
    assert json.loads(listed)["action"] == "Login"
    nowhere = cli("lag", env={"AUDITLANE_DATA_DIR": str(stack.data / "none")})
    assert "Kafka is not configured" in nowhere.stderr


def test_its_parts_require_a_password(stack):
    rows = {row["name"]: row["url"] for row in stack.status()["parts"]}
    bare = {"AUDITLANE_KAFKA_BOOTSTRAP": rows["kafka"], "AUDITLANE_REGISTRY_URL": rows["registry"]}
    done = cli("doctor", "--data", stack.data / "none", "--json", env=bare)
    found = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "fail"]
    assert {one["part"] for one in found} >= {"kafka", "registry"}
    assert "require TLS or SASL" in next(one["fix"] for one in found if one["part"] == "kafka")


def test_the_doctor_finds_nothing_to_fix(stack):
    done = cli("doctor", "--data", stack.data, "--json")
    findings = json.loads(done.stdout)["findings"]
    assert [one for one in findings if one["level"] == "fail"] == []
    assert done.returncode == 0
    assert {one["part"] for one in findings} == {"host", *NAMES}


def test_the_security_check_finds_what_the_embedded_stack_lacks(stack):
    done = cli("doctor", "--security", "--data", stack.data, "--json")
    assert done.returncode == 7, done.stderr
    report = json.loads(done.stdout)
    ports = [row["url"].rpartition(":")[2] for row in stack.status()["parts"]]

    def of_machine(finding):  # about the machine's disks, or about another test's process
        elsewhere = not any(port in finding["what"] for port in ports)
        return finding["code"].startswith("disk-") or (finding["code"].endswith("-on-network") and elsewhere)

    assert [one["code"] for one in report["findings"] if not of_machine(one)] == [
        "kafka-without-acls",
        "topic-without-replicas",
        "topic-without-replicas",
        "query-rows-unlimited",
        "clickhouse-one-copy",
    ]
    assert report["not_made"] == []


def test_nothing_in_its_folder_is_readable_by_others(stack):
    """Kafka's log, ClickHouse's parts, the registry, keys and logs contain the events of every tenant."""
    env = json.loads(cli("env", "--data", stack.data, "--json").stdout)
    done = cli("emit", "--tenant", "acme", "--action", "login", env=env)
    assert done.returncode == 0, done.stderr
    assert stack.data.stat().st_mode & 0o077 == 0
    found = [path for path in stack.data.rglob("*") if path.name not in ("up.out", "up.err")]  # created by this test
    assert any(path.suffix == ".log" for path in found)
    assert any(path.name == "keys.json" for path in found)
    for path in found:
        with contextlib.suppress(FileNotFoundError):  # removed by a merge in the meantime
            assert path.lstat().st_mode & 0o077 == 0 or path.is_symlink(), path


def test_a_second_up_is_refused(stack):
    done = cli("up", "--data", stack.data)
    assert done.returncode == 5
    assert f"(process {stack.process.pid})" in done.stderr
    assert "auditlane status" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_part_is_restarted(stack, name):
    before = stack.until(lambda: (row := stack.part(name))["state"] == "ready" and row, f"{name} ready")
    os.kill(before["pid"], signal.SIGKILL)
    after = stack.until(lambda: (row := stack.part(name))["starts"] > before["starts"] and row, f"another {name}")
    assert after["url"] == before["url"]
    stack.until(lambda: stack.status()["ready"], "ready again")


@pytest.mark.long
def test_two_stacks_run_at_once_and_a_killed_one_leaves_nothing(stack, tmp_path):
    other = Stack(tmp_path / "other")
    try:
        rows = other.wait_ready()["parts"]
        assert not {row["url"] for row in rows} & {row["url"] for row in stack.status()["parts"]}
        other.process.kill()
        other.process.wait()
        deadline = time.monotonic() + 30
        while left := [row["name"] for row in rows if psutil.pid_exists(row["pid"])]:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
        assert not other.status()["ready"]
        assert stack.status()["ready"]
        again = Stack(tmp_path / "other", "--no-auth")  # in the same folder, after every process was killed
        try:
            ready = again.wait_ready()
            assert [row["url"] for row in ready["parts"]] == [row["url"] for row in rows]
            assert ready["auth"] is False
            assert KafkaProbe({"bootstrap.servers": ready["env"]["AUDITLANE_KAFKA_BOOTSTRAP"]}).is_ready()
            assert urllib3.request("GET", ready["env"]["AUDITLANE_REGISTRY_URL"] + "/subjects").json()
            assert cli("emit", "--tenant", "acme", "--action", "Login", env=ready["env"]).returncode == 0
            assert again.stop(signal.SIGINT) == 0, (again.data / "up.err").read_text()
        finally:
            again.stop(signal.SIGKILL)
    finally:
        other.stop(signal.SIGKILL)


def test_external_parts_replace_the_embedded_ones(stack, tmp_path):
    env = json.loads(cli("env", "--data", stack.data, "--json").stdout)
    theirs = ("AUDITLANE_KAFKA_", "AUDITLANE_REGISTRY_", "AUDITLANE_CLICKHOUSE_")
    urls = {name: value for name, value in env.items() if name.startswith(theirs)} | {
        "AUDITLANE_CONSUMER_GROUP": "another-group",
        "AUDITLANE_TOPIC": "another.topic",
    }
    other = Stack(tmp_path / "other", env=urls)
    try:
        found = {row["name"]: row for row in other.wait_ready()["parts"]}
        assert {row["state"] for name, row in found.items() if name in NAMES[:3]} == {"external"}
        assert found["kafka"]["pid"] is None
        assert other.stop(signal.SIGTERM) == 0
    finally:
        other.stop(signal.SIGKILL)


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cli("up", "--data", tmp_path, "--port", taken.getsockname()[1])
    assert done.returncode == 5
    assert "is in use, so serve cannot listen on it" in done.stderr
    assert "another port" in done.stderr


def test_without_a_network_at_the_first_start_the_error_has_a_fix(tmp_path):
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:1")
    env = {**nowhere, "AUDITLANE_CACHE_DIR": str(tmp_path / "cache"), "NO_PROXY": "", "no_proxy": ""}
    done = cli("up", "--data", tmp_path / "data", env=env)
    assert done.returncode == 1
    assert "Kafka could not be downloaded" in done.stderr
    assert "AUDITLANE_KAFKA_HOME" in done.stderr


def test_an_unreachable_broker_is_named(tmp_path):
    done = cli("up", "--data", tmp_path / "data", env={"AUDITLANE_KAFKA_HOME": str(tmp_path)})
    assert done.returncode == 2
    assert "AUDITLANE_KAFKA_HOME" in done.stderr
