"""Runs one test suite against both transports: real Kafka, and a real `auditlane serve` in front of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fixtures.proxy import Proxy
from fixtures.workers import wait_until
from reading import create, decode, read_all, topic_with_schema
from serving import ServeProcess

from auditlane.runtime.errors import (
    AuditlaneError,
    BufferFull,
    ClientClosed,
    ConfigError,
    EventTooLarge,
    GatewayUnavailable,
    InvalidEvent,
    KafkaUnavailable,
    Unavailable,
)
from auditlane.sdk import AuditClient

AWAY = "127.0.0.1:9"  # the discard port, on which no process listens
LARGE = f"large{uuid4().hex[:8]}"  # a tenant with a topic that takes only small messages


@dataclass
class Wire:
    """A transport. `options` configures a client that reaches its service, and `away` one that does not."""

    kind: str
    kafka: str
    topic: str
    options: dict[str, Any]
    away: dict[str, Any]
    port: int
    unavailable: type[Unavailable]

    def at(self, port: int) -> dict[str, Any]:
        """Return the options for a client that connects to another port of this machine."""
        address = f"127.0.0.1:{port}"
        place = {"url": f"http://{address}"} if self.kind == "gateway" else {"kafka_bootstrap": address}
        return self.options | place

    def read(self, tenant: str, count: int) -> list[dict[str, Any]]:
        """Wait until the tenant has this many events, and return them in Kafka's order."""

        def found() -> list[dict[str, Any]]:
            messages = read_all(self.kafka, self.topic)
            return [decode(one) for one in messages if one.key() == tenant.encode()]

        wait_until(lambda: len(found()) >= count, why=lambda: f"{len(found())} of {count} events arrived")
        return found()

    def ids(self, tenant: str, count: int) -> list[str]:
        """Return the ids of a tenant's events in order, without duplicates."""
        events = [
            event for event in self.read(tenant, count) if not event["action"].startswith(("events.", "delivery."))
        ]
        return list(dict.fromkeys(event["event_id"] for event in events))


@pytest.fixture(scope="module")
def topic(kafka: str, registry: str) -> str:
    topic = topic_with_schema(kafka, registry, f"t{uuid4().hex[:12]}")
    create(kafka, f"{topic}.{LARGE}", **{"max.message.bytes": "20000"})
    return topic


@pytest.fixture(scope="module")
def gateway(
    kafka: str, registry: str, topic: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServeProcess, str, str]]:
    """Provide a gateway, and the id and secret of a client that may write events for every tenant."""
    settings = {"kafka_bootstrap": kafka, "registry_url": registry, "topic": topic}
    with ServeProcess(tmp_path_factory.mktemp("gateway"), roles="ingest", **settings) as served:
        issued = served.keys.create(roles=("writer",), tenant=None, now=datetime.now(UTC))
        yield served, issued.client.client_id, issued.secret


@pytest.fixture(params=["kafka", "gateway"])
def wire(request: pytest.FixtureRequest, kafka: str, registry: str, topic: str) -> Wire:
    if request.param == "kafka":
        options = {"kafka_bootstrap": kafka, "registry_url": registry, "topic": topic, "dedicated_tenants": {LARGE}}
        port = int(kafka.rpartition(":")[2])
        return Wire("kafka", kafka, topic, options, options | {"kafka_bootstrap": AWAY}, port, KafkaUnavailable)
    served, client_id, secret = request.getfixturevalue("gateway")
    options = {"url": served.url, "client_id": client_id, "secret": secret}
    port = int(served.url.rpartition(":")[2])
    return Wire("gateway", kafka, topic, options, options | {"url": f"http://{AWAY}"}, port, GatewayUnavailable)


def silent(error: AuditlaneError, event_id: str | None) -> None:
    """Ignore errors, which are expected here."""


