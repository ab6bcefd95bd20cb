"""Tests replay and verify on real services. Only deleted rows are restored, and every offset gets the correct
status.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import validating
from confluent_kafka import Consumer, Producer, TopicPartition
from fixtures.commands import Commands
from fixtures.workers import World, wait_until

from auditlane.contract.partition import Partition
from auditlane.contract.tenants import tenant_subject
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.store import migrate

Where = tuple[int, int]


@pytest.fixture
def commands(commands: Commands) -> Commands:
    """Provide commands without keys, so that their audit events do not become messages on the topic."""
    del commands.env["AUDITLANE_PROVENANCE_KEYS_FILE"]
    return commands


def stored(world: World, count: int, **given: Any) -> None:
    world.produce(count, **given)
    work(world, sum(high(world).values()))


def high(world: World, topic: str = "") -> dict[Partition, int]:
    """Return the offset after the last committed message of each partition."""
    with closing(KafkaOffsets(world.settings)) as positions:
        return positions.high(positions.partitions(topic or world.settings.topic))


def work(world: World, rows: int) -> None:
    """Run a worker until the table has `rows` rows and there is nothing left to do."""
    worker = world.worker()
    world.stored(rows)
    world.completed()
    assert worker.stop() == 0


def delete(world: World, where: str) -> None:
    """Delete rows as if by hand. Merges must be running, or the mutation would wait."""
    world.client.command(f"SYSTEM START MERGES {world.events}")
    world.client.command(f"DELETE FROM {world.events} WHERE {where}", settings={"lightweight_deletes_sync": 2})
    world.client.command(f"SYSTEM STOP MERGES {world.events}")


def insert(world: World, where: str, changed: str) -> None:
    rows = f"(SELECT * FROM {world.events} WHERE {where})"
    world.client.command(f"INSERT INTO {world.events} SELECT * REPLACE ({changed}) FROM {rows}")


def committed(world: World) -> dict[Partition, int | None]:
    with closing(KafkaOffsets(world.settings)) as positions:
        return positions.committed(positions.partitions(world.settings.topic))


def offsets(world: World, table: str = "events") -> list[Where]:
    """Return the partition and offset of each row, in order. Duplicates are included."""
    source = f"`{world.settings.clickhouse_database}`.{table}"
    rows = world.client.query(f"SELECT kafka_partition, kafka_offset FROM {source} ORDER BY 1, 2").result_rows
    return [(int(partition), int(offset)) for partition, offset in rows]


def wrong(found: dict[str, Any]) -> list[tuple[int, int, int, str]]:
    """Return the ranges that `verify` reports as wrong, each as its partition, first and last offset, and status."""
    return [
        (one["partition"], run["first"], run["last"], run["status"]) for one in found["ranges"] for run in one["wrong"]
    ]


def test_verify_finds_rows_deleted_and_inserted_by_hand_and_replay_restores_the_first(
    world: World, commands: Commands, tmp_path: Path
) -> None:
    topic = world.settings.topic
    stored(world, 200)
    before, commits = offsets(world), committed(world)
    healthy = commands.run("verify", topic)
    assert healthy["ok"]
    assert (healthy["counts"]["messages"], healthy["counts"]["stored"]) == (200, 200)
    delete(world, "kafka_partition = 0 AND kafka_offset = 7")
    insert(world, "kafka_partition = 1 AND kafka_offset = 3", "900000 AS kafka_offset, generateUUIDv4() AS event_id")
    insert(world, "kafka_partition = 1 AND kafka_offset = 3", "'' AS kafka_topic, generateUUIDv4() AS kafka_topic_id")

    metrics = tmp_path / "verify.prom"
    found = commands.run("verify", "--metrics", str(metrics), code=1)
    assert (found["counts"]["missing"], found["counts"]["extra"], found["counts"]["stored"]) == (1, 2, 199)
    assert wrong(found) == [(0, 7, 7, "missing")]
    assert {one["partition"]: one["stray"] for one in found["ranges"]} == {0: [], 1: [900000]}
    assert [(one["topic"], one["rows"]) for one in found["extra_origins"]] == [("", 1)]
    assert 'auditlane_verify_offsets{status="missing"} 1.0' in metrics.read_text()
    assert "auditlane_verify_ok 0.0" in metrics.read_text()

    now = offsets(world)
    dry = commands.run("replay", topic, "--dry-run")
    assert (dry["stored"], dry["already"], dry["dry_run"]) == (1, 199, True)
    assert offsets(world) == now
    assert not commands.cache.exists()
    done = commands.run("replay", topic)
    assert (done["stored"], done["already"], done["refused"]) == (1, 199, {})
    assert offsets(world) == sorted([*now, (0, 7)]) == sorted([*before, (1, 3), (1, 900000)])
    assert commands.run("replay", topic)["stored"] == 0
    assert committed(world) == commits
    groups = world.admin.list_consumer_groups().result(10).valid
    assert not [one.group_id for one in groups if one.group_id.startswith("auditlane-")]


def test_a_row_deleted_again_is_restored_again(world: World, commands: Commands) -> None:
    """ClickHouse still remembers the tokens of the inserts that stored the row before."""
    stored(world, 60)
    before = offsets(world)
    for _ in range(2):
        delete(world, "kafka_offset IN (2, 3)")
        assert len(offsets(world)) == 56
        assert commands.run("replay", world.settings.topic)["stored"] == 4
        assert offsets(world) == before


def test_lost_tables_are_restored_from_a_backup_and_kafka(world: World, commands: Commands) -> None:
    """The steps of docs/operate/backup.md, with a worker that runs all the time."""
    database = world.settings.clickhouse_database
    worker = world.worker()
    world.produce(60)
    world.stored(60)
    world.client.command(f"BACKUP DATABASE `{database}` TO Disk('backups', '{database}')")
    world.produce(40)
    world.stored(100)
    world.completed()
    before = offsets(world)
    world.client.command(f"DROP DATABASE `{database}` SYNC")
    world.produce(20)  # these wait until there is a table
    migrate.migrate(world.client, database)
    window = "non_replicated_deduplication_window = 4000000"  # like the fixture: the test's workers insert often
    world.client.command(f"ALTER TABLE {world.events} MODIFY SETTING {window}")
    world.stored(20)
    world.client.command(
        f"RESTORE DATABASE `{database}` FROM Disk('backups', '{database}')"
        " SETTINGS allow_non_empty_tables = true, allow_different_table_def = true"
    )
    world.completed()
    assert commands.run("replay", world.settings.topic)["stored"] == 40
    assert set(before) < set(offsets(world))
    assert commands.run("verify")["counts"]["stored"] == len(offsets(world)) == 120
    assert worker.stop() == 0


def test_every_offset_has_a_status(world: World, commands: Commands) -> None:
    topic = world.settings.topic
    world.produce(20, partition=0)
    world.send(b"not framed", partition=0)
    again = world.value("tenant0", 1)
    for value in (again, again):
        world.send(value, partition=0)
    ids = {"event_id": "01890a5d-ac96-774b-bcce-b302099a8057"}
    now = datetime.now(UTC)
    for at in (now, now - timedelta(seconds=1)):
        world.send(world.value("tenant0", 1, occurred_at=at, **ids), partition=0)
    producer = Producer(world.kafka | {"transactional.id": topic})
    producer.init_transactions(30)
    for end, after in ((producer.commit_transaction, 29), (producer.abort_transaction, 33)):
        producer.begin_transaction()
        for number in range(3):
            producer.produce(topic, key="tenant1", value=world.value("tenant1", number), partition=0)
        assert producer.flush(30) == 0
        end(30)
        wait_until(lambda after=after: high(world)[Partition(topic, 0)] == after)  # the commit marker has been written
    world.produce(5, partition=0)
    work(world, 20 + 2 + 2 + 3 + 5)

    world.client.command(f"SYSTEM START MERGES {world.events}")
    world.client.command(f"OPTIMIZE TABLE {world.events} FINAL")
    world.client.command(f"SYSTEM STOP MERGES {world.events}")
    assert commands.run("verify")["ok"]
    insert(world, "kafka_offset = 5", "generateUUIDv4() AS event_id, 28 AS kafka_offset")
    insert(world, "kafka_offset = 5", "generateUUIDv4() AS event_id")
    found = commands.run("verify", topic, code=1)
    [range_] = [one for one in found["ranges"] if one["partition"] == 0]
    assert [(run["first"], run["last"], run["count"], run["status"]) for run in range_["offsets"]] == [
        (0, 19, 20, "stored"),
        (20, 20, 1, "dead_lettered"),
        (21, 21, 1, "stored"),
        (22, 22, 1, "duplicate"),
        (23, 27, 5, "stored"),
        (28, 28, 1, "extra"),  # a transaction marker instead of a message
        (33, 37, 5, "stored"),
    ]
    assert range_["doubled"] == [5]
    [two] = found["two_times"]
    assert (two["tenant"], two["event_id"], len(two["times"])) == ("tenant0", ids["event_id"], 2)
    told = commands.text("verify", topic, "--range", "0:20-29", code=1)
    assert f"extra: {topic}[0] 28-28 (1)" in told
    assert "0 missing, 1 extra, 0 stored twice" in told
    assert commands.run("replay", topic)["dead_lettered"] == 1

    delete(world, "kafka_partition = 0 AND kafka_offset IN (5, 28)")  # as the docs recommend for such rows
    assert commands.run("replay", topic)["stored"] == 1
    assert commands.run("verify")["ok"]


def test_a_lost_dead_letter_is_reported_missing(world: World, commands: Commands) -> None:
    world.produce(5, partition=0)
    world.send(b"not framed", partition=0)
    work(world, 5)
    at = {TopicPartition(world.settings.dead_letter_topic, number): number for number in range(2)}
    ends = high(world, world.settings.dead_letter_topic)
    for one in at:
        one.offset = ends[Partition(one.topic, one.partition)]
        world.admin.delete_records([one])[one].result(10)
    found = commands.run("verify", code=1)
    assert wrong(found) == [(0, 5, 5, "missing")]
    assert found["ranges"][0]["wrong"][0]["reason"] == "NOT_FRAMED, without a dead letter"
    assert found["refused"] == 1
    told = commands.text("verify", code=1)
    assert "Of the missing messages, 1 cannot be stored now" in told
    assert "auditlane replay" not in told
    for options in ([], ["--dry-run"], ["--into-table", "rebuilt"]):
        told = commands.text("replay", world.settings.topic, *options, code=3)
        assert "no worker would store them now: 1 message." in told


def test_events_that_the_contract_now_refuses_are_restored(world: World, commands: Commands) -> None:
    """Completed messages without a dead letter must have been stored, whatever the registry contains now."""
    topic, database = world.settings.topic, world.settings.clickhouse_database
    world.send(b"not framed", partition=0)
    world.produce(69, partition=0)
    work(world, 69)
    before = offsets(world)
    schema = validating.contract(validating.own("note", "string", maxLength=5))
    world.registry.register(tenant_subject(topic, "tenant0"), json.dumps(schema))
    world.send(world.value("tenant0", 1), partition=0)  # the workers have not rejected it yet
    delete(world, "tenant_id IN ('tenant0', 'tenant1') AND kafka_offset < 40")
    lost = len(before) - len(offsets(world))

    found = commands.run("verify", code=1)
    assert (found["counts"]["missing"], found["refused"]) == (lost, 0)
    assert {run["reason"] for run in found["ranges"][0]["wrong"]} == {"its event is not stored"}
    told = commands.text("verify", code=1)
    assert f"To store the missing messages, run: auditlane replay {topic}." in told
    assert commands.run("replay", topic, "--dry-run")["stored"] == lost
    assert commands.run("replay", topic)["stored"] == lost
    assert offsets(world) == before

    rebuilt = commands.run("replay", topic, "--into-table", "rebuilt")
    assert (rebuilt["stored"], rebuilt["dead_lettered"], rebuilt["left_to_workers"], rebuilt["refused"]) == (
        69,
        1,
        1,
        {},
    )
    world.client.command(f"TRUNCATE TABLE `{database}`.rebuilt")
    told = commands.text("verify", topic, "--table", "rebuilt", code=1)
    assert f"To store the missing messages, run: auditlane replay {topic} --into-table rebuilt." in told


def test_expired_and_pending_offsets_are_not_wrong(world: World, commands: Commands) -> None:
    stored(world, 40, partition=0)
    world.produce(7, partition=0)
    world.admin.delete_records([TopicPartition(world.settings.topic, 0, 10)])
    wait_until(lambda: world.low(0) == 10)
    found = commands.run("verify")
    assert found["ok"]
    assert {name: found["counts"][name] for name in ("messages", "stored", "gone", "beyond_retention", "pending")} == {
        "messages": 30,
        "stored": 30,
        "gone": 10,
        "beyond_retention": 10,
        "pending": 7,
    }
    done = commands.run("replay", world.settings.topic)
    assert (done["stored"], done["read"]) == (0, 30)
    later = "offsets from 40 on are not completed by the workers yet; run the command again later."
    assert done["notes"] == [f"{world.settings.topic}[0]: {later}"]


def test_a_replay_stores_the_selected_offsets_times_and_tenants(world: World, commands: Commands) -> None:
    topic = world.settings.topic
    world.produce(70, partition=0)
    stored(world, 70, partition=1)
    rows = world.client.query(
        f"SELECT kafka_partition, kafka_offset, tenant_id, toUnixTimestamp64Milli(kafka_timestamp) FROM {world.events}"
    ).result_rows
    time = sorted(row[3] for row in rows)[100]
    since = datetime.fromtimestamp(time / 1_000, UTC).isoformat()

    def replayed(*options: str) -> list[Where]:
        world.client.command(f"TRUNCATE TABLE {world.events}")
        commands.run("replay", topic, *options, range_rows=50)
        return offsets(world)

    assert replayed("--partition", "1", "--from-offset", "5", "--to-offset", "44") == [(1, at) for at in range(5, 45)]
    assert replayed("--tenant", "tenant3", "-t", "tenant4") == sorted(
        (row[0], row[1]) for row in rows if row[2] in ("tenant3", "tenant4")
    )
    assert replayed("--since", since) == sorted((row[0], row[1]) for row in rows if row[3] >= time)
    assert replayed("--until", since) == sorted((row[0], row[1]) for row in rows if row[3] < time)


def test_a_replay_while_workers_run_duplicates_nothing(world: World, commands: Commands) -> None:
    world.produce(600)
    worker = world.worker(range_rows=100)
    world.stored(600)
    world.completed()
    delete(world, "kafka_offset % 3 = 0")
    left, _ = world.counts()
    assert left < 450
    emitting = threading.Thread(target=lambda: [world.produce(50) for _ in range(40)])
    emitting.start()
    replays = []
    while not replays or emitting.is_alive():
        replays.append(commands.run("replay", world.settings.topic, range_rows=60))
    emitting.join()
    assert [one["stored"] for one in replays] == [600 - left, *[0] * (len(replays) - 1)]
    world.stored(2_600)
    world.completed()
    assert worker.stop() == 0
    assert world.counts() == (2_600, 2_600)
    assert commands.run("verify")["counts"]["stored"] == 2_600


def interrupted(process: subprocess.Popen[str], commands: Commands, number: int) -> str:
    """Send a signal once the replay has completed some chunks. Returns the replay's stderr."""
    folder = commands.cache / "replays"

    def some() -> bool:
        saved = [json.loads(one.read_text()) for one in folder.glob("*.json")]
        return process.poll() is not None or any(sum(one["done"].values()) >= 60 for one in saved)

    wait_until(some)
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    return error


