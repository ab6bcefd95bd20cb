"""Tests that the typed signatures match ClientConfig, the event and the service's filters."""

from __future__ import annotations

import inspect
import re
import uuid
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_overloads, get_type_hints
from unittest import mock

import pytest

from auditlane.access.keys import KeysFile
from auditlane.contract.event import AuditEvent, Outcome, OutcomeName, Severity, SeverityName
from auditlane.query.export.request import OWN
from auditlane.runtime.errors import ConfigError, InvalidEvent
from auditlane.runtime.settings import load
from auditlane.sdk import AuditClient, AuditReader, ClientConfig, EventFilters, kafka_transport, publisher
from auditlane.sdk.config import variable
from auditlane.server.app import create_app

GIVEN = {"kafka_bootstrap": "127.0.0.1:9", "registry_url": "http://127.0.0.1:9"}
DOCS = Path(__file__).parents[3] / "docs" / "emit.md"
OF_THE_CLIENT = {"config", "on_error", "own_events", "own_headers", "sign", "observe_registry"}


def keywords(function: Any) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters
    return {name: one for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY}


def argument_docs(text: str | None) -> set[str]:
    described = re.search(r"Args:\n(.*?)\n\n", text or "", re.DOTALL)
    assert described
    return set(re.findall(r"^ {12}(\w+): ", described[1], re.MULTILINE))


def test_the_clients_options_are_those_of_its_config():
    options = {name: one for name, one in keywords(AuditClient.__init__).items() if name not in OF_THE_CLIENT}
    assert list(options) == [one.name for one in fields(ClientConfig)]
    client, config = get_type_hints(AuditClient.__init__), get_type_hints(ClientConfig)
    for name, option in options.items():
        assert option.default is None, f"{name}: the default is ClientConfig's"
        assert client[name] == config[name] | None, name


def test_omitted_options_have_the_configs_defaults():
    assert ClientConfig.load({}, **GIVEN) == ClientConfig(**GIVEN)
    required = {one.name for one in fields(ClientConfig) if one.default is one.default_factory is MISSING}
    assert required == set()


def test_an_option_reaches_the_config_by_its_own_name(monkeypatch):
    """This is true for every option, with and without a `config`, unless the option's value is None."""
    monkeypatch.setattr(publisher, "transport_of", mock.Mock())
    monkeypatch.setattr(publisher.EventPublisher, "_opened_spool", mock.Mock(return_value=None))
    options: dict[str, Any] = {
        "url": "https://gateway", "token": "t", "token_file": "f", "client_id": "c", "secret": "s", "secret_file": "f",
        "url_ca": __file__, "allow_http": True,
        "kafka_bootstrap": "b:2", "registry_url": "http://other", "kafka_extra": {"client.id": "x"},
        "registry_user": "u", "registry_password": "p", "registry_token": "t", "registry_ca": __file__,
        "registry_refresh_s": 1.5, "registry_wait_ms": 7, "topic": "other", "max_event_bytes": 2_048, "source": "s",
        "shards": {"acme": 2}, "dedicated_tenants": frozenset({"globex"}), "compression": "zstd", "max_block_ms": 8,
        "buffer_bytes": 4_096, "delivery_timeout_ms": 900, "close_timeout_s": 0.25,
        "delivery_mode": "durable", "spool_dir": "/spool", "spool_bytes": 2_097_152, "spool_full": "raise",
        "spool_sync": "always", "catch_all_tenant": "nobody", "redact": frozenset({"ip"}),
        "hash_values": frozenset({"actor_id"}), "hash_key": "0123456789abcdef",
    }  # fmt: skip
    assert set(options) == {one.name for one in fields(ClientConfig)}
    base = ClientConfig(**GIVEN)
    for client in (AuditClient(**options), AuditClient(base, **options)):
        assert client.config == ClientConfig(**options)
        client.close()
    unchanged = AuditClient(base, **dict.fromkeys(options))
    assert unchanged.config == base
    unchanged.close()


