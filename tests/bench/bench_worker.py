"""Measures the whole path: `make bench`, or `python tests/bench/bench_worker.py [--events 300000] [--only one] …`.

In one run on the embedded stack, it measures inserting alone, consuming alone, the worker as it is deployed, and a
naive loop and two frameworks that do the same work. A topic is filled first. Each process is then measured from its
first message to its last commit. CPU seconds per million events, and ratios within a run, are comparable between
machines; rates are not. `steady_per_s` and `steady_busy` describe the middle of a run, from 10% to 90% of its rows.
They exclude the start, and the time for which the last ranges wait until they are due. Merges are stopped, so that
every run has the same parts and no merge hides a duplicate.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, Producer, TopicPartition
from fixtures.clickhouse import EngineProcess
from fixtures.kafka import make_broker, wait_for_broker
from fixtures.registry import RegistryProcess
from fixtures.workers import WorkerProcess
from load import SCENARIOS, messages
from measured import Busy, Middle, machine, stopwatch, usage

from auditlane.access.provenance_keys import ProvenanceKeys
from auditlane.contract import subjects, topics
from auditlane.contract.registry_client import registry_client
from auditlane.runtime import process
from auditlane.runtime.settings import Settings, load, variable
from auditlane.store.client import connect
from auditlane.store.event_insert import PINNED, EncodedBatch, send
from auditlane.store.migrate import migrate
from auditlane.worker.validation.batch import RawRange
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

HERE = Path(__file__).parent
PEERS = ("naive", "faststream_batch", "arroyo_process")
RESULTS = HERE.parent / "results"
POLL_S = 0.1
PATIENCE_S = 600.0
PARTS = 16  # per second, for a worker with a dedicated ClickHouse
QUEUE = 128 << 20  # bytes: larger ranges, at the cost of memory
MOST_BUILT = 1_000_000  # maximum number of events whose inserts are prebuilt in memory
MOST_OF_PEERS = 200_000  # maximum number of events, since the peers are an order of magnitude slower


@dataclass
class Parts:
    """The running embedded stack."""

    kafka: str
    kafka_pid: int
    registry: str
    clickhouse: EngineProcess
    folder: Path


@contextmanager
def parts(folder: Path) -> Iterator[Parts]:
    broker = make_broker(folder)
    running = broker.start(folder / "kafka.out")
    registry = RegistryProcess(folder / "registry").start()
    engine = EngineProcess(folder / "clickhouse")
    try:
        wait_for_broker(broker.bootstrap)
        yield Parts(broker.bootstrap, running.pid, registry.url, engine, folder)
    finally:
        engine.stop()
        registry.end()
        process.stop(running, grace_s=20)


class Load:
    """A filled topic. `ranges` contains its messages in ranges as the worker would seal them, partition by partition.

    If `signed`, each message has the gateway's headers, and the worker has the key to verify them.
    """

    def __init__(self, parts: Parts, scenario: str, count: int, *, signed: bool = False) -> None:
        self.parts, self.scenario, self.count, self.signed = parts, scenario, count, signed
        keys = parts.folder / "provenance-keys.json"
        self.keys = ProvenanceKeys.load_or_create(keys)
        name = "b" + uuid.uuid4().hex[:8]
        self.settings = load(
            kafka_bootstrap=parts.kafka,
            registry_url=parts.registry,
            clickhouse_url=parts.clickhouse.url,
            topic=f"{name}.events",
            dead_letter_topic=f"{name}.dead",
            worker_port=0,
            log_level="debug",
            provenance_keys_file=keys,
            trail_lifecycle=False,
        )
        topics.ensure(self.settings)
        self.registry = registry_client(self.settings)
        subjects.ensure_base_subject(self.registry, self.settings.topic)
        self.kept: list[list[tuple[bytes, bytes, int, int]]] = [[] for _ in range(self.settings.topic_partitions)]
        self.size = 0
        self._fill()

    def _fill(self) -> None:
        producer = Producer(
            {"bootstrap.servers": self.parts.kafka, "compression.type": "lz4", "linger.ms": 50, "log_level": 2}
        )
        now_ms = time.time_ns() // 1_000_000

        def sent(error: Any, message: Any) -> None:
            assert error is None, error
            where = self.kept[message.partition()]
            where.append((message.key(), message.value(), message.offset(), message.timestamp()[1]))

        for key, value in messages(self.registry, self.settings.topic, self.scenario, self.count, now_ms):
            self.size += len(value)
            headers = self._headers(key, value) if self.signed else None
            while True:
                try:
                    producer.produce(self.settings.topic, key=key, value=value, headers=headers, on_delivery=sent)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(60) == 0

    def _headers(self, key: str, value: bytes) -> list[tuple[str, str | bytes | None]]:
        request = ("auditlane.request.id", str(uuid.UUID(int=len(value))))
        return [request, self.keys.signer(f"al_{key}", ["request_id"])(key.encode(), value)]

    def ranges(self, rows: int) -> Iterator[RawRange]:
        for number, kept in enumerate(self.kept):
            for first in range(0, len(kept), rows):
                keys, values, offsets, times = zip(*kept[first : first + rows], strict=True)
                topic = self.settings.topic
                yield RawRange(topic, str(uuid.UUID(int=number)), number, list(offsets), list(times), keys, values)

    @contextmanager
    def run(self) -> Iterator[tuple[Settings, Client]]:
        """Yield settings with a new group and database, and a client for that database."""
        name = "r" + uuid.uuid4().hex[:8]
        settings = self.settings.model_copy(update={"clickhouse_database": name, "consumer_group": name})
        client = connect(settings)
        migrate(client, name)
        client.command(f"SYSTEM STOP MERGES `{name}`.events")
        yield settings, client
        client.command(f"DROP DATABASE `{name}` SYNC")
        client.close()


def insert_ceiling(load: Load, threads: int) -> dict[str, float]:
    """Measure how fast `threads` threads can POST prebuilt Arrow streams, each with one range, to the worker's
    table.
    """
    book = SchemaCache(load.registry, topic=load.settings.topic, refresh_s=600)
    validator = BatchValidator(book, topic=load.settings.topic, max_event_bytes=load.settings.max_event_bytes)
    tables: list[Any] = []
    for raw in load.ranges(load.settings.range_rows):
        rows = validator.validate(raw, ingested_at_ms=raw.timestamps_ms[0]).rows
        tables += rows.values()
        if sum(one.num_rows for one in tables) >= MOST_BUILT:
            break
    with load.run() as (settings, client):
        names = ", ".join(f"`{name}`" for name in _columns(client, settings))
        statement = f"INSERT INTO `{settings.clickhouse_database}`.events ({names}) FORMAT ArrowStream"

        built = [EncodedBatch(one) for one in tables]

        def insert(batch: EncodedBatch) -> None:
            send(client, statement, batch, {**PINNED, "insert_deduplication_token": uuid.uuid4().hex})

        store = stopwatch(load.parts.clickhouse.process.pid)
        started, mine = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(insert, built))
        took, mine = time.perf_counter() - started, time.process_time() - mine
        rows = sum(one.num_rows for one in tables)
        size = client.command(
            "SELECT sum(bytes_on_disk) FROM system.parts "
            "WHERE active AND database = {name:String} AND table = 'events'",
            parameters={"name": settings.clickhouse_database},
        )
        return _figures(rows, took, mine, store()) | {"bytes_per_row": round(int(size) / rows, 1)}


def _columns(client: Client, settings: Settings) -> list[str]:
    rows = client.query(
        "SELECT name FROM system.columns WHERE database = {name:String} AND table = 'events' "
        "AND default_kind = '' ORDER BY position",
        parameters={"name": settings.clickhouse_database},
    ).result_rows
    return [str(row[0]) for row in rows]


def raw_consume(load: Load) -> dict[str, float]:
    """Measure the worker's consumer alone. Messages are received and dropped."""
    task = {"bootstrap": load.parts.kafka, "topic": load.settings.topic, "group": "raw", "messages": load.count}
    used = _child([sys.executable, str(HERE / "consume.py"), json.dumps(task)])
    return _figures(used["messages"], used["wall_s"], used["cpu_s"])


