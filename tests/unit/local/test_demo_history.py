"""Tests the demo's history. It depends only on the seed and the start time, and every event is plausible at its
time.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from auditlane.contract.avro import base_schema
from auditlane.contract.event import AuditEvent, Outcome, Severity
from auditlane.contract.field_definition import FieldDefinition, with_field
from auditlane.contract.tenant_contract import check_registrable
from auditlane.local.demo.fields import FIELDS
from auditlane.local.demo.history import LENGTH, events, histories
from auditlane.local.demo.tenants import TENANTS
from auditlane.sdk.encoding import Encoder

START = datetime(2026, 3, 4, 16, 20, 5, tzinfo=UTC)
EVENTS = events(7, START)
OF = {tenant.name: [event for event in EVENTS if event.tenant_id == tenant.name] for tenant in TENANTS}
DOCUMENTATION = [
    ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
each_tenant = pytest.mark.parametrize("tenant", list(OF))


def digest(found: Iterable[AuditEvent]) -> str:
    return sha256("\n".join(event.model_dump_json() for event in found).encode()).hexdigest()


def test_the_same_seed_and_start_give_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from datetime import datetime; from auditlane.local.demo.history import events;"
        f"found = events(7, datetime.fromisoformat({START.isoformat()!r}));"
        "print(hashlib.sha256('\\n'.join(event.model_dump_json() for event in found).encode()).hexdigest())"
    )
    env = os.environ | {"PYTHONHASHSEED": "4711"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(EVENTS)


@pytest.mark.parametrize(("seed", "start"), [(8, START), (7, START + timedelta(hours=1))])
def test_another_seed_or_start_gives_other_events(seed: int, start: datetime) -> None:
    assert not {event.event_id for event in events(seed, start)} & {event.event_id for event in EVENTS}


@each_tenant
def test_a_later_end_only_adds_events(tenant: str) -> None:
    later = [event for event in events(7, START, START + timedelta(days=3)) if event.tenant_id == tenant]
    assert digest(later[: len(OF[tenant])]) == digest(OF[tenant])
    assert len(later) > len(OF[tenant])
    assert later[len(OF[tenant])].occurred_at > START


def test_a_history_can_be_read_in_steps() -> None:
    [history, *_] = histories(7, START)
    steps = [START - timedelta(days=20), START - timedelta(hours=1), START]
    assert digest(event for end in steps for event in history.until(end)) == digest(OF["acme"])


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("start", [datetime(2026, 1, 1, 0, 2, tzinfo=UTC), datetime(2026, 8, 16, 21, tzinfo=UTC)])
def test_the_demo_has_some_thousand_events_whenever_it_starts(seed: int, start: datetime) -> None:
    found = events(seed, start)
    counted = Counter(event.tenant_id for event in found)
    assert 2_000 <= counted.total() <= 5_000
    assert counted["acme"] > 2 * counted["globex"] > 2 * counted["initech"] > 400
    assert len({event.event_id for event in found}) == counted.total()


@each_tenant
def test_events_are_in_order_and_within_the_thirty_days(tenant: str) -> None:
    times = [event.occurred_at for event in OF[tenant]]
    assert times == sorted(times)
    assert START - LENGTH <= times[0] < START - LENGTH + timedelta(days=2)
    assert START - timedelta(days=1) < times[-1] <= START


@each_tenant
def test_every_event_fits_its_tenants_contract(tenant: str) -> None:
    schema = base_schema()
    for field in FIELDS[tenant]:
        schema = with_field(schema, FieldDefinition(field.name, field.type, field.default, field.rules).avro())
    text = json.dumps(schema)
    assert check_registrable(text) == []
    encoder = Encoder.parse("subject", 1, text)
    for event in OF[tenant]:
        assert encoder.encode(event, 4_096)
    assert all({field.name for field in FIELDS[tenant]} >= set(event.fields) for event in OF[tenant])
    assert {name for event in OF[tenant] for name in event.fields} == {field.name for field in FIELDS[tenant]}


@each_tenant
def test_a_session_begins_with_its_login_and_ends_with_its_logout(tenant: str) -> None:
    sessions = defaultdict(list)
    for event in OF[tenant]:
        if "session_id" in event.metadata:
            sessions[event.metadata["session_id"]].append(event)
        else:
            signed_out = {"user.login_failed", "invitation.accepted", "member.added", "threat.detected"}
            assert event.actor_type in ("api_key", "system") or event.action in signed_out
    for found in sessions.values():
        actions = [event.action for event in found]
        assert (actions[0], actions.count("user.login")) == ("user.login", 1)
        assert "user.logout" not in actions[:-1]
        assert len({(event.actor_id, event.ip, event.user_agent) for event in found}) == 1
    assert any(len(found) > 5 for found in sessions.values())


@each_tenant
def test_acting_for_another_user_follows_an_impersonation(tenant: str) -> None:
    acting: dict[str, str] = {}
    for event in OF[tenant]:
        session = event.metadata.get("session_id", "")
        if event.action == "user.impersonated":
            acting[session] = str(event.resource_id)
        assert event.on_behalf_of == acting.get(session)
        if event.action == "user.impersonation_ended":
            del acting[session]
    assert any(event.on_behalf_of and event.action.startswith(("document", "customer")) for event in OF[tenant])


@each_tenant
def test_failed_logins_come_in_bursts_and_lock_the_account(tenant: str) -> None:
    locks = [event for event in OF[tenant] if event.action == "user.locked"]
    assert locks
    for lock in locks:
        burst = [
            event
            for event in OF[tenant]
            if event.action == "user.login_failed"
            and event.resource_id == lock.resource_id
            and timedelta() < lock.occurred_at - event.occurred_at < timedelta(minutes=10)
            and event.actor_type == "anonymous"
        ]
        assert len(burst) == int(lock.metadata["attempts"]) >= 8
        assert [event.severity for event in burst[:2]] == [Severity.Low, Severity.Medium]
        assert len({event.ip for event in burst}) == 1
        assert all("***@" in event.metadata["login"] for event in burst)


@each_tenant
def test_before_and_after_follow_each_objects_own_history(tenant: str) -> None:
    known: dict[tuple[str, str], str | None] = {}
    for event in OF[tenant]:
        key = event.resource, event.resource_id or ""
        if event.outcome is not Outcome.success or event.resource not in (
            "project", "document", "customer", "invoice", "webhook", "api_key", "policy", "settings",
        ):  # fmt: skip
            assert event.before is None or event.resource == "user"
            continue
        if event.action.endswith(".created"):
            assert event.before is None
            assert key not in known
        elif event.before is not None:
            assert known.get(key, event.before) == event.before
            assert event.before != event.after
        if event.before or event.after:
            known[key] = event.after
        elif event.resource_id:
            assert known.get(key, "") is not None, "a deleted object was viewed"
        assert (event.after is None) == (event.action.endswith((".deleted", ".viewed")) or event.resource_id is None)


@each_tenant
def test_no_event_uses_a_revoked_key_or_a_former_user(tenant: str) -> None:
    gone: set[str] = set()
    for event in OF[tenant]:
        assert event.actor_id not in gone
        if event.action in ("api_key.revoked", "user.disabled"):
            gone.add(str(event.resource_id))


def test_addresses_and_names_are_reserved_for_documentation() -> None:
    for event in EVENTS:
        if event.ip is not None:
            address = ipaddress.ip_address(event.ip)
            assert any(address in network for network in DOCUMENTATION)
        if event.actor_type == "user":
            assert str(event.actor_name).endswith("@example.com")
    assert {ipaddress.ip_address(event.ip).version for event in EVENTS if event.ip} == {4, 6}


def test_people_work_in_the_daytime_and_on_weekdays() -> None:
    [days, hours] = Counter(), Counter()
    for event in OF["globex"]:
        if event.actor_type == "user":
            days[event.occurred_at.weekday()] += 1
            hours[event.occurred_at.hour] += 1
    assert sum(days[day] for day in range(5)) > 8 * (days[5] + days[6]) > 0
    assert sum(hours[hour] for hour in range(6, 17)) > 4 * sum(hours[hour] for hour in (20, 21, 22, 23, 0, 1, 2, 3))


def test_the_largest_tenant_shows_every_kind_of_event() -> None:
    counted = Counter(event.action for event in OF["acme"])
    wanted = {
        "user.login", "user.login_failed", "user.logout", "user.locked", "user.impersonated", "user.invited",
        "role.assigned", "api_key.created", "data.exported", "data.imported", "document.updated", "document.deleted",
        "project.deleted", "policy.changed", "settings.changed", "threat.detected", "backup.created",
    }  # fmt: skip
    assert wanted <= counted.keys()
    assert {event.severity for event in OF["acme"]} == set(Severity)
    assert {event.outcome for event in OF["acme"]} == set(Outcome) - {Outcome.unknown}
    changed = sum(event.before is not None and event.after is not None for event in OF["acme"])
    assert changed > len(OF["acme"]) / 5
