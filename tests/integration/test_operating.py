"""Tests auditlane's own audit trail, the switch, and the admin routes on real components."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from fixtures.commands import Commands
from fixtures.workers import World, wait_until
from serving import Served

from auditlane.access.permissions import Permission
from auditlane.store.presentation import Revision, save, tenant_scope

OURS = "_auditlane"


@contextmanager
def serving(world: World, **options: Any) -> Iterator[Served]:
    settings = world.settings.model_dump(exclude_unset=True) | {"audit_aggregation_s": 0.2} | options
    # Its log would go to stdout, where a command in the same test prints its output.
    with structlog.testing.capture_logs(), Served(world.folder, **settings) as served:
        yield served


def ours(world: World) -> dict[str, list[tuple[str, str, str]]]:
    """Return the stored events of auditlane's own trail by tenant, each as its action, actor and outcome."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    rows = world.client.query(
        f"SELECT tenant_id, action, actor_id, toString(outcome) FROM {world.events} WHERE source = 'auditlane'"
        " ORDER BY occurred_at"
    ).result_rows
    for tenant, *event in rows:
        found.setdefault(tenant, []).append(tuple(event))
    return found


def test_viewers_actions_are_events_in_their_tenants_log(world: World) -> None:
    world.produce(14)
    world.worker()
    world.stored(14)
    with serving(world, audit_aggregation_s=3_600) as served:  # groups end only at shutdown, so timing does not matter
        jane = served.viewer_token("tenant0", Permission.read, Permission.export)
        for _ in range(3):
            assert served.request("/v1/events", jane).status == 200
        # This returns no events, so it does not count as a fourth view.
        checked = served.request("/v1/check?query=actr:x", jane)
        assert (checked.status, checked.json()["error"]["reason"]) == (200, "unknown_field")
        assert served.request("/v1/export?format=csv", jane).headers["auditlane-rows"] == "2"
        assert served.request("/v1/export?format=csv", served.viewer_token("tenant1", Permission.read)).status == 403
        admin = served.client("admin")
        key = {"client_id": admin.client.client_id, "secret": admin.secret}
        token = served.request("/v1/token", method="POST", body=key).json()["access_token"]
        mint = {"tenant": "tenant0", "user": "john"}
        served.request("/v1/viewer-tokens", token, method="POST", body=mint)
        served.request("/v1/token", method="POST", body=key | {"secret": "wrong"})
    wait_until(lambda: sum(map(len, ours(world).values())) >= 10, why=world.workers[-1].tail)
    recorded = ours(world)
    assert sorted(recorded["tenant0"]) == [
        ("audit_log.exported", "jane", "success"),
        ("audit_log.viewed", "jane", "success"),
        ("viewer_token.issued", admin.client.client_id, "success"),
    ]
    assert recorded["tenant1"] == [("access.denied", "jane", "denied")]
    own = [("token.issued", admin.client.client_id, "success"), ("token.refused", "", "denied")]
    assert sorted(recorded[OURS]) == sorted(recorded["tenant0"] + recorded["tenant1"] + own), (
        "a copy of each, and the events without a tenant"
    )
    # The tenant's own users see the event with its subject.
    with serving(world, audit_aggregation_s=3_600) as served:
        page = served.request("/v1/events?action=audit_log.viewed", jane).json()["data"]
        assert [(one["metadata"]["count"], one["resource"], one["ip"]) for one in page] == [
            ("3", "audit_log", "127.0.0.1")
        ]
        [exported] = served.request("/v1/events?action=audit_log.exported", jane).json()["data"]
        assert exported["metadata"]["rows"] == "2"
        log = served.request("/v1/events?include_access=true", token, auditlane_tenant=OURS).json()["data"]
        assert {one["action"] for one in log} >= {"token.issued", "token.refused", "audit_log.exported"}
        assert served.request("/v1/events", served.client_token("vendor"), auditlane_tenant=OURS).status == 403


