"""Tests the provenance and identity of events on real services, from the producer to the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path as File
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from fixtures.commands import Commands
from fixtures.workers import World, wait_until, world_on
from serving import Served

from auditlane.access.provenance_keys import ProvenanceKeys
from auditlane.contract.provenance import HEADER, Key, signer
from auditlane.runtime.errors import ConfigError, InvalidEvent, InvalidInput
from auditlane.sdk import AuditClient, AuditEvent

Headers = list[tuple[str, str | bytes | None]]
HTTP = urllib3.PoolManager(retries=False, timeout=30.0)


class Path:
    """A world with a worker, a service, and commands."""

    def __init__(self, world: World, served: Served, folder: File) -> None:
        self.world, self.served = world, served
        self.commands = Commands(world, folder / "cache")
        self.keys = ProvenanceKeys(folder / "provenance-keys.json")

    def post(self, body: Any, token: str, **headers: str) -> urllib3.BaseHTTPResponse:
        return self.served.request("/v1/events", token, method="POST", body=body, **headers)

    def sdk(self, **options: Any) -> AuditClient:
        settings = self.world.settings
        return AuditClient(
            kafka_bootstrap=settings.kafka_bootstrap,
            registry_url=settings.registry_url,
            topic=settings.topic,
            on_error=lambda error, event_id: None,
            **options,
        )

    def imported(self, file: File, *options: str, code: int = 0) -> str:
        process = self.commands.start("import", str(file), *options)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
        return errors

    def write(self, tenant: str, value: bytes, headers: Headers | None = None) -> None:
        """Produce a message without the gateway, as any client with write access to the topic can."""
        self.world.producer.produce(self.world.settings.topic, key=tenant, value=value, headers=headers or [])
        assert self.world.producer.flush(30) == 0

    def log(self, tenant: str, columns: str = "provenance, provenance_id", *, rows: int | None = None) -> list[Any]:
        """Return a tenant's rows as readers see them. Waits until the table has `rows` rows for the tenant, one per
        message.
        """
        database, client = self.world.settings.clickhouse_database, self.world.client
        of_tenant = f"WHERE tenant_id = '{tenant}' AND source != 'auditlane'"
        if rows is not None:
            count = f"SELECT count() FROM `{database}`.events {of_tenant}"
            wait_until(lambda: client.query(count).result_rows[0][0] >= rows, why=self.world.workers[-1].tail)
        found = client.query(f"SELECT {columns} FROM `{database}`.log {of_tenant} ORDER BY kafka_timestamp, action")
        return list(found.result_rows)


@pytest.fixture(scope="module")
def path(kafka: str, registry: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("provenance")
    world = world_on(kafka, registry, clickhouse, f"t{uuid4().hex[:12]}", folder)
    world.worker().ready()
    with Served(folder, **world.settings.model_dump(exclude_unset=True)) as served:
        yield Path(world, served, folder)
    world.close()


def event(tenant: str, **values: Any) -> dict[str, Any]:
    """Return an event with a fixed id and time, so that it is identical each time it is sent."""
    at = datetime.now(UTC).isoformat()
    return {"tenant_id": tenant, "action": "Paid", "event_id": str(uuid4()), "occurred_at": at} | values


def test_the_gateway_vouches_only_for_events_that_it_accepted(path: Path, unique: str) -> None:
    client = path.served.client("writer").client
    key, value = unique.encode(), path.world.value(unique, 1)
    sent = event(unique, action="0")
    assert path.post(sent, path.served.client_token("writer")).status == 202
    [(provenance, by, source)] = path.log(unique, "provenance, provenance_id, source", rows=1)
    assert (provenance, by == source) == ("gateway", True)

    genuine = path.keys.signer(client.client_id)
    name, signature = genuine(key, value)
    guessed = signer(Key(path.keys.key_ids[0], b"guess" * 7), client.client_id)(key, value)
    other = path.world.value(unique, 2)
    cases: list[tuple[bytes, Headers]] = [
        (path.world.value(unique, 3), []),
        (path.world.value(unique, 4), [(name, signature)]),  # a signature copied from a different event
        (path.world.value(unique, 5), [guessed]),
        (path.world.value(unique, 6), [(name, b"\xff")]),
        (path.world.value(unique, 7), [(name, None)]),
        (value, [(name, signature), (name, signature)]),
        (other, [genuine(key, other)]),
    ]
    for number, (message, headers) in enumerate(cases):
        path.write(unique, message, headers)
        path.log(unique, rows=2 + number)
    topic = path.world.settings.topic
    logged = path.log(unique)[1:]
    assert logged == [("kafka", topic)] * (len(cases) - 1) + [("gateway", client.client_id)]


def test_the_same_event_sent_by_several_routes_is_stored_once(path: Path, unique: str, tmp_path: File) -> None:
    sent = event(unique, actor_id="jane", metadata={"b": "2", "a": "1"}, before={"x": 1})
    first, second = path.served.client_token("writer"), path.served.client_token("writer", tenant=unique)
    for rows, token in ((1, first), (2, first), (3, second)):
        assert path.post(sent, token, x_request_id=f"r-{rows}").status == 202
        path.log(unique, rows=rows)
    lines = HTTP.request(
        "POST",
        f"{path.served.url}/v1/events",
        body=json.dumps(sent) + "\n",
        headers={"authorization": f"Bearer {second}", "content-type": "application/x-ndjson"},
    )
    assert lines.status == 202, lines.data
    path.log(unique, rows=4)
    with path.sdk() as sdk:
        sdk.emit(**sent)
    path.log(unique, rows=5)
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(sent) + "\n")
    path.imported(file)
    path.log(unique, rows=6)
    [(provenance, metadata, actor)] = path.log(unique, "provenance, metadata, actor_id")
    assert (provenance, metadata, actor) == ("gateway", {"a": "1", "b": "2"}, "jane")
    assert path.post(sent | {"actor_id": "john"}, first).status == 202
    path.log(unique, rows=7)
    assert sorted(actor for (actor,) in path.log(unique, "actor_id")) == ["jane", "john"]


@pytest.mark.parametrize("source", ["auditlane", "AuditLane", " auditlane", "audit\u200blane"])
def test_no_other_sender_can_send_as_auditlane(path: Path, unique: str, tmp_path: File, source: str) -> None:
    token = path.served.client_token("writer")
    answer = path.post(event(unique, source=source), token)
    assert (answer.status, answer.json()["code"], answer.json()["field"]) == (400, "EVENT_INVALID", "source")
    lines = HTTP.request(
        "POST",
        f"{path.served.url}/v1/events",
        body=json.dumps(event(unique, source=source)) + "\n",
        headers={"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"},
    )
    assert (lines.status, lines.json()["code"]) == (400, "EVENT_INVALID")
    with path.sdk() as sdk:
        for emit in (sdk.emit, lambda **values: sdk.send(AuditEvent(**values))):
            with pytest.raises(InvalidEvent, match="reserved") as refused:
                emit(**event(unique, source=source))
            assert refused.value.field == "source"
    with pytest.raises(ConfigError, match="reserved"):
        path.sdk(source=source)
    assert "source" in path.commands.text("emit", "--tenant", unique, "--action", "a", "--source", source, code=3)
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(event(unique, source=source)) + "\n")
    assert "reserved" in path.imported(file, code=3)

    value = path.world.value(unique, 1, source=source)
    path.write(unique, value)
    path.write(unique, value, [path.keys.signer("billing")(unique.encode(), value)])

    def letters() -> list[Any]:
        found = path.world.dead_letters(1)
        return [one for one in found if one.key() == unique.encode()]

    wait_until(lambda: len(letters()) >= 2, why=path.world.workers[-1].tail)
    assert {dict(one.headers())["auditlane.error.code"] for one in letters()} == {b"SOURCE_RESERVED"}
    assert [HEADER in dict(one.headers()) for one in letters()].count(True) == 1
    assert path.log(unique) == []


@pytest.mark.parametrize("name", ["auditlane.provenance", "auditlane.request.id", "Auditlane.x", " auditlane.x"])
def test_senders_cannot_use_reserved_header_names(path: Path, unique: str, name: str) -> None:
    with path.sdk() as sdk:
        with pytest.raises(InvalidInput, match="reserved") as refused:
            sdk.send(AuditEvent(tenant_id=unique, action="a"), headers={name: "x"})
        assert refused.value.field == name
        sdk.send(AuditEvent(tenant_id=unique, action="a"), headers={"trace": "x"})


def test_a_forged_event_that_is_first_does_not_hide_the_real_one(path: Path, unique: str, tmp_path: File) -> None:
    """An attacker who stops CloudTrail knows the id and time of that event before it is imported, and first sends a
    harmless event with the same id and time.
    """
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    real = {
        "eventID": str(uuid4()),
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventName": "StopLogging",
        "eventSource": "cloudtrail.amazonaws.com",
        "userIdentity": {"type": "IAMUser", "userName": "mallory", "accountId": "123456789012"},
        "sourceIPAddress": "198.51.100.7",
        "recipientAccountId": "123456789012",
    }
    forged = event(
        unique,
        event_id=real["eventID"],
        occurred_at=now.isoformat(),
        action="DescribeInstances",
        actor_id="readonly-bot",
    )
    assert path.post(forged, path.served.client_token("writer", tenant=unique)).status == 202
    path.log(unique, rows=1)
    path.write(unique, path.world.value(unique, 1, **{k: v for k, v in forged.items() if k != "tenant_id"}))
    path.log(unique, rows=2)
    file = tmp_path / "trail.json"
    file.write_text(json.dumps({"Records": [real]}))
    path.imported(file, "--format", "cloudtrail", "--tenant", unique)
    assert [action for (action,) in path.log(unique, "action", rows=3)] == ["DescribeInstances", "StopLogging"]
    world = path.world
    world.client.command(f"SYSTEM START MERGES {world.events}")
    world.client.command(f"OPTIMIZE TABLE {world.events} FINAL")
    world.client.command(f"SYSTEM STOP MERGES {world.events}")
    assert [action for (action,) in path.log(unique, "action")] == ["DescribeInstances", "StopLogging"]

    world.completed()
    found = json.loads(path.commands.text("verify", "--json", "--known-conflicts", "1000"))
    assert found["ok"]
    mine = [one for one in found["conflicts"] if one["tenant"] == unique]
    assert [(one["event_id"], one["contents"]) for one in mine] == [(real["eventID"], 2)]
    assert f"kafka {world.settings.topic}" in mine[0]["origins"]
    assert found["counts"]["conflicts"] == len(found["conflicts"])
    output = path.commands.text("verify", code=5)
    assert f"conflict: {unique} {real['eventID']}" in output
    assert "--known-conflicts" in output
