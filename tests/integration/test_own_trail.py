"""Tests auditlane's own audit trail on real services. No contract can suppress its events, and no shutdown or outage
loses them.
"""

from __future__ import annotations

import json
import signal
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import urllib3
from fixtures.kafka import make_broker, wait_for_broker
from fixtures.workers import World, wait_until, world_on
from serving import Served, ServeProcess

from auditlane.access.permissions import Permission
from auditlane.contract.avro import base_schema
from auditlane.runtime import process

OURS = "_auditlane"
INSIDER = (Permission.read, Permission.export, Permission.configure, Permission.contract)
CHOICES = [f"v{number:06}_xxxxxxxxxx" for number in range(29_000)]


class Stage:
    """A worker, the service, and a malicious insider of a tenant, who may change the tenant's contract."""

    def __init__(self, world: World, served: Served) -> None:
        self.world = world
        self.served = served
        self.vendor = served.client_token("vendor")
        self.admin = served.client_token("admin")

    def change(
        self, tenant: str, method: str, field: str = "", body: Any = None, *, whose: str = ""
    ) -> urllib3.BaseHTTPResponse:
        """Change the fields of a tenant's contract, as the tenant's insider or, with `whose="environment"`, as an
        operator.
        """
        root = "/v1/structure" if whose else f"/v1/tenants/{tenant}/structure"
        token = self.admin if whose else self.served.viewer_token(tenant, *INSIDER)
        return self.served.request(
            f"{root}/fields{field and f'/{field}'}", token, method=method, body=body, if_match="*"
        )

    def export(self, tenant: str) -> None:
        """Export the log, which is the action that the insider wants to hide."""
        answer = self.served.request("/v1/export?format=csv", self.served.viewer_token(tenant, *INSIDER))
        assert answer.status == 200, answer.data

    def counts(self, tenant: str) -> dict[str, Counter[str]]:
        """Count the distinct events about a tenant by action, in the tenant's own log and in the vendor's."""
        rows = self.world.client.query(
            f"SELECT tenant_id, action, count() FROM (SELECT DISTINCT tenant_id, action, occurred_at, event_id"
            f" FROM {self.world.events} WHERE source = 'auditlane'"
            " AND (tenant_id = {tenant:String} OR metadata['tenant'] = {tenant:String})) GROUP BY ALL",
            {"tenant": tenant},
        ).result_rows
        found: dict[str, Counter[str]] = {tenant: Counter(), OURS: Counter()}
        for log, action, count in rows:
            found[log][action] = count
        return found

    def recorded(self, tenant: str, **expected: int) -> None:
        """Wait until both logs have these counts by action, such as `audit_log__exported=1`."""
        wanted = {action.replace("__", "."): count for action, count in expected.items()}

        def both() -> bool:
            counts = self.counts(tenant)
            return all({action: log[action] for action in wanted} == wanted for log in counts.values())

        wait_until(both, why=lambda: f"{self.counts(tenant)} {self.world.workers[-1].tail()}")


