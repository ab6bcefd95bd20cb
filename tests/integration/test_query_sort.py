"""Tests lists sorted by a field on the real engine. Values of every kind are paged in both directions, across ties and
missing values.
"""

from __future__ import annotations

import ipaddress
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3
from querying import START, TENANT_HEADER, Store, event, served, store

from auditlane.access.scope import TenantScope
from auditlane.query.filters import Filter, parse
from auditlane.query.reader import Reader
from auditlane.query.sort import Position, Sort, parse_sort
from auditlane.runtime.errors import InvalidCursor
from auditlane.store.presentation import DEFAULT_FIELDS, DisplayType, FieldView
from auditlane.store.structure_cache import Structure

ACME = TenantScope.for_operator("acme")
ROWS = 150
SEVERITIES = ["Info", "Low", "Medium", "High", "Critical", "Error"]
OUTCOMES = ["unknown", "success", "failure", "denied"]
BIG = 1 << 53  # from this number on, one float represents several integers
OWN = {
    "total": (DisplayType.Number, ["7", "70", "-0.5", "1e3", "inf", "nan", "no number", str(BIG), str(BIG + 1)]),
    "due": (
        DisplayType.Timestamp,
        ["2026-03-01T00:00:00Z", "2026-03-01T00:00:00.000001Z", "2025-01-01T01:00:00+02:00"],
    ),
    "paid": (DisplayType.Boolean, ["true", "false"]),
    "peer": (DisplayType.IpAddress, ["10.0.0.9", "10.0.0.10", "2001:db8::1", "none"]),
    "note": (DisplayType.AlphaNumeric, ["é", "a", "B", "a b"]),
}


def structure(tenant: str = "") -> Structure:
    """Return a structure in which every field except the description can be sorted."""
    own = [FieldView(name=name, display_name=name, display_type=kind, sortable=True) for name, (kind, _) in OWN.items()]
    base = [one.model_copy(update={"sortable": one.name != "description"}) for one in DEFAULT_FIELDS]
    return Structure(enabled=True, fields=(*base, *own))


def rows() -> list[dict[str, Any]]:
    """Return many events with few distinct values and times."""
    chance = random.Random(11)
    return [
        event(
            number,
            occurred_at=START + timedelta(days=40 * (number % 2), microseconds=chance.randrange(3)),
            action=chance.choice(["login", "logout", "Login"]),
            actor_name=chance.choice([None, "", "Jane", "Ünal"]),
            outcome=chance.choice(OUTCOMES),
            severity=chance.choice(SEVERITIES),
            ip=chance.choice([None, "10.0.0.10", "10.0.0.9", "2001:db8::1"]),
            before=chance.choice([None, "{}", '{"a": 1}']),
            fields={name: chance.choice(values) for name, (_, values) in OWN.items() if chance.random() < 0.8},
        )
        for number in range(ROWS)
    ]


