"""Tests that the grants of each role are sufficient for its component, and permit nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from fixtures.clickhouse import EngineProcess
from fixtures.hardened import SecuredStore

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.local.doctor import clickhouse as doctor
from auditlane.local.doctor.access import Component
from auditlane.local.doctor.finding import Level, guarded
from auditlane.observe import history
from auditlane.observe.security.catalogue import CHECKS
from auditlane.observe.security.facts import gathered
from auditlane.observe.security.run import judge
from auditlane.runtime.errors import StoreRefused
from auditlane.runtime.settings import Settings, load, variable
from auditlane.store import event_insert, migrate, newest_offsets, preflight, presentation, roles
from auditlane.store.claims import StoredClaims
from auditlane.store.client import connect
from auditlane.store.leases import Lease
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.event_columns import EVENTS

MONTH = 202611
AT = int(datetime(2026, 11, 3, tzinfo=UTC).timestamp() * 1_000)
PASSWORDS = {role: f"password of {role}" for role in roles.ROLES}
TOPIC = str(uuid.uuid4())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Provide the URL of a ClickHouse with accounts. Its tables were created by the account for `init`."""
    folder = tmp_path_factory.mktemp("roles")
    (folder / "users.json").write_text(json.dumps(PASSWORDS))
    engine = EngineProcess(folder / "clickhouse", extra=("--users", str(folder / "users.json")))
    client = connect(settings("init", engine.url))
    assert migrate.migrate(client, "audit")
    client.close()
    yield engine.url
    engine.stop()


def settings(role: str, url: str) -> Settings:
    return load(clickhouse_url=url, clickhouse_user=role, clickhouse_password=PASSWORDS[role])


@pytest.fixture
def as_role(url: str) -> Iterator[dict[str, Client]]:
    clients = {role: connect(settings(role, url)) for role in roles.ROLES}
    yield clients
    for client in clients.values():
        client.close()


def _rows(offsets: list[int]) -> pa.Table:
    count = len(offsets)
    return pa.table(
        {
            "tenant_id": ["acme"] * count,
            "occurred_at": pa.array([AT * 1_000] * count, pa.timestamp("us")),
            "event_id": [str(uuid.uuid4()) for _ in range(count)],
            "kafka_topic_id": [TOPIC] * count,
            "kafka_partition": pa.array([0] * count, pa.uint32()),
            "kafka_offset": pa.array(offsets, pa.uint64()),
            "kafka_timestamp": pa.array([AT + one for one in offsets], pa.timestamp("ms")),
        }
    )


def test_a_worker_writes_and_checks(as_role: dict[str, Client]) -> None:
    client, offsets = as_role["worker"], list(range(10))
    table = preflight.check(client, "audit", EVENTS.names, parts_per_second=4)
    rows = _rows(offsets)
    narrow = replace(table, columns=tuple(one for one in table.columns if one[0] in rows.column_names))
    columns = Columns(offsets, [AT + one for one in offsets], [b""] * 10, [b""] * 10)
    range_ = Range(Partition("t", 0), TOPIC, 0, 9, columns, "", assignment_epoch=1)
    writer = event_insert.Writer(client, narrow)
    for _ in range(2):
        writer.insert(range_, MONTH, event_insert.EncodedBatch(event_insert.columns_to_send(rows, range_)))
    assert writer.stored(range_) == {MONTH: set(offsets)}
    assert newest_offsets.newest(client, "audit", TOPIC, 0, low=0).highest == 9


