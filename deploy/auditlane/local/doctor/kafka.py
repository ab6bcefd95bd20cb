"""Kafka: does it let us in, are the topics as the settings say, is the worker keeping up."""

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

# The most telling error first: a refused login is followed by "all brokers down".
_REASONS: tuple[tuple[int, str, str], ...] = (
    (
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - librdkafka's own errors are named with an underscore
        "refuses the credentials",
        "Check sasl.mechanism, sasl.username and sasl.password in AUDITLANE_KAFKA_EXTRA.",
    ),
    (
        KafkaError._SSL,  # noqa: SLF001
        "cannot be reached over TLS",
        "Check security.protocol and ssl.ca.location in AUDITLANE_KAFKA_EXTRA; the certificate must name the host.",
    ),
    (
        KafkaError._RESOLVE,  # noqa: SLF001
        "has a host name that is not known here",
        "Check AUDITLANE_KAFKA_BOOTSTRAP; the names that the brokers advertise must be known here too.",
    ),
)
_AWAY = (
    "does not answer",
    "Check AUDITLANE_KAFKA_BOOTSTRAP, that the brokers run, and if they expect TLS or SASL, AUDITLANE_KAFKA_EXTRA.",
)


def explain(codes: set[int]) -> tuple[str, str]:
    """What is wrong and what to do, from the codes that librdkafka reported while it could not connect."""
    return next(((what, fix) for code, what, fix in _REASONS if code in codes), _AWAY)


def check(settings: Settings) -> Iterator[Finding]:
    """Every finding about Kafka. Raises KafkaUnavailable when none is configured, ConfigError for a bad option."""
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
    yield ok(PART, f"{settings.kafka_bootstrap} answers, {count} broker{'s' if count > 1 else ''}")
    try:
        yield from _topics(client, settings, metadata)
        if settings.topic in metadata.topics:
            yield from _lag(settings)
    except KafkaException as error:
        yield fail(PART, f"Kafka refuses: {error.args[0].str()}.", "Check what this user may describe.")


def _metadata(client: AdminClient, codes: set[int]) -> Any:
    """Give a slow network its time, but no longer than it takes to hear why the brokers refuse."""
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
            yield ok(PART, f"topic {topic.name} is as the settings say, {topic.partitions} partitions")
        yield from partition_health(topic.name, metadata.topics[topic.name].partitions)


def partition_health(name: str, partitions: Mapping[int, Any]) -> Iterator[Finding]:
    """Partitions without a leader or with replicas that are behind."""
    leaderless = [number for number, partition in partitions.items() if partition.leader < 0]
    behind = [number for number, partition in partitions.items() if len(partition.isrs) < len(partition.replicas)]
    if leaderless:
        yield fail(PART, f"{name} has no leader for partitions {leaderless}.", "A broker is down: start it again.")
    elif behind:
        yield warn(PART, f"{name} has replicas behind in partitions {behind}.", "Look at the brokers' logs.")


def _lag(settings: Settings) -> Iterator[Finding]:
    with contextlib.closing(GroupLag(settings)) as group_lag:
        try:
            rows = group_lag.rows()
        except NotFound:
            rows = []
    yield judge_lag(settings.consumer_group, total(rows).lag, len({row.member for row in rows if row.member}))


def judge_lag(group: str, lag: int, members: int) -> Finding:
    """Whether the workers keep up; `lag` in messages over all partitions."""
    if not members:
        message = f"No worker is connected in group {group}; {lag:,} messages wait."
        return warn(PART, message, "Start one: auditlane worker (or auditlane up).")
    if lag > LAG_TO_MENTION:
        return warn(
            PART,
            f"The {members} worker(s) of group {group} are {lag:,} messages behind.",
            "If this number does not fall, start more workers, up to one a partition.",
        )
    return ok(PART, f"group {group}: {members} worker(s), {lag:,} messages behind")
