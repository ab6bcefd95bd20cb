"""What the engine refuses, and that a refusal leaves it as it was."""

from __future__ import annotations

import uuid

import pytest
import urllib3


def ask(url: str, sql: str, headers: dict[str, str] | None = None, query: str = "") -> urllib3.BaseHTTPResponse:
    return urllib3.request("POST", f"{url}/?{query}", body=sql.encode(), headers=headers, retries=False)


REFUSED = [
    "SELECT 1 INTO OUTFILE '/tmp/never'",
    "SELECT 1 /* x */ into\toutfile '/tmp/never' FORMAT CSV",
    "INSERT INTO x FROM INFILE '/etc/hostname' FORMAT CSV",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP DATABASE default",
    "DROP TABLE IF EXISTS a; DROP TABLE IF EXISTS b",
    "SYSTEM SHUTDOWN",
    "system /* */ shutdown",
    "SYSTEM KILL",
    "CREATE TABLE x (a UInt32) ENGINE = Kafka('localhost:9092', 'a', 'b', 'CSV')",
    "CREATE TABLE x (a UInt32) ENGINE Kafka SETTINGS kafka_topic_list = 'a'",
    "CREATE TABLE x (a UInt32) ENGINE = RabbitMQ SETTINGS rabbitmq_host_port = 'a'",
    "CREATE TABLE x (a UInt32) ENGINE = NATS SETTINGS nats_url = 'a'",
    "CREATE TABLE x (a String) ENGINE = FileLog('/tmp/a', 'LineAsString')",
    "CREATE TABLE x (a String) ENGINE = File(CSV, '/tmp/never')",
    "CREATE TABLE x (a String) ENGINE = URL('http://127.0.0.1:1/', CSV)",
    "CREATE MATERIALIZED VIEW x ENGINE = `Kafka`('a', 'b', 'c', 'CSV') AS SELECT 1",
    "CREATE TABLE x (a UInt32) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '/tmp/d/')",
    "CREATE DATABASE x ENGINE = Filesystem('/')",
    "CREATE DATABASE x ENGINE = PostgreSQL('a', 'b', 'c', 'd')",
    "CREATE USER x",
    "CREATE ROLE x",
    "CREATE ROW POLICY p ON audit.events USING 1 TO default",
    "CREATE DICTIONARY x (a UInt64) PRIMARY KEY a SOURCE(FILE(PATH '/etc/hostname' FORMAT CSV)) LAYOUT(FLAT())",
    "CREATE TABLE x ON CLUSTER c (a UInt32) ENGINE = Memory",
    "CREATE TEMPORARY TABLE x (a UInt32)",
    "DETACH DATABASE default",
    "DROP DATABASE IF EXISTS default",
    "ATTACH TABLE x FROM '/tmp/x' (a UInt32) ENGINE = MergeTree ORDER BY a",
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "SELECT file('/etc/hostname')",
    "SELECT `file`('/etc/hostname')",
    "SELECT \"file\" /* */ ('/etc/hostname')",
    "SELECT ‘ it's ’, file('/etc/hostname'), ‘ it's ’",
    "SELECT $a$ ' $a$, file('/etc/hostname'), $a$ ' $a$",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM s3('http://127.0.0.1:1/a/b')",
    "SELECT * FROM executable('x', 'CSV', 'a String')",
    "SELECT * FROM python(os)",
    "INSERT INTO FUNCTION file('/tmp/never', 'CSV', 'a UInt8') SELECT 1",
    "INSERT INTO FUNCTION null('a UInt8') SELECT 1",
    "CREATE VIEW x AS SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "BEGIN TRANSACTION",
    "",
    "-- nothing but a comment",
    "1 + 1",
    "SELECT 'not closed",
    "SELECT /* not closed",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_it_is_refused_with_a_reason(clickhouse: str, sql: str) -> None:
    answer = ask(clickhouse, sql)
    assert 400 <= answer.status <= 501, answer.data
    assert answer.data.startswith(f"Code: {answer.headers['X-ClickHouse-Exception-Code']}. DB::Exception: ".encode())
    assert ask(clickhouse, "SELECT 1").data == b"1\n"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM `/etc/hostname`",
        "SELECT * FROM default.`/etc/hostname`",
        "CREATE TABLE x CLONE AS system.one ENGINE = Memory",
    ],
)
def test_the_file_system_is_not_a_database(clickhouse: str, sql: str) -> None:
    assert ask(clickhouse, sql).status >= 400


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 'INTO OUTFILE file(1); SYSTEM SHUTDOWN'", b"INTO OUTFILE file(1); SYSTEM SHUTDOWN"),
        ("SELECT 1 -- ; SELECT 2", b"1"),
        ("SELECT 1; ;", b"1"),
        ("SELECT 1 AS file, file + 1 AS url", b"1\t2"),
        ("SELECT $$;file('x')$$", rb";file(\'x\')"),
        ("(SELECT 1) UNION ALL (SELECT 1)", b"1\n1"),
        ("WITH 2 AS x SELECT x FORMAT CSV", b"2"),
        ("SELECT 1 AS format FORMAT TSV SETTINGS max_threads = 1", b"1"),
        ("SELECT 'engine = Kafka'", b"engine = Kafka"),
        ("SELECT engine FROM system.tables WHERE engine = 'Kafka'", b""),
        ("SELECT 1 /* a /* nested */ comment */", b"1"),
        ("SELECT formatDateTime(toDate('2024-01-02'), '%F')", b"2024-01-02"),
        ("EXISTS TABLE system.one", b"1"),
    ],
)
def test_what_only_looks_like_it_is_not_refused(clickhouse: str, sql: str, expected: bytes) -> None:
    answer = ask(clickhouse, sql)
    assert answer.status == 200, answer.data
    assert answer.data.strip() == expected


def test_one_user_and_no_password(clickhouse: str) -> None:
    assert ask(clickhouse, "SELECT currentUser()").data == b"default\n"
    assert ask(clickhouse, "SELECT 1", urllib3.make_headers(basic_auth="default:")).status == 200
    assert ask(clickhouse, "SELECT 1", {"X-ClickHouse-User": "default"}).status == 200
    for headers in ({"X-ClickHouse-User": "admin"}, urllib3.make_headers(basic_auth="default:secret")):
        answer = ask(clickhouse, "SELECT 1", headers)
        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert ask(clickhouse, "SELECT 1", query="user=admin").status == 403


def test_a_page_of_another_site_cannot_reach_it(clickhouse: str) -> None:
    assert ask(clickhouse, "SELECT 1", {"Origin": "https://example.org"}).status == 403
    refused = ask(clickhouse, "SELECT 1" + " " * 100_000, {"Host": "rebound.example.org"})
    assert (refused.status, refused.headers["Connection"]) == (403, "close")  # or the next one is lost
    assert ask(clickhouse, "SELECT 1", {"Origin": "http://localhost:8480"}).status == 200
    assert ask(f"{clickhouse}/nowhere", "SELECT 1").headers["Connection"] == "close"


def test_a_kafka_table_that_was_refused_leaves_no_metadata(clickhouse: str) -> None:
    name = f"k{uuid.uuid4().hex}"
    assert ask(clickhouse, f"CREATE TABLE {name} (a UInt32) ENGINE = Kafka('a', 'b', 'c', 'CSV')").status == 501
    assert ask(clickhouse, f"EXISTS TABLE {name}").data == b"0\n"
    assert ask(clickhouse, f"CREATE TABLE {name} (a UInt32) ENGINE = Memory").status == 200
    assert ask(clickhouse, f"DROP TABLE {name}").status == 200
