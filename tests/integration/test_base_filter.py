"""Tests that a token with a base filter never reads, counts or exports events about another object, on any route or
with any parameter.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
import urllib3
from fixtures.stack import until
from querying import Store, event, store
from serving import Served
from surface import Operation, operations, sample

from auditlane.access.permissions import Permission
from auditlane.query.filters import COLUMNS
from auditlane.server.auth.cookies import COOKIE

TENANT, OBJECT, MARK = "acme", "doc-7", "doc-8-confidential"  # MARK is in every text field of the other object's events
MINE, OTHERS = 7, 20
FILTER = {"resource": "document", "resource_id": OBJECT}
FORMATS = ("csv", "jsonl", "parquet", "ocsf")  # PDFs and workbooks use the same statement
NOW = datetime.now(UTC).replace(microsecond=0)


class Stage:
    """A service with events about two objects. One token may read the whole log, and another only the events about one
    object.
    """

    def __init__(self, served: Served, table: Store) -> None:
        self.served, self.table = served, table
        self.vendor = served.client_token("admin")
        self.whole = self.minted()["access_token"]
        self.limited = self.minted(filter=FILTER)["access_token"]

    def minted(self, **more: Any) -> dict[str, Any]:
        body = {"tenant": TENANT, "user": "jane", "permissions": ["audits:read", "audits:export"], **more}
        answer = self.served.request("/v1/viewer-tokens", self.vendor, method="POST", body=body)
        assert answer.status == 200, answer.data
        found: dict[str, Any] = answer.json()
        return found

    def read(self, path: str, token: str = "") -> Any:
        answer = self.served.request(path, token or self.limited)
        assert answer.status == 200, answer.data
        return answer.json()

    def job(self, token: str, **body: Any) -> dict[str, Any]:
        created = self.served.request("/v1/exports", token, method="POST", body={"format": "jsonl", **body}).json()

        def ended() -> Any:
            job = self.read(f"/v1/exports/{created['id']}", token)
            return job if job["ended_at"] else None

        found: dict[str, Any] = until(ended, 60, "the job's end")
        assert found["state"] == "done"
        return found


def row(number: int, **values: Any) -> dict[str, Any]:
    at = NOW - timedelta(minutes=number % 50)
    return event(number, TENANT, **{"occurred_at": at, "ingested_at": at, "resource_id": OBJECT} | values)


def other(number: int, **values: Any) -> dict[str, Any]:
    texts = ("action", "actor_id", "actor_name", "description", "resource_id", "user_agent", "request_id", "source")
    marked = dict.fromkeys(texts, MARK) | {"metadata": {MARK: MARK}, "fields": {"invoice": MARK}, "severity": "High"}
    return row(number, **marked | values)


@pytest.fixture(scope="module")
def stage(clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with store(clickhouse) as table:
        table.add([row(number) for number in range(MINE)] + [other(100 + number) for number in range(OTHERS)])
        settings = {"clickhouse_url": clickhouse, "clickhouse_database": table.database, "stream_poll_s": 0.05}
        with Served(
            tmp_path_factory.mktemp("served"), **settings, tokens_per_client=1_000, export_jobs_per_tenant=500
        ) as served:
            yield Stage(served, table)


def victims(stage: Stage) -> dict[str, str]:
    """Return values that a reader of the whole log can see, by parameter name."""
    page = stage.read(f"/v1/events?limit=2&resource_id={MARK}", stage.whole)
    assert MARK in json.dumps(page)
    configurer = stage.minted(permissions=["audits:read", "audits:configure"])["access_token"]
    views = [
        stage.served.request("/v1/views", token, method="POST", body={"name": f"{MARK} {shared}", "shared": shared})
        for token, shared in ((configurer, True), (stage.whole, False))
    ]
    assert {one.status for one in views} == {201}
    return {
        "event_id": page["data"][0]["event_id"],
        "content_hash": page["data"][0]["content_hash"],
        "cursor": stage.read("/v1/events?limit=2", stage.whole)["next"],
        "export_id": stage.job(stage.whole)["id"],
        "tenant": TENANT,
        "view_id": views[1].json()["id"],
        "ip": "192.0.2.1",
    }


def attempts(stage: Stage, operation: Operation, stolen: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield requests that try to read the other object, each as a path with its query, and a body."""
    path = operation.at({name: quote(stolen.get(name, MARK), safe="") for name in operation.placeholders})
    documented = [name for place, name in operation.parameters if place == "query"]
    needed = [("format", "jsonl")] if "format" in documented else []
    needed += [("field", "resource_id")] if "field" in documented else []
    frontegg = path.startswith("/audits")
    # Every route parses columns in the same way, so most columns are tried on one route only.
    columns = COLUMNS if operation.path == "/v1/events" else ("event_id", "actor")
    queries = [
        needed,
        *([*needed, (name, stolen.get(name, MARK))] for name in {*documented} - {*COLUMNS, "format", "field"}),
        *([*needed, (name, stolen.get(name, MARK))] for name in columns),
        *([*needed, (name, value)] for name, value in (
            ("query", f"resource_id:{MARK} OR -resource_id:{MARK}"), ("query", "resource_id:* OR NOT resource_id:*"),
            ("q", MARK), ("filter", json.dumps({"resource_id": MARK})), ("filter.resource_id", MARK),
            ("base_filter:resource_id", MARK), ("base_filter", ""), (f"metadata.{MARK}", MARK),
            ("fields.invoice", MARK), ("include_access", "true"), ("limit", "200"), ("sort", "-resource_id"),
            ("since", "all"), ("resource_id", OBJECT), ("resource_id", ""),
        )),
        [*needed, ("resource_id", MARK), ("resource_id", OBJECT), ("include_access", "true")],
    ]  # fmt: skip
    if operation.path not in ("/v1/events", "/v1/export", "/v1/facets", "/audits"):
        queries = queries[::3]  # the same functions parse them
    if not frontegg and not documented:
        queries = queries[:3]  # does not read a filter
    if frontegg:
        queries = queries if operation.method == "GET" else queries[:1]
        queries += [[("resourceId", MARK)], [("filter", MARK)], [("resourceId[$ne]", OBJECT)], [("count", "200")]]
        queries += [[("offset", "0"), ("count", "1"), ("sortBy", "resourceId")], [("tenantId", TENANT)]]
    body = sample(operation.body, operation.documented, {}) if operation.method in ("POST", "PUT") else None
    body = {"format": "jsonl"} if operation.path.startswith("/v1/export") and body else body
    bodies = [body]
    if isinstance(body, dict) and {"filter", "format"} & {*body}:
        bodies += [body | {"filter": one} for one in ({}, {"resource_id": MARK}, {"base_filter:resource_id": MARK})]
        bodies += [body | {"filter": FILTER, "tenant": TENANT}]
    for query, sent in itertools.chain(((one, body) for one in queries), ((needed, one) for one in bodies[1:])):
        yield path + (f"?{urlencode(query)}" if query else ""), sent


