"""Tests that the live demo continues where its history ends, and finds out when it was first started."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditlane.local.demo import origin
from auditlane.local.demo.history import histories
from auditlane.local.demo.live import Live

START = datetime(2026, 3, 4, 16, 20, 5, tzinfo=UTC)


def test_live_events_continue_the_history() -> None:
    past = histories(7, START)
    known = [event for history in past for event in history.until(START)]
    people = {event.actor_id for event in known if event.actor_type == "user"}
    logged_in = {event.metadata["session_id"] for event in known if event.action == "user.login"}
    objects = {(event.tenant_id, event.resource_id): event.after for event in known if event.after or event.before}
    begun = {event.metadata["session_id"] for event in known if "session_id" in event.metadata}
    live = Live(past, random.Random(1))
    continued = changed = known_actors = 0
    for number in range(600):
        now = START + timedelta(seconds=number)
        event = live.event(now)
        assert event.occurred_at == now
        session = event.metadata.get("session_id")
        if event.action == "user.login":
            logged_in.add(session)
        elif session:
            assert session in logged_in
            continued += session in begun
        key = event.tenant_id, event.resource_id
        if event.before is not None and event.resource != "user" and key in objects:
            assert event.before == objects[key]
            changed += 1
        if event.before or event.after:
            objects[key] = event.after
        known_actors += event.actor_type == "user" and event.actor_id in people
    assert continued > 0
    assert known_actors > 300
    assert changed > 20


def test_the_largest_tenant_has_most_live_events() -> None:
    live = Live(histories(7, START), random.Random(2))
    tenants = [live.event(START).tenant_id for _ in range(300)]
    assert tenants.count("acme") > tenants.count("globex") > tenants.count("initech") > 0


def test_the_first_start_is_recorded_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = origin.load_or_create(folder, START + timedelta(microseconds=7))
    assert first == origin.Origin(origin.SEED, START)
    assert origin.load_or_create(folder, START + timedelta(days=9)) == first
    assert (folder / "demo.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"seed": 1}', '{"seed": "x", "start": "2026-01-01T00:00:00Z"}'])
def test_a_damaged_record_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "demo.json").write_text(text)
    assert origin.load_or_create(tmp_path, START) == origin.Origin(origin.SEED, START)
    assert origin.load_or_create(tmp_path, START + timedelta(days=1)).start == START