def test_disabled_logs_are_still_recorded(world: World) -> None:
    world.produce(7)
    world.worker()
    world.stored(7)
    with serving(world, audit_aggregation_s=60) as served:
        jane = served.viewer_token("tenant0")
        assert len(served.request("/v1/events", jane).json()["data"]) == 1
        off = Revision(scope=tenant_scope("tenant0"), enabled=False, changed_by="ops")
        before = Revision(scope=off.scope)
        saved = save(world.client, world.settings.clickhouse_database, before, off, now=datetime.now(UTC))
        served.app.state.services.structures.forget("tenant0")
        for path in ("/v1/events", "/v1/export?format=csv"):
            assert served.request(path, jane).json()["code"] == "AUDIT_LOGS_DISABLED"
        assert served.request("/v1/events", served.viewer_token("tenant1")).status == 200
        world.produce(7)
        world.stored(14)
        on = saved.model_copy(update={"enabled": None})
        save(world.client, world.settings.clickhouse_database, saved, on, now=datetime.now(UTC))
        served.app.state.services.structures.forget("tenant0")
        assert len(served.request("/v1/events", jane).json()["data"]) == 2


def test_the_admin_api_agrees_with_the_commands(world: World, commands: Commands) -> None:
    world.produce(21)
    for number in range(3):
        world.send(b"\x01junk", key=f"tenant{number}", partition=1)
    world.worker()
    world.stored(21)
    world.completed()
    with serving(world, audit_aggregation_s=3_600) as served:  # reading adds no message that a later read would count
        admin = served.client_token("admin")

        def ask(path: str, **headers: str) -> Any:
            answer = served.request(f"/v1/admin/{path}", admin, **headers)
            assert answer.status == 200, answer.data
            return answer.json()

        def listed(*options: str) -> list[Any]:
            return [json.loads(line) for line in commands.text("dlq", "list", "--json", *options).splitlines()]

        assert ask("health")["healthy"], ask("health")
        letters = ask("dead-letters")
        assert letters["complete"]
        counts = commands.run("dlq", "stats")
        assert {name: letters[name] for name in counts} == counts
        assert letters["newest"] == listed()
        assert letters["count"] == 3
        only = ask("dead-letters?limit=0", auditlane_tenant="tenant1")
        assert (only["count"], only["newest"]) == (1, [])

        # Dead letters and resolutions that are added later are also read.
        world.send(None, key="tenant5", partition=0)
        wait_until(lambda: ask("dead-letters")["count"] == 4, why=world.workers[-1].tail)
        commands.run("dlq", "resolve", "--tenant", "tenant1", "--reason", "a test", "--yes")
        letters = ask("dead-letters")
        assert letters["count"] == 3
        assert letters["newest"] == listed()
        assert ask("dead-letters?resolved=true")["newest"] == listed("--all")

        tenants = {one["tenant"]: one for one in ask("tenants?prefix=tenant")["data"]}
        rows = world.client.query(f"SELECT tenant_id, count() FROM {world.events} GROUP BY 1").result_rows
        assert {name: one["events"] for name, one in tenants.items()} == {
            name: count for name, count in rows if name != OURS
        }
        assert all(one["enabled"] and one["last_event"] and one["last_stored"] for one in tenants.values())
        first = ask("tenants?limit=3&prefix=tenant")
        rest = ask(f"tenants?prefix=tenant&after={first['next']}")
        assert [one["tenant"] for one in first["data"] + rest["data"]] == sorted(tenants)
        assert rest["next"] is None

        assert world.workers[-1].stop() == 0
        world.produce(5, partition=0)
        wait_until(lambda: ask("lag")["abandoned"] == 1)
        shown, printed = ask("lag"), commands.run("lag")
        for report in (shown, printed):
            for part in (report, *report["partitions"]):
                part.pop("age_s")  # the only number that changes over time
        assert shown == printed
        assert shown["lag"] >= 5
        assert {"workers"} == {one["name"] for one in ask("health")["parts"] if one["state"] == "away"}
