"""Tests the worker's requests to the registry, and their rate. A stale cache never causes an event to be rejected."""

from __future__ import annotations

import pytest
from validating import BASE_ID, TOPIC, DictRegistry, base_registry, contract, own

from auditlane.runtime.errors import RegistryRefused, RegistryUnavailable
from auditlane.worker.validation.schema_cache import REFUSAL_S, SchemaCache


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> DictRegistry:
    return base_registry()


@pytest.fixture
def book(registry: DictRegistry, clock: Clock) -> SchemaCache:
    return SchemaCache(registry, topic=TOPIC, refresh_s=30, clock=clock)


def test_two_hundred_tenants_without_a_contract_cost_four_requests(book: SchemaCache, registry: DictRegistry) -> None:
    tenants = [f"t{number}" for number in range(200)]
    assert book.known(BASE_ID) is not None
    assert book.tenants_allowed(BASE_ID, tenants) == frozenset(tenants)
    for _ in range(10):
        book.known(BASE_ID)
        book.tenants_allowed(BASE_ID, tenants)
    assert [what for what, _ in registry.requests] == ["schema", "subjects", "subjects_of"]


def test_subjects_are_refreshed_but_schemas_are_cached_forever(
    book: SchemaCache, registry: DictRegistry, clock: Clock
) -> None:
    book.known(BASE_ID)
    book.tenants_allowed(BASE_ID, ["acme"])
    registry.requests.clear()
    clock.now += 31
    book.known(BASE_ID)
    book.tenants_allowed(BASE_ID, ["acme"])
    assert [what for what, _ in registry.requests] == ["subjects", "subjects_of"]


def test_whether_a_schema_is_the_base_is_refreshed_too(book: SchemaCache, registry: DictRegistry, clock: Clock) -> None:
    own_id = registry.register(f"{TOPIC}.own-value", contract(own("x", "string")))
    assert (book.is_base(BASE_ID), book.is_base(own_id)) == (True, False)
    clock.now += 31
    registry.requests.clear()
    assert (book.is_base(BASE_ID), book.is_base(own_id)) == (True, False)
    assert "subjects_of" in [what for what, _ in registry.requests]


def test_own_base_and_exclusive_contracts(book: SchemaCache, registry: DictRegistry) -> None:
    open_id = registry.register(f"{TOPIC}.open-value", contract(own("x", "string")))
    ruled_id = registry.register(f"{TOPIC}.ruled-value", contract(own("x", "string", required=True)))
    tenants = ["open", "ruled", "none"]
    assert book.tenants_allowed(BASE_ID, tenants) == {"open", "none"}
    assert book.tenants_allowed(open_id, tenants) == {"open"}
    assert book.tenants_allowed(ruled_id, tenants) == {"ruled"}


def test_the_latest_version_decides_whether_a_contract_is_exclusive(
    book: SchemaCache, registry: DictRegistry, clock: Clock
) -> None:
    registry.register(f"{TOPIC}.acme-value", contract(own("x", "string", required=True)))
    assert book.tenants_allowed(BASE_ID, ["acme"]) == frozenset()
    registry.register(f"{TOPIC}.acme-value", contract(own("x", "string", required=True), exclusive=False))
    clock.now += REFUSAL_S
    assert book.tenants_allowed(BASE_ID, ["acme"]) == {"acme"}


def test_a_contract_registered_a_moment_ago_counts(book: SchemaCache, registry: DictRegistry) -> None:
    """Equal schema texts have the same id, so a result cached for one tenant must not cause the rejection of another
    tenant's events.
    """
    shared = contract(own("x", "string"))
    schema_id = registry.register(f"{TOPIC}.one-value", shared)
    assert book.tenants_allowed(schema_id, ["one"]) == {"one"}
    assert registry.register(f"{TOPIC}.two-value", shared) == schema_id
    assert book.tenants_allowed(schema_id, ["one", "two"]) == {"one", "two"}


def test_a_refusal_is_cached_briefly(book: SchemaCache, registry: DictRegistry, clock: Clock) -> None:
    schema_id = registry.register(f"{TOPIC}.one-value", contract(own("x", "string")))
    for _ in range(100):
        assert book.tenants_allowed(schema_id, ["two"]) == frozenset()
        assert book.known(99) is None
    assert len(registry.requests) <= 6
    clock.now += REFUSAL_S
    registry.register(f"{TOPIC}.two-value", contract(own("x", "string")))
    assert book.tenants_allowed(schema_id, ["two"]) == {"two"}
    registry.schemas[99] = registry.schemas[BASE_ID]
    assert book.known(99) is not None


def test_a_deleted_subject_no_longer_admits(book: SchemaCache, registry: DictRegistry, clock: Clock) -> None:
    schema_id = registry.register(f"{TOPIC}.acme-value", contract(own("x", "string", required=True)))
    assert book.tenants_allowed(schema_id, ["acme"]) == {"acme"}
    del registry.registered[f"{TOPIC}.acme-value"]
    clock.now += 31
    assert book.tenants_allowed(schema_id, ["acme"]) == frozenset()
    assert book.tenants_allowed(BASE_ID, ["acme"]) == {"acme"}, (
        "without a contract, the tenant may use the base event again"
    )
    del registry.schemas[schema_id]
    clock.now += 31
    assert book.tenants_allowed(schema_id, ["acme"]) == frozenset()
    assert book.known(schema_id) is None


def test_an_empty_registry_is_an_outage_not_a_reason_to_refuse(book: SchemaCache, registry: DictRegistry) -> None:
    registry.registered.clear()
    with pytest.raises(RegistryUnavailable, match="auditlane init"):
        book.known(99)
    with pytest.raises(RegistryUnavailable, match="auditlane init"):
        book.tenants_allowed(BASE_ID, ["acme"])


def test_refused_credentials_are_an_outage(
    book: SchemaCache, registry: DictRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(schema_id: int) -> str:
        raise RegistryRefused("401", fix="Check AUDITLANE_REGISTRY_PASSWORD.")

    monkeypatch.setattr(registry, "schema", refuse)
    with pytest.raises(RegistryUnavailable, match="AUDITLANE_REGISTRY_PASSWORD"):
        book.known(BASE_ID)


def test_an_outage_during_a_lookup_caches_no_partial_result(
    book: SchemaCache, registry: DictRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register(f"{TOPIC}.ruled-value", contract(own("x", "string", required=True)))
    latest = registry.latest

    def away(subject: str) -> object:
        raise RegistryUnavailable("The registry is down.")

    monkeypatch.setattr(registry, "latest", away)
    for _ in range(2):
        with pytest.raises(RegistryUnavailable):
            book.tenants_allowed(BASE_ID, ["acme", "ruled"])
    monkeypatch.setattr(registry, "latest", latest)
    assert book.tenants_allowed(BASE_ID, ["acme", "ruled"]) == {"acme"}
