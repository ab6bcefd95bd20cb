"""Tests that users of the embedded ClickHouse can read and write tables, but nothing else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException
from fixtures.clickhouse import EngineProcess

from auditlane.store.roles import ROLES

SECRET = "what-nobody-may-read"
PASSWORDS = {role: f"password of {role}" for role in ROLES}


def ask(
    url: str, sql: str, as_user: str = "", headers: dict[str, str] | None = None, **parameters: str
) -> urllib3.BaseHTTPResponse:
    account = {"X-ClickHouse-User": as_user, "X-ClickHouse-Key": PASSWORDS.get(as_user, "")} if as_user else {}
    target = f"{url}/?{urlencode(parameters)}"
    return urllib3.request("POST", target, body=sql.encode(), headers=account | (headers or {}), retries=False)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """Start an engine with accounts."""
    folder = tmp_path_factory.mktemp("secured")
    (folder / "users.json").write_text(json.dumps(PASSWORDS))
    engine = EngineProcess(folder / "clickhouse", extra=("--users", str(folder / "users.json")))
    assert ask(engine.url, "CREATE DATABASE audit", "init").status == 200
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("outside") / "secret"
    file.write_text(SECRET)
    return file


OUTSIDE = [
    "SELECT * FROM file('{file}', 'LineAsString')",
    "SELECT file('{file}')",
    r"SELECT `\x66ile`('{file}')",
    "SELECT file('{file}', 'default')",
    "SELECT arrayMap(file, ['{file}'])",
    "SELECT * FROM values('s String', (file('{file}')))",
    "DROP FUNCTION file",
    "CREATE OR REPLACE FUNCTION file AS path -> path",
    "SELECT * FROM `{file}`",
    "SELECT * FROM default.`{file}`",
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '{file}'",
    "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '{file}'",
    "SELECT 1 FORMAT Protobuf SETTINGS format_schema = '{file}:Message'",
    "SELECT 1 FORMAT CapnProto SETTINGS format_schema = '{file}:Message'",
    "SELECT catboostEvaluate('{file}', 1)",
    "SELECT * FROM sqlite('{file}', 'x')",
    "SELECT * FROM url('file://{file}', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/y', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1:9000', 'system', 'one')",
    "SELECT * FROM executable('cat', 'LineAsString', 's String')",
    "SELECT * FROM python('os')",
    "SELECT * FROM python('os') SETTINGS allow_python_table_function = 1",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "INSERT INTO FUNCTION file('{folder}/made', 'CSV', 'a UInt8') SELECT 1",
    "INSERT INTO FUNCTION null('s String') FROM INFILE '{file}' FORMAT LineAsString",
    "SELECT 1 INTO OUTFILE '{folder}/made'",
    "BACKUP DATABASE audit TO File('{folder}/made')",
    "BACKUP DATABASE audit TO Disk('default', '../../made')",
    "BACKUP DATABASE audit TO Disk('backups', '../../made')",
    "RESTORE DATABASE audit FROM File('{folder}/made')",
    "CREATE TABLE made (a String) ENGINE = File(LineAsString, '{file}')",
    "CREATE TABLE made (a String) ENGINE = URL('http://127.0.0.1:1/', LineAsString)",
    "CREATE TABLE made (a UInt32) ENGINE = Kafka('a', 'b', 'c', 'CSV')",
    "CREATE TABLE made (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type=local, path='{folder}/made/')",
    "CREATE DATABASE made ENGINE = Filesystem('{folder}')",
    "CREATE DATABASE made ENGINE = SQLite('{file}')",
    "CREATE DICTIONARY d (n UInt64) PRIMARY KEY n SOURCE(FILE(PATH '{file}' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "ATTACH TABLE made FROM '{folder}' (a UInt8) ENGINE = MergeTree ORDER BY a",
    "CREATE USER made",
    "CREATE ROLE made",
    "GRANT ALL ON *.* TO default",
    "CREATE NAMED COLLECTION made AS a = 1",
    "SYSTEM SHUTDOWN",
    "SYSTEM KILL",
]


@pytest.mark.parametrize("user", ["", *ROLES])
@pytest.mark.parametrize("sql", OUTSIDE)
def test_nothing_outside_the_tables_is_accessible(
    clickhouse: str, secured: EngineProcess, secret: Path, user: str, sql: str
) -> None:
    url = secured.url if user else clickhouse
    answer = ask(url, sql.format(file=secret, folder=secret.parent), user)
    assert answer.status >= 400, answer.data
    assert SECRET.encode() not in answer.data
    assert list(secret.parent.iterdir()) == [secret]
    assert ask(url, "SELECT 1", user).data == b"1\n"


@pytest.mark.parametrize("name", ["format_template_row", "format_template_resultset", "format_schema"])
def test_a_setting_that_names_a_file_is_refused_in_the_url_too(clickhouse: str, secret: Path, name: str) -> None:
    form = "CapnProto" if name == "format_schema" else "Template"
    answer = ask(
        clickhouse, f"SELECT 1 FORMAT {form}", **{name: f"{secret}:X" if name == "format_schema" else str(secret)}
    )
    assert answer.status >= 400
    assert SECRET.encode() not in answer.data


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "[::1]"])
@pytest.mark.parametrize("user", ["", "default", "launcher"])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_with_accounts_no_client_acts_as_the_process_itself(
    secured: EngineProcess, host: str, user: str, password: str
) -> None:
    """The engine's own account has an empty password, so it is locked."""
    account = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password} if user else {}
    try:
        answer = ask(secured.url.replace("127.0.0.1", host), "SELECT 1", headers=account)
    except urllib3.exceptions.NewConnectionError:
        assert host != "127.0.0.1"
        return
    assert answer.status in (401, 403)


