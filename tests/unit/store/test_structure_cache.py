"""Tests the structure cache: one read for many tenants, stale entries during an outage, and a size limit."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import OperationalError

from auditlane.runtime.errors import StoreUnavailable
from auditlane.store.presentation import ENVIRONMENT, FieldView, tenant_scope
from auditlane.store.structure_cache import DEFAULT, REFRESH_S, RETRY_S, Structure, StructureCache

ORDER = FieldView(name="order_number", display_name="Order", show_in_table=False)


class Table:
    """Stands in for ClickHouse. It keeps the newest row of each scope and records every read. It can be made
    unavailable or slow.
    """

    def __init__(self) -> None:
        self.rows: dict[str, tuple[int, bool | None, list[FieldView]]] = {}
        self.reads: list[list[str]] = []
        self.away = False
        self.gate: threading.Event | None = None

    def save(self, scope: str, *fields: FieldView, enabled: bool | None = None) -> None:
        revision = self.rows.get(scope, (0, None, []))[0] + 1
        self.rows[scope] = (revision, enabled, list(fields))

    def query(self, _sql: str, parameters: dict[str, Any]) -> Any:
        scopes = parameters["scopes"]
        self.reads.append(scopes)
        rows = [(scope, *self.rows[scope]) for scope in scopes if scope in self.rows]
        if self.gate is not None:
            self.gate.wait(10)
        if self.away:
            raise OperationalError("connection refused")
        return SimpleNamespace(
            result_rows=[
                (scope, revision, enabled, json.dumps([dump(one) for one in fields]), "[]", "jane", datetime.now(UTC))
                for scope, revision, enabled, fields in rows
            ]
        )


def dump(field: FieldView) -> dict[str, Any]:
    """Return the field as a version of auditlane with one more attribute would store it."""
    return field.model_dump(by_alias=True, mode="json") | {"fromTheFuture": 1}


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cache_of(table: Table, clock: Clock, **options: Any) -> StructureCache:
    return StructureCache(lambda: table, "audit", clock=clock, **options)  # type: ignore[arg-type, return-value]


def test_a_change_is_visible_after_the_refresh_interval(table: Table, clock: Clock) -> None:
    cache = cache_of(table, clock)
    assert cache.of("acme") == DEFAULT
    table.save(tenant_scope("acme"), ORDER, enabled=False)
    assert cache.of("acme") == DEFAULT
    clock.now += REFRESH_S + 0.1
    structure = cache.of("acme")
    assert (structure.enabled, structure.tenant_revision) == (False, 1)
    assert structure.field("order_number") == ORDER
    assert [one.name for one in structure.custom()] == ["order_number"]
    assert ORDER in structure.downloadable()
    assert ORDER not in structure.displayed()


def test_one_read_refreshes_all_recently_used_tenants(table: Table, clock: Clock) -> None:
    cache = cache_of(table, clock)
    for tenant in ("a", "b", "c"):
        cache.of(tenant)
    clock.now += REFRESH_S * 0.6
    cache.of("b"), cache.of("c")
    clock.now += REFRESH_S * 0.6
    del table.reads[:]
    cache.of("b"), cache.of("c")
    assert table.reads == [[ENVIRONMENT, "tenant:b", "tenant:c"]]  # `a` was last used too long ago
    clock.now += REFRESH_S + 0.1  # `c` is no longer used
    cache.of("b")
    assert table.reads[1:] == [[ENVIRONMENT, "tenant:b"]]


def test_many_tenants_are_read_in_batches(table: Table, clock: Clock) -> None:
    cache = cache_of(table, clock)
    tenants = [f"t{number:04}" for number in range(1_200)]
    for tenant in tenants:
        cache.of(tenant)
    clock.now += REFRESH_S
    for tenant in tenants:
        cache.of(tenant)
    clock.now += 0.1
    del table.reads[:]
    for tenant in tenants:
        cache.of(tenant)
    assert [len(read) for read in table.reads] == [501, 501, 201]


def test_an_outage_keeps_cached_structures(table: Table, clock: Clock) -> None:
    cache = cache_of(table, clock)
    table.save(tenant_scope("acme"), ORDER)
    known = cache.of("acme")
    table.away = True
    clock.now += 10 * REFRESH_S
    assert cache.of("acme") == known
    with pytest.raises(StoreUnavailable):
        cache.of("never-read")
    reads = len(table.reads)
    with pytest.raises(StoreUnavailable):
        cache.of("another")
    assert len(table.reads) == reads  # no more reads are made right after a failure
    table.away = False
    table.save(tenant_scope("acme"), enabled=False)
    clock.now += RETRY_S + 0.1
    assert cache.of("acme").enabled is False


def test_the_environment_reaches_every_tenant(table: Table, clock: Clock) -> None:
    cache = cache_of(table, clock)
    table.save(tenant_scope("b"), ORDER)
    cache.of("a"), cache.of("b")
    table.save(ENVIRONMENT, FieldView(name="action", display_name="What"), enabled=False)
    cache.forget(None)
    for tenant in ("a", "b"):
        action = cache.of(tenant).field("action")
        assert action is not None
        assert action.display_name == "What"
        assert cache.of(tenant).enabled is False
    assert cache.of("b").field("order_number") == ORDER


def test_a_tenant_invalidated_during_a_read_is_read_again(table: Table, clock: Clock) -> None:
    cache = cache_of(table, clock)
    table.gate = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.of, "acme")
        while not table.reads:
            pass
        table.save(tenant_scope("acme"), enabled=False)
        cache.forget("acme")
        table.gate.set()
        assert first.result(10).enabled is False
    assert len(table.reads) == 2


def test_an_invalidated_structure_is_not_returned_while_others_are_read(table: Table, clock: Clock) -> None:
    cache = cache_of(table, clock)
    assert cache.of("acme").enabled is True
    table.gate = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        other = pool.submit(cache.of, "other")
        while len(table.reads) < 2:
            pass
        table.save(tenant_scope("acme"), enabled=False)
        cache.forget("acme")
        futures = [pool.submit(cache.of, "acme") for _ in range(2)]
        while "acme" not in cache._wanted:
            pass
        assert not any(one.done() for one in futures)
        table.gate.set()
        assert other.result(10).enabled is True
        assert [one.result(10).enabled for one in futures] == [False, False]
    # During an outage, the last known structure is better than none.
    table.away = True
    cache.forget("acme")
    assert cache.of("acme").enabled is False


def test_waiting_tenants_are_read_together(table: Table, clock: Clock) -> None:
    cache = cache_of(table, clock)
    table.gate = threading.Event()
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(cache.of, f"t{number}") for number in range(20)]
        while len(cache._wanted) < 19:
            pass
        table.gate.set()
        assert all(one.result(10) == DEFAULT for one in futures)
    assert [len(read) for read in table.reads] == [2, 20]


def test_the_cache_is_bounded(table: Table, clock: Clock) -> None:
    cache = cache_of(table, clock, most=3)
    for tenant in "abcde":
        cache.of(tenant)
    del table.reads[:]
    cache.of("c"), cache.of("d"), cache.of("e")
    assert table.reads == []
    cache.of("a")
    assert table.reads == [[ENVIRONMENT, "tenant:a"]]


def test_a_hidden_field_is_not_in_the_structure() -> None:
    table = Table()
    cache = cache_of(table, Clock())
    table.save(tenant_scope("acme"), ORDER.model_copy(update={"hidden": True}))
    structure: Structure = cache.of("acme")
    assert structure.field("order_number") is None
    assert structure.custom() == ()
