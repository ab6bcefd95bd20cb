"""Tests that the value of a filter is converted to text, or is rejected with an error that names the filter."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from ipaddress import ip_address, ip_network

import pytest

from auditlane.runtime.errors import InvalidFilter
from auditlane.sdk import Severity
from auditlane.sdk.reader import _pairs


def test_values_become_text():
    values = {"a": 5, "b": uuid.UUID(int=1), "c": [1, "x"], "d": Severity.High, "e": True, "f": ip_address("::1")}
    assert _pairs(values, {"from_": datetime(2026, 1, 1, tzinfo=UTC)}) == [
        ("a", "5"), ("b", str(uuid.UUID(int=1))), ("c", "1"), ("c", "x"), ("d", "High"), ("e", "true"), ("f", "::1"),
        ("from", "2026-01-01T00:00:00+00:00"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"x",
        bytearray(b"x"),
        memoryview(b"x"),
        {"a": 1},
        object(),
        [None],
        [["x"]],
        date(2026, 1, 1),
        ip_network("10.0.0.0/8"),
        range(2),
        {"a": 1}.keys(),
        Severity,
    ],
)
def test_invalid_values_are_refused(value):
    with pytest.raises(InvalidFilter) as caught:
        _pairs({"actor_id": value}, {})
    assert caught.value.field == "actor_id"


def test_several_values_in_any_container():
    for several in (["1", 2], ("1", 2), iter(["1", 2]), (one for one in (1, 2))):
        assert _pairs({"a": several}, {}) == [("a", "1"), ("a", "2")]
    assert sorted(_pairs({"a": {1, 2}}, {"b": frozenset("c")})) == [("a", "1"), ("a", "2"), ("b", "c")]


@pytest.mark.parametrize("name", [1, None, b"a"])
def test_a_name_that_is_not_a_string_is_refused(name):
    with pytest.raises(InvalidFilter, match="name"):
        _pairs({name: "x"}, {})
