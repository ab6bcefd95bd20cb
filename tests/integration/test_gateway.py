"""Tests events over HTTP on real services, from the POST request to the stored row, with retries, rejections and
tenants.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from confluent_kafka import Consumer, TopicPartition
from fixtures.workers import World, wait_until, world_on
from serving import Served

from auditlane.access.permissions import Permission
from auditlane.runtime.zstandard import pack

HTTP = urllib3.PoolManager(retries=False, timeout=30.0)
TIME = datetime.now(UTC).isoformat()
NDJSON = "application/x-ndjson"


class Gateway(Served):
    """The service with a world's Kafka, registry and ClickHouse, and a worker that stores the events."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__(folder, **world.settings.model_dump(exclude_unset=True), ingest_document_bytes=200_000)
        self.world = world
        self.any = self.client_token("writer")

    def post(self, body: Any, tenant: str = "", token: str = "", **headers: str) -> urllib3.BaseHTTPResponse:
        """Post JSON, or another kind of body with its `content_type`. An iterator is sent as a chunked body."""
        sent = {"content-type": "application/json", "authorization": f"Bearer {token or self.any}"}
        sent |= {"auditlane-tenant": tenant} if tenant else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        text = body if isinstance(body, bytes) or hasattr(body, "__next__") else json.dumps(body)
        return HTTP.request("POST", f"{self.url}/v1/events", body=text, headers=sent)

    def rows(self, tenant: str, table: str = "log") -> int:
        database = self.world.settings.clickhouse_database
        found = self.world.client.query(f"SELECT count() FROM `{database}`.{table} WHERE tenant_id = '{tenant}'")
        return int(found.result_rows[0][0])

    def stored(self, tenant: str, count: int) -> None:
        wait_until(lambda: self.rows(tenant) >= count, why=f"for {count} rows of {tenant}")
        assert self.rows(tenant) == count


