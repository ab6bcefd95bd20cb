"""Tests that CloudTrail records are converted to events without loss."""

from __future__ import annotations

import gzip
import ipaddress
import json
from io import BytesIO
from typing import Any
from unittest.mock import ANY

import fastavro
import pytest
from cloudtrail_records import ACCOUNT, REAL, needs_real, outcomes, records
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.avro import base_schema
from auditlane.contract.event import AuditEvent, Outcome
from auditlane.importer.cloudtrail import CloudTrail, rebuild
from auditlane.importer.sources import Item
from auditlane.runtime.errors import InvalidEvent

LINES = [json.dumps(record, ensure_ascii=False).encode() for record in records()]
SCHEMA = fastavro.parse_schema(base_schema())
MINIMAL = {"eventTime": "2023-07-10T11:42:18Z", "recipientAccountId": "1"}


def convert(record: Any, tenant: str | None = None) -> AuditEvent:
    text = record if isinstance(record, bytes) else json.dumps(record).encode()
    return CloudTrail(tenant).event(Item(1, text))


def stored(event: AuditEvent) -> AuditEvent:
    """Return the event as it would be after being encoded in Avro and stored. Addresses are IPv6, and times are UTC."""
    out = BytesIO()
    fastavro.schemaless_writer(out, SCHEMA, event.record())
    out.seek(0)
    values = fastavro.schemaless_reader(out, SCHEMA, None)
    if values["ip"]:
        address = ipaddress.ip_address(values["ip"])
        values["ip"] = f"::ffff:{address}" if address.version == 4 else str(address)
    return AuditEvent(**values)


@pytest.mark.parametrize("line", LINES)
def test_a_record_is_rebuilt_exactly(line):
    assert rebuild(stored(convert(line))) == json.loads(line)


def test_values_of_columns_are_not_repeated_in_metadata():
    repeated = {"eventID", "eventTime", "eventName", "eventSource", "recipientAccountId", "requestID", "errorMessage"}
    for line in LINES:
        assert not repeated & convert(line).metadata.keys()


def test_records_become_events():
    events = [convert(line) for line in LINES]
    assert {event.tenant_id for event in events} == {ACCOUNT}
    assert [event.event_id for event in events] == [record["eventID"] for record in records()]
    first = events[0]
    assert (first.action, first.resource, first.resource_id) == (
        "GetBucketPolicy",
        "s3.amazonaws.com",
        "arn:aws:s3:::reports",
    )
    assert (first.actor_id, first.actor_name) == (f"arn:aws:iam::{ACCOUNT}:user/operator", "operator")
    assert (first.ip, first.occurred_at.isoformat()) == ("192.0.2.17", "2025-02-03T11:42:18+00:00")
    assert [event.outcome for event in events] == outcomes()
    assert {event.actor_type for event in events} == {"user", "service"}


@needs_real
def test_real_records_are_rebuilt_exactly():
    real = gzip.decompress(REAL.read_bytes()).splitlines()
    events = [convert(line) for line in real]
    assert len({event.event_id for event in events}) == len(real) == 2_000
    assert [rebuild(stored(event)) for event in events] == [json.loads(line) for line in real]
    counted = {outcome: sum(event.outcome is outcome for event in events) for outcome in Outcome}
    assert counted == {Outcome.unknown: 0, Outcome.success: 1776, Outcome.failure: 166, Outcome.denied: 58}
    assert {event.actor_type for event in events} == {"user", "service"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"eventID": "not a uuid"},
        {"eventID": "875240AC-E821-4FC6-A311-8C352A1D20F5"},
        {"eventID": 17},
        {"eventID": None},
        {"eventTime": "2023-07-10T11:42:18.123Z"},
        {"eventTime": "2023-07-10T11:42:18"},
        {"eventTime": 1_688_989_338},
        {"eventName": 5, "eventSource": None, "userAgent": "", "requestID": ""},
        {"userIdentity": "nobody", "responseElements": [1, {"a": None}], "resources": ["x"]},
        {"sourceIPAddress": "AWS Internal"},
        {"sourceIPAddress": "2001:DB8::1"},
        {"sourceIPAddress": "::ffff:192.0.2.1"},
        {"sourceIPAddress": "fe80::1%eth0"},
        {"errorMessage": None, "errorCode": 7},
        {"a:json": "text", "a": {"b": 1}, "a:json:json": [1]},
        {"cloudtrail:absent": "text"},
        {"userAgent": "\ud800", "note": "\udfff", "deep": {"x": "\ud800"}},
        {"\ud800": 1},
        {"number": 1e300, "big": 12345678901234567890123, "negative": -0.0},
        {"Ünïcode": "日本", "nested": {"é": "\x00"}},
    ],
)
def test_odd_records_are_rebuilt_exactly(more):
    record = MINIMAL | more
    event = convert(record)
    assert rebuild(stored(event)) == record
    assert convert(record) == event, "the id is deterministic"


