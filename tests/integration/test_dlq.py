"""Tests dead letters on real services. They are listed, shown and counted, replayed under a corrected contract, and
then stored once.
"""

from __future__ import annotations

import io
import json
import signal
import uuid
from typing import Any

import fastavro
import pytest
import validating
from fixtures.commands import Commands
from fixtures.workers import World, wait_until

from auditlane.contract.tenants import tenant_subject
from auditlane.contract.wire import frame

AT = "2026-02-03T04:05:06.789012Z"


@pytest.fixture
def commands(commands: Commands) -> Commands:
    """Provide commands without keys, so that their audit events do not become messages on the topic."""
    del commands.env["AUDITLANE_PROVENANCE_KEYS_FILE"]
    return commands


def listed(commands: Commands, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in commands.text("dlq", "list", "--json", *arguments).splitlines()]


def contract(world: World, tenant: str, **rules: Any) -> tuple[int, dict[str, Any]]:
    """Register a contract with one custom field for the tenant."""
    schema = validating.contract(validating.own("amount", "double", **rules))
    return world.registry.register(tenant_subject(world.settings.topic, tenant), json.dumps(schema)), schema


def paid(schema_id: int, schema: dict[str, Any], tenant: str, amount: float) -> tuple[str, bytes]:
    """Return the event id and the framed event of a payment."""
    event_id = str(uuid.uuid4())
    out = io.BytesIO()
    values = validating.event(event_id=event_id, tenant_id=tenant, occurred_at=1_770_091_506_789_012, amount=amount)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), values)
    return event_id, frame(schema_id, out.getvalue())


def test_refused_events_are_replayed_once_their_contract_is_fixed(world: World, commands: Commands) -> None:
    strict, schema = contract(world, "acme", maximum=3)
    world.produce(30)
    sent = [paid(strict, schema, "acme", amount) for amount in (1.0, 4.5, 4.75, 99.0)]
    for _, value in sent:
        world.send(value, key="acme")
    world.send(b"\x01junk", key="tenant1", partition=1)
    world.send(None, key=None)
    world.worker()
    world.stored(31)
    world.completed()
    assert world.counts() == (31, 31)

    letters = listed(commands)
    assert {(one["tenant"], one["code"], one["state"]) for one in letters} == {
        ("acme", "FIELD_RULE", "open"), ("tenant1", "NOT_FRAMED", "open"), (None, "NOT_FRAMED", "open"),
    }  # fmt: skip
    assert len(letters) == 5
    assert len(listed(commands, "--tenant", "acme", "--code", "field_rule")) == 3
    assert listed(commands, "--until", "2020-01-01") == []
    assert len(listed(commands, "--since", "2020-01-01", "--limit", "2")) == 2
    stats = commands.run("dlq", "stats")
    assert {(one["code"], one["tenant"]): one["count"] for one in stats["counts"]} == {
        ("FIELD_RULE", "acme"): 3, ("NOT_FRAMED", "tenant1"): 1, ("NOT_FRAMED", None): 1,
    }  # fmt: skip
    assert "FIELD_RULE" in commands.text("dlq", "stats")
    assert "amount must be at most 3" in commands.text("dlq", "list")

    broken = next(one for one in letters if one["tenant"] == "acme")
    shown = commands.run("dlq", "show", broken["id"])
    assert shown["broken_field"] == "amount"
    assert (shown["event"]["occurred_at"], shown["event"]["tenant_id"]) == (AT, "acme")
    assert shown["replay"]["code"] == "FIELD_RULE"
    junk = next(one for one in letters if one["tenant"] == "tenant1")
    assert "01 6a 75 6e 6b" in commands.text("dlq", "show", junk["id"])
    commands.text("dlq", "show", "nowhere:0:0", code=3)

    dry = commands.run("dlq", "replay", "--dry-run", code=3)
    assert (dry["replayed"], dry["stays"]) == (0, {"FIELD_RULE": 3, "NOT_FRAMED": 2})
    latest, _ = contract(world, "acme", maximum=5)
    dry = commands.run("dlq", "replay", "--dry-run", code=3)
    assert (dry["replayed"], dry["stays"]) == (2, {"FIELD_RULE": 1, "NOT_FRAMED": 2})
    stats = commands.text("dlq", "replay", "--dry-run", code=3)
    assert "2 dead letters would be replayed." in stats
    assert "1 dead letter would stay open: FIELD_RULE" in stats
    assert "Would not be sent: 3 dead letters." in stats
    assert len(listed(commands)) == 5

    keys = world.settings.provenance_keys_file
    done = commands.run("dlq", "replay", "--yes", "--tenant", "acme", code=3, provenance_keys_file=keys)
    assert (done["replayed"], done["stays"]) == (2, {"FIELD_RULE": 1})
    assert "at most 5" in done["remaining"][0]["reason"]
    world.stored(35)
    query = (
        f"SELECT tenant_id, metadata['rows'], outcome FROM {world.events} WHERE action = 'events.replayed' ORDER BY 1"
    )
    assert world.client.query(query).result_rows == [("_auditlane", "2", "success"), ("acme", "2", "success")]
    rows = world.client.query(
        f"SELECT toString(event_id), occurred_at, schema_id, fields['amount'] FROM {world.events}"
        f" WHERE tenant_id = 'acme' AND schema_id = {latest} ORDER BY fields['amount']"
    ).result_rows
    assert [(row[0], row[3]) for row in rows] == [(sent[1][0], "4.5"), (sent[2][0], "4.75")]
    assert {row[1].isoformat() for row in rows} == {"2026-02-03T04:05:06.789012"}

    again = commands.run("dlq", "replay", "--yes", "--tenant", "acme", code=3)
    assert again["replayed"] == 0
    assert len(listed(commands)) == 3
    assert sorted(one["state"] for one in listed(commands, "--all")) == ["open"] * 3 + ["replayed"] * 2
    close = ("dlq", "resolve", "--yes", "--code", "NOT_FRAMED", "--reason", "not ours")
    assert commands.run(*close, provenance_keys_file=keys) == {"closed": 2}
    assert [one["code"] for one in listed(commands)] == ["FIELD_RULE"]
    assert {one["note"] for one in listed(commands, "--all") if one["state"] == "discarded"} == {"not ours"}
    commands.text("dlq", "resolve", "--reason", "everything", code=3)
    world.stored(38)
    query = f"SELECT tenant_id, metadata['rows'] FROM {world.events} WHERE action = 'dead_letters.closed' ORDER BY 1"
    assert world.client.query(query).result_rows == [("_auditlane", "1"), ("_auditlane", "1"), ("tenant1", "1")]
    world.completed()
    assert world.counts() == (38, 36)  # audit events about a tenant are in two logs, with the same id


