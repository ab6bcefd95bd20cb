"""Tests values that are removed or hashed before an event leaves the process."""

from __future__ import annotations

import json

import pytest

from auditlane.contract.event import AuditEvent
from auditlane.runtime.errors import ConfigError
from auditlane.sdk import ClientConfig
from auditlane.sdk.redaction import Redaction

GIVEN = {"kafka_bootstrap": "127.0.0.1:9", "registry_url": "http://127.0.0.1:9"}
KEY = "0123456789abcdef"
EVENT = AuditEvent(
    tenant_id="acme",
    action="user.updated",
    actor_id="user-17",
    ip="192.0.2.1",
    before={"email": "a@example.org", "list": [{"email": "b@example.org", "age": 3}]},
    after="not JSON: email",
    metadata={"email": "a@example.org", "plan": "pro"},
    fields={"project": "moon"},
)


def applied(redact: str = "", hash_values: str = "") -> AuditEvent:
    config = ClientConfig.load({}, redact=redact, hash_values=hash_values, hash_key=KEY, **GIVEN)
    redaction = Redaction.made(config.redact, config.hash_values, config.hash_key)
    return EVENT if redaction is None else redaction.apply(EVENT)


def test_chosen_values_are_removed_and_the_rest_is_kept():
    event = applied("ip, metadata.email, changes.email, fields.project, user_agent")
    assert event.ip is None
    assert event.metadata == {"email": "[redacted]", "plan": "pro"}
    assert json.loads(event.before or "") == {"email": "[redacted]", "list": [{"email": "[redacted]", "age": 3}]}
    assert event.after == "not JSON: email"
    assert event.fields == {"project": "[redacted]"}
    assert event.user_agent is None
    assert event.actor_id == "user-17"


def test_equal_values_have_equal_hashes_under_one_key():
    event = applied(hash_values="actor_id,metadata.email,changes.email")
    assert event.actor_id.startswith("hmac:")
    assert "user-17" not in event.actor_id
    assert json.loads(event.before or "")["email"] == event.metadata["email"] != "a@example.org"
    assert applied(hash_values="actor_id").actor_id == event.actor_id
    other = Redaction.made([], ["actor_id"], "another key of 16+")
    assert other is not None
    assert other.apply(EVENT).actor_id != event.actor_id


def changed(before: str) -> str:
    event = AuditEvent(tenant_id="acme", action="a", before=before)
    redaction = Redaction.made(["changes.email", "changes.straße"], [], "")
    assert redaction is not None
    return redaction.apply(event).before or ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (r'{"em\u0061il": "x@example.org"}', {"email": "[redacted]"}),
        (r'{"stra\u00dfe": "x", "name": "\ud800"}', {"straße": "[redacted]", "name": "\ud800"}),
    ],
)
def test_an_escaped_key_or_value_is_read(before, after):
    text = changed(before)
    assert json.loads(text) == after
    text.encode()


@pytest.mark.parametrize("rest", ["1" * 5_000, "[" * 100_000 + "]" * 100_000, "1e400"])
def test_json_that_cannot_be_read_is_removed_as_a_whole(rest):
    assert changed('{"email": "x@example.org", "rest": ' + rest + "}") == "[redacted]"


def test_a_number_is_removed_rather_than_replaced_by_a_string():
    event = AuditEvent(tenant_id="acme", action="a", fields={"amount": 3})
    redaction = Redaction.made(["fields.amount"], [], "")
    assert redaction is not None
    assert redaction.apply(event).fields == {"amount": None}


@pytest.mark.parametrize("value", ["\ud800", {1: 2, "a": 3}])
def test_every_value_of_a_custom_field_has_a_hash(value):
    event = AuditEvent(tenant_id="acme", action="a", fields={"x": value})
    redaction = Redaction.made([], ["fields.x"], KEY)
    assert redaction is not None
    assert redaction.apply(event).fields["x"].startswith("hmac:")


def test_without_paths_there_is_no_redaction():
    assert Redaction.made([], [], "") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"redact": "tenant_id"}, "'tenant_id' must be one of"),
        ({"redact": "metadata."}, "'metadata.' must be one of"),
        ({"hash_values": "ip", "hash_key": KEY}, "ip can be redacted, but not hashed"),
        ({"hash_values": "actor_id"}, "AUDITLANE_HASH_KEY: is not set"),
        ({"hash_values": "actor_id", "hash_key": "short"}, "at least 16 characters"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        ClientConfig.load({}, **GIVEN, **options)


def test_the_key_is_not_shown():
    assert KEY not in repr(ClientConfig.load({}, hash_key=KEY, **GIVEN))
