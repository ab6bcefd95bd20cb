"""Whether the parts that requests need answer: ClickHouse for readers, Kafka for what is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from clickhouse_connect.driver.client import Client
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from auditlane.contract import librdkafka
from auditlane.contract.kafka_client import client_config
from auditlane.runtime.errors import AuditlaneError, KafkaUnavailable, StoreRefused
from auditlane.runtime.settings import Settings
from auditlane.store.client import store_errors

PROBE_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """How one thing that the service needs is doing. `problem` may name hosts and files, `fix` does not."""

    name: Literal["kafka", "clickhouse", "keys", "signing-keys"]
    state: Literal["up", "stale", "away"]
    problem: str | None = None
    fix: str | None = None


class Probe(Protocol):
    """Asks one part; from any thread, for PROBE_TIMEOUT_S at most."""

    def part(self) -> Part: ...
    def close(self) -> None: ...


class StoreProbe:
    """Asks ClickHouse whether the readers' view is there, with the service's own credentials, within two seconds."""

    def __init__(self, connect: Callable[[], Client], database: str) -> None:
        """`connect` makes a client whose time-outs are PROBE_TIMEOUT_S."""
        self._connect = connect
        self._database = database
        self._client: Client | None = None
        self._lock = threading.Lock()  # one question at a time, however many probes wait for the answer

    def part(self) -> Part:
        """The state now. The message of a failure is ClickHouse's first line, without credentials."""
        try:
            with self._lock, store_errors():
                self._client = self._client or self._connect()
                there = self._client.command(f"EXISTS TABLE `{self._database}`.log")
            if there != 1:
                raise StoreRefused(f"The database {self._database} has no view `log`.", fix="Run `auditlane init`.")
        except AuditlaneError as error:
            self._client = None
            return Part(name="clickhouse", state="away", problem=str(error), fix=error.fix or None)
        return Part(name="clickhouse", state="up")

    def close(self) -> None:
        """Release the connection."""
        if self._client:
            self._client.close()


class KafkaProbe:
    """Asks Kafka whether the topic that events go to has a leader to write to, with the service's own credentials."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic
        self._admin: AdminClient | None = None
        self._lock = threading.Lock()

    def part(self) -> Part:
        """The state now."""
        try:
            with self._lock:
                self._ask()
        except AuditlaneError as error:
            return Part(name="kafka", state="away", problem=str(error), fix=error.fix or None)
        return Part(name="kafka", state="up")

    def close(self) -> None:
        """Release the connections."""
        self._admin = None

    def _ask(self) -> None:
        quiet = {"log_level": 2}  # what it would log is in the answer
        self._admin = self._admin or librdkafka.client(AdminClient, client_config(self._settings, **quiet))
        try:
            topic = self._admin.list_topics(self._topic, timeout=PROBE_TIMEOUT_S).topics[self._topic]
        except KafkaException as error:
            raise KafkaUnavailable(f"Kafka does not answer: {error.args[0].str()}.") from error
        if topic.error is not None:
            fix = "Create it: auditlane init."
            raise KafkaUnavailable(f"The topic {self._topic}: {topic.error.str()}.", fix=fix)
        if not any(partition.leader >= 0 for partition in topic.partitions.values()):
            raise KafkaUnavailable(f"No partition of the topic {self._topic} has a leader.")
