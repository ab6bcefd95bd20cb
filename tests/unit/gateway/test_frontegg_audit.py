"""Tests that a Frontegg audit becomes an event, and that reading the event returns the same audit."""

from __future__ import annotations

import json
import math
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.event import BASE_FIELDS, AuditEvent, Severity
from auditlane.contract.frontegg import DEEPEST, MARK, NAMES, OURS, as_read, row_of
from auditlane.contract.lenient_time import parse_time
from auditlane.gateway.frontegg.audit import event_of, posted_of
from auditlane.gateway.frontegg.routes import audit_of, tenant_of
from auditlane.gateway.sender import Sender, keywords_of
from auditlane.runtime.errors import InvalidEvent, InvalidInput

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def made(audit, **options):
    return event_of(audit, "acme", now=NOW, **options)


def echo(audit, **options):
    event = made(audit, **options)
    event.model_dump_json()  # each string in the event can be encoded
    row = row_of(as_read(event), vendor="env")
    JSONResponse(row)  # the response to the POST can be encoded as well
    jsonable_encoder(row)
    return row


def test_an_audit_from_their_readme():
    audit = {
        "tenantId": "acme",
        "time": "Wed Nov 25 2026 12:30:00 GMT+0100 (Central European Standard Time)",
        "user": "u@x.io",
        "resource": "Portal",
        "action": "Login",
        "severity": "Medium",
        "ip": "1.2.3.4",
        "nested": {"a": [1, None, "é"]},
    }
    event = made(audit, source="billing")
    assert (event.tenant_id, event.action, event.resource, event.severity) == ("acme", "Login", "Portal", "Medium")
    assert (event.actor_id, event.actor_name, event.ip, event.source) == ("u@x.io", "u@x.io", "1.2.3.4", "billing")
    assert event.occurred_at == datetime(2026, 11, 25, 11, 30, tzinfo=UTC)
    assert event.metadata == {"time": audit["time"], "nested": '{"a": [1, null, "é"]}', MARK: '["nested"]'}
    row = echo(audit)
    assert row | audit == row
    assert row["createdAt"] == row["updatedAt"] == "2026-11-25T11:30:00.000Z"
    assert row["vendorId"] == "env"
    assert row["frontegg_id"]


@pytest.mark.parametrize(
    ("sent", "actor_id", "actor_name"),
    [
        ({"user": "u", "email": "e@x.io", "actorMail": "m@x.io"}, "u", "u"),
        ({"email": "e@x.io", "actorMail": "m@x.io"}, "e@x.io", "e@x.io"),
        ({"actorMail": "m@x.io", "userId": "17"}, "17", "m@x.io"),
        ({"user": "", "email": "e@x.io", "userId": 17}, "17", "e@x.io"),
        ({"user": {"name": "u"}}, '{"name": "u"}', '{"name": "u"}'),
        ({}, "", None),
    ],
)
def test_the_actor_is_the_first_identifier_that_frontegg_sends(sent, actor_id, actor_name):
    event = made(sent)
    assert (event.actor_id, event.actor_name) == (actor_id, actor_name)
    row = echo(sent)
    assert row | sent == row


@pytest.mark.parametrize(
    ("sent", "severity"),
    [("High", "High"), ("critical", "Critical"), ("Attention", "Medium"), ("odd", "Info"), (5, "Info"), (None, "Info")],
)
def test_an_unknown_severity_is_never_refused(sent, severity):
    event = made({"severity": sent})
    assert event.severity is Severity(severity)
    assert echo({"severity": sent})["severity"] == (severity if sent is None else sent)


@pytest.mark.parametrize("ip", ["", "not an address", "10.0.0.1, 10.0.0.2", "fe80::1%eth0", 7, ["1.2.3.4"]])
def test_an_invalid_address_goes_to_the_metadata(ip):
    assert made({"ip": ip}).ip is None
    assert echo({"ip": ip})["ip"] == ip


