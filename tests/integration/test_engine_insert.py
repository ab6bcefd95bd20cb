"""An INSERT through the embedded engine stores everything it acknowledges, and nothing of what it refuses."""

from __future__ import annotations

import gzip
import http.client
import socket
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode, urlsplit

import lz4.frame
import pyarrow as pa
import pytest
import urllib3

Ask = Callable[..., urllib3.BaseHTTPResponse]


@pytest.fixture(scope="module")
def http_pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


@pytest.fixture
def ask(clickhouse: str, http_pool: urllib3.PoolManager, unique: str) -> Iterator[Ask]:
    """Send a statement to this test's own database; `body` goes behind the statement of the URL."""

    def send(sql: str, body: bytes | None = None, headers: dict[str, str] | None = None, **parameters: str):
        given = {"database": unique, **parameters}
        if body is None:
            return http_pool.request("POST", f"{clickhouse}/?{urlencode(given)}", body=sql.encode(), headers=headers)
        url = f"{clickhouse}/?{urlencode({**given, 'query': sql})}"
        return http_pool.request("POST", url, body=body, headers=headers)

    assert send(f"CREATE DATABASE {unique} ENGINE = Atomic", database="default").status == 200
    yield send
    send(f"DROP DATABASE {unique} SYNC", database="default")


def count(ask: Ask, table: str = "t") -> int:
    return int(ask(f"SELECT count() FROM {table}").data)


def make(ask: Ask, columns: str = "a UInt32, s String DEFAULT 'none'", tail: str = "ORDER BY a") -> None:
    answer = ask(f"CREATE TABLE t ({columns}) ENGINE = MergeTree {tail}")
    assert answer.status == 200, answer.data


@pytest.mark.parametrize(
    ("statement", "body"),
    [
        ("INSERT INTO t FORMAT CSV", b"1,x\n2,y\n"),
        ("INSERT INTO t (a, s) FORMAT JSONEachRow", b'{"a":1,"s":"x"}\n{"a":2,"s":"y"}'),
        ("INSERT INTO t (a, s) VALUES", b"(1, 'x'), (1 + 1, lower('Y'))"),
        ("insert into table t (`a`, s) settings max_threads = 1 format TSV", b"1\tx\n2\ty\n"),
        ("INSERT /* FORMAT CSV */ INTO t -- VALUES\n FORMAT CSV", b"1,x\n2,y\n"),
        ("INSERT INTO t SELECT b, s FROM input('b UInt32, s String') WHERE b < 3 FORMAT CSV", b"1,x\n2,y\n3,z\n"),
    ],
)
def test_data_in_the_url_and_in_the_body_are_stored(ask: Ask, statement: str, body: bytes) -> None:
    make(ask)
    for answer in (ask(statement, body), ask(statement + "\n" + body.decode())):
        assert answer.status == 200, answer.data
        assert answer.headers["X-ClickHouse-Summary"].count('"written_rows": "2"') == 1
    assert ask("SELECT a, s FROM t ORDER BY a FORMAT CSV").data == b'1,"x"\n1,"x"\n2,"y"\n2,"y"\n'


def test_a_value_parameter_reaches_the_values_of_an_insert(ask: Ask) -> None:
    make(ask)
    assert ask("INSERT INTO t VALUES ({p:UInt32}, {q:String})", param_p="7", param_q="it's").status == 200
    assert ask("SELECT * FROM t FORMAT JSONEachRow").json() == {"a": 7, "s": "it's"}


def arrow_stream(rows: int) -> bytes:
    table = pa.table({"a": pa.array(range(rows), pa.uint32()), "s": ["x" * 100] * rows})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=10_000)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("source", ["INSERT INTO t", "INSERT INTO t SELECT * FROM input('a UInt32, s String')"])
def test_arrow_batches_make_one_part(ask: Ask, source: str) -> None:
    make(ask)
    assert ask("SYSTEM STOP MERGES t").status == 200
    assert ask(f"{source} FORMAT ArrowStream", arrow_stream(300_000)).status == 200
    assert count(ask) == 300_000
    parts = ask("SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 't' AND active")
    assert parts.data == b"1\n"