def test_no_route_yields_another_objects_event_whatever_the_parameters(stage):
    stolen = victims(stage)
    tried, streams, seen = 0, 0, set()
    for operation in operations(stage.served.app):
        for target, body in attempts(stage, operation, stolen):
            if operation.path.endswith("/stream"):
                streams += 1  # has a separate test, since a valid stream does not end
                continue
            headers = {"frontegg_tenant_id": TENANT} if target.startswith(("/audits", "/metadata")) else {}
            if operation.method == "DELETE" and "export" in operation.path:
                headers |= {"if_match": "*"}
            answer = stage.served.request(target, stage.limited, method=operation.method, body=body, **headers)
            tried += 1
            assert answer.status < 500 or answer.status == 503, f"{operation} {target}: {answer.data!r}"
            text = answer.data.decode(errors="replace").replace(quote(MARK), "")
            if answer.status < 400 and operation.method != "HEAD":
                seen.add(str(operation))
                # A form may repeat the request's own values.
                told = text if "html" not in answer.headers.get("content-type", "") else rows_of(text)
                assert MARK not in told, f"{operation} {target} {body}: {told[:500]}"
            if rows := answer.headers.get("auditlane-rows"):
                assert int(rows) <= MINE, f"{operation} {target}"
    assert streams > 5
    assert tried > 200
    assert {"GET /v1/events", "GET /v1/facets", "GET /v1/histogram", "GET /v1/stats", "GET /v1/export", "GET /audits",
            "POST /v1/exports", "POST /v1/export-links", "GET /v1/exports", "GET /v1/last-download", "GET /plain",
            "GET /v1/stats/groups", "GET /v1/views",
            "POST /audits/export/csv", "GET /audits/stats", "GET /audits/resources/metrics/v1"} <= seen  # fmt: skip
    assert stage.served.request(f"/v1/exports/{stolen['export_id']}", stage.whole).status == 200  # was not removed