def test_an_address_in_another_form_is_kept_unchanged():
    assert made({"ip": "2001:DB8:0::1"}).ip == "2001:DB8:0::1"
    assert echo({"ip": "2001:DB8:0::1"})["ip"] == "2001:DB8:0::1"
    assert "ip" not in made({"ip": "2001:db8::1"}).metadata


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-25T11:30:00Z", (11, 30)),
        ("2026-11-25T11:30:00", (11, 30)),
        ("2026-11-25 13:30:00+02:00", (11, 30)),
        ("Wed Nov 25 2026 11:30:00 GMT+0000 (Coordinated Universal Time)", (11, 30)),
        ("Wed Nov 25 2026 03:30:00 GMT-0800 (Pacific Standard Time)", (11, 30)),
        ("Wed, 25 Nov 2026 11:30:00 GMT", (11, 30)),
        (1795606200, (11, 30)),
        (1795606200000, (11, 30)),
        ("1795606200000", (11, 30)),
        ("2026-11-25", (0, 0)),
    ],
)
def test_times_that_callers_write(text, time):
    assert parse_time(text) == datetime(2026, 11, 25, *time, tzinfo=UTC)
    row = echo({"time": text})
    assert row["time"] == text


@pytest.mark.parametrize(
    "text", ["", "now", "25/11/2026", True, None, [1], {"a": 1}, 1e308, "9999-12-31T23:59:59-12:00"]
)
def test_an_invalid_time_is_kept_and_the_event_dated_now(text):
    assert parse_time(text) is None
    assert made({"time": text}).occurred_at == NOW


@pytest.mark.parametrize("far", [timedelta(days=-4000), timedelta(days=2)])
def test_a_time_that_a_worker_would_refuse_is_kept_and_the_event_dated_now(far):
    text = (NOW + far).isoformat()
    assert made({"time": text}).occurred_at == NOW
    assert echo({"time": text})["time"] == text


def test_created_at_is_used_if_there_is_no_time():
    assert made({"createdAt": "2026-11-25T10:00:00Z"}).occurred_at.hour == 10
    assert made({"createdAt": "2026-11-25T10:00:00Z"}).metadata == {}
    event = made({"createdAt": "2026-11-25T10:00:00Z", "time": "2026-11-25T09:00:00Z"})
    assert event.occurred_at.hour == 9
    assert event.metadata["createdAt"] == "2026-11-25T10:00:00Z"


def test_senders_cannot_set_fields_of_the_service():
    row = echo({"frontegg_id": "mine", "vendorId": "mine", "updatedAt": "mine"})
    assert "mine" not in (row["frontegg_id"], row["vendorId"], row["updatedAt"])
    assert made({"vendorId": "mine"}).metadata == {"vendorId": "mine"}


def test_keys_of_the_tenants_contract_are_fields():
    own = {"invoice", "paid", "user"}
    sent = {"invoice": 5, "paid": True, "user": "u", "other": 1}
    event = made(sent, own=own)
    assert event.fields == {"invoice": 5, "paid": True, "user": "u"}
    assert event.actor_name == "u"
    assert event.metadata == {"other": "1", MARK: '["invoice", "paid", "other"]'}
    stored = as_read(event) | {"fields": {"invoice": "5", "paid": "true", "user": "u"}}
    row = row_of(stored, vendor="env")
    assert row | sent == row


def test_a_change_is_the_events_and_comes_back_as_an_object():
    event = made({"before": {"a": 1}, "after": "free text", "outcome": "denied", "resource_id": "d-1"})
    assert (event.before, event.after, event.outcome, event.resource_id) == ('{"a": 1}', "free text", "denied", "d-1")
    assert event.metadata == {MARK: '["before"]'}
    row = row_of(as_read(event), vendor="env")
    assert (row["before"], row["after"]) == ({"a": 1}, "free text")


def test_a_missing_action_is_an_audit():
    assert made({}).action == made({"action": ""}).action == made({"action": " "}).action == "audit"
    assert echo({"action": " "})["action"] == " "
    assert made({"action": 7}).action == "7"


def test_the_marker_is_reserved():
    with pytest.raises(InvalidEvent, match="is reserved"):
        made({MARK: "x"})


def test_a_foreign_marker_does_not_break_reading():
    for mark in ("{", "7", '["a", 7, "b"]'):
        row = row_of(as_read(made({})) | {"metadata": {MARK: mark, "a": "{", "b": "1"}}, vendor="")
        assert row["a"] == "{"


def test_events_of_other_senders_read_too():
    event = as_read(made({})) | {"actor_name": "Jane", "metadata": {"region": "eu"}, "fields": {"invoice": "5"}}
    row = row_of(event | {"ingested_at": "2026-11-25T12:00:01.042000Z"}, vendor="env")
    assert (row["user"], row["region"], row["invoice"]) == ("Jane", "eu", "5")
    assert row["updatedAt"] == "2026-11-25T12:00:01.042Z"
    assert "email" not in row


