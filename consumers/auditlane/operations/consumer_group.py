"""Reads the members of the consumer group, and sets an offset manually."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from auditlane.contract.kafka_client import client_config
from auditlane.contract.librdkafka import client, reason
from auditlane.contract.partition import Partition
from auditlane.operations.kafka_offsets import MOVING
from auditlane.runtime.errors import Conflict, KafkaUnavailable
from auditlane.runtime.settings import Settings

# Errors for a manual commit while the group has members.
_MEMBERS: Final = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)


def members(admin: AdminClient, group: str, ask_s: float) -> list[Any]:
    """Return Kafka's descriptions of the members of the group. The result is empty if the group does not exist.

    Raises KafkaUnavailable.
    """
    try:
        listed = admin.list_consumer_groups(request_timeout=ask_s).result(ask_s)
        if group not in {one.group_id for one in listed.valid}:
            return []
        described = admin.describe_consumer_groups([group], request_timeout=ask_s)
        return list(described[group].result(ask_s).members)
    except (KafkaException, TimeoutError) as error:
        raise KafkaUnavailable(f"The brokers did not describe the group: {reason(error)}.") from error


def name(member: Any) -> str:
    """Return the client id and address of a member, and enough of its member id to distinguish processes on one
    host.
    """
    # in the classic protocol, a member id starts with the client id
    own = member.member_id.removeprefix(f"{member.client_id}-")
    return f"{member.client_id}/{member.host.lstrip('/')} {own[:6]}"


def has_members(group: str, count: int = 0) -> Conflict:
    """Return the error for a manual commit while the group has members, which could overwrite it."""
    who = f"{count} member{'s' * (count != 1)}" if count else "members"
    return Conflict(
        f"The consumer group {group} has {who}; Kafka accepts a manual offset only while it has none.",
        fix="Stop every worker of the group, run the command again, then start the workers.",
    )


def commit(settings: Settings, partition: Partition, offset: int, metadata: str, *, ask_s: float) -> None:
    """Set the group's offset. Raises Conflict if the group has members, and KafkaUnavailable if Kafka does not
    respond.
    """
    options = {"group.id": settings.consumer_group, "enable.auto.commit": False, "enable.auto.offset.store": False}
    consumer: Consumer = client(Consumer, client_config(settings, **options), logger=logging.getLogger("librdkafka"))
    deadline = time.monotonic() + ask_s
    try:
        while True:
            try:
                wanted = TopicPartition(partition.topic, partition.number, offset, metadata)
                answers = consumer.commit(offsets=[wanted], asynchronous=False) or []
                error = next((one.error for one in answers if one.error is not None), None)
            except KafkaException as raised:
                error = raised.args[0]
            if error is None:
                return
            if error.code() in _MEMBERS:
                raise has_members(settings.consumer_group)
            if error.code() not in MOVING or time.monotonic() > deadline:
                raise KafkaUnavailable(f"The brokers did not accept the offset: {error.str()}.")
            time.sleep(0.1)
    finally:
        consumer.close()