@pytest.mark.parametrize(
    "source", ["INSERT INTO t", "INSERT INTO t SELECT * FROM input('a UInt32') WHERE a NOT IN (SELECT a + 100 FROM t)"]
)
def test_a_deduplication_token_holds(ask: Ask, source: str) -> None:
    make(ask, "a UInt32", "ORDER BY a SETTINGS non_replicated_deduplication_window = 100")
    for body in (b"1\n2\n", b"1\n2\n", b"3\n4\n"):
        assert ask(f"{source} FORMAT CSV", body, insert_deduplication_token="one").status == 200
    assert ask("SELECT groupArray(a) FROM (SELECT a FROM t ORDER BY a)").data == b"[1,2]\n"
    assert ask(f"{source} FORMAT CSV", b"3\n", insert_deduplication_token="two").status == 200
    assert count(ask) == 3


# Every error that the library's own streaming insert hides, and those of the data.
FAILURES = {
    "too many partitions": ("a UInt32", "PARTITION BY a ORDER BY a", b"".join(b"%d\n" % n for n in range(101)), 252),
    "check constraint": ("a UInt32, CONSTRAINT small CHECK a < 3", "ORDER BY a", b"1\n2\n3\n", 469),
    "throwing default": ("a UInt32, b UInt8 DEFAULT throwIf(a = 3)", "ORDER BY a", b"1\n2\n3\n", 395),
    "throwing materialized": ("a UInt32, b UInt8 MATERIALIZED throwIf(a = 3)", "ORDER BY a", b"1\n2\n3\n", 395),
    "throwing partition": ("a UInt32", "PARTITION BY throwIf(a = 3) ORDER BY a", b"1\n2\n3\n", 395),
    "bad data in the last row": ("a UInt32", "ORDER BY a", b"1\n2\nthree\n", 27),
    "unknown enum": ("a Enum8('x' = 1)", "ORDER BY a", b"x\ny\n", 691),
}


