"""Tests topics on the real broker. They are created once, drift is reported, and nothing is changed silently."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from auditlane.contract import topics
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
