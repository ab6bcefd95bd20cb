"""Gathers options, ACLs and topics from Kafka's brokers. Every request has a timeout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # several are re-exported implicitly
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from auditlane.contract.kafka_client import client_config
from auditlane.contract.librdkafka import client
from auditlane.observe.security.kafka import Acl, Topic
from auditlane.runtime.errors import AuditlaneError, Forbidden, KafkaUnavailable
from auditlane.runtime.settings import Settings

_TIMEOUT_S: Final = 10.0
_KINDS: Final = {ResourceType.TOPIC: "topic", ResourceType.GROUP: "group"}
_REFUSED: Final = (
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The number of brokers, the topics with events, and the dead-letter topic. The latter is None if it is not
    visible.
    """

    brokers: int
    topics: tuple[Topic, ...]
    letters: Topic | None


class KafkaFacts:
    """Gathers facts over one connection. Methods raise KafkaUnavailable, ConfigError, or Forbidden if this user lacks
    the permission.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        options = client_config(settings, log_level=0, **{"socket.timeout.ms": int(_TIMEOUT_S * 1_000)})
        self._admin: AdminClient = client(AdminClient, options)
        self._metadata = self._listed()

    def _listed(self) -> Any:
        try:
            return self._admin.list_topics(timeout=_TIMEOUT_S)
        except KafkaException as error:
            raise _translated(error) from error

    def broker(self) -> dict[str, str]:
        """Return the options of one broker, except those that Kafka does not reveal, such as `super.users`."""
        number = min(self._metadata.brokers, default=0)
        found = self._configs([ConfigResource(ResourceType.BROKER, str(number))])
        return next(iter(found.values()))

    def acls(self) -> list[Acl] | None:
        """Return all ACLs, or None if the brokers have no authorizer."""
        # librdkafka also returns an empty list if the brokers refuse to list ACLs, or have no authorizer.
        if AclOperation.DESCRIBE not in self._own_operations():
            raise Forbidden("The Kafka user may not list ACLs.")
        if not self.broker().get("authorizer.class.name"):
            return None
        any_text: Any = None  # declared as str
        every = AclBindingFilter(
            ResourceType.ANY,
            any_text,
            ResourcePatternType.ANY,
            any_text,
            any_text,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        try:
            found = self._admin.describe_acls(every, request_timeout=_TIMEOUT_S).result(_TIMEOUT_S + 2)
        except KafkaException as error:
            raise _translated(error) from error
        return [
            Acl(
                _KINDS.get(acl.restype, "other"),  # type: ignore[arg-type]
                acl.name,
                acl.resource_pattern_type == ResourcePatternType.PREFIXED,
                acl.principal,
                acl.operation.name.lower(),
                acl.permission_type == AclPermissionType.ALLOW,
            )
            for acl in found
        ]

    def _own_operations(self) -> set[AclOperation]:
        """Return the operations that this user may perform on the cluster. Without an authorizer, these are all
        operations.
        """
        try:
            described = self._admin.describe_cluster(
                include_authorized_operations=True, request_timeout=_TIMEOUT_S
            ).result(_TIMEOUT_S + 2)
        except KafkaException as error:
            raise _translated(error) from error
        return set(described.authorized_operations or ())

    def cluster(self) -> Cluster:
        """Return the topics named in the settings, including dedicated topics."""
        shared, letters = self._settings.topic, self._settings.dead_letter_topic
        visible = self._metadata.topics
        names = [name for name in sorted(visible) if name == shared or name.startswith(f"{shared}.")]
        wanted = [*names, *([letters] if letters in visible else [])]
        configs = self._configs([ConfigResource(ResourceType.TOPIC, name) for name in wanted]) if wanted else {}
        found = {
            name: Topic(
                name,
                min((len(partition.replicas) for partition in visible[name].partitions.values()), default=0),
                configs[name],
            )
            for name in wanted
        }
        topics = tuple(topic for name, topic in found.items() if name != letters)
        return Cluster(len(self._metadata.brokers), topics, found.get(letters))

    def _configs(self, resources: Iterable[ConfigResource]) -> dict[str, dict[str, str]]:
        try:
            futures = self._admin.describe_configs(list(resources), request_timeout=_TIMEOUT_S)
            found = {resource.name: future.result(_TIMEOUT_S + 2) for resource, future in futures.items()}
        except KafkaException as error:
            raise _translated(error) from error
        return {
            name: {option: str(entry.value) for option, entry in entries.items() if entry.value is not None}
            for name, entries in found.items()
        }


def _translated(error: KafkaException) -> AuditlaneError:
    reason = error.args[0]
    if reason.code() in _REFUSED:
        return Forbidden(f"Kafka refused a request: {reason.str().rstrip('.')}.")
    return KafkaUnavailable(
        f"Kafka does not respond: {reason.str().rstrip('.')}.",
        fix="Check AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_KAFKA_EXTRA.",
    )