def number(text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if value != value else (value, int(text) if text.isdigit() else 0)


def address(text: str | None) -> Any:
    try:
        value = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    return int(value) if value.version == 6 else int(value) | 0xFFFF << 32


def own(name: str, typed: Callable[[str], Any] = lambda text: text.encode()) -> Callable[[dict[str, Any]], Any]:
    return lambda row: typed(row["fields"][name]) if row["fields"].get(name) else None


def text(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda row: row[name].encode() if row[name] else None


# The sort value of each field, or None, computed independently of the tested code.
KEYS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "action": text("action"),
    "actor_name": text("actor_name"),
    "user_agent": text("user_agent"),
    "before": text("before"),
    "severity": lambda row: SEVERITIES.index(row["severity"]),
    "outcome": lambda row: OUTCOMES.index(row["outcome"]),
    "ip": lambda row: address(row["ip"]),
    "fields.total": own("total", number),
    "fields.due": own("due", lambda text: datetime.fromisoformat(text).astimezone(UTC)),
    "paid": own("paid"),
    "fields.peer": own("peer", address),
    "note": own("note"),
}


def by_time(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return a sort key that compares UUIDs as ClickHouse does, with the low half first."""
    value = row["event_id"].int
    return row["occurred_at"], value & (1 << 64) - 1, value >> 64


def ordered(data: list[dict[str, Any]], key: Callable[[dict[str, Any]], Any], *, descending: bool) -> list[str]:
    newest = sorted(data, key=by_time, reverse=True)
    have = [row for row in newest if key(row) is not None]
    # Equal rows keep their order even with `reverse`.
    have.sort(key=key, reverse=descending)
    return [str(row["event_id"]) for row in [*have, *(row for row in newest if key(row) is None)]]


@pytest.fixture(scope="module")
def data() -> list[dict[str, Any]]:
    return rows()


@pytest.fixture(scope="module")
def filled(clickhouse: str, data: list[dict[str, Any]]) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.add(data[: ROWS // 2])
        made.add(data[ROWS // 2 :])
        made.add([row | {"kafka_timestamp": START + timedelta(seconds=9)} for row in data[:40]])  # shown once
        made.add([row | {"tenant_id": "globex", "actor_name": "theirs"} for row in data[:40]])
        yield made


@pytest.fixture(scope="module")
def reader(filled: Store) -> Iterator[Reader]:
    made = Reader(filled.settings)
    yield made
    made.close()


def pages(reader: Reader, sort: Sort, filter_: Filter, limit: int) -> list[list[str]]:
    """Return every page of the list. Asserts that paging backwards gives the same pages."""
    forward: list[list[str]] = []
    position: Position | None = None
    while True:
        page = reader.page(ACME, filter_, limit=limit, position=position, sort=sort)
        forward.append([one.event_id for one in page.events])
        assert (page.newer is None) == (position is None)
        if page.older is None:
            break
        position = page.older
    back = [forward[-1]]
    while page.newer is not None:
        page = reader.page(ACME, filter_, limit=limit, position=page.newer, sort=sort)
        assert page.older is not None
        back.insert(0, [one.event_id for one in page.events])
    assert back == forward
    return forward


@pytest.mark.parametrize("name", KEYS)
def test_every_kind_of_value_is_sorted_in_both_directions(reader, data, name):
    for descending in (False, True):
        sort = parse_sort(f"{'-' * descending}{name}", structure)
        found = [one for page in pages(reader, sort, Filter(), 60) for one in page]
        assert found == ordered(data, KEYS[name], descending=descending), sort


@pytest.mark.long
def test_pages_of_one_event(reader, data):
    """Each event is at a page boundary, including events without a value."""
    some = parse([("action", "login"), ("outcome", "denied"), ("outcome", "failure")])
    chosen = [row for row in data if row["action"] == "login" and row["outcome"] in ("denied", "failure")]
    found = pages(reader, parse_sort("-fields.total", structure), some, 1)
    assert [one for page in found for one in page] == ordered(chosen, KEYS["fields.total"], descending=True)


def test_a_list_may_begin_with_the_oldest_event(reader, data):
    found = [one for page in pages(reader, parse_sort("occurred_at", structure), Filter(), 60) for one in page]
    assert found == [str(row["event_id"]) for row in sorted(data, key=by_time)]


@pytest.mark.parametrize("near", [1, 20, ROWS + 40])
@pytest.mark.parametrize("severity", [["Error"], ["Info", "Low", "Medium"]])
def test_the_nearest_events_are_tried_first(reader, data, monkeypatch, near, severity):
    """The pages are the same as those of the whole list, however many events are tried first."""
    for module in ("page_rows", "windows"):
        monkeypatch.setattr(f"auditlane.query.{module}.PROBE_ROWS", near)
    monkeypatch.setattr("auditlane.query.page_rows.SEARCH_S", 600.0)  # no page ends early on a busy machine
    chosen = [row for row in data if row["severity"] in severity]
    for sort, reverse in (("-occurred_at", True), ("occurred_at", False)):
        wanted = parse([("severity", one) for one in severity])
        found = pages(reader, parse_sort(sort, structure), wanted, 11)
        assert [one for page in found for one in page] == [
            str(row["event_id"]) for row in sorted(chosen, key=by_time, reverse=reverse)
        ]


def test_a_search_finds_events_stored_since_the_previous_one(clickhouse, monkeypatch):
    """How far the nearest events reach is remembered, but each search covers all events."""
    for module in ("page_rows", "windows"):
        monkeypatch.setattr(f"auditlane.query.{module}.PROBE_ROWS", 5)
    monkeypatch.setattr("auditlane.query.page_rows.SEARCH_S", 600.0)
    with store(clickhouse) as filled:
        start, middle = datetime(2026, 3, 3, tzinfo=UTC), [*range(40, 60)]

        def add(days):
            filled.add([event(day, occurred_at=start + timedelta(days=day), action="login") for day in days])

        add(middle)
        reader = Reader(filled.settings)
        try:
            wanted = parse([("action", "login")])
            for sort in ("-occurred_at", "occurred_at"):
                assert (
                    len([one for page in pages(reader, parse_sort(sort, structure), wanted, 7) for one in page]) == 20
                )
            add([0, 100, *range(61, 70)])
            for sort in ("-occurred_at", "occurred_at"):
                assert (
                    len([one for page in pages(reader, parse_sort(sort, structure), wanted, 7) for one in page]) == 31
                )
        finally:
            reader.close()


def test_paging_from_a_position_without_an_event(reader):
    gone = Position(1_772_366_400_000_000, "00000000-0000-4000-8000-000000000001", "0" * 32)
    with pytest.raises(InvalidCursor, match="no longer exists"):
        reader.page(ACME, Filter(), limit=5, position=gone, sort=parse_sort("severity", structure))
    reader.page(ACME, Filter(), limit=5, position=gone)  # a time at which no event occurred


def test_pages_of_a_sorted_list_continue_over_http(filled, reader, data):
    def get(**fields: Any) -> tuple[int, Any]:
        answer = urllib3.request("GET", f"{url}/v1/events", fields=fields, headers={TENANT_HEADER: "acme"})
        return answer.status, json.loads(answer.data)

    expected = ordered(data, KEYS["fields.total"], descending=True)
    with served(reader, structure_of=structure) as url:
        first = get(sort="-total", limit=30)[1]
        second = get(sort="-fields.total", limit=50, cursor=first["next"])[1]
        assert [one["event_id"] for one in first["data"] + second["data"]] == expected[:80]
        assert get(sort="-total", limit=50, cursor=second["prev"])[1]["data"] == first["data"]
        assert get(sort="-occurred_at")[1]["data"] == get()[1]["data"]
        for sort in ({}, {"sort": "total"}, {"sort": "-severity"}):
            status, problem = get(cursor=first["next"], **sort)
            assert (status, problem["code"]) == (400, "CURSOR_INVALID")
        for wrong in ("description", "nothing", "", "-", "--severity", "fields.severity", "actor"):
            status, problem = get(sort=wrong)
            assert (status, problem["code"], problem["field"]) == (400, "FILTER_INVALID", "sort")
            assert "occurred_at, actor_name" in problem["fix"]
            assert "fields.total" in problem["fix"]
