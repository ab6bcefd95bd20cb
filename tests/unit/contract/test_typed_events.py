"""Tests what a typed event's class may declare, the contract field that results from it, and the errors."""

from __future__ import annotations

import dataclasses
import json
import pickle
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, ip_address
from typing import Annotated, Any, Literal, NewType

import pytest
from pydantic import AnyUrl, AwareDatetime, BaseModel, Field, IPvAnyAddress, SecretStr, StringConstraints
from typing_extensions import TypedDict  # pydantic requires this import before Python 3.12

from auditlane.contract.declared_fields import declared_fields
from auditlane.contract.event import AuditEvent, Outcome, Severity
from auditlane.runtime.errors import AuditlaneError, InvalidEvent, InvalidInput


class Plan(StrEnum):
    free = "free"
    team = "team"


class Region(Enum):
    eu = "eu-1"
    us = "us-1"


class Level(IntEnum):
    low = 1
    high = 9


class Order(BaseModel):
    number: int


@dataclasses.dataclass
class Item:
    price: Decimal


class Line(TypedDict):
    count: int


Slug = NewType("Slug", str)


class DocumentEvent(AuditEvent):
    project: str = Field(max_length=20)


class DocumentDeleted(
    DocumentEvent, action="document.deleted", resource="document", outcome="success", severity="Medium"
):
    pages: int | None = None


def declared(annotation: Any, default: Any = ...) -> type[AuditEvent]:
    namespace = {"__annotations__": {"value": annotation}, "__module__": __name__}
    return type("Declared", (AuditEvent,), namespace | ({} if default is ... else {"value": default}), action="a")


def test_a_class_gives_its_events_an_action_and_defaults() -> None:
    event = DocumentDeleted(tenant_id="acme", project="moon", resource_id="d-1")
    assert (event.action, event.resource, event.outcome, event.severity) == (
        "document.deleted", "document", Outcome.success, Severity.Medium
    )  # fmt: skip
    assert event.custom_fields() == {"project": "moon", "pages": None}
    assert event.record()["project"] == "moon"
    assert DocumentDeleted(project="moon", outcome=Outcome.failure).outcome is Outcome.failure
    assert DocumentDeleted(project="moon").tenant_id == ""
    assert DocumentEvent(project="moon", action="document.moved").action == "document.moved"
    assert event.model_copy(update={"project": "mars"}).custom_fields()["project"] == "mars"
    assert pickle.loads(pickle.dumps(event)) == event
    assert AuditEvent(tenant_id="acme", action="a", fields={"x": 1}).custom_fields() == {"x": 1}


def test_declared_fields_take_precedence_over_fields() -> None:
    event = DocumentDeleted(project="moon", fields={"project": "sun", "region": "eu"})
    assert event.custom_fields() == {"project": "moon", "region": "eu", "pages": None}