def rows_of(page: str) -> str:
    return page.partition("<table")[2]


def test_the_numbers_are_those_of_the_object(stage):
    assert len(stage.read("/v1/events?limit=200")["data"]) == MINE
    assert len(stage.read("/v1/events?limit=200", stage.whole)["data"]) == MINE + OTHERS
    assert stage.read("/v1/histogram")["events"] == MINE
    stats = stage.read("/v1/stats")
    assert (stats["events"], stats["severe"]) == (MINE, 0)
    assert {one["value"] for one in stats["actions"]} == {"login"}
    for field in ("action", "actor", "resource_id", "severity", "fields.invoice", f"metadata.{MARK}", "source"):
        facet = stage.read(f"/v1/facets?{urlencode({'field': field, 'limit': 100})}")["data"]
        assert sum(one["events"] for one in facet) == MINE, field
        assert MARK not in json.dumps(facet)
    fresh = stage.minted(filter=FILTER, user="has not downloaded")["access_token"]
    assert stage.read("/v1/last-download", fresh)["events"] == MINE
    frontegg = {"frontegg_tenant_id": TENANT}
    page = stage.served.request("/audits?count=1", stage.limited, **frontegg).json()
    assert (len(page["data"]), page["total"]) == (1, MINE)
    assert stage.served.request("/audits/stats", stage.limited, **frontegg).json()["severeThisWeek"] == 0
    figures = stage.served.request("/audits/resources/metrics/v1", stage.limited, **frontegg).json()
    assert sum(figures["auditsCounterByTime"].values()) == MINE
    assert figures["topTenants"] == {TENANT: MINE}


def test_pages_in_both_directions_hold_only_the_object(stage):
    found, page = [], None
    while page is None or page["next"]:
        page = stage.read("/v1/events?limit=2" + (f"&cursor={page['next']}" if page else ""))
        found += [one["resource_id"] for one in page["data"]]
    assert found == [OBJECT] * MINE
    while page["prev"]:
        page = stage.read(f"/v1/events?limit=2&cursor={page['prev']}")
        found += [one["resource_id"] for one in page["data"]]
    assert set(found) == {OBJECT}
    oldest_first = [one["occurred_at"] for one in stage.read("/v1/events?limit=200&sort=occurred_at")["data"]]
    assert oldest_first == sorted(oldest_first)
    assert len(oldest_first) == MINE


@pytest.mark.parametrize("format_", FORMATS)
def test_files_from_a_request_a_link_and_a_job(stage, format_):
    direct = stage.served.request(f"/v1/export?format={format_}", stage.limited)
    body = {"format": format_}
    link = stage.served.request("/v1/export-links", stage.limited, method="POST", body=body).json()["url"]
    linked = urllib3.request("GET", link, retries=False)
    job = stage.job(stage.limited, format=format_)
    filed = urllib3.request("GET", job["url"], retries=False)
    assert [one.headers["auditlane-rows"] for one in (direct, linked, filed)] == [str(MINE)] * 3
    assert (job["total"], job["rows"]) == (MINE, MINE)
    if format_ in ("csv", "jsonl", "ocsf"):
        assert direct.data == linked.data == filed.data
        assert MARK.encode() not in direct.data