@pytest.mark.long
def test_an_event_is_seen_once_after_a_replay_killed_before_its_resolution(world: World, commands: Commands) -> None:
    strict, schema = contract(world, "acme", maximum=3)
    for amount in (7.0, 8.0, 9.0):
        world.send(paid(strict, schema, "acme", amount)[1], key="acme")
    world.produce(5)
    world.worker()
    world.stored(5)
    world.completed()
    contract(world, "acme", maximum=10)
    killed = commands.start("dlq", "replay", "--yes", failpoint="before_resolution:kill")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(listed(commands)) == 3
    assert "3 dead letters replayed" in commands.text("dlq", "replay", "--yes")
    assert listed(commands) == []
    world.stored(11)
    assert world.counts() == (11, 8)
    [[seen]] = world.client.query(f"SELECT count() FROM `{world.settings.clickhouse_database}`.log").result_rows
    assert seen == 8


def test_the_circuit_breaker_halts_one_partition_until_an_operator_restarts_it(
    world: World, commands: Commands
) -> None:
    world.produce(20, partition=0)
    world.produce(200, partition=1)
    first = world.worker(dlq_ratio_window=50)
    world.stored(220)
    for number in range(200):
        key = f"tenant{number % 4}"  # several tenants, since a single tenant never halts a partition that others use
        world.producer.produce(world.settings.topic, key=key, value=b"junk%d" % number, partition=0)
    assert world.producer.flush(30) == 0
    [halted] = wait_until(lambda: first.events("partition.halted"), why=first.tail)
    assert "circuit breaker" in halted["reason"]
    assert "NOT_FRAMED" in halted["reason"]
    world.produce(100, partition=1)
    world.stored(320)
    world.produce(10, partition=0)
    assert "auditlane_worker_circuit_open_partitions 1.0" in first.get("/metrics")
    assert first.stop() == 0
    assert len(listed(commands)) < 50, "at most one window of messages is rejected before the halt"

    second = world.worker(dlq_ratio_window=50, dlq_max_ratio=1.0)
    world.stored(330)
    world.completed()
    assert "auditlane_worker_circuit_open_partitions 0.0" in second.get("/metrics")
    assert world.counts() == (330, 330)
    assert len(listed(commands)) == 200
