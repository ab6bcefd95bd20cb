"""Tests every form of the query language on the real engine, compared with an evaluation of the same events in
Python.
"""

from __future__ import annotations

import ipaddress
import random
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import urllib3
from querying import START, TENANT_HEADER, Store, event, served, store

from auditlane.access.scope import TenantScope
from auditlane.query.filters import parse
from auditlane.query.language.tree import Kind
from auditlane.query.reader import Reader

ACME = TenantScope.for_operator("acme")
OWN = {"total": Kind.number, "due": Kind.time, "paid": Kind.boolean, "peer": Kind.ip, "note": Kind.text}
NASTY = "50%_a\\b'\"\n{p1:String}"
ROWS = 400
Row = dict[str, Any]


@pytest.fixture(scope="module")
def data() -> list[Row]:
    chance = random.Random(11)
    numbers = ["99.5", "100", "-3", "1e3", "9007199254740993", "nan", "", "abc"]
    return [
        event(
            number,
            occurred_at=START + timedelta(days=chance.randrange(4), microseconds=chance.randrange(3)),
            action=chance.choice(["login", "login.failed", "logout", "Log%in", NASTY]),
            actor_id=f"u-{chance.randrange(5)}",
            actor_name=chance.choice([None, "", "Jane Doe", "u-1"]),
            outcome=chance.choice(["success", "failure", "denied", "unknown"]),
            severity=chance.choice(["Info", "Low", "Medium", "High", "Critical", "Error"]),
            ip=chance.choice([None, "10.0.0.1", "10.255.0.9", "11.0.0.1", "2001:db8::1", "2001:db9::1"]),
            user_agent=chance.choice([None, "curl/8"]),
            before=chance.choice([None, '{"a": 1}']),
            metadata=chance.choice([{}, {"region": "eu-west-1"}, {"n": chance.choice(numbers)}, {"a b:c": NASTY}]),
            fields={"total": chance.choice(numbers)}
            | chance.choice([{}, {"due": "2026-03-02T10:00:00.000000Z", "paid": "true"}, {"paid": "false"}])
            | chance.choice(
                [{}, {"peer": "10.0.0.1"}, {"peer": "2001:db8::5"}, {"peer": "no address", "note": "a..b"}]
            ),
        )
        for number in range(ROWS)
    ]


@pytest.fixture(scope="module")
def filled(clickhouse: str, data: list[Row]) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.add(data)
        made.add([row | {"tenant_id": "globex"} for row in data[:20]])
        yield made


@pytest.fixture(scope="module")
def reader(filled: Store) -> Iterator[Reader]:
    made = Reader(filled.settings)
    yield made
    made.close()


def like(pattern: str) -> Callable[[str], bool]:
    return lambda text: bool(re.fullmatch(pattern, text, re.DOTALL))


def number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def measured(group: str, key: str, test: Callable[[float], bool]) -> Callable[[Row], bool]:
    def matches(row: Row) -> bool:
        found = number(row[group].get(key))
        return found is not None and test(found)

    return matches


def within(network: str, address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "") in ipaddress.ip_network(network)
    except ValueError:
        return False


