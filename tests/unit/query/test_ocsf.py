"""Tests events in OCSF. They are valid in both versions whatever the event contains, and no information is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_schema import needs_schema, ocsf_schema

from auditlane.contract.event import Outcome, Severity
from auditlane.contract.vocabulary import ACTIONS, Action
from auditlane.query.export.formats import OcsfVersion
from auditlane.query.export.ocsf.activities import activity_of
from auditlane.query.export.ocsf.classes import SHAPES
from auditlane.query.export.ocsf.encoder import OcsfLines
from auditlane.query.export.ocsf.event import ocsf_event

V18, V19 = OcsfVersion.v1_8_0, OcsfVersion.v1_9_0
MINIMAL = {
    "event_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "tenant_id": "acme",
    "occurred_at": "2026-01-31T13:45:00.123456Z",
    "ingested_at": "2026-01-31T13:45:01.000000Z",
}
RICH = MINIMAL | {
    "actor_id": "actor-1",
    "actor_type": "user",
    "actor_name": "jane@example.com",
    "on_behalf_of": "behalf-1",
    "resource_id": "resource-1",
    "outcome": "success",
    "severity": "Info",
    "description": "description-1",
    "ip": "2001:db8::1",
    "user_agent": "agent-1",
    "request_id": "request-1",
    "before": '{"size": "before-1"}',
    "after": '{"size": "after-1"}',
    "source": "source-1",
    "fields": {"total": "field-1"},
    "provenance": "gateway",
    "provenance_id": "provenance-1",
    "content_hash": "hash-1",
    "conflict": True,
}
ODD: dict[str, dict[str, Any]] = {
    "no actor": {"actor_id": "", "actor_name": None, "actor_type": "user"},
    "a system": {"actor_id": "", "actor_type": "system"},
    "an anonymous caller": {"actor_id": "", "actor_type": "anonymous"},
    "an API key": {"actor_id": "key-1", "actor_type": "api_key"},
    "no address": {"ip": None, "user_agent": None},
    "an IPv4 address": {"ip": "192.0.2.1"},
    "an IPv6 address of all zeros": {"ip": "::"},
    "denied": {"outcome": "denied", "metadata": {"reason": "policy"}},
    "a failure without reason": {"outcome": "failure"},
    "an unknown outcome": {"outcome": "unknown", "severity": "Error"},
    "odd keys": {"metadata": {"": "x", "class_uid": "1", "a.b\n": "y", "é😀": "", "user": "u-9", "role": ", ,a,"}},
    "text that is not JSON": {"before": "{", "after": "NaN"},
    "JSON that is not an object": {"before": "0", "after": '"x"'},
    "deep JSON": {"before": "[" * 5_000 + "]" * 5_000, "after": "[" * 199 + "]" * 199},
    "large numbers": {"before": "1e999", "after": f"[{10**40}, -1e999]"},
    "a lone surrogate": {"before": '"\\ud800"'},
    "a name with an @": {"actor_name": "@", "actor_id": ""},
    "a time before 1970": {"occurred_at": "0001-01-01T00:00:00.000001Z"},
    "a resource without a kind": {"resource": "", "resource_id": "x"},
    "a kind without a resource": {"resource": "spaceship", "resource_id": None},
    "a group as the subject": {"resource": "group", "resource_id": "g-1"},
    "a session": {"resource": "session", "resource_id": "s-1", "metadata": {"user": "u-9", "session_id": "s-2"}},
    "numbers that are none": {"metadata": {"findings": "²", "rows": "-1"}},
    "a large number of findings": {"metadata": {"findings": "2147483648"}},
}
UNKNOWN = [
    *("login", "document.deleted", "DeleteRole", "user logged in", "ünïcode", "a.b.c:d/e", "x" * 5_000),
    *("\x00", "invoice.sent", "deleted", "user.", "."),
]


def filled(action: Action) -> dict[str, Any]:
    """Return a row with a value for everything that the action can contain. All strings are different."""
    keys = {
        key: described.values[0] if described.values else "7" if described.kind == "number" else f"meta-{key}"
        for key, described in {**action.required, **action.optional}.items()
    }
    own = {"action": action.name, "resource": action.resource, "outcome": action.outcome, "severity": action.severity}
    return RICH | own | {"metadata": keys | {"odd.key é": "meta-odd"}}


def valid(row: dict[str, Any], version: OcsfVersion) -> dict[str, Any]:
    """Encode a row as a line, check that the line is valid, and return the event in it."""
    event = encoded(json.dumps(row).encode(), version)
    assert ocsf_schema(version.value).problems(event) == [], event
    return event


def encoded(line: bytes, version: OcsfVersion) -> dict[str, Any]:
    encoder = OcsfLines(version)
    batch = pa.record_batch([pa.array([line, line], pa.binary())], names=["line"])
    lines = (encoder.begin() + encoder.add(batch) + b"".join(encoder.end())).splitlines()
    encoder.close()
    assert len(lines) == 2
    event: dict[str, Any] = json.loads(lines[1], parse_constant=pytest.fail)
    return event


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    else:
        yield str(value)


@needs_schema
@pytest.mark.parametrize("version", OcsfVersion)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_of_the_vocabulary_is_valid(action: str, version: OcsfVersion) -> None:
    event = valid(filled(ACTIONS[action]), version)
    bare = valid(MINIMAL | {"action": action}, version)
    assert event["type_uid"] == bare["type_uid"]
    assert event["metadata"]["event_code"] == action


@needs_schema
@pytest.mark.parametrize("version", OcsfVersion)
@pytest.mark.parametrize("name", ODD)
def test_unusual_events_are_valid(name: str, version: OcsfVersion) -> None:
    kinds = {activity_of(action, version).class_uid: action for action in ACTIONS}
    for action in (*kinds.values(), "document.deleted"):
        known = ACTIONS.get(action)
        valid((filled(known) if known else RICH) | {"action": action} | ODD[name], version)


@needs_schema
@pytest.mark.parametrize("version", OcsfVersion)
@pytest.mark.parametrize("action", UNKNOWN)
def test_other_actions_are_valid(action: str, version: OcsfVersion) -> None:
    for row in (RICH, MINIMAL):
        event = valid(row | {"action": action}, version)
        assert (event["class_uid"], event["api"]["operation"]) == (6003, action)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ROWS = st.fixed_dictionaries(
    {"action": st.sampled_from([*ACTIONS, "document.deleted", "login"]) | TEXT.filter(str.strip)},
    optional={
        **dict.fromkeys(("actor_id", "actor_name", "on_behalf_of", "resource_id", "description", "source"), TEXT),
        **dict.fromkeys(("user_agent", "request_id", "before", "after", "provenance_id"), TEXT),
        "actor_type": st.sampled_from(["user", "service", "system", "api_key"]) | TEXT,
        "resource": st.sampled_from(["user", "session", "group", "role", "service", "log", "api_key"]) | TEXT,
        "outcome": st.sampled_from([outcome.value for outcome in Outcome]),
        "severity": st.sampled_from([severity.value for severity in Severity]),
        "ip": st.ip_addresses().map(str),
        "metadata": st.dictionaries(
            st.sampled_from(sorted({key for action in ACTIONS.values() for key in action.required})) | TEXT, TEXT
        ),
        "fields": st.dictionaries(TEXT, TEXT | st.none()),
        "conflict": st.booleans(),
    },
)


@needs_schema
@given(ROWS, st.sampled_from(OcsfVersion))
def test_any_event_is_valid(row: dict[str, Any], version: OcsfVersion) -> None:
    valid(MINIMAL | row, version)


@pytest.mark.parametrize("version", OcsfVersion)
@pytest.mark.parametrize("action", [*ACTIONS, "document.deleted"])
def test_every_value_is_kept(action: str, version: OcsfVersion) -> None:
    known = ACTIONS.get(action)
    row = filled(known) if known else RICH | {"action": action, "resource": "document"}
    for other in ({}, {"resource": "spaceship"}, {"outcome": "denied"}, {"resource_id": None}, {"ip": None}):
        changed = row | other
        stated = changed | {name: json.loads(changed[name]) for name in ("before", "after")}
        expected = {text.lower() for name, value in stated.items() if name not in CODED for text in texts(value)}
        found = {part.lower() for text in texts(ocsf_event(changed, version)) for part in text.split(": ")}
        assert expected - found <= IMPLIED


# Fields that become numbers, and values with an OCSF class or caption.
CODED = {"occurred_at", "ingested_at", "severity", "actor_type"}
IMPLIED = {"none", "totp", "client", "tenant", "role", "service", "session", "log", "audit_log"}


@pytest.mark.parametrize(
    ("action", "activity"),
    [
        *(
            ("document.created", 1),
            ("invoice.line_added", 1),
            ("CreateUser", 1),
            ("document.viewed", 2),
            ("GetPolicy", 2),
        ),
        *(
            ("iam:ListUsers", 2),
            ("document.updated", 3),
            ("page.renamed", 3),
            ("document.deleted", 4),
            ("DELETE_USER", 4),
        ),
        *(("Delete user", 4), ("login", 99), ("invoice.sent", 99), ("", 99), ("created_at.exported", 99)),
    ],
)
def test_the_verb_of_an_unknown_action_is_its_activity(action: str, activity: int) -> None:
    for version in OcsfVersion:
        assert activity_of(action, version) == (6003, activity)
        event = ocsf_event(MINIMAL | {"action": action}, version)
        assert (event["type_uid"], event.get("activity_name")) == (
            600300 + activity,
            action if activity == 99 else None,
        )


def test_every_class_of_the_vocabulary_is_mapped() -> None:
    assert {activity_of(action, version).class_uid for action in ACTIONS for version in OcsfVersion} <= set(SHAPES)


def test_the_attributes_of_every_event() -> None:
    event = ocsf_event(RICH | {"action": "document.deleted", "resource": "document"}, V18)
    assert (event["class_uid"], event["category_uid"], event["time"]) == (6003, 6, 1_769_867_100_123)
    assert (event["severity_id"], event["status_id"], event["status_code"]) == (1, 1, "success")
    assert event["message"] == "description-1"
    metadata = event["metadata"]
    assert metadata.pop("product")["name"] == "auditlane"
    assert metadata == {
        "version": "1.8.0",
        "uid": MINIMAL["event_id"],
        "tenant_uid": "acme",
        "log_name": "audit_log",
        "event_code": "document.deleted",
        "original_time": "2026-01-31T13:45:00.123456Z",
        "source": "source-1",
        "correlation_uid": "request-1",
        "logged_time": 1_769_867_101_000,
    }
    user = {
        "uid": "actor-1",
        "name": "jane@example.com",
        "email_addr": "jane@example.com",
        "type_id": 1,
        "type": "User",
    }
    assert event["actor"] == {"user": user}
    assert event["src_endpoint"] == {"ip": "2001:db8::1"}
    assert event["http_request"] == {"user_agent": "agent-1"}
    assert event["resources"] == [{"uid": "resource-1", "type": "document"}]
    assert event["unmapped"] == {
        "on_behalf_of": "behalf-1",
        "before": {"size": "before-1"},
        "after": {"size": "after-1"},
        "fields": {"total": "field-1"},
        "provenance": "gateway",
        "provenance_id": "provenance-1",
        "content_hash": "hash-1",
        "conflict": True,
    }


@pytest.mark.parametrize(
    ("outcome", "metadata", "expected"),
    [
        ("success", {"reason": "x"}, (1, None)),
        ("failure", {"reason": "bad_credentials"}, (2, "bad_credentials")),
        ("denied", {}, (2, "denied")),
        ("denied", {"reason": "policy"}, (2, "denied: policy")),
        ("unknown", {}, (0, None)),
    ],
)
def test_the_status_of_an_outcome(outcome: str, metadata: dict[str, str], expected: tuple[int, str | None]) -> None:
    event = ocsf_event(MINIMAL | {"action": "user.login_failed", "outcome": outcome, "metadata": metadata}, V18)
    assert (event["status_id"], event.get("status_detail")) == expected
    assert event["status_code"] == outcome


def test_changes_are_the_entity_before_and_after() -> None:
    row = RICH | {"action": "policy.changed", "resource": "policy"}
    entity = {"uid": "resource-1", "type_id": 5, "type": "Policy"}
    for version, result in ((V18, "entity_result"), (V19, "updated_entity")):
        event = ocsf_event(row, version)
        assert event["entity"] == entity | {"data": {"size": "before-1"}}
        assert event[result] == entity | {"data": {"size": "after-1"}}
        assert not {"before", "after"} & set(event["unmapped"])


def test_the_classes_of_users_depend_on_the_version() -> None:
    row = RICH | {"action": "role.assigned", "resource": "user", "metadata": {"role": "admin, editor"}}
    old, new = ocsf_event(row, V18), ocsf_event(row, V19)
    assert (old["type_uid"], old["privileges"]) == (300501, ["admin", "editor"])
    assert (new["type_uid"], new["iam_roles"]) == (300716, [{"name": "admin"}, {"name": "editor"}])
    assert old["user"] == new["user"] == {"uid": "resource-1", "type_id": 1, "type": "User"}
    member = RICH | {"action": "group.member_added", "resource": "group", "metadata": {"user": "u-9"}}
    user = {"uid": "u-9", "type_id": 1, "type": "User"}
    assert ocsf_event(member, V18)["user"] == user
    assert ocsf_event(member, V19)["users"] == [user]


def test_the_subject_of_an_action_on_oneself_is_the_actor() -> None:
    for row in ({"resource_id": "actor-1"}, {"resource_id": None}):
        event = ocsf_event(RICH | {"action": "user.login", "resource": "user"} | row, V18)
        assert event["user"] == event["actor"]["user"]
        assert event["user"]["name"] == "jane@example.com"


def test_the_factors_of_a_login() -> None:
    metadata = {"method": "password", "mfa": "totp", "session_id": "s-1"}
    event = ocsf_event(RICH | {"action": "user.login", "resource": "user", "metadata": metadata}, V18)
    assert [factor["factor_type"] for factor in event["auth_factors"]] == ["Password", "OTP"]
    assert (event["is_mfa"], event["session"]) == (True, {"uid": "s-1"})
    without = ocsf_event(RICH | {"action": "user.login", "metadata": {"method": "sso", "mfa": "none"}}, V18)
    assert (without["is_mfa"], without["unmapped"]["metadata"]) == (False, {"method": "sso", "mfa": "none"})


def test_text_that_is_not_unicode_does_not_stop_an_export() -> None:
    line = json.dumps(MINIMAL | {"action": "login", "description": "x"}).encode().replace(b'"x"', b'"\xff"')
    assert encoded(line, V18)["message"] == "�"


def test_values_before_and_after_are_json_where_they_can_be() -> None:
    row = MINIMAL | {"action": "document.updated", "before": "{", "after": "[1e999, 1]"}
    unmapped = encoded(json.dumps(row).encode(), V18)["unmapped"]
    assert unmapped == {"before": "{", "after": ["Infinity", 1]}
