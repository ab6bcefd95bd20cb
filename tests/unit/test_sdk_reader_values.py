"""A filter's value: text, or refused by the filter's name."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from ipaddress import ip_address

import pytest

from auditlane.runtime.errors import InvalidFilter
from auditlane.sdk import Severity
from auditlane.sdk.reader import _pairs


def test_values_become_text():
    given = {"a": 5, "b": uuid.UUID(int=1), "c": [1, "x"], "d": Severity.High, "e": True, "f": ip_address("::1")}
    assert _pairs(given, {"from_": datetime(2026, 1, 1, tzinfo=UTC)}) == [
        ("a", "5"), ("b", str(uuid.UUID(int=1))), ("c", "1"), ("c", "x"), ("d", "High"), ("e", "true"), ("f", "::1"),
        ("from", "2026-01-01T00:00:00+00:00"),
    ]  # fmt: skip


@pytest.mark.parametrize("value", [None, b"x", {"a": 1}, object(), [None], [["x"]], date(2026, 1, 1)])
def test_what_is_no_value_is_refused(value):
    with pytest.raises(InvalidFilter) as caught:
        _pairs({"actor_id": value}, {})
    assert caught.value.field == "actor_id"