LEVELS = ["Info", "Low", "Medium", "High", "Critical", "Error"]
DAY = datetime(2026, 3, 2, tzinfo=UTC)
CASES: dict[str, Callable[[Row], bool]] = {
    "action:login": lambda row: row["action"] == "login",
    "action:LOGIN": lambda row: False,
    "action:login*": lambda row: row["action"].startswith("login"),
    "action:*in*": lambda row: "in" in row["action"],
    "action:log*t": lambda row: like("log.*t")(row["action"]),
    "action:Log%*": lambda row: row["action"] == "Log%in",
    r"action:50%_a\\b*": lambda row: row["action"] == NASTY,
    'action:"' + NASTY.replace("\\", r"\\").replace('"', r"\"") + '"': lambda row: row["action"] == NASTY,
    "-action:login*": lambda row: not row["action"].startswith("login"),
    "actor:u-1": lambda row: "u-1" in (row["actor_id"], row["actor_name"]),
    'actor:"Jane Doe"': lambda row: row["actor_name"] == "Jane Doe",
    "actor:Jane*": lambda row: row["actor_name"] == "Jane Doe",
    "-actor:u-1": lambda row: "u-1" not in (row["actor_id"], row["actor_name"]),
    "actor_name:*": lambda row: bool(row["actor_name"]),
    "-actor_name:*": lambda row: not row["actor_name"],
    "-actor_name:Jane*": lambda row: row["actor_name"] != "Jane Doe",
    "user_agent:curl*": lambda row: row["user_agent"] == "curl/8",
    "-user_agent:curl/8": lambda row: row["user_agent"] is None,
    "outcome:FAILURE": lambda row: row["outcome"] == "failure",
    "outcome:*": lambda row: True,
    "severity:>=high": lambda row: LEVELS.index(row["severity"]) >= 3,
    "severity:<Low": lambda row: row["severity"] == "Info",
    "severity:Low..Medium": lambda row: row["severity"] in ("Low", "Medium"),
    "severity:..Low": lambda row: row["severity"] in ("Info", "Low"),
    "ip:10.0.0.1": lambda row: row["ip"] == "10.0.0.1",
    "ip:::ffff:10.0.0.1": lambda row: row["ip"] == "10.0.0.1",
    "ip:10.0.0.0/8": lambda row: within("10.0.0.0/8", row["ip"]),
    "-ip:10.0.0.0/8": lambda row: not within("10.0.0.0/8", row["ip"]),
    "ip:2001:db8::/32": lambda row: within("2001:db8::/32", row["ip"]),
    "ip:0.0.0.0/0": lambda row: within("0.0.0.0/0", row["ip"]),
    "ip:10.0.*": lambda row: row["ip"] == "10.0.0.1",
    "ip:*": lambda row: row["ip"] is not None,
    "-ip:*": lambda row: row["ip"] is None,
    "before:*": lambda row: row["before"] is not None,
    'before:*\\"a\\"*': lambda row: row["before"] is not None,
    "metadata.region:eu-west-1": lambda row: row["metadata"].get("region") == "eu-west-1",
    "metadata.region:eu*": lambda row: "region" in row["metadata"],
    "-metadata.region:*": lambda row: "region" not in row["metadata"],
    r"metadata.a\ b\:c:*": lambda row: "a b:c" in row["metadata"],
    "metadata.n:>99": measured("metadata", "n", lambda one: one > 99),
    "metadata.n:99..100": measured("metadata", "n", lambda one: 99 <= one <= 100),
    "metadata.n:100": lambda row: row["metadata"].get("n") == "100",
    "total:99.50": measured("fields", "total", lambda one: one == 99.5),
    "total:1000": measured("fields", "total", lambda one: one == 1000),
    "total:>=100": measured("fields", "total", lambda one: one >= 100),
    "fields.total:<0": measured("fields", "total", lambda one: one < 0),
    "-total:<100": lambda row: not measured("fields", "total", lambda one: one < 100)(row),
    "total:-3..99.5": measured("fields", "total", lambda one: -3 <= one <= 99.5),
    "total:9007199254740993": lambda row: row["fields"]["total"] == "9007199254740993",
    "total:9007199254740995": lambda row: False,
    "paid:true": lambda row: row["fields"].get("paid") == "true",
    "-paid:true": lambda row: row["fields"].get("paid") != "true",
    "due:2026-03-02": lambda row: "due" in row["fields"],
    "due:<2026-03-02T10:00:00Z": lambda row: False,
    "-due:<=2026-03-02T10:00:00Z": lambda row: "due" not in row["fields"],
    "peer:10.0.0.1": lambda row: row["fields"].get("peer") == "10.0.0.1",
    "peer:10.0.0.0/8": lambda row: within("10.0.0.0/8", row["fields"].get("peer")),
    "-peer:2001:db8::/32": lambda row: not within("2001:db8::/32", row["fields"].get("peer")),
    "note:a..b": lambda row: row["fields"].get("note") == "a..b",
    "fields.nothing:*": lambda row: False,
    "occurred_at:2026-03-02": lambda row: row["occurred_at"].date() == DAY.date(),
    "occurred_at:2026-03-02..2026-03-03": lambda row: row["occurred_at"].day in (2, 3),
    "occurred_at:>2026-03-02": lambda row: row["occurred_at"].day > 2,
    "occurred_at:<=2026-03-02": lambda row: row["occurred_at"].day <= 2,
    "occurred_at:2026-03-01T12:00:00.000001Z": lambda row: row["occurred_at"] == START + timedelta(microseconds=1),
    "-occurred_at:<2026-03-01T12:00:00.000002Z": lambda row: row["occurred_at"] >= START + timedelta(microseconds=2),
    "ingested_at:>2026-03-01T12:00:00.999Z": lambda row: True,
    "ingested_at:>2026-03-01T12:00:01Z": lambda row: False,
    "LOGIN": lambda row: "login" in row["action"],
    '"jane doe"': lambda row: row["actor_name"] == "Jane Doe",
    "-curl": lambda row: row["user_agent"] is None,
    "login -failed": lambda row: row["action"] == "login",
    "outcome:failure OR severity:Critical ip:*": lambda row: (
        row["outcome"] == "failure" or (row["severity"] == "Critical" and row["ip"] is not None)
    ),
    "(outcome:failure OR severity:Critical) -(ip:* OR actor_name:*)": lambda row: (
        (row["outcome"] == "failure" or row["severity"] == "Critical") and row["ip"] is None and not row["actor_name"]
    ),
}


