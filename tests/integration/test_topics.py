"""Tests topics on the real broker. They are created once, drift is reported, and nothing is changed silently."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # several are re-exported implicitly
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from fixtures.workers import wait_until

from auditlane.contract import topics
from auditlane.local.doctor import kafka as doctor
from auditlane.local.doctor.finding import Level
from auditlane.runtime import settings as settings_
from auditlane.runtime.errors import ConfigError, KafkaUnavailable


def _settings(kafka: str, name: str, **overrides: object) -> settings_.Settings:
    return settings_.load(kafka_bootstrap=kafka, topic=name, dead_letter_topic=f"{name}-dead", **overrides)


def test_topics_are_created_once_and_then_left_unchanged(kafka: str, unique: str) -> None:
    mine = _settings(kafka, unique, topic_partitions=2)
    with ThreadPoolExecutor(4) as pool:
        reports = [report for made in pool.map(lambda _: topics.ensure(mine), range(4)) for report in made]
    assert sum(report.created for report in reports) == 2
    assert [report.drift for report in topics.ensure(mine)] == [[], []]


def test_a_name_that_the_brokers_refuse_is_reported(kafka: str, unique: str) -> None:
    wrong = _settings(kafka, unique).model_copy(update={"topic": f"{unique} events"})  # the settings reject such a name
    with pytest.raises(ConfigError, match=f"refused the topic {unique} events"):
        topics.ensure(wrong)


def test_drift_is_reported_and_not_corrected(kafka: str, unique: str) -> None:
    topics.ensure(_settings(kafka, unique, topic_partitions=2))
    other = _settings(kafka, unique, topic_partitions=4, topic_retention_hours=1_000)
    for _ in range(2):
        events, letters = topics.ensure(other)
        assert any("2 partitions" in sentence for sentence in events.drift)
        assert any("retention.ms" in sentence for sentence in events.drift)
        assert any("2 partitions" in sentence for sentence in letters.drift)


def test_the_doctor_fails_for_a_topic_that_loses_events_or_has_too_few_partitions(kafka: str, unique: str) -> None:
    wanted = _settings(kafka, unique, topic_partitions=2, worker_processes_total=3)
    topics.ensure(wanted)
    short = {unique: "3600000", f"{unique}-dead": "86400000"}
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            name,
            incremental_configs=[ConfigEntry("retention.ms", value, incremental_operation=AlterConfigOpType.SET)],
        )
        for name, value in short.items()
    ]
    admin = topics.admin(wanted)
    for result in admin.incremental_alter_configs(resources).values():
        result.result(20)

    def failed() -> list[tuple[str, str]]:
        return [(one.message, one.fix) for one in doctor.check(wanted, lag=False) if one.level is Level.FAIL]

    wait_until(lambda: len(failed()) == 4)
    few, retention, few_letters, letters = failed()
    assert "has 2 partitions, but AUDITLANE_WORKER_PROCESSES_TOTAL is 3" in few[0]
    assert f"kafka-topics --alter --topic {unique} --partitions 3" in few[1]
    assert f"Topic {unique} keeps messages for 1 hours only" in retention[0]
    assert f"--add-config retention.ms={7 * 24 * 3_600_000}" in retention[1]
    assert f"Topic {unique}-dead has 2 partitions" in few_letters[0]
    assert "keeps messages for 24 hours only (retention.ms): Kafka deletes rejected messages" in letters[0]
    assert "--add-config retention.ms=-1" in letters[1]


def test_an_error_about_colliding_topic_names_names_both(kafka: str, unique: str) -> None:
    topics.ensure(_settings(kafka, f"{unique}.events"))
    with pytest.raises(ConfigError, match=rf"{unique}_events.*{unique}\.events"):
        topics.ensure(_settings(kafka, f"{unique}_events"))


def test_too_many_replicas_are_refused_with_the_brokers_reason(kafka: str, unique: str) -> None:
    with pytest.raises(ConfigError, match=unique):
        topics.ensure(_settings(kafka, unique, topic_replication_factor=50))


def test_an_unreachable_kafka_is_reported_with_a_fix(monkeypatch: pytest.MonkeyPatch, unique: str) -> None:
    monkeypatch.setattr(topics, "TIMEOUT_S", 1.0)
    with pytest.raises(KafkaUnavailable, match="AUDITLANE_KAFKA_BOOTSTRAP"):
        topics.ensure(_settings("127.0.0.1:1", unique))
