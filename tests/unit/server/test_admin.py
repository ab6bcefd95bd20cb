"""Tests administration over HTTP: permissions, unavailable components and timeouts. The components themselves are not
running.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from serving import Served

from auditlane.access.audit import AuditRecord, RequestAuditor
from auditlane.contract.partition import Partition
from auditlane.operations.lag import PartitionFacts, document, partition_lag
from auditlane.runtime.errors import NotFound, Unavailable
from auditlane.server.admin import parts
from auditlane.server.admin.models import Lag
from auditlane.server.bounded_call import CachedCall

ROUTES = (
    "/v1/admin/tenants",
    "/v1/admin/history",
    "/v1/admin/timeline",
    "/v1/admin/lag",
    "/v1/admin/dead-letters",
    "/v1/admin/health",
)
CODES = (*["STORE_UNAVAILABLE"] * 3, *["KAFKA_UNAVAILABLE"] * 2)


class RecordingSink:
    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept(monkeypatch) -> list[AuditRecord]:
    """Return the records about requests."""
    kept = RecordingSink()
    monkeypatch.setattr(
        "auditlane.server.middleware.request.RequestAuditor", lambda _, **given: RequestAuditor(kept, **given)
    )
    return kept.records


@pytest.fixture
def served(tmp_path, kept) -> Iterator[Served]:
    # No Kafka and no registry are configured, and nothing listens at ClickHouse's address.
    with Served(tmp_path) as served:
        yield served


@pytest.mark.parametrize("path", ROUTES)
def test_only_an_admin_of_the_environment_is_permitted(served, kept, path):
    session = served.session("acme")
    for token, headers, status, code in (
        ("", {}, 401, "UNAUTHENTICATED"),
        ("", {"cookie": session}, 403, "FORBIDDEN"),
        (served.viewer_token("acme"), {}, 403, "FORBIDDEN"),
        (served.client_token("vendor"), {}, 403, "FORBIDDEN"),
        (served.client_token("admin", tenant="acme"), {}, 403, "TENANT_FORBIDDEN"),
    ):
        answer = served.request(path, token, **headers)
        assert (answer.status, answer.json()["code"]) == (status, code)
    assert {record.outcome for record in kept} == {"denied"}
    assert len(kept) == 5
    assert served.request(f"{path}?tenants=1", served.client_token("admin")).json()["code"] == "FILTER_INVALID"


def test_an_unavailable_part_is_reported(served):
    admin = served.client_token("admin")
    for path, code in zip(ROUTES, CODES, strict=False):
        answer = served.request(path, admin)
        assert (answer.status, answer.json()["code"]) == (503, code)


def test_health_reports_every_part_and_is_recorded(served, kept):
    answer = served.request("/v1/admin/health", served.client_token("admin"))
    assert answer.status == 200, answer.data
    by_name = {part["name"]: part for part in answer.json()["parts"]}
    assert {name: part["state"] for name, part in by_name.items()} == {
        "clickhouse": "away",
        "kafka": "off",
        "registry": "off",
        "workers": "off",
        "keys": "up",
        "signing-keys": "up",
        "issuer": "off",
        "trail": "off",
        "canary": "off",
    }
    assert not answer.json()["healthy"]
    assert "AUDITLANE_CLICKHOUSE_URL" in by_name["clickhouse"]["problem"]
    [record] = kept
    assert (record.action, record.tenant, record.actor_type, record.outcome) == (
        "installation.viewed",
        None,
        "api_key",
        "success",
    )
    assert record.metadata["route"] == "/v1/admin/health"


def test_health_names_unresponsive_parts(tmp_path):
    away = {"kafka_bootstrap": "127.0.0.1:1", "registry_url": "http://127.0.0.1:1"}
    with Served(tmp_path, **away) as served:
        answer = served.request("/v1/admin/health", served.client_token("admin")).json()
    by_name = {part["name"]: part for part in answer["parts"]}
    assert {by_name[name]["state"] for name in ("kafka", "registry", "workers")} == {"away"}
    assert "Kafka" in by_name["kafka"]["problem"]
    assert by_name["trail"]["state"] in ("up", "stale")


def test_wrong_parameters_are_named(served):
    admin = served.client_token("admin")
    for query, field in (("limit=0", "limit"), ("limit=1001", "limit"), ("prefix=" + "x" * 101, "prefix")):
        answer = served.request(f"/v1/admin/tenants?{query}", admin).json()
        assert (answer["code"], answer["field"]) == ("INPUT_INVALID", field)
    answer = served.request("/v1/admin/dead-letters?tenant=acme", admin).json()
    assert (answer["code"], answer["field"]) == ("FILTER_INVALID", "tenant")
    answer = served.request("/v1/admin/dead-letters?code=NO_SUCH", admin).json()
    assert (answer["code"], answer["field"]) == ("INPUT_INVALID", "code.0")


# The parts


def lag(*members: str, behind: int = 0) -> Lag:
    rows = [
        partition_lag(
            PartitionFacts(
                Partition("audit.events", number),
                committed=10 - behind,
                low=0,
                first=10 - behind,
                end=10,
                oldest_ms=1_000 if behind else None,
                member=member,
            ),
            now_ms=3_500,
        )
        for number, member in enumerate(members)
    ]
    return Lag.model_validate(document("g", rows))


def test_the_response_equals_the_commands_output():
    rows = [
        partition_lag(
            PartitionFacts(
                Partition("audit.events", 3), committed=None, low=4, first=4, end=9, oldest_ms=1_000, member=""
            ),
            now_ms=2_000,
        )
    ]
    assert Lag.model_validate(document("g", rows)).model_dump() == document("g", rows)


def test_workers_are_up_while_every_partition_is_assigned():
    assert parts.workers(lag("a", "b")).state == "up"
    behind = parts.workers(lag("a", "a", behind=2))
    assert (behind.state, behind.detail) == ("up", "1 member, 4 messages behind, oldest message: 2.5 s")
    assert "No worker is assigned to 1 partition." in str(parts.workers(lag("a", "", behind=2)).problem)
    assert "no member" in str(parts.workers(lag("", "")).problem)


def test_a_range_that_fails_makes_the_workers_stale():
    found = lag("a", "b", behind=2)
    found.partitions[1].failing_s, found.partitions[1].error = 75.0, "t[1]:0-9: ClickHouse: too many parts"
    part = parts.workers(found)
    assert part.state == "stale"
    assert part.problem == "audit.events[1] has made no progress for 75.0 s: t[1]:0-9: ClickHouse: too many parts"


# Bounded waiting


def ask(source: CachedCall[Any]) -> Any:
    return anyio.run(source.get)


def test_a_result_is_cached_while_it_is_fresh():
    answers = iter(range(9))
    assert [ask(source) for source in [CachedCall("It", lambda: next(answers), timeout_s=9, fresh_s=60)] * 3] == [
        0,
        0,
        0,
    ]
    stale = CachedCall("It", lambda: next(answers), timeout_s=9, fresh_s=0)
    assert [ask(stale), ask(stale)] == [1, 2]


def test_a_failed_check_is_not_cached():
    answers: Iterator[Any] = iter([NotFound("No."), 1])

    def answer() -> Any:
        result = next(answers)
        if isinstance(result, Exception):
            raise result
        return result

    source = CachedCall("It", answer, timeout_s=9, fresh_s=60)
    with pytest.raises(NotFound):
        ask(source)
    assert ask(source) == 1


def test_calls_time_out_and_share_one_check():
    release, calls = threading.Event(), []

    def hang() -> int:
        calls.append(1)
        release.wait(30)
        return 1

    async def several() -> list[Any]:
        source = CachedCall("It", hang, timeout_s=0.2, fresh_s=60)
        found: list[Any] = []

        async def caller() -> None:
            try:
                found.append(await source.get())
            except Unavailable as error:
                found.append(str(error))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(caller)
        await caller()  # no caller waits for the hanging call any more
        release.set()
        with anyio.fail_after(20):
            while True:
                try:
                    found.append(await source.get())
                    return found
                except Unavailable:
                    pass

    found = anyio.run(several)
    assert found == ["It did not respond in time. Try again in a moment."] * 4 + [1]
    assert len(calls) == 1


def test_permissions_of_the_routes_are_in_the_document(served):
    document = served.request("/openapi.json").json()
    for path in ROUTES:
        operation = document["paths"][path]["get"]
        assert operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        assert "application/problem+json" in operation["responses"]["403"]["content"]
        assert operation["security"]
