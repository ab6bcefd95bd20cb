"""Checks Kafka's access, topics, partition health and consumer lag."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from auditlane.contract import librdkafka, topics
from auditlane.contract.kafka_client import client_config
from auditlane.local.doctor.finding import Finding, fail, ok, warn
from auditlane.operations.lag import GroupLag, total
from auditlane.runtime.errors import NotFound
from auditlane.runtime.settings import Settings

PART = "kafka"
_TIMEOUT_S = 8.0
LAG_TO_MENTION = 100_000

# Most specific errors first: a rejected login is followed by "all brokers down".
_REASONS: tuple[tuple[int, str, str], ...] = (
    (
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - librdkafka's own errors are named with an underscore
        "rejects the credentials",
        "Check sasl.mechanism, sasl.username and sasl.password in AUDITLANE_KAFKA_EXTRA.",
    ),
    (
        KafkaError._SSL,  # noqa: SLF001
        "cannot be reached over TLS",
        "Check security.protocol and ssl.ca.location in AUDITLANE_KAFKA_EXTRA, and the host in the certificate.",
    ),
    (
        KafkaError._RESOLVE,  # noqa: SLF001
        "has a host name that cannot be resolved",
        "Check AUDITLANE_KAFKA_BOOTSTRAP, and that the brokers' advertised host names can be resolved here.",
    ),
)
_UNREACHABLE = (
    "is unreachable",
    "Check AUDITLANE_KAFKA_BOOTSTRAP, that the brokers run, and, if they require TLS or SASL, AUDITLANE_KAFKA_EXTRA.",
)


def explain(codes: set[int]) -> tuple[str, str]:
    """Return the problem and its fix. `codes` are those that librdkafka reported while it failed to connect."""
    return next(((what, fix) for code, what, fix in _REASONS if code in codes), _UNREACHABLE)


def check(settings: Settings) -> Iterator[Finding]:
    """Yield every finding about Kafka.

    Raises KafkaUnavailable if Kafka is not configured, or ConfigError for a bad option.
    """
    codes: set[int] = set()
    last: list[str] = []

    def on_error(error: KafkaError) -> None:
        codes.add(error.code())
        last.append(error.str())

    config = client_config(settings, log_level=0, error_cb=on_error, **{"socket.timeout.ms": 6_000})
    client: AdminClient = librdkafka.client(AdminClient, config)
    try:
        metadata = _metadata(client, codes)
    except KafkaException as error:
        what, fix = explain(codes)
        reason = f" ({last[0]})" if last else f" ({error.args[0].str()})"
        yield fail(PART, f"Kafka at {settings.kafka_bootstrap} {what}{reason}.", fix)
        return
    count = len(metadata.brokers)
    yield ok(PART, f"{settings.kafka_bootstrap} responds, {count} broker{'s' if count > 1 else ''}")
    try:
        yield from _topics(client, settings, metadata)
        if settings.topic in metadata.topics:
            yield from _lag(settings)
    except KafkaException as error:
        yield fail(
            PART, f"Kafka rejected a request: {error.args[0].str()}.", "Check this user's permissions to describe."
        )


def _metadata(client: AdminClient, codes: set[int]) -> Any:
    """List the topics. Retries for eight seconds, but stops early once librdkafka has reported a specific cause."""
    for second in range(int(_TIMEOUT_S)):
        try:
            return client.list_topics(timeout=1.0)
        except KafkaException:
            client.poll(0)
            if codes & {code for code, _, _ in _REASONS} or (codes and second >= 2):
                raise
    return client.list_topics(timeout=1.0)


def _topics(client: AdminClient, settings: Settings, metadata: Any) -> Iterator[Finding]:
    for topic in topics.wanted(settings):
        if topic.name not in metadata.topics:
            yield fail(PART, f"Topic {topic.name} does not exist.", "Run: auditlane init")
            continue
        drift = topics.differences(topic, topics.describe(client, topic))
        for sentence in drift:
            yield warn(PART, sentence)
        if not drift:
            yield ok(PART, f"topic {topic.name} matches the settings, {topic.partitions} partitions")
        yield from partition_health(topic.name, metadata.topics[topic.name].partitions)


def partition_health(name: str, partitions: Mapping[int, Any]) -> Iterator[Finding]:
    """Yield findings about partitions without a leader or with replicas out of sync."""
    leaderless = [number for number, partition in partitions.items() if partition.leader < 0]
    behind = [number for number, partition in partitions.items() if len(partition.isrs) < len(partition.replicas)]
    if leaderless:
        yield fail(PART, f"{name} has no leader for partitions {leaderless}.", "Restart the broker that is down.")
    elif behind:
        yield warn(PART, f"{name} has replicas out of sync in partitions {behind}.", "Check the brokers' logs.")


def _lag(settings: Settings) -> Iterator[Finding]:
    with contextlib.closing(GroupLag(settings)) as group_lag:
        try:
            rows = group_lag.rows()
        except NotFound:
            rows = []
    yield lag_finding(settings.consumer_group, total(rows).lag, len({row.member for row in rows if row.member}))


def lag_finding(group: str, lag: int, members: int) -> Finding:
    """Return the finding about the workers' lag. `lag` is the number of messages over all partitions."""
    if not members:
        message = f"No worker is connected in group {group}; {lag:,} messages are waiting."
        return warn(PART, message, "Run: auditlane worker (or auditlane up)")
    workers = f"{members} worker{'s' if members > 1 else ''}"
    if lag > LAG_TO_MENTION:
        return warn(
            PART,
            f"Group {group} ({workers}) has a lag of {lag:,} messages.",
            "If the lag does not decrease, start more workers, up to one per partition.",
        )
    return ok(PART, f"group {group}: {workers}, lag {lag:,} messages")
