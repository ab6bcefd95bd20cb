"""Creates the topics as configured. Existing topics are never changed; differences from the settings are reported."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # three of them are re-exported implicitly
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from auditlane.contract.kafka_client import client_config
from auditlane.contract.librdkafka import client
from auditlane.runtime.errors import ConfigError, KafkaUnavailable
from auditlane.runtime.settings import Settings

TIMEOUT_S = 20.0
_OVERHEAD = 65_536  # size in bytes around an event in a message, and around a rejected message in a dead letter
_FIX = "Check AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_KAFKA_EXTRA, and that the brokers are running."


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, as configured or as it exists. `config` contains only the options that auditlane sets."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


@dataclass(frozen=True, slots=True)
class TopicReport:
    """The result of `ensure` for one topic: whether it was created, and one sentence per difference from the
    settings.
    """

    name: str
    created: bool
    drift: list[str] = field(default_factory=list)


def wanted(settings: Settings) -> list[Topic]:
    """Return the configured topics: the shared topic, and the dead-letter topic, whose messages are kept forever.

    Timestamps are Kafka's append times, which decide which of several identical events came first.
    """
    common = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"}
    # A message is an event plus key, headers and framing; a letter is a whole message plus its own headers.
    size = max(settings.max_event_bytes + _OVERHEAD, 1_048_588)
    retention = str(settings.topic_retention_hours * 3_600_000)
    return [
        Topic(
            settings.topic,
            settings.topic_partitions,
            settings.topic_replication_factor,
            common | {"retention.ms": retention, "max.message.bytes": str(size)},
        ),
        Topic(
            settings.dead_letter_topic,
            settings.topic_partitions,
            settings.topic_replication_factor,
            common | {"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": str(size + _OVERHEAD)},
        ),
    ]


def differences(want: Topic, have: Topic) -> list[str]:
    """Return a sentence with a fix for each difference between an existing topic and the configured one. Pure."""
    found = []
    if have.partitions != want.partitions:
        found.append(
            f"{want.name} has {have.partitions} partitions, but {want.partitions} are configured. Set "
            "AUDITLANE_TOPIC_PARTITIONS to the topic's number, or add partitions with kafka-topics --alter, which "
            "moves tenants to other partitions."
        )
    if have.replication != want.replication:
        found.append(
            f"{want.name} has {have.replication} replicas, but {want.replication} are configured. "
            "Use kafka-reassign-partitions, or set AUDITLANE_TOPIC_REPLICATION_FACTOR."
        )
    found += [
        f"{want.name} has {name}={have.config.get(name, 'unset')}, but {value} is configured. "
        f"Use kafka-configs --alter --add-config {name}={value}, or change the setting."
        for name, value in want.config.items()
        if have.config.get(name) != value
    ]
    return found


def clash(wanted_name: str, existing: set[str]) -> str | None:
    """Return an existing topic whose name differs from this one only in `.` and `_`, or None. Kafka does not allow both
    to exist.
    """
    folded = wanted_name.replace(".", "_")
    return next((name for name in sorted(existing) if name != wanted_name and name.replace(".", "_") == folded), None)


def admin(settings: Settings) -> AdminClient:
    """Create Kafka's admin client from the settings."""
    return client(AdminClient, client_config(settings, **{"socket.timeout.ms": 10_000, "log_level": 0}))


def ensure(settings: Settings) -> list[TopicReport]:
    """Create missing topics and report the drift of existing ones. Idempotent, and safe to run concurrently.

    Raises KafkaUnavailable if no broker responds, and ConfigError if the brokers reject a topic.
    """
    admin_client = admin(settings)
    names = _names(admin_client)
    try:
        return [_ensure(admin_client, topic, names) for topic in wanted(settings)]
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka does not respond: {error.args[0].str()}.", fix=_FIX) from error


def existing(settings: Settings) -> set[str]:
    """Return the names of all existing topics. Raises KafkaUnavailable."""
    return _names(admin(settings))


def _names(admin_client: AdminClient) -> set[str]:
    try:
        return set(admin_client.list_topics(timeout=TIMEOUT_S).topics)
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka does not respond: {error.args[0].str()}.", fix=_FIX) from error


def _ensure(admin_client: AdminClient, topic: Topic, existing: set[str]) -> TopicReport:
    if topic.name in existing:
        return TopicReport(topic.name, created=False, drift=differences(topic, describe(admin_client, topic)))
    if other := clash(topic.name, existing):
        raise ConfigError(
            f"Cannot create the topic {topic.name}: {other} exists, and Kafka does not allow names that differ only by "
            "'.' and '_'.",
            fix="Set AUDITLANE_TOPIC or AUDITLANE_DEAD_LETTER_TOPIC to another name.",
        )
    new = NewTopic(
        topic.name, num_partitions=topic.partitions, replication_factor=topic.replication, config=topic.config
    )
    try:
        admin_client.create_topics([new], operation_timeout=TIMEOUT_S)[topic.name].result(TIMEOUT_S)
    except KafkaException as error:
        code = error.args[0].code()
        if code == KafkaError.TOPIC_ALREADY_EXISTS:  # created a moment ago; the broker that listed the names is behind
            _await_metadata(admin_client, topic.name)
            return TopicReport(topic.name, created=False, drift=differences(topic, describe(admin_client, topic)))
        if code in (
            KafkaError.INVALID_REPLICATION_FACTOR,
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.POLICY_VIOLATION,
            KafkaError.TOPIC_EXCEPTION,  # INVALID_TOPIC_EXCEPTION in the protocol
        ):
            raise ConfigError(f"The brokers refused the topic {topic.name}: {error.args[0].str()}") from error
        raise
    return TopicReport(topic.name, created=True)


def _await_metadata(admin_client: AdminClient, name: str) -> None:
    """Wait until the connected broker lists the topic's partitions, for at most `TIMEOUT_S`."""
    deadline = time.monotonic() + TIMEOUT_S
    while not admin_client.list_topics(name, timeout=TIMEOUT_S).topics[name].partitions:
        if time.monotonic() > deadline:
            raise KafkaUnavailable(f"Kafka reports no partitions for topic {name}.", fix=_FIX)
        time.sleep(0.1)


def describe(admin_client: AdminClient, topic: Topic) -> Topic:
    """Return the topic as it exists in Kafka, with the same options as `topic`."""
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    entries: dict[str, Any] = admin_client.describe_configs([resource])[resource].result(TIMEOUT_S)
    partitions = admin_client.list_topics(topic.name, timeout=TIMEOUT_S).topics[topic.name].partitions
    return Topic(
        topic.name,
        len(partitions),
        len(next(iter(partitions.values())).replicas) if partitions else 0,
        {name: str(entries[name].value) for name in topic.config if name in entries},
    )