def test_jobs_of_the_whole_log_and_of_other_objects_are_not_found(stage):
    whole = stage.job(stage.whole)
    mine = stage.job(stage.limited)
    other_token = stage.minted(filter={"resource_id": MARK})["access_token"]
    missing = stage.served.request(f"/v1/exports/{uuid.uuid4()}", stage.limited).json()
    for token, id_ in ((stage.limited, whole["id"]), (other_token, whole["id"]), (other_token, mine["id"])):
        for method, path in (("GET", id_), ("GET", f"{id_}/file"), ("HEAD", f"{id_}/file"), ("DELETE", id_)):
            refused = stage.served.request(f"/v1/exports/{path}", token, method=method)
            assert refused.status == 404
        problem = stage.served.request(f"/v1/exports/{id_}", token).json()
        assert (problem["code"], problem["fix"]) == (missing["code"], missing["fix"])
        assert id_ not in {one["id"] for one in stage.read("/v1/exports", token)["data"]}
    listed = {one["id"] for one in stage.read("/v1/exports", stage.whole)["data"]}
    assert {whole["id"], mine["id"]} <= listed
    again = stage.minted(filter=FILTER)["access_token"]  # the same page's next token
    assert stage.read(f"/v1/exports/{mine['id']}", again)["state"] == "done"


