"""Tests that the embedded ClickHouse survives connections that break or send garbage, and closes only those."""

from __future__ import annotations

import random
import socket
import struct

import pytest
import urllib3
from fixtures.clickhouse import EngineProcess

LONG = b"SELECT number FROM numbers(100000000) FORMAT TSV"
INSERT = b"INSERT INTO system.one FORMAT TSV\n" + b"1\n" * 1_000
HEADS = [
    b"",
    b"GET / HTTP/1.1\r\n",
    b"GET /?query=SELECT+1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(LONG), LONG),
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(INSERT) * 2, INSERT),
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nSELECT",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00\x0aClickHouse",
    b"\x00" * 5_000,
]


def _reset(connection: socket.socket) -> None:
    """Close the connection so that the peer sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("protocol", ["http", "native"])
@pytest.mark.parametrize("read", [0, 1_000])
def test_the_engine_survives_broken_connections(clickhouse_process: EngineProcess, protocol: str, read: int) -> None:
    place = clickhouse_process.http if protocol == "http" else clickhouse_process.native
    chance = random.Random(7)
    for turn in range(60):
        with socket.create_connection(place, 10) as connection:
            connection.settimeout(0.05)
            head = HEADS[turn % len(HEADS)] if turn < 40 else chance.randbytes(chance.randrange(1, 300))
            try:
                connection.sendall(head)
                if read:
                    connection.recv(read)
            except OSError:
                pass
            if turn % 3:
                _reset(connection)
    assert clickhouse_process.process.poll() is None
    assert urllib3.request("POST", clickhouse_process.url, body=b"SELECT 1").data == b"1\n"
