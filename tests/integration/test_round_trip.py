"""Tests that `auditlane import` restores exactly the events that `auditlane export` wrote, with a limited amount of
memory.

`make test-long` uses 100,000 events (ROUND_TRIP_EVENTS).
"""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from fixtures.commands import Commands
from fixtures.workers import World, world_on
from validating import contract, own

from auditlane.contract.event import AuditEvent, Outcome, Severity
from auditlane.contract.tenants import tenant_subject
from auditlane.contract.values import StoredFields
from auditlane.sdk import AuditClient

EVENTS: Final = int(os.environ.get("ROUND_TRIP_EVENTS", "2000"))
SEED: Final = 20
MOST_BYTES: Final = 200 << 20  # maximum peak memory of the import process, for any number of events
TENANTS: Final = ("acme", "globex")  # the first tenant has its own contract
TIME: Final = {"type": "long", "logicalType": "timestamp-micros"}
CONTRACT: Final = contract(
    own("text", "string"), own("ok", "boolean"), own("small", "int"), own("big", "long"), own("cost", "float"),
    own("rate", "double"), own("tier", {"type": "enum", "name": "Tier", "symbols": ["a", "b"]}), own("due", TIME),
    {"name": "kind", "type": ["string", "null"], "default": "usual"},
    {"name": "count", "type": ["long", "null"], "default": 7},
    exclusive=False,
)  # fmt: skip
# Unicode planes as their first and last character, without surrogates.
PLANES: Final = (
    *((0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF)),
    *((plane << 16, (plane << 16) + 0xFFFF) for plane in range(1, 17)),
)
ODD: Final = (
    "",
    " ",
    "\0",
    "null",
    "\\N",
    "__proto__",
    "\u2028\u2029",
    "\ufeff",
    "=1+1",
    '"',
    "\\",
    "\r\n",
    "e\u0301",
    "{}",
)
NUMBERS: Final = (
    0.0,
    -0.0,
    5e-324,
    -1.7976931348623157e308,
    0.1,
    1e16,
    1e-7,
    123456789.123,
    float("inf"),
    float("nan"),
)
TIMES: Final = (
    *("0000-01-01T00:00:00.000000Z", "0001-01-01T00:00:00Z"),
    *("1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
)


class EventGenerator:
    """Generates events of every kind. The same seed always gives the same events."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = datetime.now(UTC)

    def text(self, least: int = 0) -> str:
        if not least and self.dice.random() < 0.2:
            return self.dice.choice(ODD)
        count = self.dice.randint(least, 12)
        return "".join(chr(self.dice.randint(*self.dice.choice(PLANES))) for _ in range(count))

    def maybe(self, value: Any) -> Any:
        return value if self.dice.random() < 0.7 else None

    def address(self) -> str:
        plain = ".".join(str(self.dice.choice((0, 9, 10, 99, 100, 255))) for _ in range(4))
        groups = [f"{self.dice.choice((0, 1, 0xABC, 0xFFFF)):x}" for _ in range(8)]
        forms = (plain, f"::ffff:{plain}", ":".join(groups), "2001:db8:1:2::10", f"::{groups[0]}", f"{groups[0]}::")
        return self.dice.choice(forms)

    def occurred_at(self) -> datetime:
        back = self.dice.choice((timedelta(0), timedelta(days=3_640), timedelta(hours=-23), timedelta(days=40)))
        return self.now - back + timedelta(microseconds=self.dice.randint(0, 3_000_000))

    def own(self) -> dict[str, Any]:
        dice = self.dice
        values = {
            "text": self.text(), "ok": dice.random() < 0.5, "small": dice.choice((0, -(2**31), 2**31 - 1)),
            "big": dice.choice((0, -(2**63), 2**63 - 1, dice.getrandbits(60))),
            "cost": struct.unpack("<f", struct.pack("<f", dice.choice((0.1, -0.0, 3e38, 1e-40, dice.random()))))[0],
            "rate": dice.choice((*NUMBERS, dice.random() * 10 ** dice.randint(-300, 300))),
            "tier": dice.choice("ab"), "due": dice.choice((*TIMES, self.occurred_at().isoformat())),
            "kind": dice.choice(("usual", "other", None)), "count": dice.choice((7, 8, None)),
        }  # fmt: skip
        return {name: value for name, value in values.items() if dice.random() < 0.6}

    def event(self, number: int) -> AuditEvent:
        tenant, maybe, text = TENANTS[number % 2], self.maybe, self.text
        plain = {name: text() for name in ("actor_id", "actor_type", "resource")}
        nullable = ("actor_name", "on_behalf_of", "resource_id", "description", "user_agent", "request_id")
        event = AuditEvent(
            event_id=str(uuid.UUID(int=self.dice.getrandbits(128))),
            tenant_id=tenant,
            occurred_at=self.occurred_at(),
            action="a" + text(1),
            outcome=self.dice.choice(list(Outcome)),
            severity=self.dice.choice(list(Severity)),
            ip=maybe(self.address()),
            before=maybe(self.dice.choice(('{"a": 1.0, "b": [null]}', '"text"', "12345678901234567890", text()))),
            after=maybe(json.dumps({text(): text()}, ensure_ascii=self.dice.random() < 0.5)),
            source=text(),
            metadata={text(): text() for _ in range(self.dice.randint(0, 4))},
            **plain,
            **{name: maybe(text()) for name in nullable},
        )
        # Python's datetime cannot represent the year 0. Only readers get such a time, as text.
        fields = StoredFields(self.own() if tenant == TENANTS[0] else {}, whole=False)
        return event.model_copy(update={"fields": fields})


@pytest.fixture
def other(kafka: str, registry: str, clickhouse: str, unique: str, tmp_path: Path) -> Iterator[World]:
    """Create a second world that does not have the first world's events."""
    folder = tmp_path / "other"
    folder.mkdir()
    made = world_on(kafka, registry, clickhouse, f"{unique}b", folder)
    yield made
    made.close()


def work(world: World, rows: int) -> None:
    worker = world.worker()
    world.stored(rows, patience_s=600)
    world.completed()
    assert worker.stop() == 0


def differing(world: World, other: World) -> list[Any]:
    """Return the first world's rows that are missing in the other world, with all columns."""
    columns = (
        "tenant_id, toString(event_id), toString(occurred_at), action, actor_id, actor_type, actor_name, on_behalf_of, "
        "resource, resource_id, outcome, severity, description, toString(ip), user_agent, request_id, before, after, "
        "source, mapSort(metadata), mapSort(fields), arraySort(defaulted), hex(content_hash)"
    )
    first, two = (f"(SELECT {columns} FROM {each.events})" for each in (world, other))
    return [*world.client.query(f"SELECT * FROM ({first} EXCEPT {two}) LIMIT 3").result_rows]


@pytest.mark.timeout(1_800)
def test_export_and_import_are_exact(world: World, other: World, tmp_path: Path) -> None:
    for each in (world, other):
        each.registry.register(tenant_subject(each.settings.topic, TENANTS[0]), json.dumps(CONTRACT))
    settings = world.settings
    made = EventGenerator(SEED)
    with AuditClient(
        kafka_bootstrap=settings.kafka_bootstrap,
        registry_url=settings.registry_url,
        topic=settings.topic,
        max_block_ms=60_000,
    ) as client:
        for number in range(EVENTS):
            client.emit(made.event(number))
    work(world, EVENTS)
    assert Commands(world, tmp_path / "cache").run("verify", settings.topic, "--content")["counts"]["stored"] == EVENTS

    files = [tmp_path / f"{tenant}.jsonl" for tenant in TENANTS]
    for tenant, file in zip(TENANTS, files, strict=True):
        Commands(world, tmp_path / "cache").text("export", "--tenant", tenant, "--output", str(file))
    commands = Commands(other, tmp_path / "other-cache")
    summary, most = imported(commands, *map(str, files))
    assert (summary["sent"], summary["refused"], summary["problems"]) == (EVENTS, 0, [])
    assert 0 < most < MOST_BYTES
    work(other, EVENTS)
    assert differing(world, other) == differing(other, world) == []

    again = [tmp_path / f"{tenant}-again.jsonl" for tenant in TENANTS]
    for tenant, file, original in zip(TENANTS, again, files, strict=True):
        commands.text("export", "--tenant", tenant, "--output", str(file))
        with file.open() as after, original.open() as before:
            assert all(event_fields(a) == event_fields(b) for a, b in zip(after, before, strict=True))


def event_fields(line: str) -> dict[str, Any]:
    """Return the fields of an exported line that describe the event itself rather than how it was received."""
    received = ("ingested_at", "provenance", "provenance_id")
    return {name: value for name, value in json.loads(line).items() if name not in received}


def imported(commands: Commands, *files: str) -> tuple[dict[str, Any], int]:
    """Import files. Returns the summary, and the sampled peak memory of the import process in bytes."""
    process = commands.start("import", *files, "--json")
    most = 0
    while True:
        try:  # the system's figures for ended processes include the parent
            out, errors = process.communicate(timeout=0.1)
        except subprocess.TimeoutExpired:
            with suppress(psutil.Error):
                most = max(most, psutil.Process(process.pid).memory_info().rss)
        else:
            break
    assert process.returncode == 0, errors
    return json.loads(out), most


@pytest.mark.long
def test_an_export_is_imported_again_into_its_own_log(world: World, tmp_path: Path) -> None:
    """Readers see neither duplicates nor conflicts."""
    commands = Commands(world, tmp_path / "cache")
    event_id = commands.run("emit", "--tenant", "acme", "--action", "a", "--metadata", "a=b")["event_id"]
    work(world, 1)
    file = tmp_path / "acme.jsonl"
    commands.text("export", "--tenant", "acme", "--output", str(file))
    assert commands.text("import", str(file)) == "1 event imported.\n"
    work(world, 2)
    rows = world.client.query(
        f"SELECT toString(event_id), count(), uniqExact(content_hash) FROM {world.events} GROUP BY event_id"
    ).result_rows
    assert [tuple(row) for row in rows] == [(event_id, 2, 1)]
    assert commands.run("verify", world.settings.topic, "--content")["ok"]
