"""The pipeline under attack: services, workers and load. After every round, it is repaired, and its rows are
counted.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import Consumer, KafkaException, TopicPartition
from fixtures.workers import WorkerProcess, World

from auditlane.runtime.failpoints import VARIABLE
from auditlane.runtime.settings import load, variable
from chaos.load import Load
from chaos.nursery import Nursery
from chaos.parts import Parts

PARTITIONS = 4
RATE = 150  # messages a second
REFUSED = 0.02  # fraction of invalid messages
DRAIN_S = 90.0
INSERT_TIMEOUT_S = 3.0
TIDY_PARTS = 1_500
WINDOW = 1_000_000


@dataclass
class Counts:
    """The number of rows and dead letters, before any merge, once everything that was produced has been processed."""

    expected: int
    rows: int
    events: int
    refused: int
    dead_letters: int
    missing_dead_letters: int
    merged_parts: int

    @property
    def lost(self) -> int:
        return max(0, self.expected - self.events) + self.missing_dead_letters

    @property
    def doubled(self) -> int:
        return self.rows - self.events

    @property
    def exact(self) -> bool:
        return self.expected == self.rows == self.events and not self.missing_dead_letters and not self.merged_parts


@dataclass
class Pipeline:
    """The pipeline. `random` determines the faults and the load, but not the timing."""

    folder: Path
    seed: int
    nodes: int = 1
    random: random.Random = field(init=False)
    workers: list[WorkerProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._nursery = Nursery()
        self.parts = Parts(self.folder, self.nodes)
        self.world = World(self._settings(), self.folder)
        self.setting("non_replicated_deduplication_window", WINDOW)
        # Unlike SYSTEM STOP MERGES, this survives a restart: no part is small enough to be merged.
        self.setting("max_bytes_to_merge_at_max_space_in_pool", 1)
        self.setting("parts_to_delay_insert", 1_000_000)
        self.setting("parts_to_throw_insert", 1_000_000)
        self.load = Load(self.world, self.seed, rate=RATE, refused=REFUSED)
        self.load.start()
        self._offsets = self._offsets_client()
        self._dead_letter_consumer = Consumer(
            self.world.kafka | {"group.id": "dead-letters", "auto.offset.reset": "earliest"}
        )
        topic = self.world.settings.dead_letter_topic
        self._dead_letter_consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        self.dead_letters: Counter[tuple[int, int]] = Counter()
        self.tidied = 0
        self._offsets_error = ""

    def _offsets_client(self) -> Consumer:
        return Consumer(self.world.kafka | {"group.id": self.world.settings.consumer_group})

    def _settings(self):
        return load(
            kafka_bootstrap=self.parts.brokers.bootstrap,
            registry_url=self.parts.registry.url,
            clickhouse_url=self.parts.engine.url,
            clickhouse_database="chaos",
            topic="chaos.events",
            dead_letter_topic="chaos.dead",
            consumer_group="chaos",
            topic_partitions=PARTITIONS,
            topic_replication_factor=self.nodes,
            range_age_ms=200,
            worker_port=0,
            insert_parts_per_second=20,
            insert_timeout_s=INSERT_TIMEOUT_S,
            registry_refresh_s=1,
            shutdown_timeout_s=10,
        )

    def setting(self, name: str, value: object) -> None:
        """Change a table setting. None resets it to its default."""
        change = f"RESET SETTING {name}" if value is None else f"MODIFY SETTING {name} = {value}"
        self.query(f"ALTER TABLE {self.world.events} {change}", command=True)

    def query(self, sql: str, *, command: bool = False) -> Any:
        """Run a query. Retries on errors, since ClickHouse may still be starting."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.world.client.command(sql) if command else self.world.client.query(sql).result_rows
            except (ClickHouseError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    # Workers.

    def start(self, failpoint: str = "") -> WorkerProcess:
        """Start another worker, which connects to Kafka and ClickHouse through the proxies."""
        options = self.world.settings.model_dump(exclude_unset=True) | {
            "kafka_bootstrap": self.parts.brokers.proxied_bootstrap,
            "clickhouse_url": self.parts.clickhouse_proxy.url,
        }
        env = {variable(name): str(value) for name, value in options.items()} | {VARIABLE: failpoint}
        worker = self._nursery.start(env, self.folder / f"worker{len(self.world.workers)}.log")
        self.world.workers.append(worker)
        if not failpoint:
            self.workers.append(worker)
        return worker

    def alive(self) -> list[WorkerProcess]:
        self.workers = [worker for worker in self.workers if worker.process.poll() is None]
        return self.workers

    def victim(self) -> WorkerProcess:
        """Return a random worker. Starts one if none is left, since librdkafka may abort when a broker is killed."""
        return self.random.choice(self.alive() or [self.start()])

    def staff(self, count: int) -> None:
        alive = self.alive()
        end(alive[count:])
        for _ in range(count - len(alive)):
            self.start()

    def at_work(self) -> None:
        """Wait for at most 10 s until a worker has partitions. No fault depends on this."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not any(worker.events("partition.assigned") for worker in self.alive()):
            time.sleep(0.1)

    # After a round.

    def settle(self) -> Counts:
        """Stop the load, wait until everything is stored and committed, and return the counts. Raises TimeoutError if
        this takes too long.
        """
        self.load.hold()
        deadline = time.monotonic() + DRAIN_S
        while not self._drained():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not drained within {DRAIN_S:g} s: {self._where()}")
            if not self.alive():
                self.start()
            time.sleep(0.1)
        counts = self._count()
        while counts.missing_dead_letters and time.monotonic() < deadline:
            counts = self._count()
        return counts

    def _committed(self) -> list[tuple[int, int, str]]:
        """Return each partition's end, committed offset and metadata. Raises KafkaException."""
        partitions = [TopicPartition(self.world.settings.topic, number) for number in range(PARTITIONS)]
        try:
            ends = [self._offsets.get_watermark_offsets(partition, timeout=10)[1] for partition in partitions]
            committed = self._offsets.committed(partitions, timeout=10)
        except KafkaException as error:
            self._offsets_error = str(error)
            self._offsets.close()  # a consumer that never joins may keep using a coordinator that has moved
            self._offsets = self._offsets_client()
            raise
        return [(end_, at.offset, at.metadata or "") for end_, at in zip(ends, committed, strict=True)]

    def backlog(self, partition: int) -> tuple[int, int]:
        """Return a partition's committed offset and its end. Raises TimeoutError."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(KafkaException):
                end_, committed, _ = self._committed()[partition]
                return max(0, committed), end_
        raise TimeoutError(f"Kafka does not respond: {self._offsets_error}")

    def _drained(self) -> bool:
        try:
            return all(at == end_ and "range" not in text for end_, at, text in self._committed())
        except KafkaException:
            return False

    def _where(self) -> str:
        halted = [event for worker in self.world.workers for event in worker.events("partition.halted")]
        with contextlib.suppress(KafkaException):
            return f"{self._committed()}; halted: {halted[-2:]}"
        return f"Kafka does not respond: {self._offsets_error}; halted: {halted[-2:]}"

    def _count(self) -> Counts:
        for message in self._dead_letter_consumer.consume(10_000, 0.2):
            if message.error() is None:
                headers = dict(message.headers())
                at = int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])
                self.dead_letters[at] += 1
        [(rows, events)] = self.query(f"SELECT count(), uniqExact(event_id) FROM {self.world.events}")
        [(merged,)] = self.query(
            "SELECT countIf(level > 0 AND modification_time > fromUnixTimestamp("
            f"{self.tidied})) FROM system.parts WHERE database = 'chaos' AND table = 'events' AND active"
        )
        return Counts(
            expected=self.load.expected() + self._stored_of_gone(),
            rows=rows,
            events=events,
            refused=len(self.load.bad),
            dead_letters=self.dead_letters.total(),
            missing_dead_letters=len(self.load.bad - self.dead_letters.keys()),
            merged_parts=merged,
        )

    def _stored_of_gone(self) -> int:
        """Return how many rows were stored for offsets in `load.gone` before their messages were deleted."""
        if not self.load.gone:
            return 0
        where = " OR ".join(
            f"(kafka_partition = {at} AND kafka_offset >= {first} AND kafka_offset < {end_})"
            for at, first, end_ in self.load.gone
        )
        return int(self.query(f"SELECT uniqExact(event_id) FROM {self.world.events} WHERE {where}")[0][0])

    def tidy(self) -> None:
        """Merge the parts if there are too many. Their rows have already been counted, and contain no duplicates."""
        [(parts,)] = self.query("SELECT count() FROM system.parts WHERE database = 'chaos' AND active")
        if parts > TIDY_PARTS:
            self.query(f"OPTIMIZE TABLE {self.world.events} FINAL", command=True)
            self.tidied = int(time.time()) + 1
            time.sleep(1.1)  # so that parts created later have a later modification time

    def longest_pause(self, since_ms: int, until_ms: int) -> float:
        """Return the longest time, in seconds, for which a partition was not consumed between two times (Unix ms)."""
        rows = self.query(
            f"SELECT kafka_partition, toUnixTimestamp64Milli(ingested_at) AS at FROM {self.world.events} "
            f"WHERE at BETWEEN {since_ms} AND {until_ms} GROUP BY 1, 2 ORDER BY 1, 2"
        )
        longest = 0
        for partition in range(PARTITIONS):
            times = [since_ms, *(at for number, at in rows if number == partition), until_ms]
            longest = max(longest, *(after - before for before, after in pairwise(times)))
        return longest / 1_000

    def close(self) -> None:
        """Stop every process, even if stopping another one fails."""
        with contextlib.ExitStack() as stack:
            for close in (self.parts.close, self._nursery.close, self.world.registry.close, self.world.client.close):
                stack.callback(close)
            stack.callback(lambda: self._offsets.close())
            stack.callback(self._dead_letter_consumer.close)
            for worker in self.alive():
                stack.callback(worker.process.kill)
            stack.callback(self.load.close)


def end(workers: list[WorkerProcess]) -> None:
    """Send SIGTERM to the workers, and wait until all of them have exited."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.ended()