def test_a_wrong_option_is_named_with_a_config_too():
    for config in (None, ClientConfig(**GIVEN)):
        with pytest.raises(ConfigError) as caught:
            AuditClient(config, max_blok_ms=1, buffer_bytes="many", **({} if config else GIVEN))  # type: ignore[arg-type]
        assert "max_blok_ms: unknown option. Did you mean max_block_ms?" in str(caught.value)
        assert "AUDITLANE_BUFFER_BYTES: 'many' is not a number" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        ClientConfig.load({}, xyz=None, **GIVEN)
    assert caught.value.message.endswith("xyz: unknown option.")


def test_emits_keywords_are_the_events_fields():
    names = keywords(AuditClient.emit)
    assert names.keys() == AuditEvent.model_fields.keys()
    [_, by_name] = get_overloads(AuditClient.emit)
    required = {name for name, one in keywords(by_name).items() if one.default is one.empty}
    assert required == {"action"}  # the context may provide the tenant
    for name, parameter in keywords(by_name).items():
        if parameter.default not in (parameter.empty, ...):
            assert parameter.default == AuditEvent.model_fields[name].default, name
    made = {name for name, one in keywords(by_name).items() if one.default is ...}
    assert made == {name for name, one in AuditEvent.model_fields.items() if one.default_factory} | {
        "source",
        "tenant_id",
    }


def test_an_event_alone_fits_the_signature_of_a_mock():
    client = mock.create_autospec(AuditClient)(**GIVEN)
    client.emit(AuditEvent(tenant_id="acme", action="a"))
    client.emit(tenant_id="acme", action="a", project="moon")
    assert client.emit.call_count == 2


SAMPLES: dict[Any, list[Any]] = {
    str: ["x"],
    NoneType: [None],
    datetime: [datetime(2026, 1, 1, tzinfo=UTC)],
    uuid.UUID: [uuid.uuid4()],
    IPv4Address: [IPv4Address("192.0.2.1")],
    IPv6Address: [IPv6Address("2001:db8::1")],
    Mapping[str, str]: [{"a": "b"}],
    Mapping[str, object]: [{"a": 1}],
    object: [{"a": [1]}, "text", None],
}
TEXTS = {"event_id": str(uuid.uuid4()), "occurred_at": "2026-01-31T13:45:00Z", "ip": "192.0.2.1"}


def samples(kind: Any) -> list[Any]:
    """Return sample values of a type: one for each member of a union or Literal."""
    if get_origin(kind) in (Union, UnionType):
        return [value for one in get_args(kind) for value in samples(one)]
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return list(kind) if isinstance(kind, type) and issubclass(kind, Enum) else SAMPLES[kind]


def test_events_that_emits_signature_permits_are_accepted():
    [_, by_name] = get_overloads(AuditClient.emit)
    hints = get_type_hints(by_name)
    for name in keywords(by_name):
        for value in samples(hints[name]):
            value = TEXTS.get(name, value) if value == "x" else value
            AuditEvent.checked({"tenant_id": "acme", "action": "a", name: value})


def test_literal_types_match_the_enums():
    assert get_args(OutcomeName) == tuple(Outcome)
    assert get_args(SeverityName) == tuple(Severity)


def test_the_readers_filters_are_those_that_the_service_documents(tmp_path):
    KeysFile.load_or_create(tmp_path / "keys.json")
    files = {"keys_file": tmp_path / "keys.json", "signing_keys_file": tmp_path / "signing-keys.json"}
    document = create_app(load(clickhouse_url="http://127.0.0.1:1", **files), ["query"]).openapi()
    filters = {name.removesuffix("_") for name in get_type_hints(EventFilters)}
    for path, own in (("/v1/events", {"limit", "cursor", "sort"}), ("/v1/export", {*OWN})):
        parameters = [one for one in document["paths"][path]["get"]["parameters"] if one["in"] == "query"]
        by_key = {one["name"] for one in parameters if one["schema"].get("type") == "object"}
        assert by_key == {"metadata", "fields"}  # `metadata.<key>` cannot be a keyword
        assert filters == {one["name"] for one in parameters} - by_key - own, path
    assert EventFilters.__total__ is False


