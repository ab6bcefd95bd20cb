"""A topic's id, which tells it from another that had the same name at the same address before."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaException, TopicCollection

from auditlane.contract.topics import TIMEOUT_S, admin, existing
from auditlane.runtime.errors import KafkaUnavailable
from auditlane.runtime.settings import Settings


def topic_ids(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """Topic name → its id as UUID text, of those that exist. Raises KafkaUnavailable."""
    there = sorted(existing(settings).intersection(names))
    if not there:
        return {}
    client = admin(settings)  # held until the answers are there: they end with it
    try:
        answers = client.describe_topics(TopicCollection(there), request_timeout=TIMEOUT_S)
        return {name: uuid_text(answers[name].result(TIMEOUT_S).topic_id) for name in there}
    except (KafkaException, TimeoutError) as error:
        raise KafkaUnavailable(f"The brokers did not describe {', '.join(there)}: {error}.") from error


def uuid_text(topic_id: Any) -> str:
    """Kafka's pair of signed halves as UUID text."""
    high, low = topic_id.get_most_significant_bits(), topic_id.get_least_significant_bits()
    return str(uuid.UUID(int=(high & (1 << 64) - 1) << 64 | low & (1 << 64) - 1))