def peer(load: Load, name: str, python: str, count: int) -> dict[str, float]:
    """Measure a loop or framework that does the same work, over the first `count` messages that it receives."""
    with load.run() as (settings, client):
        task = {
            "bootstrap": load.parts.kafka,
            "topic": settings.topic,
            "group": settings.consumer_group,
            "registry": load.parts.registry,
            "clickhouse": load.parts.clickhouse.url,
            "database": settings.clickhouse_database,
            "messages": count,
        }
        store = stopwatch(load.parts.clickhouse.process.pid)
        used = _child([python, str(HERE / "peers" / f"{name}.py"), json.dumps(task)])
        stored, _ = _counts(client, settings)
        assert stored == used["rows"] > 0.9 * count, f"{name} stored {stored} of {used}"
        return _figures(used["messages"], used["wall_s"], used["cpu_s"], store())


def _child(command: list[str]) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUDITLANE_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    lines = done.stdout.strip().splitlines()
    assert lines, f"{' '.join(command[:2])} ended with {done.returncode}: {done.stderr[-3_000:]}"
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def worker(load: Load, *, profile: str = "", **settings_: Any) -> dict[str, Any]:
    """Measure `auditlane worker` with its default settings, overridden by `settings_`."""
    with load.run() as (settings, client):
        options = settings.model_dump(exclude_unset=True) | settings_
        env = {variable(name): str(value) for name, value in options.items()}
        log = load.parts.folder / f"{settings.consumer_group}.log"
        mine = WorkerProcess(env, log)
        try:
            _wait(lambda: "partition.assigned" in log.read_text(), mine)
            completed = _completed(settings)
            started, cpu = time.perf_counter(), stopwatch(mine.process.pid)
            store, kafka = stopwatch(load.parts.clickhouse.process.pid), stopwatch(load.parts.kafka_pid)
            with _profiled(mine.process.pid, profile), Busy() as busy:
                _wait(completed, mine)
                took, used, stores, brokers = time.perf_counter() - started, cpu(), store(), kafka()
            peak = usage(mine.process.pid).peak_mb
            letters = sum(
                int(float(one)) for one in re.findall(r"dead_letters_total\{.*?\} (\S+)", mine.get("/metrics"))
            )
            rows, distinct = _counts(client, settings)
            assert rows == distinct == load.count - letters, f"{rows} rows, {distinct} events, {letters} dead letters"
            stored = [
                (datetime.fromisoformat(line["timestamp"]).timestamp(), line["rows"])
                for line in mine.events("range.stored")
            ]
        finally:
            mine.close()
        middle = Middle.of(stored)
        return _figures(load.count, took, used, stores) | {
            "kafka_cpu_s_per_million": round(brokers * 1e6 / load.count, 2),
            "steady_per_s": round(middle.rows / (middle.end - middle.begin)),
            "steady_busy": round(busy.between(middle.begin, middle.end), 2),
            "peak_mb": round(peak),
            "store_peak_mb": round(usage(load.parts.clickhouse.process.pid).peak_mb),
            "rows": rows,
            "distinct": distinct,
            "dead_letters": letters,
            "inserts": len(stored),
        }


