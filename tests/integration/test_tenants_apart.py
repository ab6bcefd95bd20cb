"""Tests that no route reads or changes another tenant's data, whatever a request contains."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
import urllib3
from confluent_kafka import Consumer
from querying import Store, event, store
from serving import HOUR, Served
from surface import Operation, operations, sample

from auditlane.access.permissions import VIEWER
from auditlane.access.tokens import Viewer, mint_viewer_token
from auditlane.contract import subjects, topics
from auditlane.contract.registry_client import registry_client
from auditlane.runtime.settings import load

OURS, THEIRS = "acme", "globex"
AUDITOR = "their-auditor"
MARK = "globex-confidential"  # part of every text field in their events
# Parameter names with which an attacker might try to select a tenant. None of them is supported.
NAMES = ("tenant", "tenant_id", "tenantId", "tenantIds", "tenant_ids", "vendorId", "Auditlane-Tenant", "scope")
HEADERS = ("Auditlane-Tenant", "frontegg-tenant-id")
HTTP = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=10, read=20))


class Surface:
    """The whole service on real components, with both tenants' events."""

    def __init__(self, served: Served, table: Store, topic: str) -> None:
        self.served, self.table, self.topic = served, table, topic
        self.operations = operations(served.app)

    def send(self, operation: Operation, token: str, path: str, query: list[tuple[str, str]], headers, body) -> bytes:
        """Send a request, and return the response's body. For a stream, return what arrives within a second."""
        target = self.served.url + path + (f"?{urlencode(query)}" if query else "")
        sent = {"authorization": f"Bearer {token}", **headers}
        if body is not None:
            sent["content-type"] = "application/json"
        text = None if body is None else json.dumps(body)
        response = HTTP.request(
            operation.method, target, body=text, headers=sent, redirect=False, preload_content=False
        )
        try:
            assert response.status < 500 or response.status == 503, f"{operation} {path} {query}: {response.read()}"
            if "event-stream" in response.headers.get("content-type", ""):
                return first_second(response)
            return response.read()
        finally:
            response.close()


def first_second(response: urllib3.BaseHTTPResponse) -> bytes:
    connection = response.connection
    if connection is not None and connection.sock is not None:
        connection.sock.settimeout(1.0)
    got = b""
    try:
        while piece := response.read1(65_536):
            got += piece
    except (urllib3.exceptions.HTTPError, OSError):
        pass
    return got


@pytest.fixture(scope="module")
def surface(clickhouse, kafka, registry, tmp_path_factory) -> Iterator[Surface]:
    folder = tmp_path_factory.mktemp("surface")
    with store(clickhouse) as table:
        rows = [event(number, OURS) for number in range(20)]
        rows += [
            event(
                100 + number,
                THEIRS,
                action=MARK,
                actor_id=MARK,
                description=MARK,
                metadata={MARK: MARK},
                fields={"invoice": MARK},
            )
            for number in range(20)
        ]
        table.add(rows)
        settings = load(kafka_bootstrap=kafka, registry_url=registry, topic=f"{table.database}.events",
                        dead_letter_topic=f"{table.database}.dead")  # fmt: skip
        topics.ensure(settings)
        contracts = registry_client(settings)
        subjects.ensure_base_subject(contracts, settings.topic)
        contracts.close()
        all_settings = settings.model_dump(exclude_unset=True) | {
            "clickhouse_url": clickhouse,
            "clickhouse_database": table.database,
            "audit_aggregation_s": 3_600,  # this test's own reads are also events in the other tenant's log
        }
        with Served(folder, **all_settings) as served:
            yield Surface(served, table, settings.topic)


def auditor(surface: Surface) -> str:
    """Create a token for a user of the other tenant. What this user reads becomes events in that tenant's log."""
    viewer = Viewer(THEIRS, AUDITOR, VIEWER)
    return mint_viewer_token(surface.served.signing, viewer, now=datetime.now(UTC), ttl=HOUR).text