def test_another_objects_event_is_as_unknown_as_a_missing_one(stage):
    theirs = stage.read(f"/v1/events?limit=1&resource_id={MARK}", stage.whole)["data"][0]
    answers = []
    for id_ in (theirs["event_id"], str(uuid.uuid4())):
        answer = stage.served.request(f"/v1/events/{id_}", stage.limited)
        problem = {name: value for name, value in answer.json().items() if name not in ("request_id", "instance")}
        answers.append((answer.status, json.dumps(problem).replace(id_, "…")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    hashed = f"/v1/events/{theirs['event_id']}?content_hash={theirs['content_hash']}"
    assert stage.served.request(hashed, stage.limited).status == 404
    mine = stage.read("/v1/events?limit=1")["data"][0]
    assert stage.read(f"/v1/events/{mine['event_id']}")["resource_id"] == OBJECT


def test_a_conflict_with_another_objects_event_is_not_told(stage):
    """Two events have the same id and time, but only one of them matches the filter."""
    at = NOW - timedelta(minutes=5)
    one = row(300, occurred_at=at, resource_id="doc-9")
    stage.table.add([one, other(301, occurred_at=at, event_id=one["event_id"])])
    token = stage.minted(filter={"resource_id": "doc-9"})["access_token"]
    [shown] = stage.read("/v1/events", token)["data"]
    assert not shown["conflict"]
    single = stage.read(f"/v1/events/{one['event_id']}", token)
    assert (single["conflict"], single["others"]) == (False, [])
    line = json.loads(stage.served.request("/v1/export?format=jsonl", token).data)
    assert line["conflict"] is False
    assert stage.read(f"/v1/events/{one['event_id']}", stage.whole)["conflict"]


def opened(stage: Stage, token: str, query: str = "", **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request(
        "GET",
        f"{stage.served.url}/v1/events/stream?{query}",
        headers={"Authorization": f"Bearer {token}", **headers},
        preload_content=False,
        timeout=urllib3.Timeout(30),
        retries=False,
    )


def test_streams_carry_only_the_object_and_share_nothing_with_others(stage):
    """Both streams use the same filter. The stream of the whole log begins first."""
    whole, limited = opened(stage, stage.whole), opened(stage, stage.limited)
    texts = {whole: b"", limited: b""}
    chunks = {one: one.stream(1) for one in texts}

    def grow(one: urllib3.BaseHTTPResponse, needle: bytes) -> None:
        while needle not in texts[one] or not texts[one].endswith(b"\n\n"):
            texts[one] += next(chunks[one])

    for one in texts:
        grow(one, b"id: ")
    topic, now = uuid.uuid4(), datetime.now(UTC)
    at = {"ingested_at": now, "kafka_topic_id": topic, "occurred_at": now}
    stage.table.add([other(1_000 + number, **at) for number in range(5)] + [row(1_005, action="the.last", **at)])
    for one in texts:
        grow(one, b"the.last")
    assert texts[whole].count(b"\ndata: ") == 6
    assert MARK.encode() not in texts[limited]
    assert texts[limited].count(b"\ndata: ") == 1
    ids = {one: text.rpartition(b"id: ")[2].split()[0].decode() for one, text in texts.items()}
    for one in texts:
        one.close()
    for headers, query in (({"Last-Event-ID": ids[whole]}, ""), ({}, f"cursor={ids[whole]}")):
        refused = opened(stage, stage.limited, query, **headers)
        assert (refused.status, json.loads(refused.read())["code"]) == (400, "CURSOR_INVALID")
    stage.table.add([other(1_100, **at), row(1_101, action="after.all", **at)])
    resumed = opened(stage, stage.limited, **{"Last-Event-ID": ids[limited]})
    text, pieces = b"", resumed.stream(1)
    while b"after.all" not in text:
        text += next(pieces)
    assert MARK.encode() not in text
    assert b"the.last" not in text
    resumed.close()
    stage.table.client.command(
        f"DELETE FROM {stage.table.database}.events WHERE kafka_topic_id = '{topic}'", settings={"mutations_sync": 2}
    )


@pytest.mark.parametrize("parameter", ["query=NOT+action:nothing", f"resource_id={MARK}", "include_access=true"])
def test_a_streams_own_filter_does_not_widen_it(stage, parameter):
    stream = opened(stage, stage.limited, parameter)
    text, pieces = b"", stream.stream(1)
    while b"id: " not in text:
        text += next(pieces)
    topic, now = uuid.uuid4(), datetime.now(UTC)
    at = {"ingested_at": now, "kafka_topic_id": topic, "occurred_at": now}
    stage.table.add([other(2000, **at), row(2001, resource_id=OBJECT, action="the.last", **at)])
    if parameter.startswith("resource_id"):  # matches nothing: the next id indicates that everything has been read
        until(lambda: stage.read("/v1/events?action=the.last")["data"], 30, "the event")
    else:
        while b"the.last" not in text:
            text += next(pieces)
    assert MARK.encode() not in text
    stream.close()
    stage.table.client.command(
        f"DELETE FROM {stage.table.database}.events WHERE kafka_topic_id = '{topic}'", settings={"mutations_sync": 2}
    )


def test_a_link_opens_a_session_with_the_filter_and_the_session_names_it(stage):
    minted = stage.minted(filter=FILTER, link=True)
    assert minted["filter"] == FILTER
    code = parse_qs(urlsplit(minted["link"]).query)["code"][0]
    entered = stage.served.request(f"/enter?code={code}", method="POST")
    session = entered.headers["set-cookie"].partition(";")[0]
    assert session.startswith(f"{COOKIE}=")
    assert len(stage.served.request("/v1/events?limit=200", cookie=session).json()["data"]) == MINE
    page = stage.served.request("/plain", cookie=session).data.decode()
    assert OBJECT in page
    assert MARK not in page
    named = {"resource": ["document"], "resource_id": [OBJECT]}
    assert stage.served.request("/v1/session", cookie=session).json()["filter"] == named
    assert stage.read("/v1/session")["filter"] == named
    assert stage.read("/v1/session", stage.whole)["filter"] is None


def test_a_limited_token_cannot_mint_configure_or_read_the_history_of_changes(stage):
    body = {"tenant": TENANT, "user": "jane"}
    assert stage.served.request("/v1/viewer-tokens", stage.limited, method="POST", body=body).status == 403
    assert stage.served.request(f"/v1/tenants/{TENANT}/structure/history", stage.limited).status == 403
    assert stage.served.request(f"/v1/tenants/{TENANT}/structure/history", stage.whole).status == 200
    for permission in (Permission.configure, Permission.contract):
        wide = body | {"permissions": [Permission.read, permission], "filter": FILTER}
        refused = stage.served.request("/v1/viewer-tokens", stage.vendor, method="POST", body=wide)
        assert (refused.status, refused.json()["field"]) == (400, "permissions")
        assert refused.json()["fix"]


def test_an_invalid_filter_is_refused_when_the_token_is_minted(stage):
    for given, field in (({"resource_id": ""}, "filter.resource_id"), ({"actoor": "x"}, "filter.actoor")):
        body = {"tenant": TENANT, "user": "jane", "filter": given}
        refused = stage.served.request("/v1/viewer-tokens", stage.vendor, method="POST", body=body)
        problem = refused.json()
        assert (refused.status, problem["code"], problem["field"]) == (400, "FILTER_INVALID", field)
        assert problem["fix"]
