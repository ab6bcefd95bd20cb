"""Tests exports on the real engine. They contain the same events as the list, are either complete or visibly truncated,
and use a limited amount of memory.
"""

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
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pypdf
import pytest
import urllib3
import urllib3.exceptions
from querying import START, TENANT_HEADER, Signer, Store, event, served, store
from workbook import sheets

from auditlane.access.audit import AuditRecord
from auditlane.access.scope import TenantScope
from auditlane.contract.sentence import Templates, sentence
from auditlane.query.clickhouse.executor import Limits
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.export import exporter as exporter_
from auditlane.query.export.columns import choose
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.formats import FORMULA_STARTS, PDF_ROWS, Form, Format, OcsfVersion
from auditlane.query.export.ocsf.event import ocsf_event
from auditlane.query.filters import Filter, parse
from auditlane.query.reader import Reader
from auditlane.query.structure import actions
from auditlane.runtime.errors import QueryTooLarge, StoreUnavailable
from auditlane.store.presentation import (
    ENVIRONMENT,
    ActionLabel,
    DisplayType,
    FieldView,
    NamedAction,
    Revision,
    tenant_scope,
)
from auditlane.store.structure_cache import DEFAULT, Structure

ACME, BIG = TenantScope.for_operator("acme"), TenantScope.for_operator("big")
BIG_ROWS = 300_000
FORM = Form(Format.jsonl, choose(DEFAULT, None, everything=True))
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
                    fields=chance.choice([{}, {"total": "-1.5", "secret": "x"}, {"note": "=1+1", "total": "-1+1"}]),
                    ip=chance.choice([None, "10.0.0.1", "::1"]),
                    user_agent="Mozilla/5.0",
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
    return urllib3.request(
        "GET", url + "/v1/export", fields=fields, headers={TENANT_HEADER: "acme"}, retries=False, timeout=60.0
    )


def field(name: str, title: str, kind: DisplayType = DisplayType.AlphaNumeric, **attributes: Any) -> FieldView:
    return FieldView(name=name, display_name=title, display_type=kind, **attributes)


# The tenant's own structure: a renamed field, a field that may not be hidden, and three custom fields, two of them with
# the same title.
STRUCTURE = Structure.of(
    Revision(scope=ENVIRONMENT),
    Revision(
        scope=tenant_scope("acme"),
        fields=(
            field("action", "=What", order=-2),
            field("user_agent", "User agent", downloadable=False),
            field("total", "Total", DisplayType.Number, order=-1),
            field("note", 'A "note", of theirs'),
            field("secret", "Secret", downloadable=False),
            field("request_id", "Total"),
        ),
    ),
)
DOWNLOADABLE = [*(one.name for one in STRUCTURE.downloadable()), "conflict"]
OWN = ("total", "note")


def structure_of(tenant: str) -> Structure:
    return STRUCTURE if tenant == "acme" else DEFAULT