def theirs(surface: Surface) -> dict[str, str]:
    """Return the other tenant's values, which are used in requests, by parameter name."""
    token = auditor(surface)
    page = surface.served.request("/v1/events?limit=2", token).json()
    values = {"tenant": THEIRS, "event_id": page["data"][0]["event_id"], "cursor": page["next"]}
    return values | dict.fromkeys(("tenant_id", "tenantId"), THEIRS)


def test_every_route_refuses_or_ignores_another_tenants_values(surface):
    tokens = [surface.served.viewer_token(OURS), surface.served.client_token("admin", tenant=OURS)]
    stolen_values = theirs(surface)
    tried = 0
    for operation in surface.operations:
        own = {name: {"tenant": OURS}.get(name, "x") for name in operation.placeholders}
        victim = {name: stolen_values.get(name, THEIRS) for name in operation.placeholders}
        body = (
            sample(operation.body, operation.documented, {}) if operation.method in ("POST", "PUT", "PATCH") else None
        )
        stolen = body and sample(operation.body, operation.documented, dict.fromkeys(NAMES, THEIRS))
        documented = [name for place, name in operation.parameters if place == "query"]
        needed = [("format", "jsonl")] if "format" in documented else []
        needed += [("field", "action")] if "field" in documented else []
        variants: list[tuple[dict[str, str], list[tuple[str, str]], dict[str, str], object]] = [
            (victim, needed, {}, body),
            *((own, needed, {name: THEIRS}, body) for name in HEADERS),
            *((own, [*needed, (name, THEIRS)], {}, body) for name in NAMES),
            *(
                (own, [*needed, (name, stolen_values.get(name, THEIRS))], {}, body)
                for name in documented
                if name != "format"
            ),
            (victim, needed, dict.fromkeys(HEADERS, THEIRS), stolen),
            (own, needed, {}, stolen),
            (own, needed, {}, [stolen]),
        ]
        for token, selected in zip(tokens, (variants, variants[:3] + variants[-3:]), strict=True):
            for values, query, headers, sent in selected:
                path = operation.at({name: quote(value, safe="") for name, value in values.items()})
                answer = surface.send(operation, token, path, query, headers, sent)
                tried += 1
                assert MARK.encode() not in answer, f"{operation} with {values} {query} {headers} gave {answer[:500]!r}"
    assert tried > 10 * len(surface.operations)
    assert changed(surface) == []


def changed(surface: Surface) -> list[str]:
    """Return a description of each event or setting that was written for the other tenant or for all tenants."""
    found = [
        f"settings of {scope}"
        for (scope,) in surface.table.client.query(
            f"SELECT DISTINCT scope FROM {surface.table.database}.settings"
        ).result_rows
        if scope != f"tenant:{OURS}" and not scope.startswith(f"document:views:{OURS}:")
    ]
    for key, value in messages(surface):
        if key not in (OURS, "_auditlane") and AUDITOR not in value:
            found.append(f"an event of {key}: {value}")
    return found


def messages(surface: Surface) -> list[tuple[str, str]]:
    """Return the key, and part of the value, of every message sent to Kafka."""
    consumer = Consumer(
        {
            "bootstrap.servers": surface.served.settings.kafka_bootstrap,
            "group.id": "surface",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([surface.topic])
    found, ended, deadline = [], 0, time.monotonic() + 60
    while ended < surface.served.settings.topic_partitions:
        assert time.monotonic() < deadline, "the end of the topic is not reached"
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            ended += 1
        else:
            found.append((message.key().decode(), repr(message.value())))
    consumer.close()
    return found


def test_the_other_tenants_own_users_do_see_it(surface):
    """Without this test, a service that never shows anything would pass the test above."""
    token = auditor(surface)
    seen = [
        str(operation)
        for operation in surface.operations
        if operation.method == "GET"
        and operation.path.startswith("/v1/")
        and MARK.encode()
        in surface.send(
            operation,
            token,
            operation.at({name: theirs(surface).get(name, THEIRS) for name in operation.placeholders}),
            [(name, {"format": "jsonl", "field": "action"}[name]) for place, name in operation.parameters
             if place == "query" and name in ("format", "field") ],
            {},
            None,
        )
    ]  # fmt: skip
    assert {"GET /v1/events", "GET /v1/events/{event_id}", "GET /v1/export"} <= set(seen)
