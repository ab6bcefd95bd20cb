"""Tests the methods for known actions. They match the vocabulary, and emit events with its defaults."""

from __future__ import annotations

import importlib.util
import inspect
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_overloads, get_type_hints
from unittest import mock

import pytest

from auditlane.contract.event import AuditEvent
from auditlane.contract.vocabulary import ACTIONS, Action
from auditlane.runtime.errors import InvalidEvent
from auditlane.sdk import AuditClient, ClientConfig, actions, publisher
from auditlane.sdk.action_properties import ActionProperties
from auditlane.sdk.event_fields import EventFields
from auditlane.sdk.masking import masked, masked_state

GENERATOR = Path(__file__).parents[3] / "producers" / "generate_actions.py"
_spec = importlib.util.spec_from_file_location("generate_actions", GENERATOR)
assert _spec is not None
assert _spec.loader is not None
generator = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generator)

OFFERED = [action for action in ACTIONS.values() if action.group != "auditlane"]
VALUES: dict[str, Any] = {"text": "x", "number": 7, "list": ["a", "b"], "time": datetime(2026, 1, 31, tzinfo=UTC)}
TEXTS = {"text": "x", "number": "7", "list": "a,b", "time": "2026-01-31T00:00:00Z"}


class Recorder(ActionProperties):
    """A client that checks events like AuditClient, and keeps the last one."""

    def __init__(self) -> None:
        self.event: AuditEvent | None = None
        self.config = ClientConfig(kafka_bootstrap="127.0.0.1:9", registry_url="http://127.0.0.1:9")

    def emit(self, **values: Any) -> str:
        self.event = AuditEvent.checked(values)
        return self.event.event_id

    def metadata(self) -> dict[str, str]:
        assert self.event is not None
        return dict(self.event.metadata)


@pytest.fixture
def audit() -> Any:
    return Recorder()


@pytest.mark.parametrize("path", generator.modules(), ids=lambda path: path.name)
def test_the_generated_modules_are_up_to_date(path: Path) -> None:
    assert generator.modules()[path] == path.read_text("utf-8"), "run: make actions"


@pytest.mark.parametrize("action", OFFERED, ids=lambda action: action.name)
def test_a_method_emits_its_action_with_the_vocabularys_defaults(audit: Any, action: Action) -> None:
    method = getattr(getattr(audit, action.noun), action.participle)
    keys = {**action.required, **action.optional}
    values = {name: (key.values or [VALUES[key.kind]])[0] for name, key in keys.items()}
    assert method(**values, tenant_id="acme", resource_id="r-1") == audit.event.event_id
    event = audit.event
    assert (event.action, event.resource, event.resource_id) == (action.name, action.resource, "r-1")
    assert (event.outcome.value, event.severity.value) == (action.outcome, action.severity)
    texts = {name: (key.values or [TEXTS[key.kind]])[0] for name, key in keys.items()}
    assert event.metadata == texts | {name: "***" for name, key in keys.items() if key.masked}
    required = {name for name, one in inspect.signature(method).parameters.items() if one.default is one.empty}
    assert required == {*action.required, "event"}


def test_values_of_the_caller_take_precedence(audit: Any) -> None:
    audit.role.assigned(
        role="admin", tenant_id="acme", severity="High", resource="group", outcome="denied", metadata={"region": "eu"}
    )
    event = audit.event
    assert (event.severity.value, event.resource, event.outcome.value) == ("High", "group", "denied")
    assert event.metadata == {"role": "admin", "region": "eu"}


def test_metadata_of_the_caller_replaces_a_masked_value(audit: Any) -> None:
    audit.user.login_failed(reason="unknown_user", login="jane", tenant_id="acme", metadata={"login": "jane"})
    assert audit.metadata() == {"reason": "unknown_user", "login": "jane"}


def test_a_value_that_the_client_hashes_is_not_masked(audit: Any) -> None:
    audit.config = audit.config.changed(hash_values={"metadata.login"}, hash_key="k" * 16)
    audit.user.login_failed(reason="unknown_user", login="jane", tenant_id="acme")
    assert audit.metadata()["login"] == "jane"


def test_optional_metadata_that_is_none_is_omitted(audit: Any) -> None:
    audit.user.login(method="sso", mfa=None, tenant_id="acme")
    assert audit.metadata() == {"method": "sso"}


def test_times_are_recorded_in_utc(audit: Any) -> None:
    east = timezone(timedelta(hours=2))
    audit.user.locked(reason="attempts", until=datetime(2026, 1, 31, 13, 45, tzinfo=east), tenant_id="acme")
    assert audit.metadata()["until"] == "2026-01-31T11:45:00Z"