@contextmanager
def _profiled(pid: int, out: str) -> Iterator[None]:
    spy = None
    if out:
        command = ["py-spy", "record", "--native", "--threads", "-f", "raw", "-r", "200", "-o", out, "-p", str(pid)]
        spy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    if spy is not None:
        spy.send_signal(2)
        with suppress(subprocess.TimeoutExpired):
            spy.wait(60)


def _wait(what: Callable[[], bool], mine: WorkerProcess) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert mine.process.poll() is None, f"the worker ended: {mine.tail()}"
        assert time.monotonic() < deadline, f"the worker does not finish: {mine.tail()}"
        time.sleep(POLL_S)


def _completed(settings: Settings) -> Callable[[], bool]:
    """Return a check that is true once the group has committed up to the end of every partition and no write is
    pending.
    """
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": settings.consumer_group})
    at = [TopicPartition(settings.topic, number) for number in range(settings.topic_partitions)]
    ends = {one.partition: consumer.get_watermark_offsets(one, timeout=10)[1] for one in at}

    def completed() -> bool:
        return all(
            position.offset == ends[position.partition] and "range" not in (position.metadata or "")
            for position in consumer.committed(at, timeout=10)
        )

    return completed


def _counts(client: Client, settings: Settings) -> tuple[int, int]:
    table = f"`{settings.clickhouse_database}`.events"
    [row] = client.query(f"SELECT count(), uniqExact(event_id) FROM {table}").result_rows
    return int(row[0]), int(row[1])


