"""Tests the SDK's spool with and without a real broker."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.registry import RegistryProcess
from fixtures.workers import wait_until
from reading import create, decode, read, read_all, topic_with_schema
from validating import contract

from auditlane.contract.registry import RegistryClient
from auditlane.contract.wire import unframe
from auditlane.runtime.errors import ClientClosed, ConfigError, KafkaUnavailable, SpoolFull
from auditlane.sdk import AuditClient

AWAY = "127.0.0.1:9"  # the discard port, on which no process listens


@pytest.fixture
def topic(kafka: str, registry: str, unique: str) -> str:
    return topic_with_schema(kafka, registry, unique)


@pytest.fixture
def options(registry: str, topic: str, tmp_path: Path) -> dict[str, Any]:
    """Provide options for a client that cannot reach Kafka."""
    return {
        "kafka_bootstrap": AWAY,
        "registry_url": registry,
        "topic": topic,
        "spool_dir": str(tmp_path / "spool"),
        "on_error": lambda *_: None,
    }


def files(options: dict[str, Any]) -> list[str]:
    return sorted(path.name for path in Path(options["spool_dir"]).rglob("*"))


def sets(options: dict[str, Any]) -> set[str]:
    return {path.name for path in Path(options["spool_dir"]).glob("*.set")}


def drained(kafka: str, options: dict[str, Any], **more: Any) -> None:
    """Run a client that emits nothing until the record sets of earlier processes are gone and nothing is left to
    send.
    """
    with AuditClient(**options | {"kafka_bootstrap": kafka}, **more) as client:
        earlier = sets(options)
        wait_until(lambda: not earlier & sets(options) and not client.stats.spooled, why=lambda: f"{files(options)}")
    assert files(options) == []


@pytest.mark.parametrize("mode", ["fast", "durable", "sync"])
@pytest.mark.parametrize("sync", ["never", "1s", "always"])
def test_every_mode_delivers_and_leaves_no_file(kafka, topic, options, mode, sync):
    with AuditClient(**options | {"kafka_bootstrap": kafka}, delivery_mode=mode, spool_sync=sync) as client:
        ids = [client.emit(tenant_id="acme", action=f"a{number}") for number in range(20)]
        if mode == "sync":
            assert client.stats.delivered == 20
    assert client.stats.delivered == 20
    assert [decode(one)["event_id"] for one in read(kafka, topic, 20)] == ids
    assert files(options) == []


def test_events_that_a_closed_client_left_are_delivered_in_order_by_the_next(kafka, topic, options):
    ids = []
    for mode in ("durable", "fast"):
        with AuditClient(**options, delivery_mode=mode, close_timeout_s=0.01) as client:
            ids += [client.emit(tenant_id="acme", action="a") for _ in range(30)]
            result = client.close()
            assert (bool(result), result.spooled, result.pending, result.failed_count) == (True, 30, 0, 0)
    drained(kafka, options)
    assert [decode(one)["event_id"] for one in read(kafka, topic, 60)] == ids


def test_aemit_waits_like_emit_without_blocking_the_event_loop(kafka, topic, options):
    async def emit(client: AuditClient) -> list[str]:
        first = await client.aemit(tenant_id="acme", action="a")
        with client.context(tenant="acme"):
            return [first, *await asyncio.gather(*(client.aemit(action="a") for _ in range(20)))]

    for mode in ("sync", "durable"):
        with AuditClient(**options | {"kafka_bootstrap": kafka}, delivery_mode=mode) as client:
            ids = asyncio.run(emit(client))
            assert len(set(ids)) == 21
            assert mode == "durable" or client.stats.delivered == 21
        with pytest.raises(ClientClosed):
            asyncio.run(client.aemit(tenant_id="acme", action="a"))
    assert len(read(kafka, topic, 42)) == 42


def test_a_mode_that_needs_a_folder_says_so(options):
    del options["spool_dir"]
    with pytest.raises(ConfigError, match="AUDITLANE_SPOOL_DIR"):
        AuditClient(**options, delivery_mode="durable")


def test_fast_events_are_written_once_kafka_does_not_acknowledge_them(kafka, topic, options):
    client = AuditClient(**options)
    first = [client.emit(tenant_id="acme", action="a") for _ in range(5)]
    wait_until(lambda: client.stats.spooled == 5)
    later = client.emit(tenant_id="acme", action="b")
    assert client.stats.spooled == 6, "the next event is written before `emit` returns"
    assert client.close(0.01).spooled == 6
    drained(kafka, options)
    assert [decode(one)["event_id"] for one in read(kafka, topic, 6)] == [*first, later]


def test_sync_raises_but_keeps_an_event_that_is_not_acknowledged_in_time(kafka, topic, options):
    client = AuditClient(**options, delivery_mode="sync", delivery_timeout_ms=300)
    with pytest.raises(KafkaUnavailable, match="It is in the spool"):
        client.emit(tenant_id="acme", action="kept")
    assert client.stats.refused == {"KAFKA_UNAVAILABLE": 1}
    client.close(0.01)
    drained(kafka, options)
    assert decode(read(kafka, topic, 1)[0])["action"] == "kept"
    del options["spool_dir"]
    client = AuditClient(**options, delivery_mode="sync", delivery_timeout_ms=300)
    with pytest.raises(KafkaUnavailable, match=r"was not delivered|was not acknowledged"):
        client.emit(tenant_id="acme", action="lost")
    client.close(0.01)


def test_more_events_than_memory_holds_are_delivered_in_order_when_kafka_is_back(
    kafka, topic, options, broker_that_starts
):
    bootstrap, start = broker_that_starts
    quick = {"reconnect.backoff.max.ms": 200}
    small = options | {"kafka_bootstrap": bootstrap, "delivery_mode": "durable", "buffer_bytes": 20_000}
    with AuditClient(**small, delivery_timeout_ms=1_000, kafka_extra=quick) as client:
        ids = [client.emit(tenant_id="acme", action="a", description="x" * 900) for _ in range(200)]
        assert client.stats.spooled == 200
        start()
        ids += [client.emit(tenant_id="acme", action="a", description="x" * 900) for _ in range(50)]
        wait_until(lambda: client.flush(1))
        assert client.stats.spooled == 0
    found = [decode(one)["event_id"] for one in read(kafka, topic, 250)]
    assert list(dict.fromkeys(found)) == ids
    assert files(options) == []


@pytest.mark.parametrize(("mode", "ends"), [("fast", False), ("durable", True)])
def test_a_registry_that_is_away_at_the_first_event_loses_none(
    kafka, topic, options, own_registry: RegistryProcess, mode, ends
):
    """`acme` has a contract of its own, which requires a field."""
    registry = RegistryClient(own_registry.url)
    registry.register(f"{topic}-value", json.dumps(contract()))
    schema = contract({"name": "project", "type": "string"}, {"name": "size", "type": ["null", "double"]})
    own_id = registry.register(f"{topic}.acme-value", json.dumps(schema))
    registry.close()
    own_registry.end()
    failed: list[tuple[str, str | None]] = []
    more = {"kafka_bootstrap": kafka, "registry_url": own_registry.url, "delivery_mode": mode}
    more |= {"on_error": lambda error, event_id: failed.append((error.code, event_id))}
    client = AuditClient(**options | more)
    first = client.emit(tenant_id="globex", action="first")
    assert client.stats.spooled == 1, "written before `emit` returns"
    valid = client.emit(tenant_id="acme", action="valid", project="moon", size=2)
    client.emit(tenant_id="acme", action="invalid")
    later = [client.emit(tenant_id="acme", action=f"a{number}", project="x") for number in range(3)]
    assert (client.stats.spooled, client.flush(0).problem.code) == (6, "REGISTRY_UNAVAILABLE")
    if ends:
        assert client.close(0.01).spooled == 6
        client = AuditClient(**options | more)
    own_registry.start()
    schemas = {own_id: schema}

    def received() -> list[dict[str, Any]]:
        """Return the events in the topic, except those about the delay, which is longer on a busy machine."""
        events = [decode(one, schemas.get(unframe(one.value())[0])) for one in read_all(kafka, topic)]
        return [event for event in events if not event["action"].startswith("delivery.")]

    wait_until(lambda: {first, valid, *later} < {event["event_id"] for event in received()}, patience_s=120)
    assert [one.error.code for one in client.close().failed] == ([] if ends else ["EVENT_INVALID"])
    found = {event["event_id"]: event for event in received()}
    reports = [event for event in found.values() if event["action"] == "events.dropped"]
    assert found.keys() - {one["event_id"] for one in reports} == {first, valid, *later}
    assert [name for name in found if found[name]["tenant_id"] == "acme"] == [valid, *later], "in order"
    assert (found[valid]["project"], found[valid]["size"]) == ("moon", 2.0)
    [report] = reports
    assert report["tenant_id"] == "unassigned", "since acme's contract requires a field"
    assert report["metadata"]["cause"] == "The tenant's contract rejected the events."
    assert (report["metadata"]["tenant"], report["metadata"]["count"]) == ("acme", "1")
    [rejected] = (Path(options["spool_dir"]) / "rejected").iterdir()
    assert json.loads(rejected.read_bytes())["action"] == "invalid"
    assert failed == ([] if ends else [("EVENT_INVALID", json.loads(rejected.read_bytes())["event_id"])])


def test_sync_raises_but_keeps_an_event_that_the_registry_is_away_for(options):
    more = {"registry_url": f"http://{AWAY}", "delivery_mode": "sync", "delivery_timeout_ms": 200}
    client = AuditClient(**options | more)
    with pytest.raises(KafkaUnavailable, match="It is in the spool"):
        client.emit(tenant_id="acme", action="a")
    assert client.stats.spool.held == 1
    assert client.close(0.01).spooled == 1


@pytest.fixture
def broker_that_starts(kafka: str) -> Iterator[Any]:
    """Provide a bootstrap address at which nothing is listening yet, and a function that starts a broker there."""
    from fixtures.proxy import Proxy

    proxy = Proxy(int(kafka.rpartition(":")[2]), lambda _: False)
    proxy.refuse()
    yield f"127.0.0.1:{proxy.port}", proxy.behave
    proxy.close()


def test_a_full_spool_raises_waits_or_drops_the_oldest_and_reports_them(kafka, topic, options):
    full = options | {"delivery_mode": "durable", "spool_bytes": 1 << 20, "buffer_bytes": 20_000}
    big = "x" * 100_000
    client = AuditClient(**full, spool_full="raise")
    kept = 0
    with pytest.raises(SpoolFull, match="AUDITLANE_SPOOL_BYTES"):
        while kept < 20:
            client.emit(tenant_id="acme", action="kept", description=big)
            kept += 1
    assert kept == 10
    assert client.stats.buffer_full == 0
    assert client.stats.refused == {"SPOOL_FULL": 1}
    client.close(0.01)
    client = AuditClient(**full | {"spool_dir": options["spool_dir"] + "2"}, spool_full="drop_oldest")
    for _ in range(25):
        client.emit(tenant_id="acme", action="dropped", description=big)
    assert client.stats.failed >= 10
    client.close(0.01)
    drained(kafka, options)
    drained(kafka, options | {"spool_dir": options["spool_dir"] + "2"})
    events = [decode(one) for one in read_all(kafka, topic)]
    reports = [one for one in events if one["action"] == "events.dropped"]
    assert {(one["tenant_id"], one["metadata"]["cause"]) for one in reports} == {("acme", "The spool was full.")}
    counts = {action: sum(one["action"] == action for one in events) for action in ("kept", "dropped")}
    lost = sum(int(one["metadata"]["count"]) for one in reports)
    assert counts == {"kept": kept, "dropped": 25 - lost}
    assert lost < 25


def test_an_event_that_kafka_rejects_fails_and_does_not_block_the_others(kafka, topic, options):
    create(kafka, f"{topic}.large", **{"max.message.bytes": "20000"})
    failed: list[str | None] = []
    more = options | {"kafka_bootstrap": kafka, "on_error": lambda _, event_id: failed.append(event_id)}
    with AuditClient(**more, delivery_mode="durable", dedicated_tenants={"large"}) as client:
        large = client.emit(tenant_id="large", action="a", description=os.urandom(50_000).hex())
        other = client.emit(tenant_id="acme", action="a")
        result = client.flush(30)
        assert (result.failed_count, [one.event_id for one in result.failed]) == (1, [large])
        assert large in failed
    shutil.rmtree(Path(options["spool_dir"]) / "rejected")  # it contains the event
    drained(kafka, options, dedicated_tenants={"large"})
    [event] = read(kafka, topic, 1)
    assert decode(event)["event_id"] == other
    [report] = read(kafka, f"{topic}.large", 1)
    assert decode(report)["metadata"]["count"] == "1"


FULL_DISK = """
import os, sys, time
from pathlib import Path
from auditlane.runtime.errors import SpoolFull
from auditlane.sdk import AuditClient
spool, kafka, away = sys.argv[1:]
filler = Path(spool, "filler")
filler.write_bytes(bytes(600_000))
client = AuditClient(kafka_bootstrap=away, delivery_mode="durable", on_error=lambda *_: None)
names = []
def emit():
    name = f"e{len(names)}"
    client.emit(tenant_id="acme", action=name, description="x" * 20_000)
    names.append(name)
