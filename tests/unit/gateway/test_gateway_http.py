"""Tests `POST /v1/events` without Kafka or a registry. Requests are rejected as early as possible, and no body causes
an internal error.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import Served

from auditlane.access.permissions import Permission
from auditlane.gateway.ingest_service import IngestService
from auditlane.gateway.sender import Sender, keywords_of
from auditlane.runtime.errors import BufferFull, ClientClosed, InvalidEvent, RateLimited
from auditlane.runtime.settings import load
from auditlane.runtime.zstandard import pack

NOWHERE = {
    "kafka_bootstrap": "127.0.0.1:1",
    "registry_url": "http://127.0.0.1:1",
    "ingest_ack_timeout_ms": 300,
    "ingest_document_bytes": 4_096,
    "ingest_body_bytes": 1 << 20,
    "max_event_bytes": 1_024,
}
TYPES = ("application/json", "application/x-ndjson")


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    with Served(tmp_path_factory.mktemp("served"), **NOWHERE) as served:
        yield served
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def token(served) -> str:
    return served.client_token("writer", tenant="acme")


def post(
    served: Served, token: str, body: bytes, content_type: str = TYPES[0], tenant: str = "", encodings: tuple = ()
) -> urllib3.BaseHTTPResponse:
    headers = urllib3.HTTPHeaderDict({"authorization": f"Bearer {token}", "content-type": content_type})
    for encoding in encodings:
        headers.add("content-encoding", encoding)
    if tenant:
        headers["auditlane-tenant"] = tenant
    return served._pool.request("POST", f"{served.url}/v1/events", body=body, headers=headers)


def test_without_kafka_an_event_is_refused_with_retry_after(served, token):
    response = post(served, token, b'{"action": "a"}')
    assert response.status == 503, response.data
    assert int(response.headers["retry-after"]) > 0
    problem = response.json()
    assert problem["code"] in ("REGISTRY_UNAVAILABLE", "KAFKA_UNAVAILABLE")
    assert "127.0.0.1" not in response.data.decode()  # addresses of internal services are not disclosed
    assert [one["status"] for one in problem["results"]] == [503]
    parts = {part["name"]: part["state"] for part in served.request("/health/ready").json()["parts"]}
    assert (parts["kafka"], parts["clickhouse"]) == ("away", "away")


def test_retryable_failures_decide_the_status(served, token):
    response = post(served, token, b'[{}, {"action": "a"}]')
    assert response.status == 503
    assert [one["status"] for one in response.json()["results"]] == [400, 503]


TEXTS = st.text(st.characters(exclude_categories=[]), max_size=10)  # including lone surrogates, which JSON can express
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
NAMES = ("event_id", "tenant_id", "occurred_at", "action", "ip", "before", "metadata", "fields", "outcome", "source")
EVENTS = st.dictionaries(st.sampled_from(NAMES) | TEXTS, JSONS, max_size=6)


@settings(max_examples=80)
@given(st.binary(max_size=200) | st.lists(EVENTS | JSONS, max_size=4).map(lambda one: json.dumps(one).encode()))
def test_no_body_causes_an_internal_error(served, token, body):
    for content_type in TYPES:
        response = post(
            served, token, body.replace(b"}, {", b"}\n{") if content_type == TYPES[1] else body, content_type
        )
        assert response.status in (400, 403, 413, 503), response.data
        for result in response.json().get("results", []):
            assert result["status"] in (400, 403, 413, 503), result


REQUESTS: list[tuple[bytes, dict[str, str]]] = [
    (b'{"action": "a"}', {}),
    (b'[{}, {"action": "a"}, 1]', {}),
    (b'{"action": "a"}', {"authorization": ""}),
    (b'{"action": "a"}', {"authorization": "Bearer x"}),
    (b'{"action": "a"}', {"auditlane-tenant": "globex"}),
    (b'{"action": "a"}', {"auditlane-tenant": "_auditlane"}),
    (b'{"action": "a", "tenant_id": "globex"}', {}),
    (b'{"action": "a"}', {"idempotency-key": "ü"}),
    (b'{"action": "a"}', {"idempotency-key": "k"}),
    (b'{"action": "a"}', {"content-type": "text/plain"}),
    (b'{"action": "a"}', {"content-encoding": "br"}),
    (b"{", {}),
    (b"[]", {}),
    (b"[" + b'{"action":"a"},' * 600 + b"{}]", {}),
    (b'{"action": "a"}', {"accept": "text/html", "sec-fetch-mode": "navigate"}),
]


def test_the_direct_handler_responds_as_fastapi_does(served, token, tmp_path, monkeypatch):
    monkeypatch.setattr("auditlane.server.app.direct_handlers", lambda services: {})
    with Served(tmp_path, **NOWHERE) as routed:
        for body, changed in REQUESTS:
            found = []
            for server in (served, routed):
                text = token if server is served else routed.client_token("writer", tenant="acme")
                headers = {"authorization": f"Bearer {text}", "content-type": TYPES[0], "x-request-id": "r"} | changed
                response = server._pool.request("POST", f"{server.url}/v1/events", body=body, headers=headers)
                varying = ("date", "retry-after")
                kept = {name.lower(): value for name, value in response.headers.items() if name.lower() not in varying}
                found.append((response.status, WITHOUT_IDS.sub(b"", response.data), kept))
            assert found[0] == found[1], (body[:50], changed)


WITHOUT_IDS = re.compile(rb'"event_id":"[^"]*"')


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize(("encoding", "packed"), [("gzip", gzip.compress), ("zstd", pack)])
def test_a_compressed_body_is_read_within_the_limits(served, token, content_type, encoding, packed):
    def answer(body, *encodings):
        response = post(served, token, body, content_type, encodings=encodings or (encoding,))
        return response.status, response.json()["code"]

    assert answer(packed(b'{"action": "a"}'))[0] == 503  # the body was read, and only Kafka is unavailable
    assert answer(packed(b"{}")) == (400, "EVENT_INVALID")
    for broken in (packed(b'{"action": "a"}')[:-3], b'{"action": "a"}', b""):
        assert answer(broken) == (400, "INPUT_INVALID")
    assert answer(packed(bytes(64 << 20))) == (413, "TOO_LARGE")
    for others in (("br",), (encoding, encoding), (f"{encoding}, gzip",), ("identity", "deflate")):
        assert answer(packed(b"{}"), *others) == (415, "MEDIA_TYPE_UNSUPPORTED")


def test_a_key_that_sends_too_much_waits(tmp_path):
    with Served(tmp_path, **NOWHERE, ingest_rate=0.01, ingest_burst=2) as served:
        token = served.client_token("writer", tenant="acme")
        assert post(served, token, b"[{}, {}, {}]").status == 400
        response = post(served, token, b"{}")
        assert (response.status, response.json()["code"]) == (429, "RATE_LIMITED")
        assert 100 <= int(response.headers["retry-after"]) <= 200
        assert post(served, served.client_token("writer", tenant="acme"), b"{}").status == 400
        assert 'auditlane_ingest_refused_total{code="RATE_LIMITED"} 1.0' in served.request("/metrics").data.decode()


def test_a_tenants_log_is_not_filled_with_test_events(tmp_path):
    with Served(tmp_path, **NOWHERE, test_events_per_minute=2) as served:
        jane = served.viewer_token("acme", Permission.configure)
        others = (served.viewer_token("acme"), served.client_token("admin", tenant="acme"))
        for chosen in ("actor_id", "action", "occurred_at", "event_id", "source", "tenant_id", "metadata"):
            refused = served.request("/v1/test-event", jane, method="POST", body={chosen: "x"})
            assert (refused.status, refused.json()["field"]) == (400, chosen)  # not counted as a test event
        for _ in range(2):  # Kafka is unavailable, so whether they were sent is unknown
            assert served.request("/v1/test-event", jane, method="POST").status == 503
        for token in (jane, *others):
            refused = served.request("/v1/test-event", token, method="POST", body={"own": 1})
            assert (refused.status, refused.json()["code"]) == (429, "RATE_LIMITED")
            assert 1 <= int(refused.headers["retry-after"]) <= 30
        assert served.request("/v1/test-event", served.viewer_token("globex"), method="POST").status == 503
        reserved = {"method": "POST", "auditlane_tenant": "_auditlane"}
        assert served.request("/v1/test-event", served.client_token("admin"), **reserved).status == 400
        for lacking in (served.viewer_token("acme", Permission.read), served.client_token("writer", tenant="acme")):
            assert served.request("/v1/test-event", lacking, method="POST").status == 403


def test_the_bytes_in_memory_are_limited():
    service = IngestService(load(**NOWHERE, ingest_buffer_bytes=1 << 20))
    with (
        service.reserve_bytes(2 << 20),
        pytest.raises(BufferFull),
        service.reserve_bytes(1),
    ):  # even a large request is admitted if it is the only one
        pass
    with service.reserve_bytes(1 << 19), service.reserve_bytes(1 << 19):
        pass
    with service.reserve_bytes(0) as count, service.reserve_bytes(1 << 19):  # a body of unknown length
        count(1 << 19)
        with pytest.raises(BufferFull):
            count(1)
    with service.reserve_bytes(1), service.reserve_bytes((1 << 20) - 1):
        pass


def test_send_handles_a_whole_request():
    async def sent() -> None:
        service = IngestService(load(**NOWHERE, ingest_rate=0.01, ingest_burst=1))
        results = await service.send([InvalidEvent("no line"), 7, {}], Sender("al_1", "acme"))
        assert [(one.index, one.error and one.error.code) for one in results] == [
            (index, "EVENT_INVALID") for index in range(3)
        ]
        assert await service.send([], Sender("al_2")) == []
        with pytest.raises(RateLimited):
            await service.send([{}], Sender("al_1", "acme"))
        service.close()
        with pytest.raises(ClientClosed):
            service._running().flush()

    asyncio.run(sent())


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/events", "GET, POST"),
        ("OPTIONS", "/v1/events", "GET, POST"),
        ("HEAD", "/v1/events", "GET, POST"),
        ("POST", "/v1/exports/x/file", "GET, HEAD"),
        ("PATCH", "/v1/exports/x", "GET, DELETE"),
        ("PUT", "/v1/structure/fields", "GET, POST"),
    ],
)
def test_a_405_names_every_method_of_the_address(served, method, path, allowed):
    refused = served.request(path, method=method)
    assert (refused.status, refused.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert refused.json()["fix"] == f"Use one of: {allowed}."


def test_one_tenants_flood_leaves_the_client_what_its_other_tenants_need(tmp_path):
    with Served(tmp_path, **NOWHERE, ingest_rate=0.01, ingest_burst=2) as served:
        vendor = served.client_token("vendor")
        assert post(served, vendor, b"[{}, {}]", tenant="acme").status == 400
        assert post(served, vendor, b"{}", tenant="acme").status == 429
        assert post(served, vendor, b"{}", tenant="globex").status == 400
        bound = served.client_token("writer", tenant="acme")
        # The key has its own rate, so a flood from other keys does not affect it.
        assert post(served, bound, b"{}").status == 400
        each = post(served, vendor, b'[{"tenant_id": "acme"}, {"tenant_id": "initech"}, {"tenant_id": 7}]')
        assert [one["code"] for one in each.json()["results"]] == ["RATE_LIMITED", "EVENT_INVALID", "EVENT_INVALID"]
        assert (each.status, each.json()["code"]) == (429, "RATE_LIMITED")
        assert int(each.headers["retry-after"]) >= 1


def test_one_sender_may_occupy_at_most_half_of_the_bytes():
    service = IngestService(load(**NOWHERE, ingest_buffer_bytes=1 << 20))
    acme, globex, vendor = Sender("al_1", "acme"), Sender("al_1", "globex"), Sender("al_2")
    with (
        service.reserve_bytes(0, acme) as count,
        service.reserve_bytes(0, globex),
        service.reserve_bytes(0, vendor) as vendors,
    ):
        count(1 << 19)
        with pytest.raises(RateLimited):
            count(1)
        with pytest.raises(RateLimited), service.reserve_bytes(1, Sender("al_3", "acme")):
            pass
        vendors((1 << 19) - 1)
        with (
            service.reserve_bytes(1, globex),
            pytest.raises(BufferFull),
            service.reserve_bytes(1, Sender("al_1", "initech")),
        ):
            pass
    assert not service._held_by
    with service.reserve_bytes(1 << 20, acme):  # even a large request is admitted if it is the only one
        pass


def test_an_external_user_is_not_mistaken_for_a_client():
    """This applies both to events that the user sends and to event ids that the user repeats."""
    client, user = Sender("al_1", "acme"), Sender("al_1", "acme", external=True)
    posted = {"action": "Login", "occurred_at": "2026-01-01T00:00:00Z"}
    ids = {keywords_of(dict(posted), replace(one, idempotency_key="k"), 0)["event_id"] for one in (client, user)}
    assert len(ids) == 2
    rates = IngestService(load(**NOWHERE, ingest_rate=1, ingest_burst=1))
    rates._within_rate([posted], ["acme"], user, time.monotonic())
    rates.check_rate(client)
    with pytest.raises(RateLimited):
        rates.check_rate(user)


def test_concurrent_requests_do_not_exceed_the_rate_together():
    """All requests are admitted while the bucket has tokens. Once one sender has used them up, the remaining events of
    the others are rejected.
    """
    service, now = IngestService(load(**NOWHERE, ingest_rate=1, ingest_burst=10)), time.monotonic()
    senders = [Sender("al_1", "acme") for _ in range(4)]
    for sender in senders:
        service.check_rate(sender)
    slices = [
        (sender, service._within_rate([{"action": "a"}] * 10, ["acme"] * 10, sender, now)) for sender in senders * 3
    ]
    taken = [sender for sender, posted in slices if not isinstance(posted[0], RateLimited)]
    assert [one is senders[0] for one in taken] == [True] * 3
    assert isinstance(service._within_rate([{"action": "a"}], ["globex"], Sender("al_1", "globex"), now)[0], dict)