@pytest.mark.parametrize(
    ("annotation", "value", "type_", "rules", "stored"),
    [
        (str, "a", "AlphaNumeric", {}, "a"),
        (Slug, "a", "AlphaNumeric", {}, "a"),
        (uuid.UUID, uuid.UUID(int=1), "AlphaNumeric", {}, str(uuid.UUID(int=1))),
        (AnyUrl, AnyUrl("https://acme.example/a"), "AlphaNumeric", {}, "https://acme.example/a"),
        (IPv4Address, ip_address("192.0.2.1"), "IpAddress", {}, "192.0.2.1"),
        (IPvAnyAddress, "2001:db8::1", "IpAddress", {}, "2001:db8::1"),
        (int, 7, "Integer", {}, 7),
        (float, 0.5, "Number", {}, 0.5),
        (Decimal, Decimal("12.50"), "Number", {}, 12.5),
        (bool, True, "Boolean", {}, True),
        (datetime, datetime(2026, 1, 2, tzinfo=UTC), "Timestamp", {}, datetime(2026, 1, 2, tzinfo=UTC)),
        (AwareDatetime, datetime(2026, 1, 2, tzinfo=UTC), "Timestamp", {}, datetime(2026, 1, 2, tzinfo=UTC)),
        (Plan, Plan.team, "Enum", {"oneOf": ["free", "team"]}, "team"),
        (Region, Region.eu, "Enum", {"oneOf": ["eu-1", "us-1"]}, "eu-1"),
        (Literal["a", "b", None], "b", "Enum", {"oneOf": ["a", "b"]}, "b"),
        (Level, Level.high, "Integer", {"oneOf": [1, 9]}, 9),
        (Literal[1, 2] | None, 2, "Integer", {"oneOf": [1, 2]}, 2),
        (dict[str, int], {"a": 1}, "Json", {}, '{"a": 1}'),
        (list[str] | None, ["a"], "Json", {}, '["a"]'),
        (tuple[int, ...], (1, 2), "Json", {}, "[1, 2]"),
        (set[str], {"b", "a"}, "Json", {}, '["a", "b"]'),
        (Order, Order(number=1), "Json", {}, '{"number": 1}'),
        (Item, Item(Decimal("1.5")), "Json", {}, '{"price": "1.5"}'),
        (Line, {"count": 2}, "Json", {}, '{"count": 2}'),
        (Annotated[str, Field(max_length=9)] | None, "a", "AlphaNumeric", {"maxLength": 9}, "a"),
        (Annotated[str, StringConstraints(max_length=9)], "a", "AlphaNumeric", {"maxLength": 9}, "a"),
        (
            Annotated[str, Field(max_length=9, pattern="^[A-Z]{2}-[0-9]+$")], "DE-1",
            "AlphaNumeric", {"maxLength": 9, "pattern": "[A-Z]{2}-[0-9]+"}, "DE-1",
        ),
        (Annotated[int, Field(ge=1, lt=10)], 9, "Integer", {"minimum": 1, "maximum": 9}, 9),
        (Annotated[Decimal, Field(ge=0, le=Decimal("99.5"))], Decimal(1), "Number", {"minimum": 0, "maximum": 99.5}, 1),
    ],
)  # fmt: skip
def test_an_annotation_becomes_a_field(
    annotation: Any, value: Any, type_: str, rules: dict[str, Any], stored: Any
) -> None:
    (field,) = declared_fields(declared(annotation))
    assert (field.definition.type, field.definition.rules, field.definition.default) == (type_, rules, None)
    assert declared(annotation)(value=value).custom_fields() == {"value": stored}


def test_a_default_and_none_only_affect_the_event() -> None:
    """Neither a default nor an optional type is registered in the contract, because events of other classes may lack
    the field.
    """
    (plain,), (optional,) = declared_fields(declared(str, "a")), declared_fields(declared(str | None, None))
    assert plain.definition == optional.definition
    assert (plain.nullable, optional.nullable) == (False, True)
    assert declared(str, "a")().custom_fields() == {"value": "a"}


@pytest.mark.parametrize(
    ("info", "label"),
    [
        (Field(title="Order no.", description="Number of the order."), "Order no."),
        (Field(description="Number of the order."), "Number of the order"),
        (Field(description="Two\nlines"), ""),
        (Field(), ""),
    ],
)
def test_the_display_name_is_the_title_or_the_description(info: Any, label: str) -> None:
    assert declared_fields(declared(Annotated[str, info]))[0].label == label