@pytest.fixture(scope="module")
def gateway(kafka: str, registry: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    world = world_on(kafka, registry, clickhouse, f"t{uuid4().hex[:12]}", folder)
    world.worker().ready()
    with Gateway(world, folder) as served:
        yield served
    world.close()


def refused(response: urllib3.BaseHTTPResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status == status, response.data
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code
    return response.json()


def test_one_event_becomes_a_row_that_its_tenant_reads(gateway: Gateway, unique: str) -> None:
    response = gateway.post({"action": "Login", "before": {"a": 1}, "metadata": {"x": "y"}}, unique)
    assert response.status == 202, response.data
    [result] = response.json()["results"]
    gateway.stored(unique, 1)
    read = gateway.request(f"/v1/events/{result['event_id']}", gateway.viewer_token(unique)).json()
    assert read["action"] == "Login"
    assert read["request_id"] == response.headers["x-request-id"]
    assert read["source"].startswith("al_")
    assert json.loads(read["before"]) == {"a": 1}


def test_the_requests_id_is_a_header_in_kafka(gateway: Gateway, unique: str) -> None:
    assert gateway.post([{"action": "a"}], unique, x_request_id=unique).status == 202
    topic = gateway.world.settings.topic
    consumer = Consumer(gateway.world.kafka | {"group.id": unique, "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(2)])
    found: list[Any] = []
    try:
        wait_until(
            lambda: found.extend(one for one in consumer.consume(100, 0.2) if one.key() == unique.encode()) or found
        )
    finally:
        consumer.close()
    headers = dict(found[0].headers())
    assert headers.pop("auditlane.request.id") == unique.encode()
    assert headers.keys() <= {"auditlane.provenance"}


def test_arrays_and_chunked_lines_are_stored(gateway: Gateway, unique: str) -> None:
    assert gateway.post([{"action": f"a{one}"} for one in range(50)], unique).json()["accepted"] == 50
    text = b"".join(json.dumps({"action": f"b{one}"}).encode() + b"\n" for one in range(2_500))
    pieces = (text[place : place + 997] for place in range(0, len(text), 997))
    response = gateway.post(pieces, unique, content_type=NDJSON)
    assert response.status == 202, response.data
    body = response.json()
    assert (body["accepted"], body["results"], body["left_out"]) == (2_500, [], 2_500)
    gateway.stored(unique, 2_550)


@pytest.mark.parametrize(("encoding", "packed"), [("gzip", gzip.compress), ("zstd", pack)])
def test_compressed_bodies_are_stored_like_others(gateway: Gateway, unique: str, encoding: str, packed: Any) -> None:
    lines = b"\n".join(json.dumps({"action": f"a{number}"}).encode() for number in range(2_500))
    sent = {"content_encoding": encoding}
    assert gateway.post(packed(b'[{"action": "a"}, {"action": "b"}]'), unique, **sent).json()["accepted"] == 2
    body = packed(lines)
    chunks = iter([body[start : start + 777] for start in range(0, len(body), 777)])
    assert gateway.post(chunks, unique, content_type=NDJSON, **sent).json()["accepted"] == 2_500
    refused(gateway.post(body[:-1], unique, content_type=NDJSON, **sent), 400, "INPUT_INVALID")
    gateway.stored(unique, 2_502)


def test_each_refused_event_is_reported(gateway: Gateway, unique: str) -> None:
    lines = [b'{"action": "a"}', b"{", b"", b'{"action": ""}', b'{"action": "b", "colour": "red"}', b'{"action": "c"}']
    response = gateway.post(b"\n".join(lines), unique, content_type=NDJSON)
    assert response.status == 207, response.data
    body = response.json()
    assert (body["accepted"], body["refused"]) == (2, 3)
    assert [(one["index"], one["status"], one.get("field")) for one in body["results"]] == [
        (0, 202, None),
        (1, 400, None),
        (2, 400, "action"),
        (3, 400, "colour"),
        (4, 202, None),
    ]
    gateway.stored(unique, 2)
    problem = refused(gateway.post([{"action": ""}, {}], unique), 400, "EVENT_INVALID")
    assert (problem["accepted"], problem["refused"], len(problem["results"])) == (0, 2, 2)


@pytest.mark.parametrize("content_type", ["application/json", NDJSON])
def test_an_unencodable_event_does_not_hide_accepted_ones(gateway: Gateway, unique: str, content_type: str) -> None:
    events = [
        {"action": "ok1"},
        {"\ud800": 1, "action": "b"},
        {"action": "c", "fields": {"\udfff": 1}},
        {"action": "ok2"},
        {"action": "d", "before": {"\ud800": 10**400}},
    ]
    body = b"\n".join(json.dumps(one).encode() for one in events) if content_type == NDJSON else events
    response = gateway.post(body, unique, content_type=content_type)
    assert response.status == 207, response.data
    results = response.json()["results"]
    assert [(one["status"], one.get("field")) for one in results] == [
        (202, None),
        (400, r"\ud800"),
        (400, r"\udfff"),
        (202, None),
        (400, "before"),
    ]
    gateway.stored(unique, 2)
    viewer = gateway.viewer_token(unique, Permission.configure)
    refused(
        gateway.request("/v1/test-event", viewer, method="POST", body={"\ud800": 1}),
        400,
        "EVENT_INVALID",
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/export-links", {"format": "csv", "columns": ["\ud800"]}),
        ("POST", "/v1/export-links", {"format": "csv", "query": "\ud800"}),
        ("POST", "/v1/export-links", {"format": "csv", "filter": {"action": "\ud800"}}),
        ("POST", "/v1/exports", {"format": "csv", "columns": ["\ud800"]}),
        ("PUT", "/v1/structure", {"fields": [{"name": "\ud800"}]}),
        ("PUT", "/v1/structure", {"fields": [{"name": "action", "displayName": "\ud800"}]}),
        ("POST", "/v1/structure/fields", {"name": "\ud800"}),
        ("POST", "/v1/structure/fields", {"name": "surrogate", "default": "\ud800"}),
        ("POST", "/v1/structure/fields", {"name": "surrogate", "rules": {"pattern": "\ud800"}}),
        ("POST", "/v1/structure/fields", {"name": "surrogate", "rules": {"oneOf": ["\ud800"]}}),
        ("POST", "/v1/structure/fields", {"name": "surrogate", "type": "Number", "default": 10**400}),
        ("POST", "/v1/structure/fields", {"name": "surrogate", "type": "Number", "rules": {"minimum": 10**400}}),
        (
            "POST",
            "/v1/structure/fields",
            {"name": "surrogate", "type": "Number", "rules": {"minimum": float("inf")}},
        ),
        ("POST", "/audits/export/csv", {"properties": [{"name": "\ud800"}]}),
        ("POST", "/metadata", {"properties": [{"name": "\ud800"}]}),
        ("POST", "/metadata", {"properties": [], "deep": json.loads("[" * 300 + "]" * 300)}),
    ],
)
def test_no_text_and_no_number_causes_an_internal_error(gateway: Gateway, method: str, path: str, body: Any) -> None:
    token = gateway.client_token("vendor")
    sent = {} if path in ("/metadata", "/v1/structure", "/v1/structure/fields") else {"auditlane_tenant": "acme"}
    response = gateway.request(path, token, method=method, body=body, if_match="*", **sent)
    assert response.status == 400, response.data
    response.json()


def test_an_audit_cut_in_the_middle_of_an_emoji_is_stored_and_read(gateway: Gateway, unique: str) -> None:
    body = rb'{"action": "a\ud83d", "k": "v\ud800", "inner": {"\udfff": [1e400]}}'
    sent = {"x-access-token": gateway.any, "frontegg-tenant-id": unique}
    response = HTTP.request("POST", f"{gateway.url}/audits", body=body, headers=sent)
    assert response.status == 202, response.data
    gateway.stored(unique, 1)
    reader = gateway.client_token("vendor")
    [row] = gateway.request("/audits", reader, frontegg_tenant_id=unique).json()["data"]
    assert (row["action"], row["k"], row["inner"]) == ("a\ufffd", "v\ufffd", {"\ufffd": ["1e400"]})
    assert row | response.json() | {"updatedAt": row["updatedAt"], "vendorId": row["vendorId"]} == row


def test_a_request_sent_again_adds_nothing(gateway: Gateway, unique: str) -> None:
    events = [{"action": f"a{one}", "occurred_at": TIME} for one in range(3)]
    first = gateway.post(events, unique, idempotency_key="k")
    again = gateway.post(events, unique, idempotency_key="k")
    assert first.status == again.status == 202
    assert first.json()["results"] == again.json()["results"]
    own = {"action": "own", "occurred_at": TIME, "event_id": str(uuid4())}
    assert [gateway.post(own, unique).status for _ in range(3)] == [202, 202, 202]
    wait_until(lambda: gateway.rows(unique, "events") >= 9)  # the duplicates have also arrived
    gateway.stored(unique, 4)
    for timeless in ({"action": "a", "event_id": str(uuid4())}, {"action": "a"}):
        problem = refused(gateway.post(timeless, unique, idempotency_key="k2"), 400, "EVENT_INVALID")
        assert problem["field"] == "occurred_at"


def test_tenants_are_isolated(gateway: Gateway, unique: str) -> None:
    mine = gateway.client_token("writer", tenant=unique)
    assert gateway.post({"action": "a"}, token=mine).status == 202
    assert gateway.post({"action": "a", "tenant_id": unique}, token=mine).status == 202
    assert refused(gateway.post({"action": "a", "tenant_id": "x"}, token=mine), 403, "TENANT_FORBIDDEN")["results"]
    refused(gateway.post({"action": "a"}, "x", token=mine), 403, "TENANT_FORBIDDEN")
    both = [{"action": "a", "tenant_id": f"{unique}-{name}"} for name in ("x", "y")]
    assert gateway.post(both).json()["accepted"] == 2
    assert gateway.post(both, f"{unique}-x").status == 207
    refused(gateway.post({"action": "a"}), 400, "EVENT_INVALID")
    refused(gateway.post({"action": "a"}, "_auditlane"), 400, "INPUT_INVALID")
    refused(gateway.post({"action": "a", "tenant_id": "_auditlane"}), 400, "EVENT_INVALID")
    refused(gateway.post({"action": "a"}, unique, token=gateway.client_token("auditor")), 403, "FORBIDDEN")
    refused(gateway.post({"action": "a"}, unique, token="x"), 401, "UNAUTHENTICATED")
    gateway.stored(unique, 2)


def test_posts_past_a_limit_or_of_another_type_are_rejected(gateway: Gateway, unique: str) -> None:
    refused(gateway.post({"action": "a", "description": "x" * 600_000}, unique), 413, "TOO_LARGE")
    large = json.dumps({"action": "a", "description": "x" * 600_000}).encode()
    refused(gateway.post(large, unique, content_type=NDJSON), 413, "EVENT_TOO_LARGE")
    refused(gateway.post(iter([large]), unique), 413, "TOO_LARGE")
    refused(
        gateway.post(b"x=1", unique, content_type="application/x-www-form-urlencoded"), 415, "MEDIA_TYPE_UNSUPPORTED"
    )
    for body in (b"", b"[]", b"7", b"{"):
        refused(gateway.post(body, unique), 400, "INPUT_INVALID")
    answer = HTTP.request(
        "POST", f"{gateway.url}/v1/events", headers={"content-length": str(1 << 30), "content-type": NDJSON}
    )
    refused(answer, 413, "TOO_LARGE")
    chunked = HTTP.request("POST", f"{gateway.url}/v1/token", body=iter([b"{}"]))
    refused(chunked, 411, "LENGTH_REQUIRED")


def test_a_test_event_is_stored(gateway: Gateway, unique: str) -> None:
    viewer = gateway.viewer_token(unique, Permission.configure, Permission.read)
    sent = gateway.request("/v1/test-event", viewer, method="POST")
    assert sent.status == 202, sent.data
    gateway.stored(unique, 2)
    read = gateway.request(f"/v1/events/{sent.json()['event_id']}", viewer).json()
    assert (read["action"], read["actor_id"], read["actor_type"]) == ("auditlane.test", "jane", "user")
    assert read["source"] == "auditlane-test"
    recorded = gateway.request("/v1/events?action=test_event.sent", viewer).json()["data"]
    assert [(one["source"], one["actor_id"], one["resource_id"], one["outcome"]) for one in recorded] == [
        ("auditlane", "jane", read["event_id"], "success")
    ]
    refused(
        gateway.request("/v1/test-event", gateway.viewer_token(unique, Permission.read), method="POST"),
        403,
        "FORBIDDEN",
    )


def test_a_test_event_cannot_carry_chosen_content(gateway: Gateway, unique: str) -> None:
    """A caller that may configure the log but not write to it cannot use a test event to forge the actor, action, time,
    id or source.
    """
    insider = gateway.viewer_token(unique, Permission.configure, Permission.read)
    refused(gateway.post({"action": "x"}, token=insider), 403, "FORBIDDEN")
    forged: dict[str, Any] = {
        "event_id": str(uuid4()),
        "occurred_at": "2019-03-01T12:00:00Z",
        "actor_id": "ceo@acme.example",
        "actor_name": "The CEO",
        "action": "audit_log.exported",
        "source": "auditlane",
        "resource": "audit_log",
        "description": None,
        "ip": "198.51.100.7",
        "metadata": {"format": "csv", "rows": "12345"},
        "request_id": "r-1",
        "tenant_id": "globex",
    }
    for body in (forged, {"fields": forged}, *({name: value} for name, value in forged.items())):
        problem = refused(gateway.request("/v1/test-event", insider, method="POST", body=body), 400, "EVENT_INVALID")
        assert problem["field"] in forged
    unknown = gateway.request("/v1/test-event", insider, method="POST", body={"colour": "red"})
    assert refused(unknown, 400, "EVENT_INVALID")["field"] == "colour"
    sent = gateway.request(
        "/v1/test-event", insider, method="POST", idempotency_key="k", x_request_id=unique, auditlane_tenant=unique
    )
    assert sent.status == 202, sent.data
    gateway.stored(unique, 2)  # the test event, and the event that records its sending
    read = gateway.request("/v1/events", insider).json()["data"]
    assert {one["actor_id"] for one in read} == {"jane"}
    assert {one["occurred_at"][:10] for one in read} <= {TIME[:10], datetime.now(UTC).isoformat()[:10]}


def test_a_test_event_satisfies_the_tenants_own_contract(gateway: Gateway, unique: str) -> None:
    field = {"name": "order_number", "rules": {"required": True, "maxLength": 8}, "exclusive": True}
    vendor = gateway.client_token("vendor")
    made = gateway.request(f"/v1/tenants/{unique}/structure/fields", vendor, method="POST", body=field)
    assert made.status == 201, made.data
    insider = gateway.viewer_token(unique, Permission.configure)
    for body in ({"order_number": "far too long"}, {}):  # the first event triggers a lookup of the new contract
        problem = gateway.request("/v1/test-event", insider, method="POST", body=body)
        assert refused(problem, 400, "EVENT_INVALID")["field"] == "order_number"
    for body in ({"order_number": "DE-17"}, {"fields": {"order_number": "DE-18"}}):
        assert gateway.request("/v1/test-event", insider, method="POST", body=body).status == 202

    def stored() -> set[str]:
        answer = gateway.request("/v1/events?action=auditlane.test", gateway.viewer_token(unique))
        return {one["fields"]["order_number"] for one in answer.json()["data"]}

    # Counted separately, since auditlane's own record of each event also arrives.
    wait_until(lambda: len(stored()) >= 2)
    assert stored() == {"DE-17", "DE-18"}


def test_accepted_events_are_counted(gateway: Gateway, unique: str) -> None:
    def count(name: str) -> float:
        text = gateway.request("/metrics").data.decode()
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    before = count("auditlane_ingest_events_total"), count('auditlane_ingest_refused_total{code="EVENT_INVALID"}')
    gateway.post([{"action": "a"}, {"action": "b"}, {}], unique)
    after = count("auditlane_ingest_events_total"), count('auditlane_ingest_refused_total{code="EVENT_INVALID"}')
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
    assert count("auditlane_ingest_ack_seconds_count") > 0
