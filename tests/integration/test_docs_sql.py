"""Tests that the examples in docs/sql.md and in its notebook run, and that its table of columns matches the view."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from querying import Store, event, store

from auditlane.contract.event import AuditEvent
from auditlane.local.demo.history import events
from auditlane.local.demo.origin import SEED

NOTEBOOK = Path(__file__).parents[2] / "docs" / "examples" / "notebook" / "questions.ipynb"
TEXT = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
SQL = re.compile(r"```sql\n(.*?)```", re.DOTALL)
EXAMPLES, QUESTIONS = (SQL.findall(part) for part in TEXT.split("\n## Auditors' questions\n"))


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    now = datetime.now(UTC)
    with store(clickhouse) as made:
        made.add(
            [
                event(
                    number,
                    occurred_at=now - timedelta(minutes=number),
                    ingested_at=now,
                    action="user.login_failed",
                    outcome="failure",
                    severity="High",
                    ip="192.0.2.1",
                    resource_id="d-99",
                    before='{"title": "old"}',
                    after='{"title": "new"}',
                    metadata={"region": "eu"},
                    fields={"invoice_total": "99.5"},
                )
                for number in range(10)
            ]
        )
        made.add(
            [
                event(
                    0,
                    occurred_at=now,
                    ingested_at=now,
                    action="user.login_failed",
                    description="another of the same id",
                )
            ]
        )
        yield made


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda sql: sql.split("\n", 1)[0][:40])
def test_each_documented_query_runs_and_finds_its_values(filled, example):
    found = filled.client.query(example.replace("audit.log", f"{filled.database}.log"))
    assert found.row_count > 0
    row = dict(zip(found.column_names, found.result_rows[0], strict=True))
    expected = {"address": "192.0.2.1", "region": "eu", "total": 99.5, "was": "old", "is_now": "new", "key": "region"}
    assert {name: row[name] for name in expected if name in row} == {n: v for n, v in expected.items() if n in row}


def test_the_table_of_columns_matches_the_view(filled):
    described = re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE)
    names = [name for cell in described for name in re.findall(r"`(\w+)`", cell)]
    columns = filled.client.query(f"DESCRIBE TABLE {filled.database}.log").result_rows
    assert set(names) == {row[0] for row in columns}


@pytest.fixture(scope="module")
def history() -> list[AuditEvent]:
    start = datetime.now(UTC) + timedelta(minutes=10)  # keeps the first event within the queries' 30 days
    made = [one for one in events(SEED, start) if one.tenant_id == "acme"]
    for action, resource in (("api_key.created", "api_key"), ("audit_log.exported", "audit_log")):
        values = {"action": action, "resource": resource, "resource_id": "latest", "event_id": str(uuid.uuid4())}
        made.append(made[0].model_copy(update={"occurred_at": start - timedelta(hours=1), **values}))
    return made


@pytest.fixture(scope="module")
def demo(clickhouse: str, history: list[AuditEvent]) -> Iterator[Store]:
    with store(clickhouse) as made:
        rows = [
            event(
                number,
                **one.model_dump(mode="python", exclude={"fields", "outcome", "severity", "event_id"}),
                event_id=uuid.UUID(one.event_id),
                outcome=one.outcome.value,
                severity=one.severity.value,
            )
            for number, one in enumerate(history)
        ]
        made.add(rows)
        yield made


BERLIN = ZoneInfo("Europe/Berlin")


def active_at_night(history: list[AuditEvent]) -> Counter[str]:
    return Counter(
        one.actor_id
        for one in history
        if one.actor_type == "user" and not 6 <= one.occurred_at.astimezone(BERLIN).hour < 22
    )


def new_addresses_of(history: list[AuditEvent], since: datetime) -> list[tuple[str, str, int]]:
    """Return the actors, the addresses that they had not used before, and the number of events, in order."""
    used = [(one.occurred_at, (one.actor_id, str(one.ip))) for one in history if one.actor_id and one.ip]
    earlier = {pair for at, pair in used if at < since}
    return sorted((*pair, events) for pair, events in Counter(pair for _, pair in used).items() if pair not in earlier)


def roles_of(history: list[AuditEvent], until: datetime) -> dict[str | None, str]:
    changes = ("member.added", "role.assigned", "role.removed", "member.removed")
    roles: dict[str | None, str] = {}
    for one in sorted(history, key=lambda event: event.occurred_at):
        if one.action in changes and one.occurred_at < until:
            if one.action == "member.removed":
                roles.pop(one.resource_id, None)
            else:
                roles[one.resource_id] = json.loads(one.after or "{}").get("role", "")
    return roles


def test_each_question_of_an_auditor_finds_what_the_history_contains(demo: Store, history: list[AuditEvent]) -> None:
    viewed = next(one for one in history if one.action == "document.viewed")
    values = {
        "audit.log_text": f"{demo.database}.log_text",
        "d-99": str(viewed.resource_id),
        "2026-03-01": str(viewed.occurred_at.date()),
        "01957a3c-0000-7000-8000-000000000000": viewed.event_id,
    }
    found = []
    began = datetime.now(UTC)
    for question in QUESTIONS:
        result = demo.client.query(reduce(lambda sql, pair: sql.replace(*pair), values.items(), question))
        found.append([dict(zip(result.column_names, row, strict=True)) for row in result.result_rows])
    ended = datetime.now(UTC)
    assert all(found), [question for question, rows in zip(QUESTIONS, found, strict=True) if not rows]
    night, new_addresses, roles, members, bursts, support, one_object, downloads, keys, denied, around = found

    def of(*actions: str) -> list[AuditEvent]:
        return [one for one in history if one.action in actions]

    assert {row["actor_id"]: row["events"] for row in night} == active_at_night(history)
    seen = sorted((row["actor_id"], row["ip"], row["events"]) for row in new_addresses)
    assert seen in [new_addresses_of(history, now - timedelta(days=7)) for now in (began, ended)]
    assert {row["member"] for row in roles} == {one.resource_id for one in of("role.assigned", "role.removed")}
    held = {row["member"]: row["role"] for row in members}
    assert held in [roles_of(history, now - timedelta(days=1)) for now in (began, ended)]
    assert {row["account"] for row in bursts} & {one.resource_id for one in of("user.locked")}
    assert len(support) == len([one for one in history if one.on_behalf_of])
    assert len(one_object) == len([one for one in history if one.resource_id == viewed.resource_id])
    assert len(downloads) == len(of("data.exported", "audit_log.exported"))
    revoked = {one.resource_id for one in of("api_key.revoked")}
    assert {row["key"] for row in keys} == {one.resource_id for one in of("api_key.created")} - revoked
    assert sum(row["denied"] for row in denied) == len([one for one in history if one.outcome.value == "denied"])
    assert 0 in {row["seconds"] for row in around}


def test_the_notebook_has_no_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_the_notebook_gives_the_same_answers_with_three_libraries(
    demo: Store, history: list[AuditEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebook's cells compare the answers. The expected ones are computed here from the history."""
    for name, value in (("URL", demo.settings.clickhouse_url), ("USER", "default"), ("PASSWORD", "")):
        monkeypatch.setenv(f"AUDITLANE_CLICKHOUSE_{name}", value)
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"]).replace("audit.log_text", f"{demo.database}.log_text")
            exec(compile(source, cell["id"], "exec"), names)
    rows = names["rows"]
    denied = Counter(one.actor_id for one in history if one.outcome.value == "denied")
    assert dict(rows(names["night"])) == active_at_night(history) != {}
    assert rows(names["addresses"]) == new_addresses_of(history, names["since"]) != []
    assert {actor: events for actor, events, _ in rows(names["denied"])} == denied != {}
