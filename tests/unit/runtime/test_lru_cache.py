"""Tests that caches are limited in size, and that every cache keyed by external input is an LRU cache."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from validating import TOPIC, base_registry, contract, message, own, raw_range

from auditlane.contract.registry import RegistryClient
from auditlane.runtime.lru_cache import LruCache
from auditlane.sdk import schema_resolver
from auditlane.sdk.schema_resolver import SchemaResolver
from auditlane.worker.validation import schema_cache as schemas_
from auditlane.worker.validation import validator as validator_
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator


def test_the_least_recently_used_entry_is_evicted_first() -> None:
    kept: LruCache[str, int] = LruCache(3)
    for key in "abc":
        kept.put(key, 1)
    assert kept.get("a") == 1
    kept.put("d", 1)
    assert kept.keys() == ["c", "a", "d"]
    assert kept.get("b") is None
    assert kept.get("b", 7) == 7
    kept.pop("c")
    assert ("c" in kept, len(kept)) == (False, 2)


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=9))))
def test_the_weights_stay_within_the_bound(puts: list[tuple[int, str]]) -> None:
    kept: LruCache[int, str] = LruCache(12, weight=len)
    for key, value in puts:
        kept.put(key, value)
        held = [kept.get(one, "") for one in kept.keys()]  # noqa: SIM118  not a dict
        assert len(held) <= 1 or sum(map(len, held)) <= 12
        assert kept.get(key) == value


def test_cached_schema_texts_are_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr("auditlane.contract.registry._KEPT_CHARACTERS", 1_000)
    client = RegistryClient("http://registry")
    requests: list[str] = []
    monkeypatch.setattr(client, "_call", lambda method, path: requests.append(path) or {"schema": "x" * 100})
    for schema_id in range(100):
        client.schema(schema_id)
    assert len(client._texts) == 10
    assert client.schema(99) == "x" * 100
    assert len(requests) == 100
    client.schema(0)  # the value is requested again
    assert len(requests) == 101


def test_a_workers_contracts_and_decoders_are_bounded_without_changing_results(monkeypatch: Any) -> None:
    registry = base_registry()
    subject = f"{TOPIC}.acme-value"
    versions = [contract(own(f"x{number}", "string"), exclusive=False) for number in range(40)]
    ids = [registry.register(subject, version) for version in versions]
    size = len(json.dumps(versions[0]))
    monkeypatch.setattr(schemas_, "KEPT_CHARACTERS", 5 * size)
    monkeypatch.setattr(validator_, "KEPT_CHARACTERS", 5 * size)
    book = SchemaCache(registry, topic=TOPIC, refresh_s=30)
    validator = BatchValidator(book, topic=TOPIC, max_event_bytes=10_000)
    values = [message(one, version) for one, version in zip(ids, versions, strict=True)]
    for _ in range(2):
        assert not validator.validate(raw_range(list(values)), ingested_at_ms=0).rejected
    assert len(book._known) <= 5
    assert 0 < len(validator._decoders) < len(ids)


def test_producers_caches_of_tenants_are_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(schema_resolver, "KEPT_TENANTS", 20)
    registry = base_registry()
    registry.close = lambda: None  # type: ignore[attr-defined]
    for number in range(40):
        registry.register(f"{TOPIC}.own{number}-value", contract(own(f"x{number}", "string")))
    monkeypatch.setattr(schema_resolver, "KEPT_CHARACTERS", 10 * len(registry.schemas[2]))
    contracts = SchemaResolver(registry, topic=TOPIC, refresh_s=30)
    for number in range(300):
        assert contracts.encoder(f"tenant{number}").subject == f"{TOPIC}-value"
    for _ in range(2):
        for number in range(40):
            assert f"x{number}" in contracts.encoder(f"own{number}").own
    cache = contracts._cache
    assert len(cache._uses) <= 20
    assert len(cache._encoders) <= 10