@pytest.mark.parametrize("source", ["INSERT INTO t (a)", "INSERT INTO t (a) SELECT a FROM input('a {type}')"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failing_insert_says_so_and_stores_nothing(ask: Ask, name: str, source: str) -> None:
    columns, tail, body, code = FAILURES[name]
    make(ask, columns, tail)
    kind = columns.removeprefix("a ").split(",")[0].replace("'", "\\'")
    answer = ask(f"{source.format(type=kind)} FORMAT CSV", body)
    assert answer.status >= 400, answer.data
    assert int(answer.headers["X-ClickHouse-Exception-Code"]) in {code, 117}  # 117: the parser's INCORRECT_DATA
    assert answer.data.startswith(b"Code: ")
    assert count(ask) == 0


def test_too_many_parts_is_an_error(ask: Ask) -> None:
    make(ask, "a UInt32", "ORDER BY a SETTINGS parts_to_throw_insert = 2, parts_to_delay_insert = 2")
    ask("SYSTEM STOP MERGES t")
    statuses = [ask("INSERT INTO t FORMAT CSV", b"%d\n" % n).status for n in range(4)]
    assert statuses == [200, 200, 500, 500]
    assert count(ask) == 2


def test_an_insert_that_takes_too_long_is_an_error(ask: Ask) -> None:
    make(ask, "a UInt32, b UInt8 MATERIALIZED sleepEachRow(0.5)")
    answer = ask("INSERT INTO t (a) FORMAT CSV", b"1\n2\n3\n4\n", max_execution_time="0.6")
    assert answer.status in {408, 500}, answer.data
    assert count(ask) == 0


def test_an_insert_that_needs_too_much_memory_is_an_error(ask: Ask) -> None:
    make(ask)
    answer = ask("INSERT INTO t FORMAT ArrowStream", arrow_stream(200_000), max_memory_usage="4000000")
    assert answer.status == 500
    assert answer.headers["X-ClickHouse-Exception-Code"] == "241"
    assert count(ask) == 0


def test_a_read_only_request_does_not_insert(ask: Ask) -> None:
    make(ask)
    answer = ask("INSERT INTO t FORMAT CSV", b"1,x\n", readonly="1")
    assert answer.headers["X-ClickHouse-Exception-Code"] == "164"
    assert count(ask) == 0


def test_get_only_reads(clickhouse: str, ask: Ask, unique: str, http_pool: urllib3.PoolManager) -> None:
    make(ask)
    answer = http_pool.request("GET", f"{clickhouse}/?database={unique}&query={quote('INSERT INTO t VALUES (1, 2)')}")
    assert answer.headers["X-ClickHouse-Exception-Code"] == "164"
    assert count(ask) == 0


def test_an_unknown_table_setting_and_format_are_errors(ask: Ask) -> None:
    make(ask)
    assert ask("INSERT INTO nowhere FORMAT CSV", b"1\n").status == 404
    assert ask("INSERT INTO t FORMAT NoFormat", b"1\n").status == 404
    assert ask("INSERT INTO t FORMAT CSV", b"1,x\n", no_such_setting="1").status == 404
    assert ask("INSERT INTO t SELECT a FROM input('a UInt32')", b"1\n").status == 400
    assert count(ask) == 0


WHOLE = b"1,x\n" * 5_000
ENCODED = {"gzip": gzip.compress(WHOLE), "lz4": lz4.frame.compress(WHOLE), "deflate": zlib.compress(WHOLE)}
try:
    from compression import zstd
except ImportError:
    from backports import zstd
ENCODED["zstd"] = zstd.compress(WHOLE)


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_compressed_body_is_stored_whole_or_not_at_all(ask: Ask, encoding: str) -> None:
    make(ask)
    body = ENCODED[encoding]
    headers = {"Content-Encoding": encoding}
    cut = ask("INSERT INTO t FORMAT CSV", body[: len(body) - 6], headers=headers)
    assert cut.status == 400, cut.data
    spoiled = ask("INSERT INTO t FORMAT CSV", b"not compressed at all", headers=headers)
    assert spoiled.status == 400
    assert count(ask) == 0
    assert ask("INSERT INTO t FORMAT CSV", body, headers=headers).status == 200
    assert count(ask) == 5_000


def test_an_unknown_encoding_is_refused(ask: Ask) -> None:
    make(ask)
    assert ask("INSERT INTO t FORMAT CSV", WHOLE, headers={"Content-Encoding": "rot13"}).status >= 400
    assert count(ask) == 0


CUTS = {
    "content length, half of it sent": (b"Content-Length: 40\r\n", b"1,x\n" * 5),
    "content length, nothing sent": (b"Content-Length: 40\r\n", b""),
    "chunk cut in the middle": (b"Transfer-Encoding: chunked\r\n", b"10\r\n1,x\n1,x\n"),
    "no last chunk": (b"Transfer-Encoding: chunked\r\n", b"4\r\n1,x\n\r\n4\r\n2,y\n\r\n"),
    "last chunk without its end": (b"Transfer-Encoding: chunked\r\n", b"4\r\n1,x\n\r\n0\r\n"),
    "chunk longer than its size": (b"Transfer-Encoding: chunked\r\n", b"4\r\n1,x\n2,y\n\r\n0\r\n\r\n"),
    "chunk without a size": (b"Transfer-Encoding: chunked\r\n", b"zz\r\n1,x\n\r\n0\r\n\r\n"),
    "length and chunks": (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"4\r\n1,x\n\r\n0\r\n\r\n"),
    "length that is no number": (b"Content-Length: +4\r\n", b"1,x\n"),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_body_that_is_cut_runs_nothing(clickhouse: str, ask: Ask, unique: str, name: str) -> None:
    make(ask)
    framing, body = CUTS[name]
    place = urlsplit(clickhouse)
    target = f"/?database={unique}&query={quote('INSERT INTO t FORMAT CSV')}".encode()
    with socket.create_connection((place.hostname, place.port), 30) as sock:
        sock.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s" % (target, framing, body))
        sock.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        assert answer.status == 400
        assert answer.read().startswith(b"Code: ")
    assert count(ask) == 0


def test_a_body_larger_than_memory_waits_in_a_file(ask: Ask) -> None:
    make(ask, "s String", "ORDER BY tuple()")
    line = b"x" * 999 + b"\n"
    answer = ask("INSERT INTO t FORMAT TSV", line * 80_000)  # 80 MB, past what is kept in memory
    assert answer.status == 200, answer.data
    assert count(ask) == 80_000
