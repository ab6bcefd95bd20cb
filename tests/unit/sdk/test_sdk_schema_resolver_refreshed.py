"""Tests that the SDK checks whether a cached contract is still the newest before it rejects an event because of it. The
rate of these checks is limited.
"""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from auditlane.contract.avro import base_schema
from auditlane.contract.event import AuditEvent
from auditlane.gateway.ingest_service import IngestService
from auditlane.gateway.sender import Sender
from auditlane.runtime.errors import InvalidEvent, RegistryUnavailable, SchemaNotFound
from auditlane.runtime.settings import load
from auditlane.sdk.schema_resolver import RECHECK_S, RETRY_S, SchemaMayBeStale, SchemaResolver

FOR_EVER_S = 600.0


def schema(*own: str) -> str:
    described = base_schema()
    described["fields"] += [{"name": name, "type": ["null", "string"], "default": None} for name in own]
    return json.dumps(described)


class FakeRegistry:
    """An in-memory registry that records requests, and can be made unreachable or made to hang."""

    def __init__(self) -> None:
        self.schemas = {"t-value": (1, schema()), "t.acme-value": (2, schema("x"))}
        self.away = False
        self.answers = threading.Event()
        self.answers.set()
        self.requests: list[str] = []

    def subjects(self) -> frozenset[str]:
        self._ask("subjects")
        return frozenset(self.schemas)

    def latest(self, subject: str) -> SimpleNamespace:
        self._ask(subject)
        if subject not in self.schemas:
            raise SchemaNotFound(f"Subject '{subject}' not found.")
        schema_id, text = self.schemas[subject]
        return SimpleNamespace(schema_id=schema_id, schema=text)

    def _ask(self, what: str) -> None:
        self.requests.append(what)
        assert self.answers.wait(FOR_EVER_S)
        if self.away:
            raise RegistryUnavailable("It does not answer.")

    def close(self) -> None:
        pass


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def contracts(registry: FakeRegistry, clock: Clock) -> SchemaResolver:
    resolver = SchemaResolver(registry, topic="t", refresh_s=30, clock=clock)
    for tenant in ("acme", "other"):
        resolver.encoder(tenant)
    registry.requests.clear()
    return resolver


def refreshed(contracts: SchemaResolver, tenant: str) -> int | None:
    found = contracts.refreshed(tenant, contracts.encoder(tenant))
    return found and found.schema_id


def test_a_contract_changed_just_now_is_found_and_used_from_then_on(contracts, registry):
    registry.schemas["t.acme-value"] = (3, schema("x", "y"))
    assert refreshed(contracts, "acme") == 3
    assert contracts.encoder("acme").schema_id == 3
    assert registry.requests == ["t.acme-value"]


def test_a_tenants_first_contract_is_found_without_listing_all(contracts, registry):
    registry.schemas["t.other-value"] = (4, schema("z"))
    assert refreshed(contracts, "other") == 4
    assert contracts.encoder("other").schema_id == 4
    assert registry.requests == ["t.other-value"]


def test_a_change_of_the_base_event_is_found_for_tenants_without_a_contract(contracts, registry, clock):
    clock.now += 1
    registry.schemas["t-value"] = (5, schema("z"))
    assert refreshed(contracts, "other") == 5
    assert registry.requests == ["t.other-value", "t-value"]


def test_a_deleted_contract_is_replaced_by_the_base_event(contracts, registry):
    del registry.schemas["t.acme-value"]
    assert refreshed(contracts, "acme") == 1
    assert contracts.encoder("acme").schema_id == 1


def test_refused_events_query_the_registry_once_a_second(contracts, registry, clock):
    for _ in range(5):
        assert refreshed(contracts, "acme") is None
    assert registry.requests == ["t.acme-value"]
    assert not contracts.may_be_stale("acme")
    assert contracts.may_be_stale("other"), "one tenant's bad events do not affect another"
    registry.schemas["t.acme-value"] = (3, schema("y"))
    clock.now += RECHECK_S
    assert contracts.may_be_stale("acme")
    assert refreshed(contracts, "acme") == 3