def test_an_event_arrives_unchanged(wire: Wire, unique: str) -> None:
    at = datetime(2026, 1, 31, 13, 45, 0, 123456, tzinfo=UTC)
    values: dict[str, Any] = {
        "action": "document.deleted", "actor_id": "u-1", "actor_type": "service", "actor_name": "Ärger \n\"x\"",
        "on_behalf_of": "u-2", "resource": "document", "resource_id": "d-1", "outcome": "denied", "severity": "High",
        "description": "", "ip": "2001:db8::1", "user_agent": "curl", "request_id": "r-1", "before": "not JSON",
        "after": {"a": [1, 2.5, None]}, "source": "shop", "metadata": {"region": "eu", "": ""},
    }  # fmt: skip
    with AuditClient(**wire.options) as client:
        event_id = client.emit(tenant_id=unique, occurred_at=at, **values)
        result = client.flush(30)
        assert (bool(result), result.delivered, result.pending, result.failed) == (True, 1, 0, ())
    [found] = wire.read(unique, 1)
    expected = values | {"event_id": event_id, "tenant_id": unique, "occurred_at": at, "after": '{"a": [1, 2.5, null]}'}
    assert found == expected


@pytest.mark.parametrize("mode", ["fast", "durable", "sync"])
def test_every_mode_delivers_and_leaves_no_file(wire: Wire, unique: str, tmp_path: Path, mode: Any) -> None:
    with AuditClient(**wire.options, delivery_mode=mode, spool_dir=str(tmp_path)) as client:
        ids = [client.emit(tenant_id=unique, action=f"a{number}") for number in range(20)]
        if mode == "sync":
            assert client.stats.delivered == 20
    assert client.stats.delivered == 20
    assert wire.ids(unique, 20) == ids
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_each_tenants_events_keep_their_order_across_threads(wire: Wire, unique: str) -> None:
    ids: dict[str, list[str]] = {f"{unique}-{number}": [] for number in range(4)}

    def work(client: AuditClient, tenant: str) -> None:
        ids[tenant] += [client.emit(tenant_id=tenant, action="a") for _ in range(300)]

    with AuditClient(**wire.options) as client:
        threads = [threading.Thread(target=work, args=(client, tenant)) for tenant in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush(60).delivered == 1_200
    for tenant, emitted in ids.items():
        assert wire.ids(tenant, 300) == emitted


def test_aemit_and_aflush_wait_without_blocking_the_event_loop(wire: Wire, unique: str) -> None:
    async def emit(client: AuditClient) -> list[str]:
        ids = await asyncio.gather(*(client.aemit(tenant_id=unique, action="a") for _ in range(20)))
        assert await client.aflush(30)
        return ids

    for mode in ("fast", "sync"):
        with AuditClient(**wire.options, delivery_mode=mode) as client:
            ids = asyncio.run(emit(client))
        with pytest.raises(ClientClosed):
            asyncio.run(client.aemit(tenant_id=unique, action="a"))
        assert set(ids) <= set(wire.ids(unique, 20))


FORK = """
import os, sys
from auditlane.sdk import AuditClient
client = AuditClient()
tenant = sys.argv[1]
client.emit(tenant_id=tenant, action="before")
if sys.argv[2] == "flush":
    client.flush()
child = os.fork()
for _ in range(50):
    client.emit(tenant_id=tenant, action="parent" if child else "child")
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("how", ["flush", "buffer"])
def test_a_forked_child_delivers_its_own_events_and_the_parent_the_others(wire: Wire, unique: str, how: str) -> None:
    given = {f"AUDITLANE_{name.upper()}": str(value) for name, value in wire.options.items() if isinstance(value, str)}
    subprocess.run([sys.executable, "-c", FORK, unique, how], env=os.environ | given, check=True, timeout=60)
    actions = sorted(event["action"] for event in wire.read(unique, 101))
    assert actions == ["before", *["child"] * 50, *["parent"] * 50]


def test_a_service_that_starts_later_gets_the_events(wire: Wire, unique: str) -> None:
    proxy = Proxy(wire.port, lambda _: False)
    proxy.refuse()
    errors: list[tuple[str, str | None]] = []
    quick = {} if wire.kind == "gateway" else {"kafka_extra": {"reconnect.backoff.max.ms": 200}}
    options = wire.at(proxy.port) | quick
    with AuditClient(**options, on_error=lambda error, event_id: errors.append((error.code, event_id))) as client:
        ids = [client.emit(tenant_id=unique, action=f"a{number}") for number in range(20)]
        wait_until(lambda: errors)
        assert errors[0] == (wire.unavailable.code, None)
        result = client.flush(0)
        assert (bool(result), result.pending, type(result.problem)) == (False, 20, wire.unavailable)
        with pytest.raises(wire.unavailable):
            result.raise_for_failure()
        proxy.behave()
        wait_until(lambda: client.flush(1))
    proxy.close()
    assert wire.ids(unique, 20) == ids


def test_events_fail_after_the_timeout_and_a_full_buffer_refuses_more(wire: Wire, unique: str) -> None:
    failed: list[str | None] = []
    client = AuditClient(
        **wire.away,
        delivery_timeout_ms=500,
        buffer_bytes=20_000,
        on_error=lambda error, event_id: failed.append(event_id),
    )
    ids = [client.emit(tenant_id=unique, action="a")]
    with pytest.raises(BufferFull, match="the event was not accepted"):
        while True:
            ids.append(client.emit(tenant_id=unique, action="a", description="x" * 900))
    wait_until(lambda: set(ids) <= set(failed))
    result = client.close(0)
    assert (result.failed_count, result.pending) == (len(ids), 0)
    assert {type(one.error) for one in result.failed} == {wire.unavailable}
    assert client.stats.buffer_full == 1


def test_a_close_reports_the_events_that_it_could_not_deliver(wire: Wire, unique: str) -> None:
    client = AuditClient(**wire.away, on_error=silent)
    for _ in range(5):
        client.emit(tenant_id=unique, action="a")
    result = client.close(0.05)
    assert (bool(result), result.failed_count, result.pending) == (False, 5, 0)
    with pytest.raises(ClientClosed):
        client.emit(tenant_id=unique, action="a")


def drain(wire: Wire, folder: Path) -> None:
    """Run a client until it has delivered what earlier clients left behind."""
    earlier = set(folder.rglob("*.set"))
    with AuditClient(**wire.options, spool_dir=str(folder)) as client:
        wait_until(lambda: not earlier & set(folder.rglob("*.set")) and not client.stats.spooled)
    assert list(folder.rglob("*.set")) == []


def test_a_spool_survives_the_client_and_is_delivered_in_order(wire: Wire, unique: str, tmp_path: Path) -> None:
    if wire.kind == "kafka":  # the contract comes from the registry, which is not away
        AuditClient(**wire.options).close()
    ids: list[str] = []
    for mode in ("durable", "fast"):
        client = AuditClient(**wire.away, spool_dir=str(tmp_path), delivery_mode=mode, on_error=silent)  # type: ignore[arg-type]
        ids += [client.emit(tenant_id=unique, action="a") for _ in range(30)]
        result = client.close(0.01)
        assert (bool(result), result.spooled, result.pending, result.failed_count) == (True, 30, 0, 0)
    client = AuditClient(**wire.away, spool_dir=str(tmp_path), on_error=silent)
    first = client.emit(tenant_id=unique, action="spills")
    wait_until(lambda: client.stats.spooled == 1)
    later = client.emit(tenant_id=unique, action="is written at once")
    assert client.stats.spooled == 2
    client.close(0.01)
    drain(wire, tmp_path)
    assert wire.ids(unique, 62) == [*ids, first, later]


def test_sync_raises_after_the_timeout_and_keeps_the_event(wire: Wire, unique: str, tmp_path: Path) -> None:
    options = wire.away | {"delivery_mode": "sync", "delivery_timeout_ms": 300, "on_error": silent}
    client = AuditClient(**options, spool_dir=str(tmp_path))
    with pytest.raises(wire.unavailable, match="It is in the spool"):
        client.emit(tenant_id=unique, action="kept")
    client.close(0.01)
    client = AuditClient(**options)
    with pytest.raises(wire.unavailable, match=r"was not delivered|was not acknowledged"):
        client.emit(tenant_id=unique, action="lost")
    client.close(0.01)
    drain(wire, tmp_path)
    assert [event["action"] for event in wire.read(unique, 1) if event["action"] != "delivery.delayed"] == ["kept"]


def test_an_invalid_event_is_refused_by_emit(wire: Wire, unique: str) -> None:
    with AuditClient(**wire.options, max_event_bytes=5_000) as client:
        for values, field in (
            ({"action": ""}, "action"),
            ({"action": "a", "outcome": "succes"}, "outcome"),
            ({"action": "a", "ip": "here"}, "ip"),
            ({"action": "a", "occurred_at": "2001-01-01T00:00:00Z"}, "occurred_at"),
        ):
            with pytest.raises(InvalidEvent) as caught:
                client.emit(tenant_id=unique, **values)  # type: ignore[arg-type]
            assert caught.value.field == field
        with pytest.raises(EventTooLarge) as large:
            client.emit(tenant_id=unique, action="a", description="x", before="ä" * 3_000)
        assert large.value.field == "before"
        client.emit(tenant_id=unique, action="a", before='"' * 4_000)  # its JSON has 8,000 characters, its Avro has not
        assert client.flush(30)
        assert client.stats.rejected == 5
    assert len(wire.read(unique, 1)) == 1


def test_an_event_that_the_service_rejects_fails_alone(wire: Wire, unique: str, tmp_path: Path) -> None:
    """Kafka rejects a message that is too large for its topic, and the gateway rejects a field that no contract has."""
    bad: dict[str, Any] = {"tenant_id": unique, "action": "bad", "fields": {"no_such_field": 1}}
    if wire.kind == "kafka":
        bad = {"tenant_id": LARGE, "action": "bad", "description": os.urandom(50_000).hex()}
    failed: list[str | None] = []
    options = wire.options | {"on_error": lambda error, event_id: failed.append(event_id)}
    with AuditClient(**options, delivery_mode="durable", spool_dir=str(tmp_path)) as client:
        client.emit(tenant_id=unique, action="first")
        rejected = client.emit(**bad)
        client.emit(tenant_id=unique, action="last")
        result = client.flush(30)
        assert (result.failed_count, [one.event_id for one in result.failed]) == (1, [rejected])
        assert rejected in failed
    drain(wire, tmp_path)
    actions = [event["action"] for event in wire.read(unique, 2)]
    assert [action for action in actions if action != "events.dropped"] == ["first", "last"]
    if wire.kind == "gateway":
        assert type(result.failed[0].error) is InvalidEvent
        assert result.failed[0].error.field == "no_such_field"
        assert actions.count("events.dropped") == 1
    [kept] = list(tmp_path.rglob(f"*{rejected}*"))
    assert b"bad" in kept.read_bytes()


def test_a_spool_of_the_other_transport_is_left_and_reported(
    wire: Wire, unique: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = AuditClient(**wire.away, spool_dir=str(tmp_path), delivery_mode="durable", on_error=silent)
    event_id = client.emit(tenant_id=unique, action="a")
    client.close(0.01)
    other: dict[str, Any] = {"url": f"http://{AWAY}", "token": "t"}
    if wire.kind == "gateway":
        other = {"kafka_bootstrap": AWAY, "registry_url": f"http://{AWAY}"}
    with AuditClient(**other, spool_dir=str(tmp_path), on_error=silent):
        wait_until(lambda: "this client cannot send them" in caplog.text)
    drain(wire, tmp_path)
    assert wire.ids(unique, 1) == [event_id]


def test_a_mode_that_needs_a_folder_says_so(wire: Wire) -> None:
    with pytest.raises(ConfigError, match="AUDITLANE_SPOOL_DIR"):
        AuditClient(**wire.options, delivery_mode="durable")


SIGNALLED = """
import os, signal, sys
from auditlane.sdk import AuditClient
audit, tenant, depth = AuditClient(max_block_ms=60_000), sys.argv[1], 0
def handle(*_):
    global depth
    if depth < 3:
        depth += 1
        audit.emit(tenant_id=tenant, action="handled")
        depth -= 1
signal.signal(signal.SIGALRM, handle)
audit.emit(tenant_id=tenant, action="emitted")
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for _ in range(2_000):
    audit.emit(tenant_id=tenant, action="emitted")
signal.setitimer(signal.ITIMER_REAL, 0)
print(audit.close(60).delivered)
"""


def test_a_signal_handler_may_emit(wire: Wire, unique: str) -> None:
    given = {f"AUDITLANE_{name.upper()}": str(value) for name, value in wire.options.items() if isinstance(value, str)}
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, unique],
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    count = int(done.stdout)
    assert count > 2_001
    actions = [event["action"] for event in wire.read(unique, count)]
    assert (len(actions), actions.count("emitted")) == (count, 2_001)