@pytest.mark.parametrize("text", CASES, ids=lambda text: ascii(text)[:40])
def test_each_query_finds_exactly_the_events_that_match(reader, data, text):
    expected = {str(row["event_id"]) for row in data if CASES[text](row)}
    found = reader.page(ACME, parse([("query", text)], lambda: OWN), limit=ROWS).events
    assert {one.event_id for one in found} == expected


def test_the_cases_distinguish_events(data):
    some = [text for text, matches in CASES.items() if 0 < sum(map(matches, data)) < ROWS]
    assert len(some) > 60


def test_random_combinations_find_exactly_the_events_that_match(reader, data):
    """Combines terms with known matches at random."""
    chance = random.Random(5)

    def tree(depth: int) -> tuple[str, Callable[[Row], bool]]:
        form = chance.choice(["term", "not", "and", "or"]) if depth else "term"
        if form == "term":
            return chance.choice(list(CASES.items()))
        left, two = tree(depth - 1), tree(depth - 1)
        if form == "not":
            return f"NOT ({left[0]})", lambda row: not left[1](row)
        if form == "and":
            return f"({left[0]}) ({two[0]})", lambda row: left[1](row) and two[1](row)
        return f"({left[0]}) OR ({two[0]})", lambda row: left[1](row) or two[1](row)

    for _ in range(25):
        text, matches = tree(3)
        found = reader.page(ACME, parse([("query", text)], lambda: OWN), limit=ROWS).events
        assert {one.event_id for one in found} == {str(row["event_id"]) for row in data if matches(row)}, text


def test_an_event_id_is_found_in_any_case_and_by_prefix(reader, data):
    wanted = data[17]["event_id"]
    for text in (f"event_id:{str(wanted).upper()}", f"event_id:{str(wanted)[:20]}*"):
        assert [one.event_id for one in reader.page(ACME, parse([("query", text)]), limit=9).events] == [str(wanted)]
    assert reader.count(ACME, parse([("query", f"event_id:{uuid.UUID(int=1)}")])) == 0


def test_query_filters_and_cursors_work_together_over_http(reader):
    def get(path: str, **fields: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", url + path, fields=fields, headers={TENANT_HEADER: "acme"}, retries=False)

    with served(reader) as url:
        both = get("/v1/events", query="severity:>=High -ip:*", outcome="failure").json()["data"]
        assert both
        assert {(one["outcome"], one["ip"]) for one in both} == {("failure", None)}
        first = get("/v1/events", query="login*", limit="3").json()
        # The same query, written in different ways.
        assert get("/v1/events", query="login", cursor=first["next"]).status == 200
        assert get("/v1/events", query="logout", cursor=first["next"]).json()["code"] == "CURSOR_INVALID"
        answer = get("/v1/events", query="action:login actr:x")
        problem = answer.json()
        assert (answer.status, problem["code"], problem["field"], problem["column"]) == (
            400,
            "FILTER_INVALID",
            "query",
            14,
        )
        assert "Did you mean actor?" in problem["fix"]
        assert problem["reason"] == "unknown_field"
        assert (problem["arguments"]["field"], problem["arguments"]["meant"]) == ("actr", "actor")


def test_a_query_is_checked_without_reading_events():
    """The reader has no methods, so every attempt to read would fail."""
    with served(cast("Reader", object())) as url:

        def check(**fields: str) -> Any:
            answer = urllib3.request(
                "GET", f"{url}/v1/check", fields=fields, headers={TENANT_HEADER: "acme"}, retries=False
            )
            assert answer.status == 200
            return answer.json()["error"]

        assert check() is None
        assert check(query="action:login* -ip:*", outcome="failure", to="2026-01-31") is None
        wrong = check(query="action:login actr:x")
        assert (wrong["field"], wrong["column"], wrong["reason"]) == ("query", 14, "unknown_field")
        assert wrong["detail"].startswith("query, column 14:")
        assert check(**{"from": "x"})["field"] == "from"
        assert check(limit="5")["field"] == "limit"  # no filter
