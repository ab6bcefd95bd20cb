"""Checks Kafka's access, rights, topics, partition health and consumer lag."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient  # type: ignore[attr-defined]  # one is re-exported

from auditlane.contract import acls, librdkafka, topics
from auditlane.contract.kafka_client import client_config
from auditlane.local.doctor.access import Component, access_findings
from auditlane.local.doctor.finding import Finding, fail, ok, warn
from auditlane.operations.kafka_offsets import MOVING
from auditlane.operations.lag import GroupLag, total
from auditlane.runtime.errors import NotFound
from auditlane.runtime.settings import Settings, variable

PART = "kafka"
_TIMEOUT_S = 8.0
LAG_TO_MENTION = 100_000
_WEEK_MS: Final = 7 * 24 * 3_600_000  # the shortest retention that the settings allow
_NOT_AUTHORIZED: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
_NOT_FOUND: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND)

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
_NO_RESPONSE = frozenset(
    {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}  # noqa: SLF001
)


def explain(codes: set[int]) -> tuple[str, str]:
    """Return the problem and its fix. `codes` are the error codes that librdkafka reported while it failed to
    connect."""
    return next(((what, fix) for code, what, fix in _REASONS if code in codes), _UNREACHABLE)


def check(settings: Settings, component: Component = Component.INIT, *, lag: bool = True) -> Iterator[Finding]:
    """Yield every finding about Kafka, as far as the account of `component` can see. `lag` includes the workers' lag.

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
        message = f"Kafka at {settings.kafka_bootstrap} {what}{reason}."
        yield fail(PART, message, fix, unavailable=(what, fix) == _UNREACHABLE)
        return
    count = len(metadata.brokers)
    yield ok(PART, f"{settings.kafka_bootstrap} responds, {count} broker{'s' if count > 1 else ''}")
    try:
        authorized = {right: _authorized(client, right) for right in _rights(settings, component)}
        yield from access_findings(component, authorized, user=str(settings.kafka_extra.get("sasl.username", "")))
        yield from _topics(client, settings, metadata, {one.name: found for one, found in authorized.items()})
        if lag and settings.topic in metadata.topics:
            yield from _lag(settings)
    except KafkaException as error:
        yield failed_request(error.args[0])


def failed_request(error: KafkaError) -> Finding:
    """Return the finding for a request that failed after Kafka had responded to the first one."""
    if error.code() in _NO_RESPONSE:
        return fail(PART, f"Kafka stopped responding: {error.str()}.", _UNREACHABLE[1], unavailable=True)
    return fail(PART, f"Kafka rejected a request: {error.str()}.", "Check this user's permissions to describe.")


def _rights(settings: Settings, component: Component) -> Iterator[acls.Allowed]:
    names = {"topic": settings.topic, "dead_letters": settings.dead_letter_topic, "group": settings.consumer_group}
    yield from acls.allowed(component, **names)


def _authorized(client: AdminClient, right: acls.Allowed) -> frozenset[AclOperation] | None:
    """Return the operations that the brokers allow this account on a resource, or None if the resource does not exist.

    The brokers include them in the descriptions of resources, so no operation has to be attempted.
    """
    given: dict[str, Any] = {"include_authorized_operations": True, "request_timeout": _TIMEOUT_S}
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            if right.kind == "cluster":
                described: Any = client.describe_cluster(**given).result(_TIMEOUT_S)
            elif right.kind == "topic":
                described = client.describe_topics(TopicCollection([right.name]), **given)[right.name].result(
                    _TIMEOUT_S
                )
            else:
                described = client.describe_consumer_groups([right.name], **given)[right.name].result(_TIMEOUT_S)
            break
        except KafkaException as error:
            code = error.args[0].code()
            if code in _NOT_AUTHORIZED:
                return frozenset()
            if code in _NOT_FOUND:
                return None
            if code not in MOVING or time.monotonic() > deadline:
                raise
            time.sleep(0.2)  # a group's coordinator appears when it is first asked for
    return frozenset(described.authorized_operations or ())


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


def _topics(
    client: AdminClient, settings: Settings, metadata: Any, authorized: Mapping[str, Collection[AclOperation] | None]
) -> Iterator[Finding]:
    for topic in topics.wanted(settings):
        if topic.name not in metadata.topics:
            if authorized.get(topic.name) is None:  # otherwise, the account may not see it, which was reported
                yield fail(PART, f"Topic {topic.name} does not exist.", "Run: auditlane init")
            continue
        if AclOperation.DESCRIBE_CONFIGS in (authorized.get(topic.name) or ()):
            have = topics.describe(client, topic)
            yield from topic_findings(topic, have, workers=settings.worker_processes_total)
        else:
            partitions = len(metadata.topics[topic.name].partitions)
            yield from partition_findings(topic.name, partitions, workers=settings.worker_processes_total)
        yield from partition_health(topic.name, metadata.topics[topic.name].partitions)


def topic_findings(want: topics.Topic, have: topics.Topic, *, workers: int) -> Iterator[Finding]:
    """Yield findings about an existing topic. Differences that would lose messages are failures, and all others are
    warnings."""
    lost = list(retention_findings(want, have))
    few = list(partition_findings(want.name, have.partitions, workers=workers))
    yield from (*few, *lost)
    # A retention that was reported is not also a difference.
    kept = {name: value for name, value in want.config.items() if not (lost and name.startswith("retention."))}
    drift = topics.differences(replace(want, config=kept), have)
    for sentence in drift:
        yield warn(PART, sentence)
    if not (few or lost or drift):
        yield ok(PART, f"topic {want.name} matches the settings, {want.partitions} partitions")


def partition_findings(name: str, partitions: int, *, workers: int) -> Iterator[Finding]:
    """Yield a finding if there are more worker processes than partitions."""
    if partitions < workers:
        yield fail(
            PART,
            f"Topic {name} has {partitions} partitions, but {variable('worker_processes_total')} is {workers}: "
            f"{workers - partitions} would be idle.",
            f"Run {workers - partitions} fewer workers, or add partitions (tenants move to others, which breaks their "
            f"order once): kafka-topics --alter --topic {name} --partitions {workers}",
        )


def retention_findings(want: topics.Topic, have: topics.Topic) -> Iterator[Finding]:
    """Yield a finding for each limit by which Kafka would delete messages too early."""
    for name in ("retention.ms", "retention.bytes"):
        wanted, found = int(want.config.get(name, -1)), int(have.config.get(name, -1))
        shortest = _WEEK_MS if name == "retention.ms" and wanted != -1 else wanted
        if name in want.config and found != -1 and (shortest == -1 or found < shortest):
            kept = f"messages for {found / 3_600_000:g} hours" if name == "retention.ms" else f"{found:,} bytes"
            reason = "rejected messages" if wanted == -1 else "events that no worker has stored by then"
            yield fail(
                PART,
                f"Topic {want.name} keeps {kept} only ({name}): Kafka deletes {reason}.",
                f"Run: kafka-configs --alter --topic {want.name} --add-config {name}={wanted}",
            )


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