def test_the_docstrings_describe_every_argument():
    hints = {AuditClient.__init__: OF_THE_CLIENT | {"unknown"} | {one.name for one in fields(ClientConfig)}}
    hints[AuditClient.emit] = {"event", "custom", *AuditEvent.model_fields}
    for function in (AuditReader.__init__, AuditReader.events, AuditReader.export):
        hints[function] = inspect.signature(function).parameters.keys() - {"self"}
    for function, names in hints.items():
        assert argument_docs(function.__doc__) == names, function.__qualname__


def test_the_docs_list_every_option():
    section = DOCS.read_text().partition("### Options\n")[2].partition("\n## ")[0]
    shared, _, table = section.partition("| option | variable | default |")
    listed = re.findall(r"`([a-z_]+)`", "".join(row.split("|")[1] for row in table.splitlines() if row.count("|") > 2))
    options = [one.name for one in fields(ClientConfig)]
    assert listed == sorted(listed, key=options.index)
    assert {*listed, *re.findall(r"`([a-z_]+)`", shared)} == set(options)
    assert all(variable(name) in table for name in listed)


class Contract:
    """A stand-in for a tenant's cached contract."""

    def __init__(self, *own: str) -> None:
        self.own = own

    def prefetch(self) -> None: ...

    def close(self) -> None: ...

    def knows(self, tenant: str) -> bool:
        return bool(self.own)

    def ready(self, tenant: str) -> None: ...

    def encoder(self, tenant: str) -> Any:
        return SimpleNamespace(own=dict.fromkeys(self.own), encode=self._encode)

    def refreshed(self, tenant: str, encoder: object, *, may_ask: bool) -> None: ...

    def _encode(self, event: AuditEvent, limit: int) -> bytes:
        for name in event.fields:
            if name not in self.own:
                raise InvalidEvent(f"{name} is not a field.", field=name, fix="Correct the name.")
        raise InvalidEvent("amount must be a number.", field="amount")


@pytest.mark.parametrize(
    ("own", "field", "fix"),
    [
        ((), {"tenant": "acme", "action": "a"}, "Did you mean tenant_id instead of tenant?"),
        ((), {"tenant_id": "acme", "acton": "a"}, "Did you mean action instead of acton?"),
        (
            ("project",),
            {"tenant_id": "acme", "action": "a", "actor_idd": "u"},
            "Did you mean actor_id? Correct the name.",
        ),
        (("project",), {"tenant_id": "acme", "action": "a", "projct": "u"}, "Did you mean project? Correct the name."),
        (("project",), {"tenant_id": "acme", "action": "a", "fields": {"projct": 1}}, "Did you mean project? Correct"),
        (("project",), {"tenant_id": "acme", "action": "a", "zzz": 1}, "Correct the name."),
        (("amount",), {"tenant_id": "acme", "action": "a", "amount": "x"}, ""),
        ((), {"tenant_id": "acme", "zzz": 1}, ""),
        ((), {"tenant_id": 7, "action": "a", "zzz": 1}, ""),
    ],
)
def test_a_misspelt_field_is_refused_with_a_suggestion(monkeypatch, own, field, fix):
    monkeypatch.setattr(kafka_transport, "KafkaDelivery", mock.Mock())
    monkeypatch.setattr(kafka_transport, "SchemaResolver", lambda *_, **__: Contract(*own))
    client = AuditClient(**GIVEN)
    try:
        with pytest.raises(InvalidEvent) as caught:
            client.emit(**field)
    finally:
        client.close()
    assert caught.value.fix.startswith(fix)
    assert bool(caught.value.fix) == bool(fix)
