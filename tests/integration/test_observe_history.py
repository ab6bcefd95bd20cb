"""Tests an installation's history and timeline on the real engine, and their routes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from querying import Store, event, store
from serving import Served

from auditlane.observe.history import COLUMNS, MOST_POINTS, Observation, first_step, history, save, step_of
from auditlane.observe.timeline import timeline

NOW = datetime.now(UTC).replace(second=30, microsecond=0)


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        for minutes in (3, 2, 1):
            lag = None if minutes == 2 else 10.0 * minutes
            observation = Observation(received_per_second=100.0 * minutes, lag_seconds=lag, dead_letters=minutes)
            save(made.client, made.database, NOW - timedelta(minutes=minutes), observation)
        yield made


def test_a_minute_is_stored_once_and_read_in_columns(filled: Store) -> None:
    save(filled.client, filled.database, NOW - timedelta(minutes=3), Observation(received_per_second=9.0))
    found = history(filled.client, filled.database, NOW - timedelta(hours=1), now=NOW)
    assert found.step_s == 60
    assert found.at == [NOW.replace(second=0) - timedelta(minutes=minutes) for minutes in (3, 2, 1)]
    assert found.values["received_per_second"] == [300.0, 200.0, 100.0]
    assert found.values["lag_seconds"] == [30.0, None, 10.0]
    assert found.values["disk_used_ratio"] == [None, None, None]
    assert list(found.values) == list(COLUMNS)
    assert history(filled.client, filled.database, NOW - timedelta(minutes=1, seconds=30), now=NOW).at == found.at[2:]


def test_longer_steps_combine_their_minutes(clickhouse: str) -> None:
    # The start of a step of seven minutes, and of every other length.
    at = NOW.replace(hour=0, minute=0) - timedelta(days=2)
    since = at - timedelta(hours=160)
    with store(clickhouse) as made:
        begin = int(at.timestamp()) // (step := step_of((at - since).total_seconds())) * step + step
        for number, rate in enumerate((10.0, 30.0)):
            minute = datetime.fromtimestamp(begin + 60 * number, UTC)
            observation = Observation(received_per_second=rate, lag_seconds=rate, dead_letters=int(rate))
            save(made.client, made.database, minute, observation)
        found = history(made.client, made.database, since, now=at)
    assert found.step_s == step > 60
    assert (found.values["received_per_second"], found.values["lag_seconds"]) == ([20.0], [30.0])
    assert found.values["dead_letters"] == [40]


@pytest.mark.parametrize(("seconds", "step"), [(1, 60), (86_400, 60), (86_401, 120), (7 * 86_400, 420)])
def test_a_period_has_a_bounded_number_of_steps(seconds: int, step: int) -> None:
    assert step_of(seconds) == step
    for second in (0, 1, step - 1):  # a period rarely begins exactly with a step
        now = 1_800_000_000 // step * step + second
        last_minute = (now // 60 - 1) * 60
        assert (last_minute - first_step(now - seconds, step)) // step + 1 <= MOST_POINTS


def test_the_timeline_has_the_operational_events_of_auditlanes_own_log(filled: Store) -> None:
    at = NOW - timedelta(hours=1)
    of_a_tenant = {"metadata": {"code": "FIELD_RULE", "count": "7", "tenant": "acme"}, "outcome": "failure"}
    filled.add(
        [
            event(1, "_auditlane", occurred_at=at, action="lag.detected", severity="High", resource_id="audit.events"),
            event(2, "_auditlane", occurred_at=at + timedelta(minutes=1), action="events.refused", **of_a_tenant),
            event(3, "_auditlane", occurred_at=at, action="audit_log.viewed"),
            event(4, "acme", occurred_at=at, action="lag.detected"),
            event(5, "_auditlane", occurred_at=at - timedelta(days=100), action="lag.detected"),
        ]
    )
    newest, older = timeline(filled.client, filled.database, limit=9)
    assert (newest.action, newest.tenant, newest.metadata) == (
        "events.refused",
        "acme",
        {"code": "FIELD_RULE", "count": "7"},
    )
    assert (older.at, older.action, older.severity, older.resource_id, older.tenant) == (
        at,
        "lag.detected",
        "High",
        "audit.events",
        None,
    )
    assert timeline(filled.client, filled.database, limit=1) == [newest]


def test_the_routes_return_both(filled: Store, tmp_path: Path) -> None:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    with Served(tmp_path, **settings) as served:
        admin = served.client_token("admin")
        answer = served.request("/v1/admin/history?hours=0.5", admin).json()
        assert answer["step_s"] == 60
        assert answer["lag_seconds"] == [30.0, None, 10.0]
        assert answer["at"][-1] == f"{NOW - timedelta(minutes=1):%Y-%m-%dT%H:%M:00Z}"
        [newest] = served.request("/v1/admin/timeline?limit=1", admin).json()["data"]
        assert (newest["action"], newest["tenant"]) == ("events.refused", "acme")
        for path in ("history?hours=169", "history?hours=0", "timeline?limit=0", "history?days=1"):
            assert served.request(f"/v1/admin/{path}", admin).status == 400
