"""Tests a registry that accepts connections but never responds. It delays callers of `emit` only up to their own time
limit.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient
from auditlane.runtime.errors import RegistryRefused, RegistryUnavailable
from auditlane.sdk import AuditClient
from auditlane.sdk.schema_resolver import RETRY_S, SchemaResolver

FOR_EVER_S = 600.0  # longer than any test
SCHEMA = json.dumps(base_schema())


class Silent:
    """A server that accepts and counts connections, but never responds."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.taken: list[socket.socket] = []
        self.reached = threading.Event()
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                self.taken.append(self._listening.accept()[0])
            except OSError:
                return
            self.reached.set()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self.taken:
            connection.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


@pytest.fixture
def registry(silent: Silent) -> Iterator[RegistryClient]:
    client = RegistryClient(silent.url, timeout_s=FOR_EVER_S)
    yield client
    client.close()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Hanging:
    """An in-memory registry that can be made to hang until it is released."""

    def __init__(self) -> None:
        self.schemas = {"t-value": (1, SCHEMA)}
        self.answers = threading.Event()
        self.answers.set()
        self.requests: list[str] = []
        self.refuses = ""

    def subjects(self) -> frozenset[str]:
        self._ask("subjects")
        return frozenset(self.schemas)

    def latest(self, subject: str) -> SimpleNamespace:
        self._ask(subject)
        schema_id, text = self.schemas[subject]
        return SimpleNamespace(schema_id=schema_id, schema=text)

    def _ask(self, what: str) -> None:
        self.requests.append(what)
        assert self.answers.wait(FOR_EVER_S)
        if what == self.refuses:
            raise RegistryRefused("No.")

    def close(self) -> None:
        pass


def until_learnt() -> None:
    for thread in threading.enumerate():
        if thread.name == "auditlane-contracts":
            thread.join(30)
            assert not thread.is_alive()


def test_an_emit_waits_up_to_its_limit_and_the_next_fails_at_once(silent: Silent) -> None:
    """This includes `max_block_ms=0`. The registry client's own timeout of five seconds has no effect."""
    options = {"kafka_bootstrap": "127.0.0.1:9", "registry_url": silent.url}
    client = AuditClient(registry_wait_ms=50, on_error=lambda error, event_id: None, **options)
    try:
        assert silent.reached.wait(30), "the base contract is requested before anything is emitted"
        for _ in range(20):
            with pytest.raises(RegistryUnavailable, match="AUDITLANE_REGISTRY_URL"):
                client.emit(tenant_id="acme", action="a")
        assert len(silent.taken) == 1, "no second request while the first is pending"
    finally:
        client.close(timeout=0)


def test_many_emitters_share_one_request(registry: RegistryClient, silent: Silent) -> None:
    contracts = SchemaResolver(registry, topic="t", refresh_s=30, wait_s=0.2)
    failures: list[RegistryUnavailable] = []

    def emit(tenant: str) -> None:
        with pytest.raises(RegistryUnavailable) as caught:
            contracts.encoder(tenant)
        failures.append(caught.value)

    emitters = [threading.Thread(target=emit, args=(f"t{number}",)) for number in range(20)]
    for emitter in emitters:
        emitter.start()
    for emitter in emitters:
        emitter.join(30)
    assert (len(failures), len(silent.taken)) == (20, 1)


def test_after_a_failure_one_emitter_retries_and_the_others_fail_at_once() -> None:
    registry, clock = Hanging(), Clock()
    registry.answers.clear()
    contracts = SchemaResolver(registry, topic="t", refresh_s=30, wait_s=0.01, clock=clock)
    with pytest.raises(RegistryUnavailable, match="did not respond within"):
        contracts.encoder("acme")
    contracts._wait_s = FOR_EVER_S  # from here on, no call may wait that long
    for _ in range(3):
        with pytest.raises(RegistryUnavailable):
            contracts.encoder("acme")
        clock.now += RETRY_S
    registry.answers.set()
    until_learnt()
    assert contracts.encoder("acme").schema_id == 1, "the contract fetched meanwhile is cached, without a new attempt"
    assert registry.requests == ["subjects", "t-value"]


def test_a_known_contract_never_waits_for_a_refresh() -> None:
    """This is true even if the refresh finds that the tenant now has its own contract, and then hangs."""
    registry, clock = Hanging(), Clock()
    contracts = SchemaResolver(registry, topic="t", refresh_s=30, wait_s=FOR_EVER_S, clock=clock)
    assert contracts.encoder("acme").schema_id == 1
    clock.now += 31
    registry.schemas["t.acme-value"] = (2, SCHEMA)
    registry.answers.clear()
    for _ in range(3):
        assert contracts.encoder("acme").schema_id == 1
    listed, registry.subjects = frozenset(registry.schemas), lambda: listed  # type: ignore[method-assign]
    contracts._cache._subjects = listed
    for _ in range(3):
        assert contracts.encoder("acme").schema_id == 1
    registry.answers.set()
    until_learnt()
    assert contracts.encoder("acme").schema_id == 2


def test_a_tenant_whose_contract_is_refused_blocks_no_other() -> None:
    registry, clock = Hanging(), Clock()
    registry.schemas["t.acme-value"] = (2, SCHEMA)
    registry.refuses = "t.acme-value"
    contracts = SchemaResolver(registry, topic="t", refresh_s=30, clock=clock)
    for _ in range(3):
        with pytest.raises(RegistryRefused):
            contracts.encoder("acme")
    assert contracts.encoder("other").schema_id == 1
    assert registry.requests == ["subjects", "t.acme-value", "t-value"]
    registry.refuses = ""
    clock.now += RETRY_S
    assert contracts.encoder("acme").schema_id == 2


def test_after_a_reported_change_a_hanging_registry_delays_one_emit(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, clock = Hanging(), Clock()
    contracts = SchemaResolver(registry, topic="t", refresh_s=30, wait_s=FOR_EVER_S, clock=clock)
    assert contracts.encoder("acme").schema_id == 1
    clock.now += 1
    registry.schemas["t.acme-value"] = (2, SCHEMA)
    registry.answers.clear()
    contracts.forget("acme")
    assert not contracts.knows("acme")
    assert contracts.encoder("acme").schema_id == 1  # after a second
    assert contracts.knows("acme")
    for _ in range(3):
        assert contracts.encoder("acme").schema_id == 1  # at once
    registry.answers.set()
    until_learnt()
    assert contracts.encoder("acme").schema_id == 2