def test_without_a_request_the_results_of_others_are_used(contracts, registry):
    known = contracts.encoder("acme")
    registry.schemas["t.acme-value"] = (3, schema("y"))
    assert contracts.refreshed("acme", known, may_ask=False) is None
    assert registry.requests == []
    assert refreshed(contracts, "acme") == 3
    assert contracts.refreshed("acme", known, may_ask=False).schema_id == 3


def test_a_reported_change_is_requested_at_once(contracts, registry):
    assert refreshed(contracts, "acme") is None
    assert refreshed(contracts, "other") is None
    registry.schemas |= {"t.acme-value": (3, schema("y")), "t-value": (5, schema("z"))}
    contracts.forget("acme")
    assert refreshed(contracts, "acme") == 3
    assert refreshed(contracts, "other") is None
    contracts.forget(None)
    assert refreshed(contracts, "other") == 5


def test_a_reported_change_is_refreshed_in_the_background(contracts, registry):
    """A new rule takes effect soon, even if the cached contract does not reject any event."""
    registry.schemas["t.acme-value"] = (3, schema("x", "y"))
    contracts.forget("acme")
    assert contracts.encoder("acme").schema_id == 2
    for thread in threading.enumerate():
        if thread.name == "auditlane-contracts":
            thread.join(30)
    assert contracts.encoder("acme").schema_id == 3


def test_without_the_registry_refusals_stand_without_a_request_each(contracts, registry, clock):
    registry.away = True
    for _ in range(5):
        assert refreshed(contracts, "acme") is None
        assert refreshed(contracts, "other") is None
    assert len(registry.requests) == 1
    registry.away = False
    registry.schemas["t.acme-value"] = (3, schema("y"))
    clock.now += RETRY_S
    assert refreshed(contracts, "acme") == 3


def test_a_hanging_registry_is_waited_for_once_a_second(registry):
    contracts = SchemaResolver(registry, topic="t", refresh_s=30)
    known = contracts.encoder("acme")
    registry.answers.clear()
    registry.requests.clear()
    assert contracts.refreshed("acme", known) is None
    assert contracts.encoder("acme") is known
    registry.answers.set()


class Client:
    """Stands in for AuditClient. Its contract rejects events until the registry has been queried."""

    def __init__(self) -> None:
        self.queried_on: set[int] = set()
        self.sent: list[AuditEvent] = []

    def knows(self, tenant: str) -> bool:
        return True

    def patterned(self, tenant: str) -> tuple[tuple[str, int], ...]:
        return ()

    def encoded(self, values: dict[str, Any]) -> None: ...

    def encode_all(self, objects: list[object], defaults: dict[str, str]) -> list[None]:
        return [None] * len(objects)

    def send(
        self, event: AuditEvent, on_settled: Any, headers: Any, *, may_ask: bool, sign: Any, on_spooled: Any
    ) -> str:
        if event.action == "New" and not may_ask:
            raise SchemaMayBeStale
        if may_ask:
            self.queried_on.add(threading.get_ident())
        if event.action == "Bad":
            raise InvalidEvent("No.", field="action")
        self.sent.append(event)
        on_settled(None)
        return event.event_id


@pytest.mark.parametrize("others", [0, 40])
def test_the_gateway_queries_on_a_thread_and_keeps_the_order_of_results(others):
    settings = load(kafka_bootstrap="127.0.0.1:1", registry_url="http://127.0.0.1:1", ingest_ack_timeout_ms=300)
    service, client = IngestService(settings), Client()
    service._client = client
    posted = [{"action": one} for one in ["Known", "New", "Bad", *["Known"] * others, "New"]]
    results = asyncio.run(service.send(posted, Sender("api", tenant="acme", bound=True)))
    assert [one.index for one in results] == list(range(len(posted)))
    assert [one.index for one in results if one.error] == [2]
    assert {one.event_id for one in results} >= {one.event_id for one in client.sent}
    assert len(client.sent) == len(posted) - 1
    assert client.queried_on, "the registry is queried before an event is refused"
    assert threading.get_ident() not in client.queried_on, "never on the event loop"