try:
    while True:
        emit()
except SpoolFull as error:
    assert "the disk is full" in str(error), error
full = len(names)
filler.unlink()
for _ in range(5):
    emit()
assert client.close(0.01).spooled == len(names) > full > 5
with AuditClient(kafka_bootstrap=kafka):
    deadline = time.monotonic() + 60
    while [*Path(spool).glob("*.set")]:
        assert time.monotonic() < deadline, "the events were not delivered"
        time.sleep(0.05)
print(len(names))
"""


def test_a_full_disk_refuses_events_and_loses_none(kafka, registry, topic, tmp_path):
    """The disk is an in-memory file system, in a namespace in which the test is allowed to mount it."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "main.py").write_text(FULL_DISK)
    mount = f"mount -t tmpfs -o size=1m tmpfs {tmp_path}/disk"
    isolated = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*isolated, mount], capture_output=True).returncode:
        pytest.skip("this system does not permit mounting a file system in a namespace")
    env = {"REGISTRY_URL": registry, "TOPIC": topic, "SPOOL_DIR": str(tmp_path / "disk")}
    done = subprocess.run(
        [*isolated, f'{mount} && exec "$@"', "sh", sys.executable, "main.py", str(tmp_path / "disk"), kafka, AWAY],
        cwd=tmp_path,
        env=os.environ | {f"AUDITLANE_{name}": value for name, value in env.items()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    events = [decode(one)["action"] for one in read_all(kafka, topic)]
    assert events == [f"e{number}" for number in range(int(done.stdout))]