@pytest.mark.parametrize("password", ["", "wrong"])
def test_with_accounts_that_user_is_also_locked_for_basic_authentication(secured: EngineProcess, password: str) -> None:
    answer = ask(secured.url, "SELECT 1", headers=urllib3.make_headers(basic_auth=f"default:{password}"))
    assert answer.data.startswith(b"Code: 201.")


def test_a_user_is_identified_by_headers_or_basic_authentication_not_by_parameters(secured: EngineProcess) -> None:
    basic = urllib3.make_headers(basic_auth=f"query:{PASSWORDS['query']}")
    assert ask(secured.url, "SELECT currentUser()", headers=basic).data == b"query\n"
    assert ask(secured.url, "SELECT currentUser()", "query").data == b"query\n"
    assert ask(secured.url, "SELECT 1", user="query", password=PASSWORDS["query"]).status == 403


@pytest.mark.parametrize("user", ["", "default", "launcher"])
def test_with_accounts_the_native_protocol_requires_one(secured: EngineProcess, user: str) -> None:
    host, port = secured.native
    with Client(host, port=port, user=user or "default") as client, pytest.raises(ServerException) as caught:
        client.execute("SELECT 1")
    assert caught.value.code in (201, 516, 194)
    with Client(host, port=port, user="init", password=PASSWORDS["init"]) as client:
        assert client.execute("SELECT currentUser()") == [("init",)]


def test_a_wrong_password_is_refused_and_a_correct_one_accepted(secured: EngineProcess) -> None:
    for role in ROLES:
        assert ask(secured.url, "SELECT currentUser()", role).data == f"{role}\n".encode()
        wrong = {"X-ClickHouse-User": role, "X-ClickHouse-Key": "wrong"}
        assert ask(secured.url, "SELECT 1", headers=wrong).headers["X-ClickHouse-Exception-Code"] == "516"


def test_no_password_is_exposed_in_files_or_arguments(secured: EngineProcess) -> None:
    command = Path(f"/proc/{secured.process.pid}/cmdline")
    if command.exists():
        assert not any(one.encode() in command.read_bytes() for one in PASSWORDS.values())
    for file in (one for one in secured.data.rglob("*") if one.is_file()):
        assert file.stat().st_mode & 0o077 == 0
    assert secured.data.stat().st_mode & 0o077 == 0
    assert "password of" not in (secured.data / "config" / "users.xml").read_text()


def test_without_accounts_every_client_is_the_default_user(clickhouse: str) -> None:
    assert ask(clickhouse, "SELECT currentUser()").data == b"default\n"
    assert ask(clickhouse, "SELECT 1", headers=urllib3.make_headers(basic_auth="default:")).status == 200
    answer = ask(clickhouse, "SELECT 1", headers={"X-ClickHouse-User": "admin"})
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.example.org"}, 403),
        ({"Host": "rebound.example.org"}, 403),
        ({"Host": "127.0.0.1.example.org:8123"}, 403),
        ({"Origin": "http://localhost:8480"}, 200),
        ({"Host": "localhost:8123"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "[::1]:1"}, 200),
    ],
)
def test_a_page_of_another_site_cannot_reach_it(clickhouse: str, headers: dict[str, str], status: int) -> None:
    assert ask(clickhouse, "SELECT 1", headers=headers).status == status


@pytest.mark.parametrize(
    "path", ["/play", "/dashboard", "/binary", "/merges", "/jemalloc", "/replicas_status", "/js/uplot.js"]
)
def test_pages_of_clickhouse_are_not_served_to_another_site(clickhouse: str, path: str) -> None:
    assert (
        urllib3.request("GET", clickhouse + path, headers={"Host": "rebound.example.org"}, retries=False).status == 403
    )


def test_each_role_has_only_the_grants_it_needs(secured: EngineProcess) -> None:
    url, table = secured.url, f"t{uuid.uuid4().hex}"
    assert ask(url, f"CREATE TABLE audit.{table} (a UInt32) ENGINE = MergeTree ORDER BY a", "init").status == 200
    assert ask(url, f"INSERT INTO audit.{table} VALUES (1)", "init").status == 200
    assert ask(url, f"SELECT a FROM audit.{table}", "query").data == b"1\n"
    for role in ("worker", "analyst"):
        assert ask(url, f"SELECT a FROM audit.{table}", role).headers["X-ClickHouse-Exception-Code"] == "497"
    for role in ("worker", "query", "analyst"):
        for sql in (f"INSERT INTO audit.{table} VALUES (2)", f"DROP TABLE audit.{table}", "CREATE DATABASE other"):
            assert ask(url, sql, role).status >= 400
    assert ask(url, f"DROP TABLE audit.{table} SYNC", "init").status == 200


def test_an_analyst_cannot_write_or_raise_the_limits(secured: EngineProcess) -> None:
    assert ask(secured.url, "SELECT 1", "analyst", max_threads="1").data == b"1\n"
    for bound in ({"readonly": "0"}, {"max_memory_usage": "0"}, {"max_execution_time": "0"}):
        assert ask(secured.url, "SELECT 1", "analyst", **bound).status >= 400
