"""Tests that the embedded ClickHouse does not store any rows of an INSERT with a truncated body, which the worker's
retries rely on.
"""

from __future__ import annotations

import http.client
import socket
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

from auditlane.runtime.settings import load
from auditlane.store.client import connect

ROWS = 30_000


def _arrow() -> bytes:
    table = pa.table({"a": pa.array(range(ROWS), pa.uint32()), "s": ["x" * 20] * ROWS})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=10_000)
    return sink.getvalue().to_pybytes()


WHOLE = _arrow()
HALF = WHOLE[: len(WHOLE) // 2]
LENGTH = b"Content-Length: %d\r\n" % len(WHOLE)
CHUNKS = b"Transfer-Encoding: chunked\r\n"
CUTS = {
    "nothing of it": (LENGTH, b""),
    "half of it": (LENGTH, HALF),
    "all but its end": (LENGTH, WHOLE[:-8]),
    "half a chunk": (CHUNKS, b"%x\r\n%s" % (len(WHOLE), HALF)),
    "no last chunk": (CHUNKS, b"%x\r\n%s\r\n" % (len(WHOLE), WHOLE)),
    "a chunk without a size": (CHUNKS, b"zz\r\n%s\r\n0\r\n\r\n" % WHOLE),
}


@pytest.fixture
def client(clickhouse: str, unique: str) -> Client:
    made = connect(load(clickhouse_url=clickhouse))
    made.command(f"CREATE DATABASE {unique}")
    made.command(f"CREATE TABLE {unique}.t (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
    yield made
    made.command(f"DROP DATABASE {unique}")
    made.close()


def _send(url: str, sql: str, framing: bytes, body: bytes) -> int:
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), 30) as sock:
        target = f"/?query={quote(sql)}".encode()
        try:
            sock.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s" % (target, framing, body))
            sock.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            answer.read()
        except OSError:  # the request was rejected and the connection closed while the body was still being sent
            return 0
        return answer.status


@pytest.mark.parametrize("source", ["", "SELECT * FROM input('a UInt32, s String')"])
@pytest.mark.parametrize("cut", CUTS)
def test_a_truncated_body_stores_nothing(clickhouse: str, client: Client, unique: str, cut: str, source: str) -> None:
    sql = f"INSERT INTO {unique}.t {source} FORMAT ArrowStream"
    assert _send(clickhouse, sql, *CUTS[cut]) != 200
    assert client.query(f"SELECT count() FROM {unique}.t").result_rows == [(0,)]
    assert _send(clickhouse, sql, LENGTH, WHOLE) == 200
    assert client.query(f"SELECT count() FROM {unique}.t").result_rows == [(ROWS,)]