@pytest.fixture(scope="module")
def stage(kafka: str, registry: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("trail")
    world = world_on(kafka, registry, clickhouse, f"t{uuid.uuid4().hex[:12]}", folder)
    try:
        settings = world.settings.model_dump(exclude_unset=True) | {"audit_aggregation_s": 0.2}
        with Served(folder, **settings) as served:
            world.worker().ready()
            yield Stage(world, served)
    finally:
        world.close()


def require_a_field_that_no_event_has(stage: Stage, tenant: str) -> int:
    assert stage.change(tenant, "POST", body={"name": "never_sent", "rules": {"required": True}}).status == 201
    return 1


def make_the_contract_exclusive(stage: Stage, tenant: str) -> int:
    assert stage.change(tenant, "POST", body={"name": "own", "exclusive": True}).status == 201
    return 1


def require_a_field_in_an_exclusive_contract(stage: Stage, tenant: str) -> int:
    body = {"name": "never_sent", "rules": {"required": True}, "exclusive": True}
    assert stage.change(tenant, "POST", body=body).status == 201
    return 1


def set_oversized_rules(stage: Stage, tenant: str) -> int:
    size = len(CHOICES)
    while True:
        body = {"name": "big", "type": "Enum", "rules": {"oneOf": CHOICES[:size]}, "exclusive": True}
        if stage.change(tenant, "POST", body=body).status == 201:
            return 1
        size //= 2
        assert size


def register_a_default_that_breaks_its_own_rule(stage: Stage, tenant: str) -> int:
    """Register the contract through the registry's own API, which does not check permissions."""
    schema = base_schema()
    rules = {"pattern": "x+y", "maxLength": 100, "required": True}
    schema["fields"].append({"name": "zz", "type": ["string", "null"], "default": "q", "rules": rules})
    schema["exclusive"] = True
    stage.world.registry.register(f"{stage.world.settings.topic}.{tenant}-value", json.dumps(schema))
    return 0


def change_the_contract_back_and_forth(stage: Stage, tenant: str) -> int:
    assert stage.change(tenant, "POST", body={"name": "own", "exclusive": True}).status == 201
    for number in range(10):
        body = {"rules": {"required": number % 2 == 0}, "exclusive": number % 3 == 0}
        assert stage.change(tenant, "PUT", "own", body).status == 200
    assert stage.change(tenant, "DELETE", "own").status == 204
    return 12


def add_and_remove_a_field_at_once(stage: Stage, tenant: str) -> int:
    for _ in range(5):
        body = {"name": "gone", "rules": {"required": True}, "exclusive": True}
        assert stage.change(tenant, "POST", body=body).status == 201
        assert stage.change(tenant, "DELETE", "gone").status == 204
    return 10


@pytest.mark.parametrize(
    "attack",
    [
        require_a_field_that_no_event_has,
        make_the_contract_exclusive,
        require_a_field_in_an_exclusive_contract,
        set_oversized_rules,
        register_a_default_that_breaks_its_own_rule,
        change_the_contract_back_and_forth,
        add_and_remove_a_field_at_once,
    ],
)
def test_no_tenant_contract_hides_its_users_actions(stage: Stage, attack: Callable[[Stage, str], int]) -> None:
    tenant = f"t{uuid.uuid4().hex[:10]}"
    stage.export(tenant)
    changes = attack(stage, tenant)
    stage.export(tenant)
    stage.recorded(tenant, audit_log__exported=2, structure__changed=changes)


def test_operators_see_that_a_changed_contract_refuses_events(stage: Stage) -> None:
    tenant = f"t{uuid.uuid4().hex[:10]}"

    def send() -> int:
        posted = {"action": "payment.deleted", "actor_id": "insider"}
        return stage.served.request(
            "/v1/events", stage.vendor, method="POST", body=posted, auditlane_tenant=tenant
        ).status

    assert send() == 202
    require_a_field_that_no_event_has(stage, tenant)
    wait_until(lambda: send() == 400, why="for the gateway to use the new contract")
    assert send() == 400
    health = stage.served.request("/v1/admin/health", stage.admin).json()
    [told] = [one for one in health["refusals"] if one["tenant"] == tenant]
    assert (told["refused"], told["after_change"]) == (2, 2)
    assert told["changed_at"]
    metrics = stage.served.request("/metrics").data.decode()
    assert 'auditlane_contract_refusals_total{changed="yes"}' in metrics


def test_a_field_required_by_the_environment_is_not_required_of_auditlanes_own_events(stage: Stage) -> None:
    tenant = f"t{uuid.uuid4().hex[:10]}"
    body = {"name": "env_demanded", "rules": {"required": True}}
    assert stage.change(tenant, "POST", body=body, whose="environment").status == 201
    try:
        stage.export(tenant)
        stage.recorded(tenant, audit_log__exported=1)
    finally:
        assert stage.change(tenant, "DELETE", "env_demanded", whose="environment").status == 204


def test_long_names_and_ids_are_recorded_by_their_digest(stage: Stage) -> None:
    tenant = f"t{uuid.uuid4().hex[:10]}"
    body = {"tenant": tenant, "user": "u" * 6_000, "permissions": ["audits:read"]}
    issued = stage.served.request("/v1/viewer-tokens", stage.vendor, method="POST", body=body)
    events = stage.counts(tenant)
    if issued.status == 201:
        token = issued.json()["token"]
        assert stage.served.request("/v1/events", token, user_agent="a" * 9_000).status == 200
        stage.recorded(tenant, viewer_token__issued=1, audit_log__viewed=1)
    else:
        assert issued.status == 400, events


def test_three_replicas_record_one_security_check(stage: Stage, tmp_path: Path) -> None:
    given = stage.world.settings.model_dump(exclude_unset=True) | {"security_check_every_h": 24}
    with ExitStack() as running:
        schedules = []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            served = running.enter_context(Served(folder, **given))
            schedules.append(served.app.state.services.security)
        with ThreadPoolExecutor(len(schedules)) as pool:
            for _ in range(2):
                assert all(wait > 0 for wait in pool.map(lambda schedule: schedule.make_if_due(), schedules))
    tenant = f"t{uuid.uuid4().hex[:10]}"
    stage.export(tenant)
    stage.recorded(tenant, audit_log__exported=1)  # implies that everything sent earlier has also been stored
    [(log, outcome, resource, metadata)] = stage.world.client.query(
        f"SELECT tenant_id, outcome, resource, metadata FROM {stage.world.events} WHERE action = 'security.checked'"
    ).result_rows
    assert (log, outcome, resource) == (OURS, "failure", "installation")
    assert {"kafka-without-acls", "clickhouse-unauthenticated"} <= set(metadata["codes"].split(", "))
    assert int(metadata["findings"]) > int(metadata["critical"]) > 0


class Outage:
    """A separate broker that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._broker = make_broker(folder)
        self.bootstrap = self._broker.bootstrap
        self.start()

    def start(self) -> None:
        self._running = self._broker.start(self._folder / "kafka.out")
        wait_for_broker(self.bootstrap)

    def stop(self) -> None:
        process.stop(self._running, grace_s=20)


@pytest.mark.long
def test_events_unsent_at_a_stop_are_in_both_logs_after_the_next_start(
    registry: str, clickhouse: str, unique: str, tmp_path: Path
) -> None:
    broker = Outage(tmp_path)
    world = world_on(broker.bootstrap, registry, clickhouse, unique, tmp_path)
    settings = world.settings.model_dump(exclude_unset=True) | {
        "audit_aggregation_s": 3_600
    }  # long enough for all reads to be aggregated
    spool = tmp_path / "trail"

    def looks(serve: ServeProcess) -> None:
        token = serve.viewer_token("acme", *INSIDER)
        with urllib3.PoolManager(retries=False, timeout=60.0) as pool:
            for path in ("/v1/export?format=csv", "/v1/events", "/v1/events"):
                answer = pool.request("GET", serve.url + path, headers={"authorization": f"Bearer {token}"})
                assert answer.status == 200, answer.data

    try:
        with ServeProcess(tmp_path, **settings) as serve:
            looks(serve)
            broker.stop()
            looks(serve)
            assert serve.stop() == 0
        [file] = spool.glob("*.set/*.segment")
        assert file.stat().st_mode & 0o777 == 0o600
        with ServeProcess(tmp_path, **settings) as serve:  # this process never reaches Kafka
            looks(serve)
            assert serve.stop(signal.SIGINT) in (0, 130, -signal.SIGINT)
        assert len(list(spool.glob("*.set"))) >= 2
        broker.start()
        world.worker().ready()
        with Served(tmp_path, **settings) as served:
            wait_until(lambda: not list(spool.glob("*.set")), why=lambda: str(list(spool.iterdir())))
            stage = Stage(world, served)
            stage.recorded("acme", audit_log__exported=3, audit_log__viewed=2)
            for tenant, query in (("acme", ""), (OURS, "&metadata.tenant=acme")):
                address = f"/v1/events?action=audit_log.exported{query}"
                page = served.request(address, stage.admin, auditlane_tenant=tenant).json()["data"]
                assert len(page) == len({one["event_id"] for one in page}) == 3, "exactly once, even if sent twice"
                assert {one["actor_id"] for one in page} == {"jane"}
    finally:
        world.close()
        broker.stop()