def test_an_interrupted_replay_resumes(world: World, commands: Commands) -> None:
    topic = world.settings.topic
    stored(world, 300)
    before, commits = offsets(world), committed(world)
    delete(world, "1")
    keys = world.settings.provenance_keys_file
    slow = commands.start("replay", topic, insert_parts_per_second=4, provenance_keys_file=keys)
    said = interrupted(slow, commands, signal.SIGINT)
    assert slow.returncode == 130, said
    assert "Run the same command again to resume" in said
    first, _ = world.counts()
    assert 0 < first < 300
    killed = commands.start("replay", topic, insert_parts_per_second=4)
    interrupted(killed, commands, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    second, _ = world.counts()
    assert first <= second < 300
    done = commands.run("replay", topic, provenance_keys_file=keys)
    assert done["resumed"]
    assert done["read"] == 300
    assert offsets(world) == before
    assert committed(world) == commits
    work(world, 302)  # including the audit events of the first and the last run
    query = f"SELECT outcome, toInt32(metadata['rows']) FROM {world.events} WHERE action = 'events.replayed' ORDER BY 1"
    [(_, complete), (_, cut_off)] = world.client.query(query).result_rows
    assert 0 < cut_off <= first
    assert 0 < complete <= 300 - cut_off
    assert not commands.run("replay", topic)["resumed"]


def test_a_table_is_rebuilt_and_swapped_in(world: World, commands: Commands) -> None:
    """Follows docs/operate/replay-and-verify.md while workers are running."""
    topic, database = world.settings.topic, world.settings.clickhouse_database
    world.produce(200)
    worker = world.worker()
    world.stored(200)
    world.completed()
    world.admin.delete_records([TopicPartition(topic, 0, 5)])
    wait_until(lambda: world.low(0) == 5)
    before = offsets(world)
    dry = commands.run("replay", topic, "--into-table", "rebuilt", "--dry-run")
    assert (dry["stored"], dry["already"]) == (195, 0)
    assert not world.client.query(f"EXISTS TABLE `{database}`.rebuilt").result_rows[0][0]
    assert commands.run("replay", topic, "--into-table", "rebuilt")["stored"] == 195
    world.client.command(
        f"INSERT INTO `{database}`.rebuilt SELECT * FROM {world.events} WHERE (kafka_topic_id, kafka_partition, "
        f"kafka_offset) NOT IN (SELECT kafka_topic_id, kafka_partition, kafka_offset FROM `{database}`.rebuilt)"
    )
    assert offsets(world, "rebuilt") == before
    assert commands.run("verify", "--table", "rebuilt")["ok"]
    world.produce(50)
    world.stored(250)
    world.completed()
    assert commands.run("verify", "--table", "rebuilt", code=1)["counts"]["missing"] == 50
    world.client.command(f"EXCHANGE TABLES {world.events} AND `{database}`.rebuilt")
    world.client.command(f"SYSTEM STOP MERGES {world.events}")
    assert len(offsets(world)) == 200
    assert commands.run("replay", topic)["stored"] == 50
    world.produce(30)
    world.stored(280)
    world.completed()
    assert worker.stop() == 0
    assert world.counts() == (280, 280)
    assert commands.run("verify")["ok"]


def test_messages_are_replayed_into_a_topic_unchanged(world: World, commands: Commands) -> None:
    topic, copy = world.settings.topic, f"{world.settings.topic}-copy"
    world.produce(100)
    world.send(b"not framed", key="tenant3")
    world.send(None, key=None)
    world.producer.produce(topic, key="tenant1", value=b"x", headers=[("a", b"1"), ("a", None)], partition=1)
    assert world.producer.flush(30) == 0
    assert commands.run("replay", topic, "--into-topic", copy, "--dry-run")["stored"] == 103
    assert copy not in world.admin.list_topics(timeout=10).topics
    done = commands.run("replay", topic, "--into-topic", copy)
    assert (done["stored"], done["read"]) == (103, 103)

    def messages(name: str) -> list[tuple[Any, ...]]:
        consumer = Consumer(world.kafka | {"group.id": copy, "auto.offset.reset": "earliest"})
        consumer.assign([TopicPartition(name, number, 0) for number in range(2)])
        found: list[Any] = []
        wait_until(lambda: found.extend(consumer.consume(500, 0.2)) or len(found) >= 103)
        consumer.close()
        return sorted((repr(one.key()), repr(one.value()), repr(one.headers())) for one in found)

    assert messages(copy) == messages(topic)
    assert commands.run("replay", topic, "--into-topic", copy, "--tenant", "tenant3")["stored"] == 15


def test_invalid_replays_and_verifications_are_refused(world: World, commands: Commands) -> None:
    settings = world.settings
    world.client.command(f"CREATE TABLE `{settings.clickhouse_database}`.unlike (a Int) ENGINE = Memory")
    for options, said in (
        (["--into-table", "events"], "cannot be the target"),
        (["--into-table", "settings"], "cannot be the target"),
        (["--into-table", "no-name"], "cannot be the target"),
        (["--into-table", "unlike"], "does not have the structure of"),
        (["--into-table", "a", "--into-topic", "b"], "one target"),
        (["--into-topic", settings.topic], "cannot be the target"),
        (["--into-topic", f"{settings.topic}.copy"], "Workers consume"),
        (["--partition", "9"], "there is no partition 9"),
    ):
        assert said in commands.text("replay", settings.topic, *options, code=2)
    assert "auditlane dlq replay" in commands.text("replay", settings.dead_letter_topic, code=2)
    assert "Kafka has no topic nowhere" in commands.text("replay", "nowhere", code=3)
    assert "Kafka has no topic nowhere" in commands.text("verify", "nowhere", code=3)
    assert "is not a table name" in commands.text("verify", "--table", "a b", code=2)


def test_contents_are_compared_on_request(world: World, commands: Commands) -> None:
    """Rows are changed by hand in each column that a producer sets. All addresses have 16 characters."""
    topic = world.settings.topic
    for ip in ("2001:db8:1:2::10", "::ffff:127.0.0.1", "192.0.2.1"):
        world.produce(4, ip=ip, partition=0)
        work(world, sum(high(world).values()))
    world.produce(8, partition=1, metadata={"b": "2", "a": "1"}, before='{"a": 1}', description="é😀\0", user_agent="x")
    work(world, sum(high(world).values()))
    found = commands.run("verify", topic, "--content")
    assert found["ok"]
    assert (found["counts"]["stored"], found["counts"]["differs"], found["counts"]["uncompared"]) == (20, 0, 0)

    changes = {
        0: ("ip", "toIPv6('3230:3031::') AS ip"),
        1: ("metadata", "map('a', '1') AS metadata"),
        2: ("description", "NULL AS description"),
        3: ("action, before", "'other' AS action, '{}' AS before"),
        4: ("kafka_timestamp", "addSeconds(kafka_timestamp, 1) AS kafka_timestamp"),
    }
    for offset, (_, changed) in changes.items():
        insert(world, f"kafka_partition = 1 AND kafka_offset = {offset}", f"{changed}, 99 AS kafka_offset")
        delete(world, f"kafka_partition = 1 AND kafka_offset = {offset}")
        insert(world, "kafka_partition = 1 AND kafka_offset = 99", f"{offset} AS kafka_offset")
        delete(world, "kafka_offset = 99")
    found = commands.run("verify", topic, "--content", code=1)
    assert not found["ok"]
    assert (found["counts"]["stored"], found["counts"]["differs"]) == (15, 5)
    runs = [(run["first"], run["status"], run["reason"]) for one in found["ranges"] for run in one["wrong"]]
    assert runs == [(offset, "differs", fields) for offset, (fields, _) in changes.items()]
    assert "5 different from their message" in commands.text("verify", topic, "--content", code=1)
    assert commands.run("verify", topic)["ok"], "presence alone was asked for"