def shown(event: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a listed event as an export with these columns would contain it."""
    fields = {name: value for name, value in event["fields"].items() if name in names}
    base = {name: event[name] for name in names if name in event}
    return base | ({"fields": fields} if set(names) & set(OWN) else {})


def test_downloadable_columns_exclude_hidden_ones():
    assert DOWNLOADABLE[:2] == ["action", "total"]
    assert not {"user_agent", "secret", "event_id"} & set(DOWNLOADABLE)
    assert {"note", "request_id"} < set(DOWNLOADABLE)


@pytest.mark.parametrize("pairs", [[], [("action", "act-1"), ("from", "2026-03-20")], [("action", "none such")]])
def test_json_lines_equal_the_list(reader, exporter, pairs):
    expected = listed(reader, parse(pairs))
    with served(reader, exporter, structure_of=structure_of) as url:
        answer = fetch(url, format="jsonl", **dict(pairs))
        some = fetch(url, format="jsonl", columns="ip, event_id,fields.total", **dict(pairs))
    assert answer.status == some.status == 200
    assert answer.headers["Auditlane-Rows"] == str(len(expected))
    assert answer.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-acme-2')
    assert answer.headers["Content-Disposition"].endswith('.jsonl"')
    for text, names in ((answer.data, DOWNLOADABLE), (some.data, ["ip", "event_id", "total"])):
        lines = text.decode().split("\n")
        assert lines.pop() == ""
        found = [json.loads(line) for line in lines]
        assert found == [shown(one, names) for one in expected]
        assert all([*one] == [*shown(one, names)] for one in found), "in this order"


def test_sentences_are_made_from_downloadable_fields_in_every_format(reader, exporter):
    templates = {"en": '{actor} did {metadata.x y}{fields.secret}{fields.note} "it"', "de": "{actor} tat es"}
    named = NamedAction(name="act-1", label=ActionLabel(en="One", de="Eins"), sentence=ActionLabel(**templates))
    structure = dataclasses.replace(STRUCTURE, actions=(named,))
    texts = {language: actions.templates_of((named,), language) for language in ("en", "de")}

    def expected(language: str) -> list[str]:
        found = []
        for one in listed(reader, Filter()):
            fields = {name: value for name, value in one["fields"].items() if name != "secret"}
            lookup = texts[language]
            found.append(
                sentence(one | {"fields": fields}, language, lambda name, by=lookup: by.get(name, Templates()))
            )
        return found

    with served(reader, exporter, structure_of=lambda tenant: structure) as url:
        lines = fetch(url, format="jsonl", columns="sentence,action", language="de").data.decode().splitlines()
        assert [json.loads(line)["sentence"] for line in lines] == expected("de")
        for formulas, mark in (("raw", ""), ("neutralised", "'")):
            answer = fetch(url, format="csv", columns="action,sentence,ip", formulas=formulas)
            header, *rows = csv.reader(io.StringIO(answer.data.decode(), newline=""), strict=True)
            assert header[1] == "Sentence"
            marked = [mark + text if text.startswith(FORMULA_STARTS) else text for text in expected("en")]
            assert [row[1] for row in rows] == marked
        table = pq.read_table(io.BytesIO(fetch(url, format="parquet", columns="sentence").data))
        assert table.column("sentence").to_pylist() == expected("en")
        workbook = fetch(url, format="xlsx", columns="action,sentence", language="de").data
        [[titles, *cells]] = sheets(workbook)
        assert titles["B"] == "Sentence"
        assert [row["B"] for row in cells] == expected("de")
        assert b"%PDF" in fetch(url, format="pdf", columns="sentence", query="action:act-1", to="2026-03-02").data
        assert "sentence" not in json.loads(fetch(url, format="jsonl").data.splitlines()[0])
        assert fetch(url, format="csv", columns="sentence", language="fr").status == 400


def test_a_key_of_the_metadata_is_a_column_in_every_format(reader, exporter):
    hidden = dataclasses.replace(STRUCTURE, fields=tuple(one for one in STRUCTURE.fields if one.name != "metadata"))
    key, column = TRICKY[0], f"metadata.{TRICKY[0]}"
    expected = [one["metadata"].get(key) for one in listed(reader, Filter())]
    assert {None, *FORMULAS} == set(expected)
    with served(reader, exporter, structure_of=structure_of) as url:
        lines = fetch(url, format="jsonl", columns=f"{column},event_id").data.decode().splitlines()
        assert [json.loads(line)["metadata"].get(key) for line in lines] == expected
        assert all(json.loads(line)["metadata"].keys() <= {key} for line in lines)
        for formulas, mark in (("raw", ""), ("neutralised", "'")):
            text = fetch(url, format="csv", columns=f"ip,{column}", formulas=formulas).data.decode()
            header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
            assert header[1] == key
            assert [row[1] for row in rows] == [mark + value if value else "" for value in expected]
        table = pq.read_table(io.BytesIO(fetch(url, format="parquet", columns=column).data))
        assert table.column(column).to_pylist() == expected
        [[_, *cells]] = sheets(fetch(url, format="xlsx", columns=f"event_id,{column}").data)
        assert [row.get("B") for row in cells] == expected
        assert fetch(url, format="csv", columns="metadata.").status == 400
    with served(reader, exporter, structure_of=lambda tenant: hidden) as url:
        assert fetch(url, format="csv", columns=column).status == 400


@pytest.mark.parametrize("formulas", ["neutralised", "raw"])
def test_csv_equals_the_list(reader, exporter, formulas):
    names = ["action", "total", "note", "request_id", "actor_id", "description", "ip", "before", "metadata", "event_id"]
    with served(reader, exporter, structure_of=structure_of) as url:
        answer = fetch(url, format="csv", formulas=formulas, columns=",".join(names))
        whole = fetch(url, format="csv")
    text = answer.data.decode()
    assert text.endswith("\r\n")
    header, *found = csv.reader(io.StringIO(text, newline=""), strict=True)
    mark = "'" if formulas == "neutralised" else ""
    titles = [mark + "=What", "Total (total)", 'A "note", of theirs', "Total (request_id)", "Actor ID"]
    assert header == [*titles, "Description", "IP address", "Before", "Metadata", "Event ID"]
    expected = listed(reader, Filter())
    assert len(found) == len(expected) == int(answer.headers["Auditlane-Rows"])
    for cells, listed_event in zip(found, expected, strict=True):
        row = dict(zip(names, cells, strict=True))
        assert json.loads(row.pop("metadata")) == listed_event["metadata"]
        for name, cell in row.items():
            value = listed_event["fields"].get(name) if name in OWN else listed_event[name]
            # A spreadsheet does not evaluate a number in a numeric field as a formula.
            starts = tuple("=+@\t\r\n＝") if name == "total" and value == "-1.5" else tuple("=+-@\t\r\n＝")
            marked = formulas == "neutralised" and (value or "").startswith(starts)
            assert cell == ("'" if marked else "") + (value or ""), name
    if formulas == "neutralised":
        running = [cell for cells in [header, *found] for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝"))]
        assert set(running) <= {"-1.5"}
    first = next(csv.reader(io.StringIO(whole.data.decode(), newline=""), strict=True))
    assert len(first) == len(DOWNLOADABLE)


@pytest.mark.parametrize(("separator", "character"), [("comma", ","), ("semicolon", ";"), ("tab", "\t")])
def test_a_csv_for_spreadsheets_has_local_times_and_given_titles(reader, exporter, separator, character):
    zone = "Europe/Berlin"  # its clocks change on 29 March, within the events' range
    titles = ["Zeit", "=Wer", "Größe"]
    options = {"format": "csv", "dialect": "spreadsheet", "separator": separator, "zone": zone}
    with served(reader, exporter, structure_of=structure_of) as url:
        answer = fetch(url, **options, columns="occurred_at,actor_id,total", titles=json.dumps(titles))
    assert answer.data.startswith(b"\xef\xbb\xbf")
    text = answer.data.decode("utf-8-sig")
    header, *found = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=character)
    assert header == ["Zeit (Europe/Berlin)", "'=Wer", "Größe"]
    times = [datetime.fromisoformat(one["occurred_at"]) for one in listed(reader, Filter())]
    assert [cells[0] for cells in found] == [f"{one.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}" for one in times]
    assert {one.astimezone(ZoneInfo(zone)).utcoffset() for one in times} == {timedelta(hours=1), timedelta(hours=2)}
    assert not any(cells[1].startswith(tuple("=+-@\t\r\n＝")) for cells in found)


def test_a_workbook_equals_the_list(reader, exporter):
    zone, names = "Europe/Berlin", ["occurred_at", "actor_id", "total", "metadata", "conflict"]
    with served(reader, exporter, structure_of=structure_of) as url:
        answer = fetch(url, format="xlsx", zone=zone, columns=",".join(names))
    assert answer.headers["Content-Disposition"].endswith('.xlsx"')
    [[header, *found]] = sheets(answer.data)
    assert [*header.values()] == ["Time (Europe/Berlin)", "Actor ID", "Total", "Metadata", "Conflict"]
    expected = listed(reader, Filter())
    assert len(found) == len(expected) == int(answer.headers["Auditlane-Rows"])
    for cells, listed_event in zip(found, expected, strict=True):
        local = datetime.fromisoformat(listed_event["occurred_at"]).astimezone(ZoneInfo(zone))
        shown = datetime(1899, 12, 30, tzinfo=ZoneInfo(zone)) + timedelta(days=cells["A"])  # wall time
        assert abs(shown - local) < timedelta(milliseconds=1)
        total = listed_event["fields"].get("total")
        assert cells.get("B") == listed_event["actor_id"]
        assert cells.get("C") == (-1.5 if total == "-1.5" else total)
        assert json.loads(cells["D"]) == listed_event["metadata"]
        assert cells["E"] is listed_event["conflict"]  # not a number, which Excel would show as a time


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"dialect": "excel"}, "dialect"),
        ({"separator": ","}, "separator"),
        ({"titles": "Time"}, "titles"),
        ({"titles": '["Time"]'}, "titles"),
        ({"titles": '["Time", "A\\nb"]'}, "titles"),
        ({"titles": '["Time", ""]'}, "titles"),
    ],
)
def test_invalid_options_name_the_parameter(reader, exporter, fields, name):
    with served(reader, exporter, structure_of=structure_of) as url:
        answer = fetch(url, format="csv", columns="occurred_at,action", **fields)
    assert (answer.status, answer.json()["code"], answer.json()["field"]) == (400, "FILTER_INVALID", name)


def test_parquet_equals_the_list(reader, exporter):
    with served(reader, exporter, structure_of=structure_of) as url:
        answer = fetch(url, format="parquet", columns=",".join([*DOWNLOADABLE, "event_id", "ingested_at"]))
        empty = fetch(url, format="parquet", action="none such")
    table = pq.read_table(io.BytesIO(answer.data))
    assert table.column_names == [*DOWNLOADABLE, "event_id", "ingested_at"]
    assert table.schema.field("occurred_at").type == pa.timestamp("us", "UTC")
    assert table.schema.field("conflict").type == pa.bool_()
    assert table.schema.field("total").metadata == {b"title": b"Total (total)"}
    expected = listed(reader, Filter())
    assert table.num_rows == len(expected) == int(answer.headers["Auditlane-Rows"])
    for row, listed_event in zip(table.to_pylist(), expected, strict=True):
        for name in ("occurred_at", "ingested_at"):
            assert row.pop(name) == datetime.fromisoformat(listed_event[name])
        assert dict(row.pop("metadata")) == listed_event["metadata"]
        assert row == {name: listed_event["fields"].get(name) if name in OWN else listed_event[name] for name in row}
    assert pq.read_table(io.BytesIO(empty.data)).num_rows == 0


@pytest.mark.parametrize("version", OcsfVersion)
def test_ocsf_has_the_fields_that_may_be_downloaded(reader, exporter, version):
    with served(reader, exporter, structure_of=structure_of) as url:
        answer = fetch(url, format="ocsf", ocsf_version=version)
        some = fetch(url, format="ocsf", columns="fields.total,ip", ocsf_version=version)
    assert answer.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    assert answer.headers["Content-Disposition"].endswith('Z.ocsf.jsonl"')
    expected = listed(reader, Filter())
    assert len(expected) == int(answer.headers["Auditlane-Rows"])
    assert {one["user_agent"] for one in expected} == {"Mozilla/5.0"}
    assert [one for one in expected if "secret" in one["fields"]]
    needed = ["event_id", "tenant_id", "occurred_at", "ingested_at", "action"]
    for data, names in ((answer.data, [*DOWNLOADABLE, *needed]), (some.data, ["total", "ip", *needed])):
        found = [json.loads(line) for line in data.splitlines()]
        assert found == [ocsf_event(shown(one, names), version) for one in expected]
        assert not any(hidden in data for hidden in (b"Mozilla", b"secret"))
    assert b"actor" in answer.data
    assert b"u-1" not in some.data


def test_ocsf_needs_the_time_and_the_action(reader, exporter):
    hidden = Revision(scope=tenant_scope("acme"), fields=(field("action", "What", downloadable=False),))
    structure = Structure.of(Revision(scope=ENVIRONMENT), hidden)
    with served(reader, exporter, structure_of=lambda tenant: structure) as url:
        refused, other = fetch(url, format="ocsf"), fetch(url, format="jsonl")
        unknown = fetch(url, format="ocsf", ocsf_version="1.0.0")
    assert (refused.status, refused.json()["field"], other.status) == (400, "format", 200)
    assert "'action'" in refused.json()["detail"]
    assert (unknown.status, unknown.json()["field"]) == (400, "ocsf_version")


def test_a_pdf_shows_every_event(reader, exporter):
    with served(reader, exporter, structure_of=structure_of) as url:
        answer = fetch(url, format="pdf", columns="event_id,actor_id,description", action="act-1")
        table = fetch(url, format="pdf", action="none such")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/pdf")
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(answer.data)).pages)
    expected = listed(reader, parse([("action", "act-1")]))
    assert len(expected) == int(answer.headers["Auditlane-Rows"]) > 400
    joined = text.replace("\n", "").replace(" ", "")
    for listed_event in expected:
        assert listed_event["event_id"] in joined
    assert "é⟨U+1F600⟩" in joined or "é😀" in joined
    assert "two↵lines" in joined
    (page,) = pypdf.PdfReader(io.BytesIO(table.data)).pages
    assert "0 events" in page.extract_text()
    assert "=What" in page.extract_text()


def test_the_rows_of_a_pdf_are_limited(reader, exporter):
    with served(reader, exporter) as url:
        answer = urllib3.request("GET", url + "/v1/export?format=pdf", headers={TENANT_HEADER: "big"}, retries=False)
    problem = answer.json()
    assert (answer.status, problem["code"], problem["field"]) == (400, "QUERY_TOO_LARGE", "format")
    assert str(PDF_ROWS) in problem["detail"]
    assert str(BIG_ROWS) in problem["detail"]


@pytest.mark.parametrize("columns", ["secret", "user_agent", "no_such", "", "action,action", "fields.action"])
def test_unavailable_columns_are_refused(reader, exporter, columns):
    with served(reader, exporter, structure_of=structure_of) as url:
        answer = fetch(url, format="csv", columns=columns)
    assert (answer.status, answer.json()["code"], answer.json()["field"]) == (400, "FILTER_INVALID", "columns")


def test_a_link_needs_no_header_and_downloads_only_what_it_names(reader, exporter):
    def ask(url: str, **body: Any) -> urllib3.BaseHTTPResponse:
        return urllib3.request("POST", url + "/v1/export-links", json=body, headers={TENANT_HEADER: "acme"})

    with served(reader, exporter, structure_of=structure_of) as url:
        wanted = {"format": "csv", "columns": ["event_id", "total"], "filter": {"action": ["act-1", "act-2"]}}
        link = ask(url, **wanted).json()
        assert link["expires_in"] == 60
        got = urllib3.request("GET", link["url"], retries=False)
        direct = urllib3.request(
            "GET",
            url + "/v1/export?format=csv&columns=event_id,total&action=act-1&action=act-2",
            headers={TENANT_HEADER: "acme"},
        )
        assert got.status == direct.status == 200
        assert got.data == direct.data
        assert got.headers["Auditlane-Rows"] == direct.headers["Auditlane-Rows"] == "1000"
        assert urllib3.request("GET", link["url"] + "x", retries=False).status == 401
        assert urllib3.request("GET", url + "/v1/download", retries=False).status == 401
        assert ask(url, format="docx").status in (400, 422)
        assert ask(url, format="csv", filter={"color": "red"}).json()["field"] == "color"
        assert ask(url, format="csv", columns=["secret"]).json()["field"] == "columns"
        refused = urllib3.request("POST", url + "/v1/export-links", json={"format": "csv"}, retries=False)
        assert refused.status == 401


class Records:
    """A sink that keeps every record."""

    def __init__(self) -> None:
        self.all: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.all.append(record)


def test_links_and_downloads_are_recorded(reader, exporter):
    sink = Records()
    with served(reader, exporter, sink=sink) as url:
        fetch(url, format="csv", columns="event_id,action", action="act-1")
        body = {"format": "jsonl", "columns": ["action"]}
        link = urllib3.request("POST", url + "/v1/export-links", json=body, headers={TENANT_HEADER: "acme"}).json()
        urllib3.request("GET", link["url"])
        urllib3.request("GET", link["url"] + "x")
    records = sink.all
    assert [(record.action, record.outcome) for record in records] == [
        ("audit_log.exported", "success"),
        ("link.issued", "success"),
        ("audit_log.exported", "success"),
        ("access.denied", "denied"),
    ]
    access = {"include_access": "false"}
    assert records[0].metadata == {"format": "csv", "rows": "500", "columns": "event_id,action"} | access
    assert records[2].metadata == {"format": "jsonl", "rows": "1500", "columns": "action"} | access
    assert (records[2].tenant, records[2].actor_id) == ("acme", "operator"), "the user who requested the link"


def test_a_link_expires(reader, exporter):
    with served(reader, exporter, signer=Signer(ago=timedelta(minutes=2))) as url:
        response = urllib3.request(
            "POST", url + "/v1/export-links", json={"format": "csv"}, headers={TENANT_HEADER: "acme"}
        )
        answer = urllib3.request("GET", response.json()["url"], retries=False)
    assert (answer.status, answer.json()["code"]) == (401, "TOKEN_EXPIRED")


def test_exporting_requires_the_permission(reader, exporter):
    with served(reader, exporter) as url:
        answer = urllib3.request(
            "GET", url + "/v1/export?format=csv", headers={TENANT_HEADER: "acme", "X-Test-Lacks": "audits:export"}
        )
    assert answer.status == 403


def test_later_events_are_not_in_the_export(filled, reader, exporter):
    scope = TenantScope.for_operator("growing")
    filled.add([event(number, "growing") for number in range(10)])
    export = exporter.export(scope, Filter(), FORM)
    filled.add([event(100 + number, "growing", ingested_at=START + timedelta(hours=1)) for number in range(10)])
    assert b"".join(export).count(b"\n") == export.rows == 10


def breaking_off(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Make the engine itself fail after an export has read `after` rows."""
    compile_export = exporter_.compile_export

    def compile_failing(*positional: Any, **named: Any) -> Statement:
        statement = compile_export(*positional, **named)
        failing = statement.sql.replace(" AS id\n", f" AS id, throwIf(rowNumberInAllBlocks() > {after}) AS x\n", 1)
        assert failing != statement.sql
        return dataclasses.replace(statement, sql=failing)

    monkeypatch.setattr(exporter_, "compile_export", compile_failing)


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
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
                got += piece.count(b"\n") if format_ != "parquet" else 1
                assert b"DB::Exception" not in piece
                assert not piece.endswith(b"PAR1") or got <= 1
        assert 0 < got < BIG_ROWS


def test_a_query_that_fails_at_once_is_an_error_response(reader, exporter, monkeypatch):
    breaking_off(monkeypatch, 0)
    with served(reader, exporter) as url:
        answer = fetch(url, format="csv")
    assert answer.status >= 500
    assert json.loads(answer.data)["code"] in ("STORE_REFUSED", "STORE_UNAVAILABLE")


def test_a_slow_query_times_out(filled, monkeypatch):
    slow = exporter_.compile_export

    def compile_slow(*positional: Any, **named: Any) -> Statement:
        statement = slow(*positional, **named)
        return dataclasses.replace(
            statement, sql=statement.sql.replace(" AS id\n", " AS id, sleepEachRow(0.01) AS x\n", 1)
        )

    monkeypatch.setattr(exporter_, "compile_export", compile_slow)
    exporter = Exporter(filled.settings, Limits(export_s=1))
    with pytest.raises((QueryTooLarge, StoreUnavailable)):
        b"".join(exporter.export(ACME, Filter(), FORM))
    exporter.close()


def test_an_export_needs_bounded_memory(reader, exporter, capsys):
    export = exporter.export(BIG, Filter(), Form(Format.csv, choose(DEFAULT, None)))
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


def test_the_query_is_cancelled_when_the_client_disconnects(reader, exporter):
    ended: queue.Queue[tuple[str, int]] = queue.Queue()
    with served(reader, exporter, lambda format_, rows: ended.put((format_, rows))) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"GET /v1/export?format=jsonl HTTP/1.1\r\nHost: x\r\n{TENANT_HEADER}: big\r\n\r\n".encode())
            assert client.recv(1_000).startswith(b"HTTP/1.1 200")
        format_, rows = ended.get(timeout=30)
    assert format_ == "jsonl"
    assert rows < BIG_ROWS