@pytest.mark.parametrize(
    ("annotation", "problem", "fix"),
    [
        (date, "date", "datetime with a time zone"),
        (timedelta, "timedelta", "datetime with a time zone"),
        (bytes, "bytes", "Declare it as str"),
        (object, "object", "Declare it as str"),
        (Any, "Any", "Declare it as str"),
        (int | str, "several types", "two fields"),
        (SecretStr, "is a secret", "Remove the field"),
        (Literal["a", 1], "neither all texts nor all whole numbers", "Use only texts"),
        (Annotated[str, Field(pattern="^a$")], "no maximum length", "Add max_length"),
        (Annotated[str, Field(pattern="a", max_length=5)], "part of the value", "Begin it with ^"),
        (Annotated[str, Field(pattern=r"^a\$", max_length=5)], "part of the value", "Begin it with ^"),
        (Annotated[str, Field(pattern="^a|b$", max_length=5)], "part of the value", "^(?:"),
        (Annotated[str, Field(pattern=r"^\p{L}$", max_length=5)], "`pattern`", "Correct the declaration"),
    ],
)
def test_a_field_that_no_contract_can_have_is_named(annotation: Any, problem: str, fix: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        declared(annotation)
    assert caught.value.field == "value"
    assert problem in caught.value.message
    assert "value of Declared" in caught.value.message
    assert fix in caught.value.fix


@pytest.mark.parametrize("pattern", ["^(?:a|b)$", "^[|]+$", r"^a\|b$", r"^a\\$"])
def test_a_pattern_of_the_whole_value_keeps_its_meaning(pattern: str) -> None:
    (field,) = declared_fields(declared(Annotated[str, Field(pattern=pattern, max_length=5)]))
    assert field.definition.rules["pattern"] == pattern[1:-1]


@pytest.mark.parametrize(
    ("name", "annotation", "fix"),
    [
        ("ip", int, "Rename the field."),
        ("metadata", dict[str, int], "Rename the field."),
        ("action", Literal["a"], "Pass action= after AuditEvent instead."),
        ("provenance", str, "Rename the field."),
        ("constructor", str, "Rename the field."),
    ],
)
def test_the_name_of_a_base_field_is_reserved(name: str, annotation: Any, fix: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        type("Declared", (AuditEvent,), {"__annotations__": {name: annotation}, "__module__": __name__})
    assert (caught.value.field, caught.value.fix) == (name, fix)


@pytest.mark.filterwarnings("ignore:Field name")
def test_the_name_of_a_method_is_reserved() -> None:
    with pytest.raises(InvalidInput, match="method"):
        type("Declared", (AuditEvent,), {"__annotations__": {"record": str}, "__module__": __name__})


def test_a_base_field_may_be_required_or_get_a_default_and_stays_validated() -> None:
    class Scheduled(AuditEvent, action="job.run"):
        resource_id: str
        actor_type: str = "service"
        ip: str
        occurred_at: datetime

    now = datetime.now(UTC)
    event = Scheduled(resource_id="j-1", ip="192.0.2.1", occurred_at=now)
    assert (event.actor_type, event.custom_fields()) == ("service", {})
    for wrong in ({"ip": "nowhere"}, {"resource_id": "\ud800"}, {"resource_id": None}, {"occurred_at": 1}, {"ip": ""}):
        with pytest.raises(InvalidEvent, match=next(iter(wrong))):
            Scheduled(**{"resource_id": "j-1", "ip": "192.0.2.1", "occurred_at": now} | wrong)


@pytest.mark.parametrize("arguments", [{"action": " "}, {"outcome": "succes"}, {"severity": "high"}, {"resource": 7}])
def test_a_wrong_argument_of_the_class_is_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="class argument of Wrong") as caught:
        type("Wrong", (AuditEvent,), {"__module__": __name__}, **arguments)
    assert caught.value.field == next(iter(arguments))


def test_an_unknown_argument_of_the_class_is_refused() -> None:
    with pytest.raises(TypeError, match="resorce"):
        type("Wrong", (AuditEvent,), {"__module__": __name__}, resorce="document")
    with pytest.raises(InvalidInput, match="configuration"):
        type("Wrong", (AuditEvent,), {"__module__": __name__}, extra="allow")


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"projct": "moon"}, "project", "Did you mean project?"),
        ({"project": 7}, "project", "must be text"),
        ({"project": "moon", "pages": "many"}, "pages", "must be a whole number"),
        ({"project": "m" * 21}, "project", "at most 20 characters"),
        ({"project": "moon", "action": " "}, "action", "must have at least 1 character"),
        ({"project": "moon", "ip": "nowhere"}, "ip", "must be an IPv4 or IPv6 address"),
    ],
)
def test_a_wrong_value_fails_when_the_event_is_made(values: dict[str, Any], field: str, words: str) -> None:
    for make in (lambda: DocumentDeleted(**values), lambda: DocumentDeleted.checked(values)):
        with pytest.raises(InvalidEvent) as caught:
            make()
        assert caught.value.field == field
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(Decimal, Decimal("0.12345678901234567890")), (Decimal, Decimal("1e400")), (list[Any], [object()])],
)
def test_a_value_that_would_be_altered_is_refused(annotation: Any, value: Any) -> None:
    with pytest.raises(InvalidEvent) as caught:
        declared(annotation)(value=value).record()
    assert caught.value.field == "value"


def test_an_annotation_may_name_a_class_that_follows() -> None:
    """The class is checked only when its fields are described."""
    namespace: dict[str, Any] = {}
    source = """
from __future__ import annotations
from pydantic import BaseModel
from auditlane.sdk import AuditEvent
class Placed(AuditEvent, action="order.placed"):
    order: Line
class Line(BaseModel):
    count: int
"""
    exec(source, namespace)
    placed = namespace["Placed"]
    placed.model_rebuild(_types_namespace=namespace)
    assert declared_fields(placed)[0].definition.type == "Json"
    assert placed(order={"count": 1}).custom_fields() == {"order": '{"count": 1}'}


def test_an_undefined_name_in_an_annotation_is_reported() -> None:
    with pytest.raises(InvalidInput, match="of Declared names Nothing") as caught:
        declared_fields(declared("Nothing"))
    assert "Define Nothing" in caught.value.fix


def test_a_message_contains_no_value() -> None:
    """An error may be logged, and the value may be secret."""
    with pytest.raises(AuditlaneError) as caught:
        DocumentDeleted(project="moon", pages=json.dumps({"password": "hunter2"}))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
