"""One worker process: builds the parts, runs the consuming thread until it is told to stop, and always ends."""

from __future__ import annotations

import ctypes
import logging
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
from auditlane.runtime.settings import Settings
from auditlane.store import newest_offsets, preflight
from auditlane.store.client import connect
from auditlane.store.event_insert import Writer
from auditlane.store.preflight import WINDOW_SECONDS
from auditlane.worker.consumer import Ends, Membership, consumer_config
from auditlane.worker.consumer_loop import Runner, Unsupported, now_ms
from auditlane.worker.health import HealthServer
from auditlane.worker.metrics import Meters
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import Policy
from auditlane.worker.sink.circuit_breaker import BreakerPolicy, CircuitBreaker
from auditlane.worker.sink.dead_letters import DeadLetters
from auditlane.worker.sink.insert_pool import InsertPool
from auditlane.worker.sink.late_budget import LateBudget
from auditlane.worker.validation.event_columns import EVENTS
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

SOFT = 0.8  # of shutdown_timeout_s for storing what is held; the rest is for leaving the group
READY_S = 2.0  # how old an answer about readiness may be
HARD_EXIT = 70
PROTOCOLS = {"auto": ("consumer", "classic"), "consumer": ("consumer",), "classic": ("classic",)}
_TRIM_THRESHOLD: Final = -1, 256 << 20  # give memory back when so much at the heap's end is free
_MMAP_THRESHOLD: Final = -3, 32 << 20  # glibc's largest: a buffer below it takes pages that are there already
_ARENA_MAX: Final = -8, 1
T = TypeVar("T")


class Service:
    """`run` blocks until `stop`, which signals call. `on_ready` gets the health URL once the group is joined."""

    def __init__(self, settings: Settings, *, on_ready: Callable[[str], None]) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._log = get("worker")
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._meters = Meters()
        self._joined = False
        self._client: Client | None = None
        self._runner: Runner | None = None
        self._registry = registry_client(settings)
        self._checked: tuple[float, dict[str, str]] = (-READY_S, {})

    def stop(self) -> None:
        """Drain and end, within `shutdown_timeout_s`."""
        self._stop.set()

    def run(self) -> None:
        """Raises ConfigError when the promise cannot be kept with what is configured."""
        settings = self._settings
        _use_shared_arena()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        with ExitStack() as stack:
            stack.callback(self._ended.set)
            secrets = Secrets(settings)
            health = HealthServer(
                settings.worker_host,
                settings.worker_port,
                metrics=self._meters.render,
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
                )
            )
            if table is None:
                return
            schemas = SchemaCache(self._registry, topic=settings.topic, refresh_s=settings.registry_refresh_s)
            validator = BatchValidator(
                schemas,
                topic=settings.topic,
                max_event_bytes=settings.max_event_bytes,
                secrets=secrets,
            )
            producer: Producer = librdkafka.client(Producer, producer_config(client_config(settings)))
            letters = DeadLetters(producer, settings.dead_letter_topic, task=f"{settings.consumer_group}-{os.getpid()}")
            failpoints = Failpoints.from_environment()
            writer = Writer(client, table)
            breaker = CircuitBreaker(
                BreakerPolicy(settings.dlq_max_ratio, settings.dlq_ratio_window, tenants=settings.dlq_ratio_tenants),
                served=writer.tenants_served,
            )
            late = LateBudget(settings.late_parts_per_second)
            pool = InsertPool(
                validator, writer, letters, failpoints, threads=settings.insert_threads, breaker=breaker, late=late
            )
            stack.callback(pool.close)
            stack.callback(self._stop.set)  # whatever ended it: from here on the watchdog counts
            asked = admin(settings)
            brokers = Brokers(partial(admin, settings), self._stored)
            membership = Membership(asked, settings.consumer_group)
            for protocol in PROTOCOLS[settings.group_protocol]:
                options = consumer_config(settings, protocol=protocol)
                consumer: Consumer = librdkafka.client(Consumer, options, logger=logging.getLogger("librdkafka"))
                core = Core(policy(settings), now_ms())
                runner = self._runner = Runner(core, consumer, brokers, pool, self._meters, failpoints, Ends(asked))
                try:
                    self._consume(runner, membership, health.url)
                    break
                except Unsupported as error:
                    if protocol == PROTOCOLS[settings.group_protocol][-1]:
                        raise KafkaUnavailable(f"The brokers do not speak the group protocol: {error}.") from error
                    self._log.warning("group.classic", reason=str(error))
                    consumer.close()

    def _consume(self, runner: Runner, membership: Membership, url: str) -> None:
        _settle_heap()
        runner.subscribe(pattern(self._settings.topic))
        try:
            self._turns(runner, membership, url)
        except Unsupported:
            raise
        except BaseException:
            self._stop.set()  # leaving the group may block as well
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
                    self._log.warning("worker.drain_unfinished", fix="The intents hand over what is left.")
                    break

    def _watch(self) -> None:
        """End a stopping worker after `shutdown_timeout_s`: a commit waits for its broker without end."""
        self._stop.wait()
        if not self._ended.wait(self._settings.shutdown_timeout_s):
            self._log.error("worker.hard_exit", shutdown_timeout_s=self._settings.shutdown_timeout_s)
            os._exit(HARD_EXIT)

    def _stored(self, topic_id: str, partition: int, low: int) -> StoredOffsetsSummary | None:
        assert self._client is not None
        try:
            return newest_offsets.newest(self._client, self._settings.clickhouse_database, topic_id, partition, low=low)
        except AuditlaneError as error:
            self._log.warning("store.unasked", topic_id=topic_id, number=partition, error=str(error))
            return None

    def _until(self, what: Callable[[], T]) -> T | None:
        """The answer of `what` once the part that it needs is there; None when told to stop before."""
        delay = 0.2
        while not self._stop.is_set():
            try:
                return what()
            except Unavailable as error:
                self._log.warning("worker.waiting", error=str(error))
            self._stop.wait(delay)
            delay = min(5.0, delay * 2)
        return None

    def _missing(self) -> dict[str, str]:
        """What keeps the worker from working, by part."""
        at, missing = self._checked
        if time.monotonic() - at < READY_S and not missing:
            return missing
        missing = {} if self._joined else {"kafka": "the consumer group is not joined yet"}
        if self._client is None or not self._client.ping():
            missing["clickhouse"] = "it does not answer"
        try:
            self._registry.subjects()
        except AuditlaneError as error:
            missing["registry"] = error.message
        self._checked = time.monotonic(), missing
        return missing


def _use_shared_arena() -> None:
    """Once, before threads are started. Where the C library is not glibc, only Arrow's part is done."""
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX):
            mallopt(option, value)


def _settle_heap() -> None:
    pa.array([0])  # pyarrow's first array imports pandas where there is one
    gc_tuning.freeze()


def parts_per_second(settings: Settings) -> float:
    """How many parts one worker makes at most, late months included."""
    return settings.insert_parts_per_second + LateBudget(settings.late_parts_per_second).most_per_second(WINDOW_SECONDS)


def policy(settings: Settings) -> Policy:
    """The core's part of the settings: a range in the hands of each insert thread, one being judged meanwhile, and what
    may be held has room for one more besides."""
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
    """SIGTERM and SIGINT drain; a second one ends at once."""

    def handle(number: int, _frame: FrameType | None) -> None:
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, signal.SIG_DFL)
        service.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
