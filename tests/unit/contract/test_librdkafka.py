"""Tests the options that exactly-once delivery depends on, and options that librdkafka rejects."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from auditlane.contract import librdkafka, topics
from auditlane.contract.kafka_client import client_config, producer_config
from auditlane.contract.librdkafka import reason
from auditlane.local import ports
from auditlane.local.doctor import kafka as doctor
from auditlane.local.doctor.finding import Level, guarded
from auditlane.local.health import KafkaProbe
from auditlane.operations.dlq.topic import LetterTopic
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.replay.topic_target import TopicTarget
from auditlane.operations.span_reader import SpanReader
from auditlane.runtime.errors import ConfigError, KafkaUnavailable
from auditlane.runtime.settings import Settings, load
from auditlane.sdk import ClientConfig
from auditlane.worker.consumer import consumer_config

WEAKER: list[dict[str, Any]] = [
    {"auto.offset.reset": "earliest"},
    {"isolation.level": "read_uncommitted"},
    {"enable.auto.commit": True},
    {"auto.commit.enable": "true"},
    {"enable.auto.offset.store": True},
    {"group.id": "x"},
    {"group.protocol": "classic"},
    {"partition.assignment.strategy": "range"},
    {"transactional.id": "x"},
    {"enable.partition.eof": False},
    {"acks": 1},
    {"request.required.acks": 0},
    {"topic.acks": "0"},
    {"default.topic.config": {"acks": 0}},
    {"enable.idempotence": "f"},
    {"partitioner": "random"},
    {"delivery.report.only.error": True},
]


def _settings(**extra: Any) -> Settings:
    return load(kafka_bootstrap="127.0.0.1:1", kafka_extra=extra)


@pytest.mark.parametrize("extra", WEAKER, ids=str)
def test_no_client_lets_an_extra_option_weaken_a_guarantee(extra):
    (option,) = extra.get("default.topic.config", extra)
    settings = _settings(**extra)
    for read in (
        lambda: client_config(settings),
        lambda: consumer_config(settings, protocol="consumer"),
        lambda: SpanReader(settings),
        lambda: LetterTopic(settings),
        lambda: TopicTarget(settings, "x", dry=False),
        lambda: topics.admin(settings),
        lambda: ClientConfig.load({}, kafka_bootstrap="a:1", registry_url="http://r", kafka_extra=extra),
    ):
        with pytest.raises(ConfigError) as caught:
            read()
        assert "AUDITLANE_KAFKA_EXTRA" in str(caught.value)
        assert option in caught.value.message


def test_every_weakening_option_is_named_at_once_and_the_setting_where_there_is_one():
    with pytest.raises(ConfigError) as caught:
        client_config(_settings(**{"acks": 0, "group.id": "x", "isolation.level": "read_uncommitted"}))
    for word in ("acks must stay all", "AUDITLANE_CONSUMER_GROUP", "isolation.level must stay read_committed"):
        assert word in caught.value.message


def test_repeated_guarantees_are_accepted_and_other_options_apply():
    extra = {"acks": -1, "enable.idempotence": "T", "enable.auto.commit": False, "topic.auto.offset.reset": "error"}
    options = consumer_config(_settings(**extra, **{"fetch.queue.backoff.ms": 50}), protocol="classic")
    assert options["fetch.queue.backoff.ms"] == 50
    assert options["isolation.level"] == "read_committed"


def test_librdkafka_accepts_the_tables():
    options = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    librdkafka.client(Consumer, options | dict(librdkafka.CONSUMER) | {"group.id": "x"}).close()
    librdkafka.client(Producer, producer_config(options))


@pytest.mark.parametrize(
    "extra",
    [{"foo": 1}, {"message.max.bytes": "a"}, {"security.protocol": "ssl", "ssl.ca.location": "/nope"}, {"error_cb": 1}],
    ids=str,
)
@pytest.mark.parametrize("kind", [AdminClient, Consumer, Producer])
def test_an_option_that_librdkafka_refuses_is_reported(kind, extra):
    with pytest.raises(ConfigError, match="AUDITLANE_KAFKA_EXTRA") as caught:
        librdkafka.client(kind, client_config(_settings(**extra), **{"group.id": "x", "log_level": 0}))
    assert list(extra)[-1] in caught.value.message


@pytest.mark.parametrize("extra", [{"foo": 1}, {"acks": 0}], ids=str)
def test_the_doctor_finds_such_options(extra):
    (found,) = guarded("kafka", lambda: doctor.check(_settings(**extra)))
    assert found.level is Level.FAIL
    assert "AUDITLANE_KAFKA_EXTRA" in found.fix


def test_a_probe_reports_it_too():
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ConfigError, match="AUDITLANE_KAFKA_EXTRA"):
        KafkaProbe({"bootstrap.servers": f"127.0.0.1:{listener.getsockname()[1]}", "foo": 1}).is_ready()


def test_every_client_names_its_rack_and_librdkafka_knows_the_option():
    settings = load(kafka_bootstrap="localhost:1", kafka_rack="zone-a")
    options = consumer_config(settings, protocol="consumer")
    assert options["client.rack"] == producer_config(client_config(settings))["client.rack"] == "zone-a"
    assert "client.rack" not in client_config(load(kafka_bootstrap="localhost:1"))
    librdkafka.client(AdminClient, client_config(settings, log_level=0))


def test_an_error_is_reported_in_words_and_not_as_librdkafka_prints_it():
    raised = KafkaError(KafkaError._TRANSPORT, "Broker transport failure.")
    assert reason(raised) == reason(KafkaException(raised)) == "Broker transport failure"
    assert reason(TimeoutError()) == "no response in time"
    assert reason(ValueError("other")) == "other"


def test_unavailable_brokers_are_reported_in_words():
    settings = load(kafka_bootstrap=f"127.0.0.1:{ports.free(1)[0]}")
    with closing(KafkaOffsets(settings, ask_s=0.5)) as offsets, pytest.raises(KafkaUnavailable) as raised:
        offsets.topics()
    assert "KafkaError" not in str(raised.value)
    assert "did not respond" in str(raised.value)