def test_a_string_is_one_item_of_a_list(audit: Any) -> None:
    audit.app.authorized(scopes="read write", tenant_id="acme")
    assert audit.metadata() == {"scopes": "read write"}


@pytest.mark.parametrize(
    ("noun", "participle", "values", "field"),
    [
        ("role", "assigned", {"role": 7.5j}, "metadata"),
        ("role", "assigned", {"role": "admin", "metadata": "eu"}, "metadata"),
        ("app", "authorized", {"scopes": ["read", 7]}, "metadata"),
        ("app", "authorized", {"scopes": [], "severity": "high"}, "severity"),
        ("app", "authorized", {"scopes": [], "tenant_id": None}, "tenant_id"),
    ],
)
def test_bad_input_is_an_invalid_event(
    audit: Any, noun: str, participle: str, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        getattr(getattr(audit, noun), participle)(**{"tenant_id": "acme", **values})
    assert (caught.value.field or "").partition(".")[0] == field


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@example.com", "j***@example.com"),
        ("j@mail.example.co.uk", "j***@mail.example.co.uk"),
        ("P@ssw0rd", "P***"),
        ("correct horse battery@staple", "c***"),
        ("jane doe@example.com", "j***"),
        ("jane", "j***"),
        ("abc", "***"),
        ("", "***"),
        ("\ud800\ud800\ud800\ud800", "***"),
        ("\x00ane@example.com", "***@example.com"),
        ("jane@" + "a" * 250 + ".com", "j***"),
        (None, "***"),
        (12345, "***"),
    ],
)
def test_a_login_is_masked(text: object, expected: str) -> None:
    assert masked(text) == expected


def test_addresses_before_and_after_are_masked(audit: Any) -> None:
    audit.user.email_changed(tenant_id="acme", before="jane@example.com", after={"email": "doe@example.com", "n": 1})
    assert audit.event.before == "j***@example.com"
    assert audit.event.after == '{"email": "d***@example.com", "n": "***"}'
    assert masked_state(None) is None
    assert masked_state(["jane@example.com"]) == "***"


def test_a_nouns_property_hides_no_attribute_of_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "transport_of", mock.Mock())
    properties = {name for name in vars(ActionProperties) if not name.startswith("_")}
    assert properties == {noun for noun, _ in generator.nouns()}
    client = AuditClient(ClientConfig(kafka_bootstrap="127.0.0.1:9", registry_url="http://127.0.0.1:9"))
    try:
        assert not properties & (vars(AuditClient).keys() | vars(client).keys())
        assert isinstance(client.user, actions.UserActions)
    finally:
        client.close()


def test_a_clients_context_and_redaction_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "transport_of", mock.Mock())
    options = {"kafka_bootstrap": "127.0.0.1:9", "registry_url": "http://127.0.0.1:9"}
    config = ClientConfig.load({}, **options, hash_values={"metadata.login"}, hash_key="k" * 16)
    events: list[AuditEvent] = []
    monkeypatch.setattr(publisher.EventPublisher, "send", lambda _, build: events.append(build()) or "id")
    client = AuditClient(config)
    with client.context(tenant="acme", actor="u-1", ip="192.0.2.17", metadata={"region": "eu"}):
        client.user.login(method="password")
        client.user.login_failed(reason="locked", login="jane@example.com")
        client.user.login_failed(reason="locked", login="john@example.com", actor_id="u-2")
    client.close()
    assert [(event.tenant_id, event.actor_id, event.ip) for event in events] == [
        ("acme", "u-1", "192.0.2.17"),
        ("acme", "u-1", "192.0.2.17"),
        ("acme", "u-2", "192.0.2.17"),
    ]
    assert events[0].metadata == {"region": "eu", "method": "password"}
    logins = [event.metadata["login"] for event in events[1:]]
    assert all(login.startswith("hmac:") for login in logins)
    assert logins[0] != logins[1]  # each is a hash of the whole login, so they differ


def test_the_fields_beside_the_metadata_are_emits_keywords() -> None:
    hints = get_type_hints(get_overloads(AuditClient.emit)[-1])
    fields = get_type_hints(EventFields)
    assert fields.keys() == hints.keys() - {"event", "action", "custom", "return"}
    assert {name: fields[name] for name in fields} == {name: hints[name] for name in fields}
    assert EventFields.__total__ is False
