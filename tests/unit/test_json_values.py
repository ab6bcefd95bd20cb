"""The one way in which Python's values become JSON text; what has none is refused by name."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid

import pytest
from pydantic import BaseModel, SecretStr

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


class Plain:
    pass


class Failing:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __eq__ = __bool__ = __str__
    __hash__ = object.__hash__


MODEL = '{"title": "Draft", "tags": ["a", "b"], "secret": "**********"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Model(), MODEL),
        (Data(), f'{{"model": {MODEL}, "raw": "aGk="}}'),
        ({"b", "a", "c"}, '["a", "b", "c"]'),
        (Kind.one, "1"),
        (decimal.Decimal("1.10"), '"1.10"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (dt.date(2026, 1, 2), '"2026-01-02"'),
        ({"at": (1, None)}, '{"at": [1, null]}'),
    ],
)
@pytest.mark.parametrize("field", ["before", "after"])
def test_what_has_a_form_in_json(field, value, text):
    assert getattr(AuditEvent.checked({"tenant_id": "a", "action": "b", field: value}), field) == text


@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        {"a": [{uuid.UUID(int=1): 1}]},
        Data(raw={(1, 2): 3}),
        Plain(),
        [Plain()],
        Model,
        Failing(),
        {Failing(): 1},
        float("nan"),
        decimal.Decimal("Infinity"),
    ],
)
def test_what_has_none(value):
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
        ("metadata", {1: "x"}),
        ("metadata", {"k": Failing()}),
    ],
)
def test_other_fields_name_themselves(field, value):
    with pytest.raises(InvalidEvent) as caught:
        AuditEvent.checked({"tenant_id": "a", "action": "b", field: value})
    assert caught.value.field.split(".")[0] == field
