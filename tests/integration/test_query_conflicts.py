"""Tests two events with the same id and time on the real engine. Pages, files and streams show both, and mark them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
import urllib3
from querying import START, TENANT_HEADER, Store, event, served, store, summaries_of

from auditlane.access.scope import TenantScope
from auditlane.query.export.columns import choose
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.formats import Form, Format
from auditlane.query.filters import Filter, parse
from auditlane.query.frontegg.query_params import AuditQuery
from auditlane.query.frontegg.query_params import parse as asked_of
from auditlane.query.frontegg.reader import FronteggReader
from auditlane.query.reader import Reader
from auditlane.query.sort import Position, Sort, parse_sort
from auditlane.runtime.errors import InvalidFilter, NotFound
from auditlane.server.admin import conflicts
from auditlane.store.presentation import DEFAULT_FIELDS, FieldView
from auditlane.store.structure_cache import DEFAULT, Structure

ACME = TenantScope.for_operator("acme")
TWINS = 3  # number of events with the same id and time
SORTED_BY = ("occurred_at", "action", "severity", "provenance", "provenance_id", "fields.note")
FORM = Form(Format.jsonl, choose(DEFAULT, None, everything=True))


def rows() -> list[dict[str, Any]]:
    """Return rows with few distinct times and values. Every third id is shared by several events that differ in one
    field.
    """
    chance = random.Random(3)
    made: list[dict[str, Any]] = []
    offsets = itertools.count()
    for number in range(8):
        values = {
            "occurred_at": START + timedelta(microseconds=number // 4),
            "action": chance.choice(["login", "logout"]),
            "severity": chance.choice(["Info", "High"]),
            "ip": chance.choice([None, "10.0.0.1"]),
            "fields": chance.choice([{}, {"note": "a"}]),
        }
        for twin in range(TWINS if number % 3 == 0 else 1):
            theirs = {
                "description": f"content {twin}",
                "kafka_offset": next(offsets),
                "kafka_timestamp": START + timedelta(seconds=TWINS - twin),  # the last twin reached Kafka first
                "provenance": ["gateway", "kafka"][twin % 2],
                "provenance_id": ["al_client", "audit.events"][twin % 2],
            }
            made.append(event(number, **values, **theirs))
    return made


ROWS = rows()
CONTENTS = {(str(row["event_id"]), row["description"]) for row in ROWS}
IN_CONFLICT = {
    id_ for id_, several in itertools.groupby(ROWS, lambda row: str(row["event_id"])) if len(list(several)) > 1
}


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        for row in ROWS:  # each event in a separate part, as from independent workers
            made.add([row])
        made.add(ROWS)  # the same events, sent again
        made.add([event(0, "globex", description="another tenant's with the same id and time")])
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


@pytest.fixture(scope="module")
def url(reader: Reader, exporter: Exporter) -> Iterator[str]:
    with served(reader, exporter) as address:
        yield address


def get(url: str, path: str, tenant: str = "acme") -> Any:
    answer = urllib3.request("GET", url + path, headers={TENANT_HEADER: tenant}, retries=False)
    return answer.status, answer.json()


def structure() -> Structure:
    base = [one.model_copy(update={"sortable": True}) for one in DEFAULT_FIELDS]
    return Structure(enabled=True, fields=(*base, FieldView(name="note", display_name="Note", sortable=True)))


def content(event_: Any) -> tuple[str, str]:
    return event_.event_id, event_.description


@pytest.mark.parametrize("limit", [pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long), 3])
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("name", SORTED_BY)
def test_pages_of_every_sort_order_list_each_content_once_in_both_directions(
    reader: Reader, name: str, limit: int, descending: bool
) -> None:
    sort = parse_sort(f"{'-' if descending else ''}{name}", structure)
    there = pages(reader, sort, limit)
    read = [content(one) for page in there for one in page]
    assert len(read) == len(set(read)), "an event is on two pages"
    assert set(read) == CONTENTS
    assert all(one.conflict == (one.event_id in IN_CONFLICT) for page in there for one in page)
    back = pages(reader, sort, limit, back=True)
    assert [content(one) for page in reversed(back) for one in page] == read[: sum(map(len, back))]
    assert all(one.conflict == (one.event_id in IN_CONFLICT) for page in back for one in page)


def pages(reader: Reader, sort: Sort, limit: int, *, back: bool = False) -> list[list[Any]]:
    """Return all pages in order. With `back`, read them backwards from the last page, which is omitted."""
    found, position, before = [], None, None
    while True:
        page = reader.page(ACME, Filter(), limit=limit, position=position, sort=sort)
        found.append(page.events)
        position, before = page.older, page.newer
        if position is None:
            break
    if not back:
        return found
    found = []
    while before is not None:
        page = reader.page(ACME, Filter(), limit=limit, position=before, sort=sort)
        found.append(page.events)
        before = page.newer
    return found


@pytest.mark.parametrize(
    "pairs", [[("description", "content 0")], [("q", "content")], [("query", "provenance:gateway description:*0")]]
)
def test_a_filter_that_excludes_the_twin_does_not_hide_the_conflict(
    reader: Reader, pairs: list[tuple[str, str]]
) -> None:
    page = reader.page(ACME, parse(pairs), limit=5)
    assert len(page.events) == 5
    assert {one.event_id for one in page.events if one.conflict} == IN_CONFLICT & {one.event_id for one in page.events}
    assert any(one.conflict for one in page.events)


def test_another_tenants_event_is_not_a_conflict(reader: Reader) -> None:
    [only] = reader.page(TenantScope.for_operator("globex"), Filter(), limit=5).events
    assert not only.conflict
    assert reader.event(TenantScope.for_operator("globex"), only.event_id).others == []


def test_a_single_event_is_the_first_in_kafka_and_lists_the_others(url: str) -> None:
    id_ = min(IN_CONFLICT)
    status, found = get(url, f"/v1/events/{id_}")
    assert (status, found["description"], found["conflict"]) == (200, f"content {TWINS - 1}", True)
    assert [one["description"] for one in found["others"]] == [f"content {twin}" for twin in reversed(range(TWINS - 1))]
    assert all(one["conflict"] and one["event_id"] == id_ and "others" not in one for one in found["others"])
    for other in found["others"]:
        status, same = get(url, f"/v1/events/{id_}?content_hash={other['content_hash'].upper()}")
        assert status == 200
        assert {name: value for name, value in same.items() if name != "others"} == other
        assert len(same["others"]) == TWINS - 1
    assert get(url, f"/v1/events/{id_}?content_hash={'0' * 32}")[0] == 404
    assert get(url, f"/v1/events/{id_}?content_hash=none")[0] == 400
    alone = next(str(row["event_id"]) for row in ROWS if str(row["event_id"]) not in IN_CONFLICT)
    status, found = get(url, f"/v1/events/{alone}")
    assert (found["conflict"], found["others"]) == (False, [])


def test_an_id_at_several_times_is_reported_and_not_a_conflict(filled: Store, reader: Reader) -> None:
    scope = TenantScope.for_operator("times")
    filled.add([event(1, "times", occurred_at=START + timedelta(days=day), kafka_offset=day) for day in range(3)])
    found = reader.event(scope, str(event(1)["event_id"]))
    assert [one.conflict for one in (found, *found.others)] == [False] * 3
    assert [one.occurred_at[:10] for one in (found, *found.others)] == ["2026-03-01", "2026-03-02", "2026-03-03"]


@pytest.mark.parametrize("format_", [Format.csv, Format.jsonl, Format.parquet])
def test_files_contain_every_content_and_mark_conflicts(exporter: Exporter, format_: Format) -> None:
    columns = choose(DEFAULT, "event_id,description,provenance,provenance_id,conflict")
    data = b"".join(exporter.export(ACME, Filter(), Form(format_, columns)))
    if format_ is Format.csv:
        found = list(csv.DictReader(io.StringIO(data.decode())))
        cells = [tuple(row[column.title] for column in columns) for row in found]
    elif format_ is Format.jsonl:
        lines = [json.loads(line) for line in data.splitlines()]
        cells = [tuple(line[column.name] for column in columns) for line in lines]
    else:
        cells = [tuple(row.values()) for row in pq.read_table(io.BytesIO(data)).to_pylist()]
    booleans = {"true": True, "false": False}
    assert {(one[0], one[1]) for one in cells} == CONTENTS
    assert len(cells) == len(CONTENTS)
    assert all(booleans.get(one[4], one[4]) is (one[0] in IN_CONFLICT) for one in cells)
    by_content = {(str(row["event_id"]), row["description"]): row for row in ROWS}
    assert all((one[2], one[3]) == provenance(by_content[one[0], one[1]]) for one in cells)


def provenance(row: dict[str, Any]) -> tuple[str, str]:
    return row["provenance"], row["provenance_id"]


@pytest.mark.parametrize("pairs", [[], [("description", "content 1")]])
def test_an_export_marks_events_in_conflict(exporter: Exporter, pairs: list[tuple[str, str]]) -> None:
    """The request does not name any columns, so the export has all of them."""
    data = b"".join(exporter.export(ACME, parse(pairs), Form(Format.jsonl, choose(DEFAULT, None))))
    found = [json.loads(line) for line in data.splitlines()]
    assert found
    assert {one["conflict"] for one in found} == ({True} if pairs else {True, False})
    assert {one["provenance"] for one in found} <= {"gateway", "kafka"}


@pytest.mark.parametrize("at", range(1, len(CONTENTS), 2))
def test_an_export_resumes_between_two_events_of_one_id_and_time(exporter: Exporter, at: int) -> None:
    whole = b"".join(exporter.export(ACME, Filter(), FORM)).splitlines(keepends=True)
    last = json.loads(whole[at - 1])
    counted = exporter.count(ACME, Filter(), Format.jsonl)
    micros = int(last["occurred_at"][20:26]) + int(START.timestamp()) * 1_000_000
    after = Position(micros, last["event_id"], last["content_hash"])
    rest = exporter.export(ACME, Filter(), FORM, counted=counted, after=after, written=at)
    assert b"".join(rest).splitlines(keepends=True) == whole[at:]


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("by", ["createdAt", "severity", "description"])
def test_fronteggs_pages_by_offset_list_each_content_once(filled: Store, by: str, descending: bool) -> None:
    reader = FronteggReader(filled.settings)
    read = []
    for offset in range(0, len(CONTENTS), 2):
        query = AuditQuery(sort_by=by, descending=descending, offset=offset, count=2)
        data, total = reader.page(ACME, query, vendor="v")
        assert total == len(CONTENTS)
        read += [(one["frontegg_id"], one["description"]) for one in data]
    assert sorted(read) == sorted(CONTENTS)
    assert reader.page(ACME, asked_of([("filter", "content")]), vendor="v")[1] == len(CONTENTS)
    reader.close()


def test_summaries_count_events_not_ids(reader: Reader) -> None:
    [facet] = [one.events for one in summary(reader, "description") if one.value == "content 1"]
    assert facet == len(IN_CONFLICT)
    assert reader.count(ACME, Filter()) == len(CONTENTS)


def summary(reader: Reader, name: str) -> list[Any]:
    from auditlane.query.fields import BASE
    from auditlane.query.language.tree import Field

    return summaries_of(reader).facet(ACME, Filter(), Field(name, BASE[name]), limit=10).data


@pytest.mark.parametrize(
    ("query", "twins"),
    [
        ("provenance:gateway", {0, 2}),
        ("provenance:KAFKA", {1}),
        ("-provenance:gateway", {1}),
        ("provenance_id:al_*", {0, 2}),
        ("provenance_id:audit.events", {1}),
    ],
)
def test_events_are_found_by_how_they_were_received(url: str, query: str, twins: set[int]) -> None:
    status, found = get(url, f"/v1/events?limit=200&query={query}")
    assert status == 200
    assert {one["description"] for one in found["data"]} == {f"content {twin}" for twin in twins}
    name, _, value = query.lstrip("-").partition(":")
    if not query.startswith("-") and "*" not in query:
        assert get(url, f"/v1/events?limit=200&{name}={value}")[1]["data"] == found["data"]


def test_an_unknown_provenance_is_rejected(url: str) -> None:
    status, problem = get(url, "/v1/events?provenance=mail")
    assert (status, problem["field"]) == (400, "provenance")
    with pytest.raises(InvalidFilter):
        parse([("query", "provenance:mail")])


def test_a_conflict_lists_no_event_of_another_tenant(reader: Reader) -> None:
    shared = str(event(0)["event_id"])
    assert all(one.tenant_id == "acme" for one in reader.event(ACME, shared).others)
    with pytest.raises(NotFound):
        reader.event(TenantScope.for_operator("globex"), str(event(1)["event_id"]))


def test_operators_see_the_number_of_recent_conflicts(filled: Store) -> None:
    before = conflicts.read(lambda: filled.client, filled.database)
    now = datetime.now(UTC)
    late = [("one", now), ("two", now - timedelta(hours=23)), ("two", now - timedelta(hours=25))]
    for number, (tenant, at) in enumerate(late):
        for content in ("a", "b", "b"):
            filled.add([event(500 + number, tenant, occurred_at=at, description=content)])
    found = conflicts.read(lambda: filled.client, filled.database)
    assert (found.hours, found.ids - before.ids, found.tenants - before.tenants) == (24, 2, 2)


def test_a_stream_sends_every_content_and_marks_the_conflict(filled: Store, url: str) -> None:
    topic = uuid.uuid4()  # a topic without earlier messages

    def arrives(number: int, text: str) -> None:
        values = {"ingested_at": datetime.now(UTC), "kafka_topic_id": topic, "kafka_offset": number}
        filled.add([event(900, "live", description=text) | values])

    answer = urllib3.request(
        "GET",
        f"{url}/v1/events/stream",
        headers={TENANT_HEADER: "live"},
        preload_content=False,
        retries=False,
        timeout=60,
    )
    sent = data_of(answer)
    arrives(1, "first")
    first = next(sent)
    arrives(2, "second")
    second = next(sent)
    arrives(3, "second")  # sent again
    arrives(4, "third")
    third = next(sent)
    answer.close()
    assert [one["description"] for one in (first, second, third)] == ["first", "second", "third"]
    assert [one["conflict"] for one in (first, second, third)] == [False, True, True]
    assert len({one["content_hash"] for one in (first, second, third)}) == 3


def data_of(answer: urllib3.BaseHTTPResponse) -> Iterator[dict[str, Any]]:
    rest = b""
    while piece := answer.read1():
        *lines, rest = (rest + piece).split(b"\n")
        yield from (json.loads(line[6:]) for line in lines if line.startswith(b"data: "))
