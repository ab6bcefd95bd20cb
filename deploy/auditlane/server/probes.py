"""Checks whether this process is ready: whether its roles' dependencies respond, ClickHouse for queries and Kafka for
ingestion.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import anyio
import anyio.to_thread
from clickhouse_connect.driver.client import Client
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from auditlane.access.keys import KeysFile
from auditlane.access.signing import SigningKeys
from auditlane.contract import librdkafka
from auditlane.contract.kafka_client import client_config
from auditlane.runtime.errors import AuditlaneError, KafkaUnavailable, StoreRefused
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings
from auditlane.store.client import store_errors

PROBE_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """One dependency's state. `problem` may name hosts and files, but `fix` never does."""

    name: Literal["kafka", "clickhouse", "keys", "signing-keys"]
    state: Literal["up", "stale", "away"]
    problem: str | None = None
    fix: str | None = None


class Probe(Protocol):
    """Checks one dependency within PROBE_TIMEOUT_S seconds. Thread-safe."""

    def part(self) -> Part: ...
    def close(self) -> None: ...


class StoreProbe:
    """Checks, with the service's credentials, that ClickHouse responds and has the view that queries read."""

    def __init__(self, connect: Callable[[], Client], database: str) -> None:
        """Create the probe. `connect` returns a client with timeouts of PROBE_TIMEOUT_S seconds."""
        self._connect = connect
        self._database = database
        self._client: Client | None = None
        self._lock = threading.Lock()  # one check at a time

    def part(self) -> Part:
        """Return the current state. A problem is the first line of ClickHouse's error, without credentials."""
        try:
            with self._lock, store_errors():
                self._client = self._client or self._connect()
                exists = self._client.command(f"EXISTS TABLE `{self._database}`.log")
            if exists != 1:
                raise StoreRefused(f"The database {self._database} has no view `log`.", fix="Run `auditlane init`.")
        except AuditlaneError as error:
            self._client = None
            return Part(name="clickhouse", state="away", problem=str(error), fix=error.fix or None)
        return Part(name="clickhouse", state="up")

    def close(self) -> None:
        """Close the connection."""
        if self._client:
            self._client.close()


class KafkaProbe:
    """Checks, with the service's credentials, that a partition of the events topic has a leader."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic
        self._admin: AdminClient | None = None
        self._lock = threading.Lock()

    def part(self) -> Part:
        """Return the current state."""
        try:
            with self._lock:
                self._check()
        except AuditlaneError as error:
            return Part(name="kafka", state="away", problem=str(error), fix=error.fix or None)
        return Part(name="kafka", state="up")

    def close(self) -> None:
        """Close the connections."""
        self._admin = None

    def _check(self) -> None:
        quiet = {"log_level": 2}  # the errors that it would log are in the result
        self._admin = self._admin or librdkafka.client(AdminClient, client_config(self._settings, **quiet))
        try:
            topic = self._admin.list_topics(self._topic, timeout=PROBE_TIMEOUT_S).topics[self._topic]
        except KafkaException as error:
            raise KafkaUnavailable(f"Kafka does not respond: {error.args[0].str()}.") from error
        if topic.error is not None:
            fix = "Create it: auditlane init."
            raise KafkaUnavailable(f"Kafka reports an error for the topic {self._topic}: {topic.error.str()}.", fix=fix)
        if not any(partition.leader >= 0 for partition in topic.partitions.values()):
            raise KafkaUnavailable(f"No partition of the topic {self._topic} has a leader.")


class Readiness:
    """Runs the probes, and logs each change in their problems. Use it on one event loop."""

    def __init__(self, probes: Sequence[Probe], keys: KeysFile, signing: SigningKeys, *, spools: bool = False) -> None:
        """Start without results. `probes` contains one probe per role of this process. With `spools`, ingestion works
        without Kafka.
        """
        self._spools = spools
        self._probes = tuple(probes)
        self._keys = keys
        self._signing = signing
        self._logged: dict[str, str | None] = {}  # the problem logged last, by component
        # Probes have their own threads, so that slow queries that occupy the shared threads do not make the process
        # appear dead.
        self._threads = anyio.CapacityLimiter(max(1, len(self._probes)))

    async def check(self) -> tuple[bool, list[Part]]:
        """Return whether any role can work, and every component's state: the dependencies first, then the two key
        files.
        """
        parts: list[Part] = []

        async def run(probe: Probe) -> None:
            parts.append(await anyio.to_thread.run_sync(probe.part, limiter=self._threads))

        async with anyio.create_task_group() as group:
            for probe in self._probes:
                group.start_soon(run, probe)
        parts.sort(key=lambda part: part.name)
        ready = any(part.state == "up" or (self._spools and part.name == "kafka") for part in parts)
        parts += [_file("keys", self._keys.problem), _file("signing-keys", self._signing.problem)]
        for part in parts:
            if part.problem != self._logged.get(part.name):
                self._logged[part.name] = part.problem
                get("serve").warning("health.part", part=part.name, state=part.state, problem=part.problem)
        return ready, parts

    def close(self) -> None:
        """Close the probes' connections."""
        for probe in self._probes:
            probe.close()


def _file(name: Literal["keys", "signing-keys"], problem: str) -> Part:
    return Part(name=name, state="stale" if problem else "up", problem=problem or None)
