"""Tests that no message is lost or stored twice if the validation result changes between a crash and the redo."""

from __future__ import annotations

import json
import uuid

import pytest
import validating
from confluent_kafka import KafkaException
from fixtures.workers import World, wait_until

from auditlane.contract.tenants import tenant_subject
from auditlane.contract.wire import frame

OCCURRED_US = 1_770_091_506_789_012


@pytest.mark.parametrize("set_back", [False, True], ids=["handed over", "set back"])
def test_messages_that_only_the_redo_accepts_are_stored(world: World, set_back: bool) -> None:
    """This is also true if a tool has overwritten the intent, so that the range is sealed as if for the first time."""
    schema = validating.contract(validating.own("amount", "double"))
    registered = json.dumps(schema)
    strange = world.registry.register(tenant_subject(world.settings.topic, "globex"), registered)
    for number in range(20):
        tenant, schema_id, written = ("acme", strange, schema) if number % 2 else ("initech", world.schema_id, None)
        values = validating.event(
            event_id=str(uuid.uuid4()), tenant_id=tenant, occurred_at=OCCURRED_US + number, amount=1.0
        )
        value = frame(schema_id, validating.datum(values, written))
        world.producer.produce(world.settings.topic, key=tenant, value=value, partition=0)
    assert world.producer.flush(30) == 0
    world.worker(failpoint="after_insert:kill", range_age_ms=2_000).ended()
    assert world.counts() == (10, 10)
    world.registry.register(tenant_subject(world.settings.topic, "acme"), registered)
    if set_back:
        wait_until(lambda: committed(world, 0))
    else:
        world.worker(failpoint="before_complete:kill").ended()
    world.worker(range_age_ms=2_000)
    world.stored(20)
    world.completed()
    assert world.counts() == (20, 20)


def committed(world: World, offset: int) -> bool:
    """Commit an offset manually. Returns whether Kafka accepted it. Kafka does so only if the group has no members."""
    try:
        world.commit(0, offset)
    except KafkaException:
        return False
    return True
