"""Exports on the real engine: the same events as the list, whole or visibly broken, in bounded memory."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import queue
import random
import socket
import time
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import urllib3
import urllib3.exceptions
from querying import START, TENANT_HEADER, Store, event, served, store

from auditlane.access.scope import TenantScope
from auditlane.query.columns import COLUMNS
from auditlane.query.export import sql
from auditlane.query.export.exporter import Exporter
from auditlane.query.filters import Filter, parse
from auditlane.query.reader import Reader
from auditlane.query.results import Limits
from auditlane.runtime.errors import QueryTooLarge, StoreUnavailable

ACME, BIG = TenantScope.for_operator("acme"), TenantScope.for_operator("big")
BIG_ROWS = 300_000
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")', "＝1"]
TRICKY = ['say "x"', "a,b", "two\nlines", "cr\r\nlf", "'quoted'", "</script>", "back\\slash", "é😀", "\x01\x7f", "; x"]


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        chance = random.Random(5)
        made.add(
            [
                event(
                    number,
                    occurred_at=START + timedelta(days=chance.randrange(60), microseconds=chance.randrange(5)),
                    action=f"act-{number % 3}",
                    description=chance.choice([None, "", *FORMULAS, *TRICKY]),
                    actor_id=chance.choice(FORMULAS + TRICKY),
                    metadata={chance.choice(TRICKY): chance.choice(FORMULAS)},
                    fields=chance.choice([{}, {"total": "-1.5"}]),
                    ip=chance.choice([None, "10.0.0.1", "::1"]),
                    before=chance.choice([None, '{"a": "=1"}']),
                )
                for number in range(1_500)
            ]
        )
        made.generate("big", BIG_ROWS)
        yield made


@pytest.fixture(scope="module")
def reader(filled: Store) -> Iterator[Reader]:
    made = Reader(filled.settings)
    yield made
    made.close()


@pytest.fixture(scope="module")
def exporter(filled: Store) -> Iterator[Exporter]:
    made = Exporter(filled.settings)
    yield made
    made.close()


def listed(reader: Reader, filter_: Filter) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in reader.page(ACME, filter_, limit=10_000).events]


def fetch(url: str, **fields: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", url + "/v1/export", fields=fields, headers={TENANT_HEADER: "acme"}, retries=False)


@pytest.mark.parametrize("pairs", [[], [("action", "act-1"), ("from", "2026-03-20")], [("action", "none such")]])
def test_json_lines_equal_the_list(reader, exporter, pairs):
    expected = listed(reader, parse(pairs))
    with served(reader, exporter) as url:
        answer = fetch(url, format="jsonl", **dict(pairs))
    assert answer.status == 200
    assert answer.headers["Auditlane-Rows"] == str(len(expected))
    assert answer.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-acme-2')
    assert answer.headers["Content-Disposition"].endswith('.jsonl"')
    lines = answer.data.decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == expected


@pytest.mark.parametrize("formulas", ["neutralised", "raw"])
def test_csv_equals_the_list(reader, exporter, formulas):
    with served(reader, exporter) as url:
        answer = fetch(url, format="csv", formulas=formulas)
    text = answer.data.decode()
    assert text.endswith("\r\n")
    header, *found = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert tuple(header) == COLUMNS
    expected = listed(reader, Filter())
    assert len(found) == len(expected) == int(answer.headers["Auditlane-Rows"])
    for cells, one in zip(found, expected, strict=True):
        row = dict(zip(header, cells, strict=True))
        assert json.loads(row.pop("metadata")) == one["metadata"]
        assert json.loads(row.pop("fields")) == one["fields"]
        for name, cell in row.items():
            value = one[name] or ""
            marked = formulas == "neutralised" and value[:1] in tuple("=+-@\t\r\n＝")
            assert cell == ("'" + value if marked and value else value), name
    if formulas == "neutralised":
        assert not [cell for cells in found for cell in cells if cell[:1] in tuple("=+-@\t\r\n＝") and cell]


def test_needs_the_permission_to_export(reader, exporter):
    with served(reader, exporter) as url:
        answer = urllib3.request(
            "GET", url + "/v1/export?format=csv", headers={TENANT_HEADER: "acme", "X-Test-Lacks": "audits:export"}
        )
    assert answer.status == 403


def test_what_comes_later_is_not_in_it(filled, reader, exporter):
    scope = TenantScope.for_operator("growing")
    filled.add([event(number, "growing") for number in range(10)])
    export = exporter.export(scope, Filter(), format_="jsonl")
    filled.add([event(100 + number, "growing", ingested_at=START + timedelta(hours=1)) for number in range(10)])
    assert b"".join(export).count(b"\n") == export.rows == 10


def breaking_off(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Make the engine itself fail when it is so many rows into an export."""
    compile_export = sql.compile_export

    def compile_failing(*given: Any, **named: Any) -> sql.Statement:
        statement = compile_export(*given, **named)
        failing = statement.sql.replace(" AS line\n", f" AS line, throwIf(rowNumberInAllBlocks() > {after}) AS x\n", 1)
        assert failing != statement.sql
        return dataclasses.replace(statement, sql=failing)

    monkeypatch.setattr(sql, "compile_export", compile_failing)


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_a_query_that_fails_midway_leaves_a_broken_body(reader, exporter, monkeypatch, format_):
    breaking_off(monkeypatch, BIG_ROWS // 2)
    with served(reader, exporter) as url:
        answer = urllib3.request(
            "GET",
            f"{url}/v1/export?format={format_}",
            headers={TENANT_HEADER: "big"},
            preload_content=False,
            retries=False,
        )
        assert answer.status == 200
        assert answer.headers["Auditlane-Rows"] == str(BIG_ROWS)
        got = 0
        with pytest.raises(urllib3.exceptions.ProtocolError):
            while piece := answer.read(1 << 16):
                got += piece.count(b"\n")
                assert b"DB::Exception" not in piece
        assert 0 < got < BIG_ROWS


def test_a_query_that_fails_at_once_is_an_error_answer(reader, exporter, monkeypatch):
    breaking_off(monkeypatch, 0)
    with served(reader, exporter) as url:
        answer = fetch(url, format="csv")
    assert answer.status >= 500
    assert json.loads(answer.data)["code"] in ("STORE_REFUSED", "STORE_UNAVAILABLE")


def test_a_query_that_takes_too_long(filled, monkeypatch):
    slow = sql.compile_export

    def compile_slow(*given: Any, **named: Any) -> sql.Statement:
        statement = slow(*given, **named)
        return dataclasses.replace(
            statement, sql=statement.sql.replace(" AS line\n", " AS line, sleepEachRow(0.01) AS x\n", 1)
        )

    monkeypatch.setattr(sql, "compile_export", compile_slow)
    exporter = Exporter(filled.settings, Limits(export_s=1))
    with pytest.raises((QueryTooLarge, StoreUnavailable)):
        b"".join(exporter.export(ACME, Filter(), format_="jsonl"))
    exporter.close()


def test_an_export_in_bounded_memory(reader, exporter, capsys):
    export = exporter.export(BIG, Filter(), format_="csv")
    assert export.rows == BIG_ROWS
    began = time.perf_counter()
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in export)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        export.close()
    seconds = time.perf_counter() - began
    with capsys.disabled():
        print(f"\nexport: {size / 1e6:.0f} MB in {seconds:.1f} s, at most {peak / 1e6:.1f} MB held at once")
    assert export.written == BIG_ROWS
    assert peak < 32e6 < size


def test_the_query_ends_when_the_client_goes(reader, exporter):
    ended: queue.Queue[tuple[str, int]] = queue.Queue()
    with served(reader, exporter, lambda format_, rows: ended.put((format_, rows))) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"GET /v1/export?format=jsonl HTTP/1.1\r\nHost: x\r\n{TENANT_HEADER}: big\r\n\r\n".encode())
            assert client.recv(1_000).startswith(b"HTTP/1.1 200")
        format_, rows = ended.get(timeout=30)
    assert format_ == "jsonl"
    assert rows < BIG_ROWS
