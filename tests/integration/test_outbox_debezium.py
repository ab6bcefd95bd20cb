"""Tests the outbox with Debezium in place of the relay, with the statements and the configuration in the docs."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from connect import Connect
from fixtures.stack import Stack, until
from outbox_app import ACTION, ENDINGS, engine_of, tables, transact
from sqlalchemy import Engine, select, text

from auditlane.runtime import settings as settings_
from auditlane.sdk import AuditClient

_TEXT = (Path(__file__).parents[2] / "docs" / "integrations" / "debezium.md").read_text()
PUBLICATION, TRIGGER = re.findall(r"```sql\n(.*?)```", _TEXT, re.DOTALL)
(CONNECTOR,) = re.findall(r"```properties\n(.*?)```", _TEXT, re.DOTALL)
EACH = 60  # transactions per phase; two thirds of them commit
PATIENCE_S = 180


@pytest.fixture
def engine(postgresql: str, unique: str) -> Iterator[Engine]:
    """Provide a new database. The role and the slot, which belong to the server, are removed afterwards."""
    server = engine_of(postgresql).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {unique}"))
    made = engine_of(f"{postgresql.rpartition('/')[0]}/{unique}")
    yield made
    made.dispose()
    slots = "SELECT count(*) FROM pg_replication_slots"
    with server.connect() as connection:
        until(lambda: connection.scalar(text(f"{slots} WHERE active")) == 0, PATIENCE_S, "the end of the replication")
        connection.execute(text("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"))
        connection.execute(text(f"DROP DATABASE {unique} WITH (FORCE)"))
        connection.execute(text("DROP ROLE IF EXISTS debezium"))
    server.dispose()


def execute(engine: Engine, script: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(script)


def is_streaming(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.scalar(text("SELECT active FROM pg_replication_slots")) is True


def connector(engine: Engine) -> dict[str, str]:
    """Return the documented configuration for this database."""
    documented = dict(line.split("=", 1) for line in CONNECTOR.splitlines())
    return documented | {"database.port": str(engine.url.port), "database.dbname": str(engine.url.database)}


def messages(stack: Stack, topic: str, tenant: str) -> list[Message]:
    """Return a tenant's messages in the topic, in the order of their partition."""
    consumer = Consumer({**stack.kafka, "group.id": uuid.uuid4().hex})
    found: list[Message] = []
    try:
        for partition in consumer.list_topics(topic).topics[topic].partitions:
            following, end = consumer.get_watermark_offsets(TopicPartition(topic, partition))
            consumer.assign([TopicPartition(topic, partition, following)])
            while following < end:
                for message in consumer.consume(1_000, 1.0):
                    assert not message.error()
                    found.append(message)
                    following = (message.offset() or 0) + 1
    finally:
        consumer.close()
    return [message for message in found if message.key() == tenant.encode()]


def id_of(message: Message) -> str:
    """Return the header that Debezium sets, or an empty string for a message of the relay."""
    headers = message.headers() or []
    return next((str(value, "ascii") for name, value in headers if name == "id" and isinstance(value, bytes)), "")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_debezium_sends_the_outbox_and_readers_see_each_event_once(
    stack: Stack, engine: Engine, unique: str, tmp_path: Path
) -> None:
    names = ("kafka_bootstrap", "registry_url", "registry_user", "registry_password")
    with (
        AuditClient(**{name: stack.env[settings_.variable(name)] for name in names}) as client,
        AuditClient(kafka_bootstrap="127.0.0.1:1", registry_url="http://127.0.0.1:1") as offline,
    ):
        orders, outbox, metadata = tables(client)
        metadata.create_all(engine)
        execute(engine, PUBLICATION)
        client.own_fields(unique)

        def work(phase: str) -> None:
            for number in range(EACH):
                ending = ENDINGS[number % len(ENDINGS)]
                transact(engine, outbox, orders, unique, f"{phase}-{number}", ending)

        def committed() -> list[str]:
            with engine.connect() as connection:
                return [*connection.scalars(select(orders.c.number))]

        def stored() -> list[str]:
            query = f"SELECT resource_id FROM audit.log WHERE tenant_id = '{unique}' AND action = '{ACTION}'"
            return [row[0] for row in stack.client.query(query).result_rows]

        def missing() -> set[str]:
            return {*committed()} - {*stored()}

        topic = settings_.load().topic
        connect = Connect(tmp_path / "connect", stack.kafka, connector(engine))
        try:
            transact(engine, tables(offline)[1], orders, unique, "no payload", "commit")
            connect.start()
            until(lambda: is_streaming(engine), PATIENCE_S, "Debezium's replication slot")
            work("before the trigger")
            columns = outbox.table.c
            with engine.connect() as connection:
                found = connection.execute(select(columns.id, columns.payload))
                rows = {row.id: row.payload for row in found}
            until(lambda: missing() == {"no payload"}, PATIENCE_S, "the events")
            execute(engine, TRIGGER)

            connect.kill()
            work("while Connect is down")
            connect.start()
            work("while Connect starts")
            until(lambda: missing() == {"no payload"}, PATIENCE_S, "the events after a kill")

            url = engine.url.render_as_string(hide_password=False)
            relayed = json.loads(stack.run("outbox", "relay", "--once", "--json", "--url", url).stdout)
            assert relayed == {"sent": len(rows), "set_aside": 0, "problem": ""}  # the trigger deleted all the others
            until(lambda: not missing(), PATIENCE_S, "the event without a payload")
            sent = messages(stack, topic, unique)
            by_id = {id_of(message): message.value() for message in sent}
            assert {key: value for key, value in rows.items() if value} == {
                key: by_id.get(key) for key, value in rows.items() if value
            }
            direct = [message for message in sent if id_of(message)]
            assert len(direct) > len({id_of(message) for message in direct})  # the killed worker sent some again
            assert len({message.value() for message in sent}) == len(committed())
            assert len({message.partition() for message in sent}) == 1  # Debezium's and the relay's

            connect.stop()
            before = len(committed())
            work("after a clean stop")
            connect.start()
            until(lambda: not missing(), PATIENCE_S, "the events after a clean stop")
            assert sorted(stored()) == sorted(committed())
            again = messages(stack, topic, unique)
            assert len(again) - len(sent) == len(committed()) - before  # a clean stop repeats nothing

            span = f"{again[0].partition()}:{again[0].offset()}-{again[-1].offset()}"
            verify = ("verify", topic, "--content", "--range", span, "--json")

            def verified() -> bool:
                counts = json.loads(stack.run(*verify).stdout)["counts"]
                return bool(counts["stored"] + counts["duplicate"] == len(again))  # a merge keeps the first of each

            until(verified, PATIENCE_S, "every message to be committed and verified")
            status = json.loads(stack.run("outbox", "status", "--json", "--url", url).stdout)
            assert status == {"waiting": 0, "oldest_s": 0, "set_aside": 0, "rows": []}
        except BaseException:
            print(connect.log.read_text() if connect.log.exists() else "")
            raise
        finally:
            connect.stop()
