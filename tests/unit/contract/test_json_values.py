"""Tests the conversion of Python values to JSON text, and the errors for values that cannot be converted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import pathlib
import re
import uuid
from collections.abc import Mapping

import pytest
from pydantic import BaseModel, HttpUrl, PostgresDsn, Secret, SecretStr

from auditlane.contract.event import AuditEvent
from auditlane.runtime.errors import InvalidEvent


class Model(BaseModel):
    title: str = "Draft"
    tags: set[str] = {"b", "a"}
    secret: SecretStr = SecretStr("x")


@dataclasses.dataclass
class Data:
    model: Model = dataclasses.field(default_factory=Model)
    raw: bytes = b"hi"


class Kind(enum.Enum):
    one = 1


class Word(enum.StrEnum):
    red = "red"


class MixedWord(str, enum.Enum):  # noqa: UP042 - as programs have it
    red = "red"


class Plain:
    pass


class Failing:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __eq__ = __bool__ = __str__
    __hash__ = object.__hash__


class FailingText(str):
    def __eq__(self, other):
        raise RuntimeError("no")

    __repr__ = __str__ = __hash__ = __eq__


class FailingMapping(Mapping):
    def __getitem__(self, name):
        raise KeyError(name)

    def __iter__(self):
        raise RuntimeError("no")

    def __len__(self):
        return 1


MODEL = '{"title": "Draft", "tags": ["a", "b"], "secret": "**********"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Model(), MODEL),
        (Data(), f'{{"model": {MODEL}, "raw": "aGk="}}'),
        ({"b", "a", "c"}, '["a", "b", "c"]'),
        (Kind.one, "1"),
        (Word.red, '"red"'),
        (MixedWord.red, '"red"'),
        ({"a": MixedWord.red}, '{"a": "red"}'),
        (ipaddress.ip_network("10.0.0.0/8"), '"10.0.0.0/8"'),
        (ipaddress.ip_address("::1"), '"::1"'),
        (pathlib.PurePosixPath("/a"), '"/a"'),
        (dt.timedelta(1), '"P1D"'),
        (HttpUrl("http://a/b"), '"http://a/b"'),
        (PostgresDsn("postgres://h/x"), '"postgres://h/x"'),
        (Secret[int](5), '"**********"'),
        (decimal.Decimal("1.10"), '"1.10"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (dt.date(2026, 1, 2), '"2026-01-02"'),
        ({"at": (1, None)}, '{"at": [1, null]}'),
    ],
)
@pytest.mark.parametrize("field", ["before", "after"])
def test_values_with_a_json_form(field, value, text):
    assert getattr(AuditEvent.checked({"tenant_id": "a", "action": "b", field: value}), field) == text


@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        {"a": [{uuid.UUID(int=1): 1}]},
        Data(raw={(1, 2): 3}),
        Plain(),
        [Plain()],
        1j,
        re.compile("x"),
        iter([1]),
        map(str, [1]),
        (one for one in [1]),
        {"a": 1}.values(),
        [len],
        ValueError("x"),
        Model,
        Failing(),
        {Failing(): 1},
        float("nan"),
        decimal.Decimal("Infinity"),
    ],
)
def test_values_without_a_json_form(value):
    with pytest.raises(InvalidEvent) as caught:
        AuditEvent.checked({"tenant_id": "a", "action": "b", "before": value})
    assert caught.value.field == "before"
    assert "object at" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        b"1700000000",
        b"2026-05-01T12:00:00Z",
        bytearray(b"1700000000"),
        1,
        1.5,
        True,
        decimal.Decimal(1),
        dt.timedelta(1),
        dt.date(2026, 1, 1),
        dt.time(1),
        None,
        [],
        {},
        object(),
        "1700000000",
        "1_7",
    ],
)
def test_a_time_is_text_or_a_datetime(value):
    with pytest.raises(InvalidEvent) as caught:
        AuditEvent.checked({"tenant_id": "a", "action": "b", "occurred_at": value})
    assert caught.value.field == "occurred_at"
    assert "such as 2024-05-01T12:00:00Z" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            (name, Failing())
            for name in ("event_id", "ip", "user_agent", "outcome", "tenant_id", "occurred_at", "metadata")
        ),
        ("fields", None),
        ("fields", FailingMapping()),
        ("metadata", FailingMapping()),
        ("before", FailingMapping()),
        *(
            (name, value)
            for name in ("outcome", "severity")
            for value in (FailingText("x"), [Failing()], {"a": Failing()})
        ),
        ("metadata", {1: "x"}),
        ("metadata", {"k": Failing()}),
    ],
)
def test_an_error_names_the_field(field, value):
    with pytest.raises(InvalidEvent) as caught:
        AuditEvent.checked({"tenant_id": "a", "occurred_at": dt.datetime.now(dt.UTC), "action": "b", field: value})
    assert caught.value.field.split(".")[0] == field


@pytest.mark.parametrize("name", ["outcome", "severity"])
def test_a_choice_may_be_any_string(name):
    symbol = {"outcome": "denied", "severity": "High"}[name]
    of_theirs = enum.Enum("Theirs", {"x": symbol}, type=str)
    for value in (
        symbol,
        FailingText(symbol),
        of_theirs.x,
        type(AuditEvent.model_fields[name].default)(symbol),
    ):
        assert getattr(AuditEvent.checked({"tenant_id": "a", "action": "b", name: value}), name) == symbol
