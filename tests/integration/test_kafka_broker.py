"""Tests that the embedded broker keeps its data across restarts, exits with its parent, and accepts messages from a
client.
"""

from __future__ import annotations

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from fixtures.kafka import make_broker, wait_for_broker

from auditlane.runtime import process


def test_the_shared_broker_answers(kafka, unique):
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(unique, 1, 1)])[unique].result(30)
    assert unique in admin.list_topics(timeout=10).topics


def test_data_survives_restart_and_kill(tmp_path):
    broker = make_broker(tmp_path)
    sent = [f"message {number}".encode() for number in range(100)]
    cluster_ids = set()
    for stop_with_grace_s in (20, 0, 20):
        running = broker.start(tmp_path / "kafka.out")
        try:
            wait_for_broker(broker.bootstrap)
            admin = AdminClient({"bootstrap.servers": broker.bootstrap})
            cluster_ids.add(admin.list_topics(timeout=10).cluster_id)
            if "kept" not in admin.list_topics(timeout=10).topics:
                admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
                producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})
                for value in sent:
                    producer.produce("kept", value)
                assert producer.flush(30) == 0
            assert _all(broker.bootstrap, "kept", len(sent)) == sent
        finally:
            process.stop(running, stop_with_grace_s)
    assert len(cluster_ids) == 1


def _all(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return [message.value() for message in consumer.consume(count, 60)]
    finally:
        consumer.close()