@pytest.mark.parametrize("text", ['"x":1.00', '"x":0.12345678901234567890', '"x":1,"x":2', '"x":-0', '"x":1E5'])
def test_values_that_python_would_change_are_kept_as_text(text):
    line = ('{"eventTime":"2023-07-10T11:42:18Z","recipientAccountId":"1",' + text + "}").encode()
    assert stored(convert(line)).metadata["cloudtrail:record"] == line.decode()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.text(max_size=8) | st.sampled_from(
    ["eventID", "eventName", "eventSource", "sourceIPAddress", "userAgent", "requestID", "errorMessage", "errorCode"]
)


@given(st.dictionaries(names, values, max_size=6))
def test_any_record_is_rebuilt(more):
    record = MINIMAL | {name: value for name, value in more.items() if name not in MINIMAL}
    assert rebuild(stored(convert(record))) == record


def test_the_tenant_is_the_account_or_the_given_tenant():
    assert convert({"eventTime": "2023-01-01T00:00:00Z", "userIdentity": {"accountId": "42"}}).tenant_id == "42"
    given_one = convert(MINIMAL, tenant="acme")
    assert given_one.tenant_id == "acme"
    assert rebuild(given_one) == MINIMAL
    with pytest.raises(InvalidEvent, match="--tenant"):
        convert({"eventTime": "2023-01-01T00:00:00Z"})


@pytest.mark.parametrize("time", [None, "yesterday", [], True, 1e99])
def test_a_record_without_a_time_is_refused(time):
    with pytest.raises(InvalidEvent, match="eventTime") as caught:
        convert(MINIMAL | {"eventTime": time})
    assert caught.value.field == "occurred_at"


def test_identical_records_without_an_id_differ_by_their_occurrence():
    def both() -> list[str]:
        reading = CloudTrail()
        return [reading.event(Item(number, json.dumps(MINIMAL).encode())).event_id for number in (1, 2)]

    assert len(set(both())) == 2
    assert both() == both()


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({}, "success"),
        ({"errorCode": "AccessDenied"}, "denied"),
        ({"errorCode": "Client.UnauthorizedOperation"}, "denied"),
        ({"errorCode": "NoSuchBucket"}, "failure"),
        ({"errorMessage": "Failed authentication"}, "failure"),
        ({"responseElements": {"ConsoleLogin": "Failure"}}, "failure"),
    ],
)
def test_the_outcome_follows_from_the_errors_of_a_record(more, outcome):
    assert convert(MINIMAL | more).outcome == outcome


@pytest.mark.parametrize(
    ("identity", "actor"),
    [
        ({"type": "IAMUser", "arn": "arn:x", "userName": "u"}, ("arn:x", "user", "u")),
        ({"type": "AssumedRole", "arn": "arn:r", "principalId": "A:session"}, ("arn:r", "user", "session")),
        (
            {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
            ("ec2.amazonaws.com", "service", ANY),
        ),
        ({"type": "AWSAccount", "principalId": "Anonymous"}, ("Anonymous", "anonymous", None)),
        ({}, ("", "system", None)),
        (None, ("", "system", None)),
    ],
)
def test_the_actor_follows_from_the_identity_of_a_record(identity, actor):
    event = convert(MINIMAL | {"userIdentity": identity})
    assert (event.actor_id, event.actor_type, event.actor_name) == actor