def test_serve_reads_saves_and_claims(url: str, as_role: dict[str, Client]) -> None:
    client = as_role["query"]
    seen = presentation.load(client, "audit", presentation.ENVIRONMENT)
    new = seen.model_copy(update={"enabled": False, "changed_by": "me"})
    assert presentation.save(client, "audit", seen, new, now=datetime.now(UTC)).revision == seen.revision + 1
    jti, now = uuid.uuid4().hex, datetime.now(UTC)
    for first in (True, False):
        claims = StoredClaims(lambda: connect(settings("query", url)), "audit")
        assert claims.claim(jti, until=now + timedelta(minutes=5), now=now) is first
    env = os.environ | {
        variable("clickhouse_url"): url,
        variable("clickhouse_user"): "query",
        variable("clickhouse_password"): PASSWORDS["query"],
    }
    command = [sys.executable, "-m", "auditlane.cli", "events", "--tenant", "acme", "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_role_of_serve_may_observe(as_role: dict[str, Client]) -> None:
    client = as_role["query"]
    lease = Lease(lambda: client, "audit", "observer", duration=timedelta(minutes=1))
    assert lease.claim(lease.newest(), "state")
    now = datetime.now(UTC)
    history.save(client, "audit", now, history.Observation(lag_seconds=1.0))
    found = history.history(client, "audit", now - timedelta(hours=1), now=now)
    assert found.values["lag_seconds"] == [1.0]
    assert client.query("SELECT free_space FROM system.disks").row_count > 0


@pytest.mark.parametrize("component", Component)
def test_the_doctor_checks_with_the_account_of_a_component(url: str, component: Component) -> None:
    found = list(doctor.check(settings(component.clickhouse_role, url), component))
    assert {one.message for one in found if one.level is not Level.OK} == set()
    assert any("has the grants" in one.message for one in found)


@pytest.mark.parametrize(
    ("role", "component", "words", "fix"),
    [
        ("query", Component.WORKER, "the grants of auditlane_query, not those of auditlane_worker", "GRANT auditlane"),
        ("analyst", Component.WORKER, "the grants of auditlane_analyst, not those of auditlane_worker", "GRANT"),
        ("worker", Component.INIT, "The account worker lacks SHOW ON `audit`.*, ", "Run: GRANT SHOW ON `audit`.*"),
    ],
)
def test_the_doctor_names_the_account_of_another_component(
    url: str, role: str, component: Component, words: str, fix: str
) -> None:
    found = next(one for one in guarded("x", lambda: doctor.check(settings(role, url), component)) if one.level != "ok")
    assert (found.level, words in found.message, fix in found.fix) == (Level.FAIL, True, True), found


def test_the_doctor_names_each_missing_grant(tmp_path: Path) -> None:
    """The worker's account may read, but not write."""
    store = SecuredStore(tmp_path, without={"auditlane_worker": ["SELECT, INSERT ON `audit`.events"]},
                         more={"auditlane_worker": ["SELECT ON `audit`.events"]})  # fmt: skip
    try:
        given = load(clickhouse_url=store.engine.url, **store.settings("worker"))
        client = connect(load(clickhouse_url=store.engine.url, **store.settings("init")))
        migrate.migrate(client, "audit")
        client.close()
        [failed] = [one for one in doctor.check(given, Component.WORKER) if one.level is not Level.OK]
    finally:
        store.engine.stop()
    assert "lacks INSERT ON `audit`.events" in failed.message
    assert failed.fix.startswith("Run: GRANT INSERT ON `audit`.events TO auditlane-worker")


@pytest.mark.parametrize(
    ("role", "codes", "not_made"),
    [
        ("init", ("clickhouse-one-copy",), []),
        (
            "query",
            (),
            ["clickhouse-passwords", "clickhouse-roles", "clickhouse-row-policies", "clickhouse-replication"],
        ),
    ],
)
def test_the_security_check_finds_no_surplus_privilege(
    url: str, role: str, codes: tuple[str, ...], not_made: list[str]
) -> None:
    checks = [check for check in CHECKS if check.name.startswith("clickhouse")]
    with gathered(settings(role, url), now=datetime.now(UTC), role=role) as facts:
        report = judge(facts, checks=checks)
    assert report.codes == codes
    assert [gap.check for gap in report.not_made] == not_made
    assert all("GRANT" in gap.needs or "SELECT" in gap.needs for gap in report.not_made)


def test_the_security_check_finds_an_account_with_another_role(url: str) -> None:
    with gathered(settings("init", url), now=datetime.now(UTC), role="query") as facts:
        [found] = judge(facts, checks=[check for check in CHECKS if check.name == "clickhouse-account"]).findings
    assert found.code == "clickhouse-account-too-broad"
    assert "SHOW USERS ON *.*" in found.what


@pytest.mark.parametrize(
    ("role", "sql"),
    [
        ("worker", "SELECT * FROM audit.settings"),
        ("worker", "ALTER TABLE audit.events DELETE WHERE 1"),
        ("worker", "TRUNCATE TABLE audit.events"),
        ("query", "INSERT INTO audit.events (tenant_id) VALUES ('x')"),
        ("query", "ALTER TABLE audit.settings DELETE WHERE 1"),
        ("analyst", "INSERT INTO audit.events (tenant_id) VALUES ('x')"),
        ("analyst", "SELECT * FROM audit.link_claims"),
        ("analyst", "SELECT * FROM system.parts"),
        ("analyst", "SELECT * FROM system.processes"),
    ],
)
def test_statements_of_other_roles_are_refused(as_role: dict[str, Client], role: str, sql: str) -> None:
    with pytest.raises(Exception, match=r"497|164"):
        as_role[role].command(sql)


def test_an_analyst_reads_events_and_the_log(as_role: dict[str, Client]) -> None:
    for table in ("events", "log", "log_text"):
        as_role["analyst"].query(f"SELECT tenant_id, count() FROM audit.{table} GROUP BY ALL")


def test_a_migration_by_another_role_names_the_missing_grant(url: str, as_role: dict[str, Client]) -> None:
    with pytest.raises(StoreRefused, match="Not enough privileges"):
        migrate.migrate(as_role["query"], "other")


@pytest.mark.parametrize("statement", [one for one in roles.script("audit").splitlines() if one])
def test_clickhouse_parses_the_roles_of_a_cluster(as_role: dict[str, Client], statement: str) -> None:
    assert as_role["init"].query(f"EXPLAIN AST {statement.rstrip(';')}").row_count > 0


def test_the_roles_of_a_cluster_equal_those_of_the_embedded_server() -> None:
    script = roles.script("audit")
    for role in roles.ROLES:
        assert f"CREATE ROLE IF NOT EXISTS auditlane_{role};" in script
        for grant in roles.grants(role, "audit"):
            assert f"GRANT {grant} TO auditlane_{role};" in script
