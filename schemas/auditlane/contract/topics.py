"""The topics: created as the settings say, never changed silently; what differs is reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # three of them are re-exported without saying so
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
_AROUND = 65_536  # bytes of whatever is not the event itself, or not the refused message
_AWAY = "Check AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_KAFKA_EXTRA, and that the brokers are running."


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it should be, or as it is. `config` holds only the options that we set."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What `ensure` did with one topic: `created`, and sentences about what differs from the settings."""

    name: str
    created: bool
    drift: list[str] = field(default_factory=list)


def wanted(settings: Settings) -> list[Topic]:
    """The shared topic and the dead letters, which are kept for ever. Kafka's append time decides who was first."""
    common = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"}
    # A message is its event plus key, headers and framing; a letter is the whole message plus headers of its own.
    size = max(settings.max_event_bytes + _AROUND, 1_048_588)
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
            common | {"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": str(size + _AROUND)},
        ),
    ]


def differences(want: Topic, have: Topic) -> list[str]:
    """What an existing topic has other than wanted, each as a sentence with the fix. Pure."""
    found = []
    if have.partitions != want.partitions:
        found.append(
            f"{want.name} has {have.partitions} partitions, the settings say {want.partitions}. Adding some moves "
            "tenants to other partitions: decide, then use kafka-topics --alter, or set AUDITLANE_TOPIC_PARTITIONS."
        )
    if have.replication != want.replication:
        found.append(
            f"{want.name} has {have.replication} replicas, the settings say {want.replication}. "
            "Use kafka-reassign-partitions, or set AUDITLANE_TOPIC_REPLICATION_FACTOR."
        )
    found += [
        f"{want.name} has {name}={have.config.get(name, 'unset')}, the settings say {value}. "
        f"Use kafka-configs --alter --add-config {name}={value}, or change the setting."
        for name, value in want.config.items()
        if have.config.get(name) != value
    ]
    return found


def clash(wanted_name: str, existing: set[str]) -> str | None:
    """An existing topic whose name differs from ours only by `.` and `_`, which Kafka refuses to hold side by side."""
    folded = wanted_name.replace(".", "_")
    return next((name for name in sorted(existing) if name != wanted_name and name.replace(".", "_") == folded), None)


def admin(settings: Settings) -> AdminClient:
    """Kafka's admin client from the settings."""
    return client(AdminClient, client_config(settings, **{"socket.timeout.ms": 10_000, "log_level": 0}))


def ensure(settings: Settings) -> list[TopicReport]:
    """Create the topics that are missing and report drift of those that exist. Idempotent, safe to run at once.

    Raises KafkaUnavailable when no broker answers, ConfigError when the brokers refuse a topic.
    """
    admin_client = admin(settings)
    names = _names(admin_client)
    try:
        return [_ensure(admin_client, topic, names) for topic in wanted(settings)]
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka does not answer: {error.args[0].str()}.", fix=_AWAY) from error


def existing(settings: Settings) -> set[str]:
    """The topics there are. Raises KafkaUnavailable."""
    return _names(admin(settings))


def _names(admin_client: AdminClient) -> set[str]:
    try:
        return set(admin_client.list_topics(timeout=TIMEOUT_S).topics)
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka does not answer: {error.args[0].str()}.", fix=_AWAY) from error


def _ensure(admin_client: AdminClient, topic: Topic, existing: set[str]) -> TopicReport:
    if topic.name in existing:
        return TopicReport(topic.name, created=False, drift=differences(topic, describe(admin_client, topic)))
    if other := clash(topic.name, existing):
        raise ConfigError(
            f"Topic {topic.name} cannot be created: {other} exists, and Kafka keeps names that differ only by "
            "'.' and '_' apart.",
            fix="Set AUDITLANE_TOPIC or AUDITLANE_DEAD_LETTER_TOPIC to another name.",
        )
    new = NewTopic(
        topic.name, num_partitions=topic.partitions, replication_factor=topic.replication, config=topic.config
    )
    try:
        admin_client.create_topics([new], operation_timeout=TIMEOUT_S)[topic.name].result(TIMEOUT_S)
    except KafkaException as error:
        code = error.args[0].code()
        if code == KafkaError.TOPIC_ALREADY_EXISTS:  # another `init` was a moment earlier
            return TopicReport(topic.name, created=False)
        if code in (
            KafkaError.INVALID_REPLICATION_FACTOR,
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.POLICY_VIOLATION,
            KafkaError.TOPIC_EXCEPTION,  # INVALID_TOPIC_EXCEPTION in the protocol
        ):
            raise ConfigError(f"The brokers refuse topic {topic.name}: {error.args[0].str()}") from error
        raise
    return TopicReport(topic.name, created=True)


def describe(admin_client: AdminClient, topic: Topic) -> Topic:
    """The topic as it is in Kafka, with the options that `topic` names."""
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    entries: dict[str, Any] = admin_client.describe_configs([resource])[resource].result(TIMEOUT_S)
    partitions = admin_client.list_topics(topic.name, timeout=TIMEOUT_S).topics[topic.name].partitions
    return Topic(
        topic.name,
        len(partitions),
        len(next(iter(partitions.values())).replicas) if partitions else 0,
        {name: str(entries[name].value) for name in topic.config if name in entries},
    )