def _figures(events: float, took_s: float, cpu_s: float, store_s: float | None = None) -> dict[str, float]:
    per_million = 1e6 / events
    figures = {"events_per_s": round(events / took_s), "cpu_s_per_million": round(cpu_s * per_million, 2)}
    if store_s is not None:
        figures["store_cpu_s_per_million"] = round(store_s * per_million, 2)
    return figures


def measure(parts: Parts, options: argparse.Namespace) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for scenario in SCENARIOS:
        if options.only and not scenario.startswith(options.only):
            continue
        rows = found[scenario] = {}
        load = Load(parts, scenario, options.events, signed=options.signed)
        print(f"\n{scenario}{', signed' * options.signed}: {load.count:,} events of {load.size / load.count:.0f} bytes")

        def report(name: str, figures: dict[str, Any], rows: dict[str, dict[str, Any]] = rows) -> None:
            rows[name] = figures
            print(f"  {name:34}" + "  ".join(f"{key}={value:,}" for key, value in figures.items()), flush=True)

        if not options.ours:
            report("consume alone", raw_consume(load))
            report("insert alone, 1 connection", insert_ceiling(load, 1))
            report("insert alone, 2 connections", insert_ceiling(load, 2))
        for _ in range(options.rounds):
            report("auditlane, 1 insert thread", worker(load, profile=options.profile, insert_parts_per_second=PARTS))
            report("auditlane, 2 insert threads", worker(load, insert_threads=2, insert_parts_per_second=PARTS))
            wide = worker(load, insert_threads=2, insert_parts_per_second=PARTS, worker_buffer_bytes=QUEUE)
            report("auditlane, 2 threads, 128 MB held", wide)
            report("auditlane, default budget", worker(load))
        if not options.ours:
            for name in PEERS:
                report(name, peer(load, name, options.peers_python, min(MOST_OF_PEERS, max(1, options.events // 5))))
    return found


def summary(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    lines: list[str] = []
    for scenario, rows in found.items():
        ours = rows.get("auditlane, 1 insert thread")
        ceiling = rows.get("insert alone, 1 connection")
        if not ours or not ceiling:
            continue
        two, wide = rows["auditlane, 2 insert threads"], rows["auditlane, 2 threads, 128 MB held"]
        best = min((rows[name]["cpu_s_per_million"], name) for name in PEERS if name in rows)
        total = sum(ours[name] for name in ("cpu_s_per_million", "store_cpu_s_per_million", "kafka_cpu_s_per_million"))
        alone, cores = ceiling["events_per_s"], os.cpu_count() or 1
        lines.append(
            f"{scenario}: {ours['events_per_s'] / alone:.0%} of the ceiling of one insert connection, in the middle"
            f" {ours['steady_per_s'] / alone:.0%}, with two threads {two['steady_per_s'] / alone:.0%}, with more held"
            f" {wide['steady_per_s'] / alone:.0%}; all together {total:.2f} CPU s per million, which allows {cores}"
            f" cores {cores * 1e6 / total / alone:.0%}"
        )
        less = best[0] / ours["cpu_s_per_million"]
        lines.append(
            f"  the worker {ours['cpu_s_per_million']} CPU s per million, {less:.1f} times less than {best[1]};"
            f" {ours['peak_mb']} MB, with two threads {two['peak_mb']} MB"
        )
    return "\n".join(lines)


def _names() -> str:
    return ", ".join(SCENARIOS).replace("%", "%%")  # argparse %-formats help texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=int(os.environ.get("EVENTS", "300000")))
    parser.add_argument("--only", default="", help="the beginning of a scenario's name: " + _names())
    parser.add_argument("--ours", action="store_true", help="only the worker")
    parser.add_argument("--signed", action="store_true", help="with the gateway's signature in each message's headers")
    parser.add_argument("--rounds", type=int, default=1, help="runs of the worker a scenario; the last counts")
    parser.add_argument("--profile", default="", help="a file for py-spy's stacks of the worker with one thread")
    parser.add_argument("--peers-python", default=os.environ.get("PEERS_PYTHON", sys.executable))
    options = parser.parse_args()
    facts = machine()
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as folder, parts(Path(folder)) as running:
        found = measure(running, options)
    print("\n" + summary(found))
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    out = RESULTS / f"bench-{now:%Y%m%dT%H%M%S}.json"
    out.write_text(
        json.dumps({"at": now.isoformat(), "machine": facts, "events": options.events, "found": found}, indent=1)
    )
    print(out)


if __name__ == "__main__":
    main()
