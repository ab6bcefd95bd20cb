"""Views, replays and closes the dead letters that an operator selects, for the command line and the console.

It validates messages as a worker does, so it needs the packages of the extra `worker`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from auditlane.access.provenance_secrets import Secrets
from auditlane.contract.dead_letter import Letter, RawHeaders, State
from auditlane.contract.kafka_client import client_config, producer_config
from auditlane.contract.librdkafka import reason
from auditlane.contract.provenance import signature_of
from auditlane.contract.registry import RegistryClient
from auditlane.contract.registry_client import registry_client
from auditlane.contract.schema_guids import prepend_guid
from auditlane.contract.topics import TIMEOUT_S, admin, existing
from auditlane.operations.dlq.dry_run import DryRunner, Found
from auditlane.operations.dlq.producer import ReplayProducer
from auditlane.operations.dlq.replay import Report, chunks, found, replay
from auditlane.operations.dlq.topic import LetterTopic
from auditlane.operations.dlq.upgrade import SchemaUpgrader
from auditlane.operations.dlq.view import view
from auditlane.operations.validation import schema_cache, validator
from auditlane.runtime.errors import AuditlaneError, ConfigError, KafkaUnavailable
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenedLetter:
    """A dead letter with its record. `document` is the output of `auditlane dlq show --json`, and `headers` are the
    headers of the record.

    `problem` is the reason why the event was not decoded, such as an unavailable registry, or empty if it was.
    """

    document: dict[str, Any]
    headers: list[tuple[str, str]]
    value: bytes | None
    problem: str


def dry_runner(settings: Settings, registry: RegistryClient, secrets: Secrets) -> tuple[DryRunner, SchemaUpgrader]:
    """Return the objects that validate letters against the current contracts. Raises KafkaUnavailable."""
    schemas = schema_cache(settings, registry)
    upgrader = SchemaUpgrader(registry, schemas.known, topic=settings.topic)
    return DryRunner(upgrader, validator(settings, schemas, secrets), existing(settings), secrets.keys), upgrader


def sender(settings: Settings) -> ReplayProducer:
    """Return the producer that sends replayed events and resolutions.

    Raises ConfigError if it may not write resolutions, since an event would then be sent again and again, and
    KafkaUnavailable if Kafka does not respond.
    """
    _require_write(settings)
    options = producer_config(client_config(settings))
    return ReplayProducer(options, settings.dead_letter_topic, Failpoints.from_environment())


def _require_write(settings: Settings) -> None:
    name = settings.dead_letter_topic
    client = admin(settings)  # keeps a reference: the future fails when the client is collected
    try:
        asked = client.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=TIMEOUT_S
        )
        operations = asked[name].result(TIMEOUT_S).authorized_operations
    except (KafkaException, TimeoutError) as error:
        raise KafkaUnavailable(f"Cannot read the rights to {name}: {reason(error)}.") from error
    if operations and AclOperation.WRITE not in operations:
        raise ConfigError(
            f"This process may not write to the topic {name}.",
            fix="Grant it Write on this topic: see docs/operate/hardening.md. Or use `auditlane dlq`.",
        )


def opened(settings: Settings, secrets: Secrets, letter: Letter) -> OpenedLetter | None:
    """Read the record of a letter. Returns None if Kafka no longer holds it. Raises KafkaUnavailable."""
    read = next(LetterTopic(settings).bodies([letter]), None)
    if read is None:
        return None
    message = read[1]
    raw: Any = message.headers() or []
    record = Found(letter, message.key(), prepend_guid(message.value(), raw), signature_of(raw))
    problem = ""
    with closing(registry_client(settings)) as registry:
        try:
            runner, upgrader = dry_runner(settings, registry, secrets)
            result = runner.dry_run([record], now_ms=time.time_ns() // 1_000_000)[0]
            document = view(record, upgrader.writer, result)
        except AuditlaneError as error:
            problem, document = str(error), view(record, lambda _value: None, None)
    return OpenedLetter(document, _shown(raw), record.value, problem)


def replay_letters(
    settings: Settings,
    secrets: Secrets,
    letters: Iterable[Letter],
    *,
    report: Report,
    producer: ReplayProducer | None,
    on_progress: Callable[[int], None] = lambda _count: None,
) -> None:
    """Replay letters and add the results to `report`. The letters must be in the order of the topic. Without a
    producer, only report what would happen.

    Raises KafkaUnavailable, RegistryUnavailable and RegistryRefused. `report` then covers the chunks that are complete.
    """
    with closing(registry_client(settings)) as registry:
        runner, _ = dry_runner(settings, registry, secrets)
        replay(found(LetterTopic(settings), letters), runner, producer, report=report, on_progress=on_progress)


def close_letters(
    settings: Settings,
    letters: Iterable[Letter],
    reason: str,
    *,
    producer: ReplayProducer,
    on_closed: Callable[[list[Letter]], None] = lambda _letters: None,
) -> None:
    """Close letters without sending them. The letters must be in the order of the topic. `on_closed` is called with
    each chunk when it is complete. Letters that Kafka no longer holds are omitted.

    Raises KafkaUnavailable.
    """
    for chunk in chunks(found(LetterTopic(settings), letters)):
        producer.resolve(chunk, State.discarded, reason)
        on_closed([one.letter for one in chunk])


def _shown(headers: RawHeaders) -> list[tuple[str, str]]:
    return [
        (name, value.decode(errors="backslashreplace") if isinstance(value, bytes) else value or "")
        for name, value in (headers.items() if isinstance(headers, dict) else headers)
    ]