def test_the_names_are_fields_of_an_event():
    assert set(NAMES.values()) <= {*BASE_FIELDS, "ingested_at"}


# The route


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[{}]",
        b"null",
        b'"x"',
        b'{"a": NaN}',
        b"[" * 100_000,
        b"\xff",
        b'{"a": ' + b"1" * 5_000 + b"}",
    ],
)
def test_a_body_that_is_not_an_object_is_refused(body):
    with pytest.raises(InvalidInput) as raised:
        audit_of(body)
    assert raised.value.field == "body"


def test_a_byte_order_mark_is_skipped():
    assert audit_of(b'\xef\xbb\xbf{"action": "a"}') == {"action": "a"}


@pytest.mark.parametrize(
    ("header", "body", "tenant"),
    [
        ("acme", None, "acme"),
        ("acme", "acme", "acme"),
        ("acme", "", "acme"),
        (None, "acme", "acme"),  # Java's client does not send the header
    ],
)
def test_the_tenant_comes_from_the_header_or_else_the_body(header, body, tenant):
    assert tenant_of({"tenantId": body}, Sender("c", header)) == tenant


@pytest.mark.parametrize(
    ("header", "body"), [("acme", "other"), (None, None), (None, ""), (None, 7), (None, "a/b"), (None, "_auditlane")]
)
def test_an_invalid_or_foreign_tenant_is_refused(header, body):
    with pytest.raises(InvalidEvent):
        tenant_of({"tenantId": body}, Sender("c", header))


def test_a_posted_value_becomes_the_same_event():
    event = made({"user": "u", "before": {"a": 1}, "x": [1], "ip": ""}, source="c", event_id=str(uuid.UUID(int=7)))
    assert AuditEvent.checked(keywords_of(posted_of(event), Sender("c", "acme"), 0)) == event
    assert event.event_id == str(uuid.UUID(int=7))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
WELL_KNOWN = sorted({*NAMES, "email", "actorMail", "time", "json", "severity"})


@given(st.dictionaries(st.sampled_from(WELL_KNOWN) | st.text(min_size=1, max_size=8), json_values, max_size=8))
def test_a_read_echoes_whatever_was_sent(sent):
    sent = json.loads(json.dumps(sent))
    row = echo(sent)
    for key, value in sent.items():
        if key not in OURS and value is not None:
            assert json.dumps(row[key]) == json.dumps(value)
    assert row["tenantId"] == "acme"


@given(st.text(st.characters(categories=["Cs", "L", "N"]), min_size=1))
def test_half_a_surrogate_pair_becomes_a_replacement_character(text):
    """JavaScript's `toWellFormed` does the same. Truncated strings often end in the middle of an emoji."""
    whole = re.sub("[\ud800-\udfff]", "\ufffd", text)
    row = echo({"user": text, "action": text, "note": text, f"key {text}": 1, "list": [text], "inner": {text: [text]}})
    assert (row["user"], row["action"], row["note"], row[f"key {whole}"]) == (whole, whole, whole, 1)
    assert (row["list"], row["inner"]) == ([whole], {whole: [whole]})


def test_a_number_that_no_double_holds_is_kept_as_text():
    audit = audit_of(b'{"x": 1e400, "inner": [-1e999, 1.5, 7], "time": 1e400}')
    row = echo(audit)
    assert (row["x"], row["inner"], row["time"]) == ("1e400", ["-1e999", 1.5, 7], "1e400")
    assert echo({"x": math.inf})["x"] == "Infinity"


def test_audits_stored_by_an_older_release_are_read():
    """An older release stored lone surrogates and infinite numbers as JSON. A single row that cannot be serialized
    would break a whole page.
    """
    deep = "[" * 300 + "]" * 300
    metadata = {"k": r'"v\ud800"', "o": r'{"\udfff": [Infinity]}', "deep": deep, MARK: '["k", "o", "deep"]'}
    row = row_of(as_read(made({})) | {"metadata": metadata, "before": deep}, vendor="")
    assert (row["k"], row["o"], row["deep"]) == ("v\ufffd", {"\ufffd": ["Infinity"]}, deep)
    JSONResponse(row)


def test_an_audits_depth_is_bounded():
    def nested(levels: int):
        return {"x": json.loads("[" * levels + "]" * levels)}

    assert echo(nested(DEEPEST - 1))["x"] == nested(DEEPEST - 1)["x"]
    with pytest.raises(InvalidEvent, match="levels"):
        made(nested(DEEPEST))
