"""Topic ids, which distinguish a topic from an earlier one with the same name."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaException, TopicCollection

from auditlane.contract.librdkafka import reason
from auditlane.contract.topics import TIMEOUT_S, admin, existing
from auditlane.runtime.errors import KafkaUnavailable
from auditlane.runtime.settings import Settings


def topic_ids(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """Return the id of each existing topic as UUID text, by topic name. Raises KafkaUnavailable."""
    found = sorted(existing(settings).intersection(names))
    if not found:
        return {}
    client = admin(settings)  # keeps a reference: the futures fail when the client is garbage-collected
    try:
        answers = client.describe_topics(TopicCollection(found), request_timeout=TIMEOUT_S)
        return {name: uuid_text(answers[name].result(TIMEOUT_S).topic_id) for name in found}
    except (KafkaException, TimeoutError) as error:
        raise KafkaUnavailable(f"Cannot read the ids of the topics {', '.join(found)}: {reason(error)}.") from error


def uuid_text(topic_id: Any) -> str:
    """Convert the two signed 64-bit halves that Kafka returns to UUID text."""
    high, low = topic_id.get_most_significant_bits(), topic_id.get_least_significant_bits()
    return str(uuid.UUID(int=(high & (1 << 64) - 1) << 64 | low & (1 << 64) - 1))
