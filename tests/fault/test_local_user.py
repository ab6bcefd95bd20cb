"""Tests that another local user can neither read an embedded stack's files nor access its services."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.kafka import make_broker
from fixtures.stack import Stack, running

from auditlane.local.credentials import Role

NOBODY = 65_534
PROGRAM = Path(__file__).with_name("local_user.py")
REFUSED = (401, 403)
# Queries that make the engine read a file.
FILES = (
    "SELECT file('{}')",
    "SELECT `\\x66ile`('{}')",
    "SELECT * FROM `\\x66ile`('{}', 'LineAsString', 'line String')",
    "SELECT 1 AS x FORMAT Template SETTINGS format_template_row='{}'",
    "SELECT 1 FORMAT Protobuf SETTINGS format_schema='{}:M'",
    "SELECT * FROM url('file://{}', 'LineAsString', 'line String')",
    "CREATE TABLE stolen (line String) ENGINE = `Fi\\x6ce`(LineAsString, '{}')",
)

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
Attack = Callable[..., Any]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Create a world-readable folder, like that of a typical project. pytest's own folders are private."""
    made = Path(tempfile.mkdtemp(prefix="auditlane-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def stack(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    make_broker(tmp_path_factory.mktemp("probe"))  # skips if Kafka is neither installed nor downloadable
    with running(folder / "data", "--port", "0") as started:
        started.run("emit", "--tenant", "acme", "--action", "Login")
        yield started


@pytest.fixture(scope="module")
def attack() -> Attack:
    """Provide a function that runs one attack as the user `nobody`."""

    def run(*attack: object) -> Any:
        done = subprocess.run(
            [sys.executable, "-I", "-S", PROGRAM, str(NOBODY)],
            input=json.dumps(attack),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def secrets(stack: Stack) -> set[str]:
    """Return all of the stack's passwords."""
    files = list((stack.data / "credentials").glob("*.json"))
    assert {file.stem for file in files} == {"kafka", "registry", "clickhouse"}
    return {password for file in files for password in json.loads(file.read_text()).values()}


def url_of(stack: Stack, part: str) -> str:
    return next(row["url"] for row in stack.ready["parts"] if row["name"] == part)


def test_no_file_of_the_stack_is_readable(stack: Stack, folder: Path, attack: Attack) -> None:
    outside = folder / "outside"
    outside.write_text("x")
    outside.chmod(0o644)
    every = [str(path) for path in (stack.data, *stack.data.rglob("*"))]
    assert len(every) > 50
    assert attack("read", [*every, str(outside)]) == [str(outside)]


def test_the_process_list_shows_no_password(stack: Stack, secrets: set[str], attack: Attack) -> None:
    pids = [row["pid"] for row in [*stack.ready["parts"], *stack.ready["extras"]] if row["pid"]]
    shown = attack("processes", [*pids, stack.process.pid])
    assert len(shown) == len(pids) + 1  # command lines, but no environment
    assert not [secret for secret in secrets for text in shown if secret in text]


@pytest.mark.parametrize("port", ["kafka", "kafka-controller"])
def test_kafka_requires_a_password_on_both_ports(stack: Stack, attack: Attack, port: str) -> None:
    number = stack.ready["ports"][port]
    assert attack("metadata", number) == 0
    password = json.loads((stack.data / "credentials" / "kafka.json").read_text())["auditlane"]
    for user, given_password in (("auditlane", "wrong"), ("auditlane", ""), ("admin", password), ("", "")):
        assert attack("sign_in", number, user, given_password) != 0
    assert attack("sign_in", number, "auditlane", password) == 0


def test_a_broker_without_passwords_answers_the_same_request(kafka: str, attack: Attack) -> None:
    assert attack("metadata", int(kafka.rpartition(":")[2])) > 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/subjects", ""),
        ("GET", "/schemas/ids/1", ""),
        ("POST", "/subjects/audit.events.acme-value/versions", '{"schema": "\\"string\\""}'),
        ("PUT", "/config", '{"compatibility": "NONE"}'),
        ("DELETE", "/subjects/audit.events-value", ""),
        ("DELETE", "/subjects/audit.events-value?permanent=true", ""),
    ],
)
def test_the_registry_requires_a_password(stack: Stack, attack: Attack, method: str, path: str, body: str) -> None:
    url = url_of(stack, "registry") + path
    for headers in ({}, {"Authorization": "Basic YXVkaXRsYW5lOg=="}, {"Authorization": "Bearer x"}):
        assert attack("ask", url, method, headers, body)[0] == 401
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        assert attack("ask", url, method, headers, body)[0] == 403


@pytest.mark.parametrize("part", ["worker", "serve"])
@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_health_rejects_foreign_pages_and_host_names(stack: Stack, attack: Attack, part: str, path: str) -> None:
    url = url_of(stack, part) + path
    assert attack("ask", url, "GET", {})[0] == 200
    for headers in ({"Host": "evil.example:80"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        assert attack("ask", url, "GET", headers)[0] == 403


def test_no_local_user_becomes_an_operator(stack: Stack, attack: Attack) -> None:
    url = stack.env["AUDITLANE_SERVE_URL"]
    for path in ("/console/v1/session", "/v1/admin/tenants", "/v1/events?tenant=acme"):
        for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": "auditlane_console=x"}):
            assert attack("ask", url + path, "GET", headers)[0] in REFUSED


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-ClickHouse-User": "default"},
        {"X-ClickHouse-User": "init", "X-ClickHouse-Key": "wrong"},
        *({"X-ClickHouse-User": role.value} for role in Role),
    ],
)
@pytest.mark.parametrize("sql", ["SELECT count() FROM audit.events", "SYSTEM SHUTDOWN", "DROP TABLE audit.events"])
def test_clickhouse_requires_a_password(stack: Stack, attack: Attack, headers: dict[str, str], sql: str) -> None:
    status, body = attack("ask", url_of(stack, "clickhouse"), "POST", headers, sql)
    assert status in REFUSED, body


@pytest.mark.parametrize("sql", FILES)
def test_no_clickhouse_user_can_make_it_read_a_file(stack: Stack, attack: Attack, sql: str) -> None:
    canary = stack.data / "canary"
    canary.write_text("CANARY-42\n")
    users = json.loads((stack.data / "credentials" / "clickhouse.json").read_text())
    assert set(users) == set(Role)
    for user, password in users.items():
        headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
        status, body = attack("ask", url_of(stack, "clickhouse"), "POST", headers, sql.format(canary))
        assert status >= 400
        assert "CANARY" not in body
