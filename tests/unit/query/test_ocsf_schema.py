"""Tests that the OCSF validator detects each kind of mistake. Otherwise, passing its checks would prove nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ocsf_schema import VERSIONS, needs_schema, ocsf_schema

pytestmark = needs_schema
EVENT: dict[str, Any] = {
    "class_uid": 3002,
    "category_uid": 3,
    "activity_id": 1,
    "type_uid": 300201,
    "time": 1_769_867_100_123,
    "severity_id": 1,
    "severity": "Informational",
    "metadata": {"version": "1.8.0", "product": {"name": "x"}, "uid": "1"},
    "user": {"uid": "u-1", "email_addr": "jane@example.com"},
    "service": {"name": "web"},
    "src_endpoint": {"ip": "192.0.2.1", "port": 443},
    "auth_factors": [{"factor_type_id": 7, "factor_type": "OTP", "is_totp": True}],
    "unmapped": {"anything": [{"goes": None}]},
}
Break = Callable[[dict[str, Any]], object]
MISTAKES: dict[str, Break] = {
    "class_uid: 9999 is not a class": lambda event: event.update(class_uid=9_999),
    "class_uid: security_finding is deprecated": lambda event: event.update(class_uid=2_001),
    "time: is required": lambda event: event.pop("time"),
    "user: is required": lambda event: event.pop("user"),
    "metadata.product: is required": lambda event: event["metadata"].pop("product"),
    "auth_factors[0].factor_type_id: is required": lambda event: event["auth_factors"][0].pop("factor_type_id"),
    "color: is not an attribute": lambda event: event.update(color="red"),
    "user.color: is not an attribute": lambda event: event["user"].update(color="red"),
    "device: is not an attribute": lambda event: event.update(device={"type_id": 0}),  # requires the `host` profile
    "metadata.profiles: trace is not a profile": lambda event: event["metadata"].update(profiles=["trace"]),
    "user.credential_uid: is deprecated": lambda event: event["user"].update(credential_uid="x"),
    "at_least_one of service, dst_endpoint": lambda event: event.pop("service"),
    "at_least_one of account, name, uid": lambda event: event["user"].pop("uid"),
    "category_uid: 4 is not one of 3": lambda event: event.update(category_uid=4),
    "type_uid: is 300202, not 300201": lambda event: event.update(type_uid=300_202),
    "activity_id: 42 is not one of": lambda event: event.update(activity_id=42, type_uid=300_242),
    "activity_name: is required because of 99": lambda event: event.update(activity_id=99, type_uid=300_299),
    "severity: is 'Info', not 'Informational'": lambda event: event.update(severity="Info"),
    "metadata.version: is '1.0.0'": lambda event: event["metadata"].update(version="1.0.0"),
    "time: '1' is not of the type timestamp_t": lambda event: event.update(time="1"),
    "is_mfa: 1 is not of the type boolean_t": lambda event: event.update(is_mfa=1),
    "severity_id: True is not of the type integer_t": lambda event: event.update(severity_id=True),
    "message: None is not of the type string_t": lambda event: event.update(message=None),
    "count: 2147483648 does not fit": lambda event: event.update(count=1 << 31),
    "src_endpoint.ip: 'localhost' is not a valid ip_t": lambda event: event["src_endpoint"].update(ip="localhost"),
    "src_endpoint.port: 70000 is not within 0 to 65535": lambda event: event["src_endpoint"].update(port=70_000),
    "user.email_addr: 'jane' is not a valid email_t": lambda event: event["user"].update(email_addr="jane"),
    "service: is not an object": lambda event: event.update(service="web"),
    "auth_factors: is not an array": lambda event: event.update(auth_factors={"factor_type_id": 7}),
    "auth_factors[1]: is not an object": lambda event: event["auth_factors"].append("totp"),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_correct_event_has_no_problems(version: str) -> None:
    event = copy.deepcopy(EVENT)
    event["metadata"]["version"] = version
    assert ocsf_schema(version).problems(event) == []
    event["metadata"]["profiles"] = ["host"]
    event["device"] = {"type_id": 0, "hostname": "x"}
    assert ocsf_schema(version).problems(event) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("expected", MISTAKES)
def test_each_mistake_is_found(version: str, expected: str) -> None:
    event = copy.deepcopy(EVENT)
    event["metadata"]["version"] = version
    MISTAKES[expected](event)
    found = ocsf_schema(version).problems(event)
    assert [problem for problem in found if expected in problem], found


def test_exactly_one_of_several_attributes_is_required() -> None:
    event = copy.deepcopy(EVENT) | {"class_uid": 3003, "type_uid": 300_301}
    for name in ("service", "auth_factors"):
        event.pop(name)
    schema = ocsf_schema("1.8.0")
    assert schema.problems(event | {"privileges": ["x"]}) == []
    for wrong in ({}, {"privileges": ["x"], "group": {"name": "x"}}):
        assert [problem for problem in schema.problems(event | wrong) if "just_one of privileges, group" in problem]


def test_attributes_that_the_newer_version_deprecates() -> None:
    event = copy.deepcopy(EVENT) | {"class_uid": 3001, "type_uid": 300_101}
    event.pop("service")
    assert ocsf_schema("1.8.0").problems(event) == []
    event["metadata"]["version"] = "1.9.0-dev"
    assert "class_uid: account_change is deprecated" in ocsf_schema("1.9.0-dev").problems(event)
