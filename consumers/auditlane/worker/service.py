"""One worker process. It builds its components and consumes until it is stopped. It exits even if its shutdown
hangs.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FrameType
from typing import Final, TypeVar

from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, Producer

from auditlane.access.provenance_secrets import Secrets
from auditlane.contract import librdkafka
from auditlane.contract.brokers import Brokers, pattern
from auditlane.contract.kafka_client import client_config, producer_config
from auditlane.contract.recovery import StoredOffsetsSummary
from auditlane.contract.registry_client import registry_client
from auditlane.contract.topics import admin
from auditlane.runtime import gc_tuning
from auditlane.runtime._pyarrow import pa
from auditlane.runtime.errors import AuditlaneError, KafkaUnavailable, Unavailable
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings, variable
from auditlane.store import migrate, newest_offsets, preflight
from auditlane.store.client import connect
from auditlane.store.event_insert import Writer
from auditlane.store.partitioning import configured
from auditlane.store.preflight import WINDOW_SECONDS, NotMigrated
from auditlane.worker.consumer import EndOffsets, ExpectedPartitions, Membership, consumer_config
from auditlane.worker.consumer_loop import Runner, Unsupported, now_ms
from auditlane.worker.health import health_server
from auditlane.worker.metrics import WorkerMetrics
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import Policy
from auditlane.worker.range_traces import RangeTraces
from auditlane.worker.sink.circuit_breaker import BreakerPolicy, CircuitBreaker
from auditlane.worker.sink.dead_letters import DeadLetters
from auditlane.worker.sink.insert_pool import InsertPool
from auditlane.worker.sink.late_budget import LateBudget
from auditlane.worker.validation.event_columns import EVENTS
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

SOFT = 0.8  # fraction of shutdown_timeout_s for storing buffered messages; the rest is for leaving the group
READY_S = 2.0  # how long a positive readiness check is cached
HARD_EXIT = 70
PROTOCOLS = {"auto": ("consumer", "classic"), "consumer": ("consumer",), "classic": ("classic",)}
_TRIM_THRESHOLD: Final = -1, 256 << 20  # return memory to the system once this much is free at the heap's end
_MMAP_THRESHOLD: Final = -3, 32 << 20  # glibc's maximum; smaller buffers reuse pages that are already mapped
_ARENA_MAX: Final = -8, 1
T = TypeVar("T")


class Service:
    """A worker. `run` blocks until `stop` is called. `on_ready` is called with the health URL when the worker has
    joined the group.
    """

    def __init__(self, settings: Settings, *, on_ready: Callable[[str], None]) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._log = get("worker")
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._metrics = WorkerMetrics()
        self._joined = False
        self._client: Client | None = None
        self._not_migrated = ""
        self._runner: Runner | None = None
        self._registry = registry_client(settings, self._metrics.schema_registry.observe)
        self._checked: tuple[float, dict[str, str]] = (-READY_S, {})

    def stop(self) -> None:
        """Drain and end within `shutdown_timeout_s`. Safe to call from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Consume until `stop` is called.

        Raises ConfigError if exactly-once storage cannot be guaranteed with this configuration.
        """
        settings = self._settings
        _use_shared_arena()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        with ExitStack() as stack:
            stack.callback(self._ended.set)
            secrets = Secrets(settings)
            self._metrics.loop_age.set_function(self._loop_age_s)
            health = health_server(
                settings.worker_host,
                settings.worker_port,
                metrics=self._metrics.render,
                live=lambda: self._loop_age_s() < settings.worker_stall_s,
                ready=self._missing,
                halted=lambda: self._runner.halted if self._runner else {},
                failing=lambda: self._runner.failing if self._runner else {},
                verifies=secrets,
            )
            health.start()
            stack.callback(health.close)
            client = self._until(lambda: connect(settings, send_receive_timeout=settings.insert_timeout_s))
            if client is None:
                return
            self._client = client
            table = self._until(
                lambda: preflight.check(
                    client,
                    settings.clickhouse_database,
                    EVENTS.names,
                    parts_per_second=parts_per_second(settings) * settings.worker_processes_total,
                    partitions=configured(settings),
                )
            )
            if table is None:
                return
            self._not_migrated = ""
            self._metrics.window_size.set(table.window)
            self._metrics.store_version.set(self._store_version(client))
            schemas = SchemaCache(self._registry, topic=settings.topic, refresh_s=settings.registry_refresh_s)
            validator = BatchValidator(
                schemas,
                topic=settings.topic,
                max_event_bytes=settings.max_event_bytes,
                secrets=secrets,
                partitioning=table.partitioning,
            )
            producer: Producer = librdkafka.client(Producer, producer_config(client_config(settings)))
            dead_letters = DeadLetters(
                producer, settings.dead_letter_topic, task=f"{settings.consumer_group}-{os.getpid()}"
            )
            failpoints = Failpoints.from_environment()
            writer = Writer(client, table)
            breaker = CircuitBreaker(
                BreakerPolicy(settings.dlq_max_ratio, settings.dlq_ratio_window, tenants=settings.dlq_ratio_tenants),
                served=writer.tenants_served,
            )
            late = LateBudget(settings.late_parts_per_second)
            traces = RangeTraces(group=settings.consumer_group)
            pool = InsertPool(
                validator,
                writer,
                dead_letters,
                failpoints,
                threads=settings.insert_threads,
                breaker=breaker,
                late=late,
                partitioning=table.partitioning,
                traces=traces,
            )
            stack.callback(pool.close)
            stack.callback(self._stop.set)  # start the watchdog, whatever the reason for ending
            admin_client = admin(settings)
            brokers = Brokers(partial(admin, settings), self._stored)
            membership = Membership(admin_client, settings.consumer_group)
            expected = ExpectedPartitions(admin_client, pattern(settings.topic))
            self._metrics.expected_partitions.set_function(lambda: expected.count)
            expected.start()
            stack.callback(expected.close)
            for protocol in PROTOCOLS[settings.group_protocol]:
                options = consumer_config(settings, protocol=protocol) | {"stats_cb": self._metrics.kafka_statistics}
                consumer: Consumer = librdkafka.client(Consumer, options, logger=logging.getLogger("librdkafka"))
                core = Core(policy(settings), now_ms())
                runner = self._runner = Runner(
                    core, consumer, brokers, pool, self._metrics, failpoints, EndOffsets(admin_client), traces
                )
                try:
                    self._consume(runner, membership, health.url)
                    break
                except Unsupported as error:
                    if protocol == PROTOCOLS[settings.group_protocol][-1]:
                        raise KafkaUnavailable(f"The brokers do not support the group protocol: {error}.") from error
                    self._log.warning("group.classic", reason=str(error))
                    consumer.close()

    def _consume(self, runner: Runner, membership: Membership, url: str) -> None:
        _freeze_heap()
        runner.subscribe(pattern(self._settings.topic))
        try:
            self._turns(runner, membership, url)
        except Unsupported:
            raise
        except BaseException:
            self._stop.set()  # leaving the group may also block
            runner.close()
            raise
        runner.close()
        self._log.info("worker.stopped")

    def _turns(self, runner: Runner, membership: Membership, url: str) -> None:
        gives_up: float | None = None
        while runner.turn():
            if not self._joined and (runner.joined or membership.has(runner.member_id)):
                self._joined = True
                self._on_ready(url)
            if self._stop.is_set():
                if gives_up is None:
                    gives_up = time.monotonic() + self._settings.shutdown_timeout_s * SOFT
                    runner.drain()
                elif time.monotonic() > gives_up:
                    self._log.warning(
                        "worker.drain_unfinished", fix="None required: another worker completes the announced ranges."
                    )
                    break

    def _watch(self) -> None:
        """Exit the process `shutdown_timeout_s` seconds after `stop`, since a commit may wait forever for its
        broker.
        """
        self._stop.wait()
        if not self._ended.wait(self._settings.shutdown_timeout_s):
            self._log.error("worker.hard_exit", shutdown_timeout_s=self._settings.shutdown_timeout_s)
            os._exit(HARD_EXIT)

    def _stored(self, topic_id: str, partition: int, low: int) -> StoredOffsetsSummary | None:
        assert self._client is not None
        try:
            return newest_offsets.newest(self._client, self._settings.clickhouse_database, topic_id, partition, low=low)
        except AuditlaneError as error:
            self._log.warning("store.unavailable", topic_id=topic_id, partition=partition, error=str(error))
            return None

    def _until(self, attempt: Callable[[], T]) -> T | None:
        """Retry `attempt` while it raises Unavailable, and for `wait_for_store_s` while it raises NotMigrated.

        Returns its result, or None if the worker is stopped first.
        """
        delay = 0.2
        gives_up = math.inf
        while not self._stop.is_set():
            try:
                return attempt()
            except Unavailable as error:
                self._log.warning("worker.waiting", error=str(error))
            except NotMigrated as error:
                now = time.monotonic()
                gives_up = min(gives_up, now + self._settings.wait_for_store_s)
                if now >= gives_up:
                    raise _after_a_wait(error, self._settings.wait_for_store_s) from error
                self._not_migrated = error.message
                delay = min(delay, gives_up - now)
                self._log.warning("worker.waiting", error=str(error), gives_up_in_s=round(gives_up - now))
            self._stop.wait(delay)
            delay = min(5.0, delay * 2)
        return None

    def _loop_age_s(self) -> float:
        """Return the seconds since the last turn of the consuming loop, or 0 if it is not running."""
        return self._runner.age_s(now_ms()) if self._runner else 0.0

    def _store_version(self, client: Client) -> int:
        try:
            return migrate.version(client, self._settings.clickhouse_database)
        # an account created by an earlier release may lack permission to read the record
        except AuditlaneError as error:
            self._log.info("store.version_unknown", error=str(error))
            return 0

    def _missing(self) -> dict[str, str]:
        """Return the reasons why the worker is not ready, by component. The result is empty if it is ready."""
        at, missing = self._checked
        if time.monotonic() - at < READY_S and not missing:
            return missing
        missing = {} if self._joined else {"kafka": "the consumer group is not joined yet"}
        if self._client is None or not self._client.ping():
            missing["clickhouse"] = "no response"
        elif self._not_migrated:
            missing["clickhouse"] = self._not_migrated
        try:
            self._registry.subjects()
        except AuditlaneError as error:
            missing["registry"] = error.message
        self._checked = time.monotonic(), missing
        return missing


def _after_a_wait(error: NotMigrated, waited_s: float) -> NotMigrated:
    """Return the error that ends the worker, including how long it has waited."""
    if not waited_s:
        return error
    return NotMigrated(
        f"{error.message.removesuffix('.')}, even after waiting for {waited_s:g} s.",
        fix=f"{error.fix.removesuffix('.')}, or raise {variable('wait_for_store_s')}.",
    )


def _use_shared_arena() -> None:
    """Let Python, Arrow and librdkafka share one heap. Call this before threads are started.

    Each of them keeps freed buffers of some ten megabytes for reuse, and glibc gives each thread a separate heap.
    Together, they held twice the memory in use. Without glibc, only Arrow's allocator is set.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX):
            mallopt(option, value)


def _freeze_heap() -> None:
    pa.array([0])  # pyarrow's first array imports pandas if installed
    gc_tuning.freeze()


def parts_per_second(settings: Settings) -> float:
    """Return the maximum number of parts per second that one worker creates, including late periods."""
    return settings.insert_parts_per_second + LateBudget(settings.late_parts_per_second).most_per_second(WINDOW_SECONDS)


def policy(settings: Settings) -> Policy:
    """Derive the settings of the protocol: one range per insert thread and one in validation, with memory for one
    more.
    """
    flights = settings.insert_threads + 1
    return Policy(
        range_rows=settings.range_rows,
        range_bytes=min(settings.range_bytes, settings.worker_buffer_bytes // (flights + 1)),
        range_age_ms=settings.range_age_ms,
        parts_per_second=settings.insert_parts_per_second,
        flights=flights,
        buffer_bytes=settings.worker_buffer_bytes,
    )


@contextmanager
def stopped_by_signals(service: Service) -> Iterator[None]:
    """Drain on SIGTERM or SIGINT. A second signal ends the process immediately."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        service.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
