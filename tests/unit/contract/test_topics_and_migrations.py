"""Tests which topics `init` creates, what drift it reports, and which migrations it considers pending."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from auditlane.contract import topics
from auditlane.runtime import settings
from auditlane.runtime.errors import Drift, SchemaTooNew
from auditlane.store import migrate


def test_dead_letters_are_kept_forever_and_events_for_at_least_a_week() -> None:
    events, letters = topics.wanted(settings.load())
    assert letters.config["retention.ms"] == "-1"
    assert int(events.config["retention.ms"]) >= 7 * 86_400_000
    assert events.config["message.timestamp.type"] == letters.config["message.timestamp.type"] == "LogAppendTime"


def test_the_largest_event_fits_into_a_message() -> None:
    for topic in topics.wanted(settings.load(max_event_bytes=5_000_000)):
        assert int(topic.config["max.message.bytes"]) > 5_000_000


def test_the_largest_message_fits_into_a_dead_letter() -> None:
    for most in (10_000, 524_288, 10_000_000):
        events, letters = topics.wanted(settings.load(max_event_bytes=most))
        assert int(letters.config["max.message.bytes"]) == int(events.config["max.message.bytes"]) + 65_536


def test_each_difference_is_a_sentence_with_its_fix() -> None:
    want = topics.wanted(settings.load())[0]
    assert topics.differences(want, want) == []
    have = replace(want, partitions=3, replication=2, config=want.config | {"retention.ms": "1"})
    found = topics.differences(want, have)
    assert len(found) == 3
    assert "AUDITLANE_TOPIC_PARTITIONS" in found[0]
    assert "kafka-configs --alter --add-config retention.ms=604800000" in found[2]


def test_names_that_collide_in_kafka_are_found() -> None:
    assert topics.clash("audit.events", {"audit_events", "other"}) == "audit_events"
    assert topics.clash("audit.events", {"audit.events", "audit.events.acme"}) is None


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [one.version for one in migrate.known()] == list(range(1, len(migrate.known()) + 1))
    for migration in migrate.known():
        assert all(word.upper().startswith(("CREATE", "ALTER")) for word in migration.statements("db"))


def test_every_alteration_may_run_twice() -> None:
    """Processes may run migrations concurrently, and each server in a cluster is migrated separately."""
    for migration in migrate.known():
        for statement in migration.statements("db"):
            for verb in re.findall(r"\b(?:ADD|DROP) (?:COLUMN|INDEX|CONSTRAINT|PROJECTION) (?!IF )", statement):
                pytest.fail(f"{migration.name}: {verb}lacks IF [NOT] EXISTS")


def test_pending_migrations_are_planned_in_order() -> None:
    known = migrate.known()
    assert migrate.plan(known, {}) == known
    assert migrate.plan(known, {1: known[0].checksum}) == known[1:]


def test_a_newer_store_and_a_changed_migration_are_refused() -> None:
    known = migrate.known()
    with pytest.raises(SchemaTooNew, match="Upgrade"):
        migrate.plan(known, {one.version: one.checksum for one in known} | {99: "x"})
    with pytest.raises(Drift, match="differs from the version"):
        migrate.plan(known, {1: "x"})
