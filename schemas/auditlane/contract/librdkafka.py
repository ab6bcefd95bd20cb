"""Options that every librdkafka client needs, including the SDK's.

Exactly-once delivery relies on some of them. This module raises the errors for options that would change these, or that
librdkafka rejects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

from auditlane.runtime.errors import ConfigError

EXTRA: Final = "AUDITLANE_KAFKA_EXTRA"
# AUDITLANE_KAFKA_EXTRA applies to producers and consumers alike. It may repeat these options but not change them.
PRODUCER: Final[Mapping[str, str | bool]] = {
    "acks": "all",
    "enable.idempotence": "true",
    "partitioner": "murmur2_random",
    "delivery.report.only.error": False,  # the Python client does not accept a string here
}
CONSUMER: Final[Mapping[str, str | bool]] = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "error",  # a missing offset is never a reason to skip messages
    "isolation.level": "read_committed",
}
_MEANT: Final = {name: str(value).lower() for name, value in {**PRODUCER, **CONSUMER}.items()}
# Each client sets these itself. The setting, if one is named, lets an operator choose.
_OWN: Final[Mapping[str, str]] = {
    "group.id": "AUDITLANE_CONSUMER_GROUP",
    "group.protocol": "AUDITLANE_GROUP_PROTOCOL",
    "partition.assignment.strategy": "AUDITLANE_GROUP_PROTOCOL",
    "transactional.id": "",
    "enable.partition.eof": "",
}
_ALIASES: Final = {"request.required.acks": "acks", "auto.commit.enable": "enable.auto.commit"}
_WRITTEN: Final[Mapping[str, frozenset[str]]] = {  # spellings accepted by librdkafka
    "all": frozenset({"all", "-1"}),
    "true": frozenset({"true", "t", "1"}),
    "false": frozenset({"false", "f", "0"}),
}
T = TypeVar("T")


def overridden(extra: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each option in `extra` that would weaken a guarantee or that auditlane sets itself."""
    found = []
    for given, option, value in _flat(extra):
        meant = _MEANT.get(option)
        if meant is not None and str(value).lower() not in _WRITTEN.get(meant, {meant}):
            found.append(f"{given} must stay {meant}: exactly-once depends on it")
        elif option in _OWN:
            instead = f": set {_OWN[option]}" if _OWN[option] else ""
            found.append(f"{given} cannot be set here{instead}")
    return found


def check_extra(extra: Mapping[str, Any]) -> None:
    """Raise ConfigError, naming AUDITLANE_KAFKA_EXTRA and each option that it may not change."""
    if found := overridden(extra):
        raise ConfigError(f"{EXTRA}: {'; '.join(found)}.", field=EXTRA, fix=f"Remove it from {EXTRA}.")


def client(kind: Callable[..., T], options: Mapping[str, Any], **also: Any) -> T:
    """Create a Producer, Consumer or AdminClient. Raises ConfigError if librdkafka refuses an option."""
    try:
        return kind(dict(options), **also)
    except KafkaException as error:
        refused = error.args[0].str()
    except (TypeError, ValueError) as error:  # the Python client's own checks
        refused = str(error)
    raise ConfigError(f"librdkafka rejected an option: {refused}.", field=EXTRA, fix=f"Correct {EXTRA}.")


def reason(error: BaseException | KafkaError) -> str:
    """Return the reason for an error as the brokers or the client phrased it, without librdkafka's formatting."""
    if isinstance(error, KafkaException):
        error = error.args[0]
    if isinstance(error, KafkaError):
        return str(error.str()).rstrip(".")
    return "no response in time" if isinstance(error, TimeoutError) else str(error)


def _flat(extra: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield the given name, canonical name and value of each option, since librdkafka accepts several names for a topic
    option.
    """
    for given, value in extra.items():
        if given == "default.topic.config" and isinstance(value, Mapping):
            yield from _flat(value)
            continue
        option = given.removeprefix("topic.")
        yield given, _ALIASES.get(option, option), value
