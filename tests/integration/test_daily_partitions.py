"""Tests a table with one partition for each day on real services: the worker, replay, verify, live streams, init and
the doctor.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fixtures.commands import Commands
from fixtures.workers import World, wait_until, world_on

from auditlane.local.doctor import clickhouse as doctor
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.live.poll import Poller

DAYS = (0, 1, 3, 40)
OF_DAY = 20
TOTAL = len(DAYS) * OF_DAY


@pytest.fixture
def world(kafka: str, registry: str, clickhouse: str, unique: str, tmp_path: Path) -> Iterator[World]:
    made = world_on(kafka, registry, clickhouse, unique, tmp_path, clickhouse_partitions="day")
    yield made
    made.close()


@pytest.fixture
def commands(commands: Commands) -> Commands:
    """Provide commands without keys, so that their audit events do not become messages on the topic."""
    del commands.env["AUDITLANE_PROVENANCE_KEYS_FILE"]
    return commands


def partitions(world: World, table: str = "events") -> set[str]:
    """Return the ids of the table's partitions, which are periods."""
    found = world.client.query(
        "SELECT DISTINCT partition_id FROM system.parts WHERE database = {database:String} AND table = {table:String}",
        parameters={"database": world.settings.clickhouse_database, "table": table},
    ).result_rows
    return {str(one) for (one,) in found}


def test_a_range_of_several_days_is_stored_once_and_in_partitions_by_day(world: World, commands: Commands) -> None:
    topic, database = world.settings.topic, world.settings.clickhouse_database
    now = datetime.now(UTC)
    times = [now - timedelta(days=ago) for ago in DAYS]
    refuse = f"CHECK NOT throwIf(toYYYYMMDD(occurred_at) = {times[2]:%Y%m%d}, 'not this day')"
    world.client.command(f"ALTER TABLE {world.events} ADD CONSTRAINT refused {refuse}")
    for at in times:
        world.produce(OF_DAY, partition=0, occurred_at=at)
    worker = world.worker(clickhouse_partitions="")  # a worker does not need the setting
    wait_until(lambda: worker.events("range.failed"), why=worker.tail)
    wait_until(lambda: world.counts()[0] >= 2 * OF_DAY, why=worker.tail)  # today and yesterday come first
    worker.kill()
    world.client.command(f"ALTER TABLE {world.events} DROP CONSTRAINT refused")
    worker = world.worker()  # the range is now stored in part, so it is compared with the table
    world.stored(TOTAL)
    world.completed()
    assert worker.stop() == 0
    assert world.counts() == (TOTAL, TOTAL)
    assert partitions(world) == {f"{at:%Y%m%d}" for at in times}

    world.client.command(f"SYSTEM START MERGES {world.events}")
    gone = f"toYYYYMMDD(occurred_at) IN ({times[1]:%Y%m%d}, {times[3]:%Y%m%d})"
    world.client.command(f"DELETE FROM {world.events} WHERE {gone}", settings={"lightweight_deletes_sync": 2})
    assert commands.run("replay", topic)["stored"] == 2 * OF_DAY
    assert commands.run("verify", topic, "--content")["ok"]

    [(create,)] = world.client.query(f"SHOW CREATE TABLE {world.events}").result_rows
    by_month = create.replace(f"{database}.events", f"{database}.by_month").replace("toYYYYMMDD", "toYYYYMM")
    world.client.command(by_month)
    for table, form in (("copy", "%Y%m%d"), ("by_month", "%Y%m")):
        assert commands.run("replay", topic, "--into-table", table)["stored"] == TOTAL
        assert commands.run("verify", topic, "--table", table)["ok"]
        assert partitions(world, table) == {f"{at:{form}}" for at in times}


def test_a_live_stream_sees_each_insert_of_a_range(world: World) -> None:
    """The days of a range become visible one after another, here in turn at every other offset. All have the same
    `ingested_at`, so that gaps between the events of one day would count as final if days were not tracked separately.
    """

    def insert(day: int) -> None:
        world.client.command(
            f"INSERT INTO {world.events} (tenant_id, occurred_at, event_id, kafka_topic_id, kafka_offset, ingested_at,"
            f" kafka_timestamp) SELECT 'acme', '2026-11-0{day} 10:00:00', generateUUIDv4(),"
            f" toUUID('00000000-0000-0000-0000-000000000001'), number * 2 + {day}, '{at}', '{at}' FROM numbers(200)"
        )

    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    executor = QueryExecutor.for_pages(world.settings)
    poller = Poller(executor, world.settings.clickhouse_database)
    assert poller.poll(["acme"]).news == {}
    for day in (1, 2):
        insert(day)
        found = poller.poll(["acme"])
        assert {period for _, _, period in found.news["acme"].places} == {20261100 + day}
    assert poller.poll(["acme"]).news == {}
    seen = {period: one for (_, _, period), one in found.states["acme"].items()}
    assert all(seen[20261100 + day].contains(number * 2 + day) for day in (1, 2) for number in range(200))


def test_the_choice_of_the_existing_table_is_kept_and_another_is_refused(world: World, commands: Commands) -> None:
    events = f"{world.settings.clickhouse_database}.events"
    for chosen in ("", "day"):
        assert commands.run("init", clickhouse_partitions=chosen)["partitions"] == "day"
    assert "up to date, partitions by day" in commands.text("init", "--partitions", "day")
    refused = commands.text("init", "--partitions", "month", code=2)
    assert f"{events} has one partition for each day, not one for each month" in refused
    assert "AUDITLANE_CLICKHOUSE_PARTITIONS" in refused
    assert "has one partition for each day, not one for each month" in commands.text(
        "init", code=2, clickhouse_partitions="month"
    )
    worker = world.worker(clickhouse_partitions="month")
    assert worker.ended() == 2
    assert "has one partition for each day, not for each month" in worker.tail()
    findings = [one.message for one in doctor.check(world.settings)]
    assert "table events has one partition for each day" in findings
