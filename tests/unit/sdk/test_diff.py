"""Tests the differences between two states of an object. They are readable, limited in size, and contain no secrets."""

from __future__ import annotations

import dataclasses
import json
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address
from types import SimpleNamespace

import pytest
from pydantic import BaseModel, SecretStr
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from auditlane.sdk.diff import diff, plain_value


class Color(Enum):
    red = "red"


class Model(BaseModel):
    name: str
    key: SecretStr = SecretStr("x")


@dataclasses.dataclass
class Data:
    name: str


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "row"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    other: Mapped[str]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"name": "a", "same": 1}, {"name": "b", "same": 1}),
        (Data("a"), Data("b")),
        (Model(name="a"), Model(name="b")),
        (SimpleNamespace(name="a", _private=1), SimpleNamespace(name="b", _private=2)),
        (Row(name="a"), Row(name="b")),  # `other` is not loaded
        (Data("a"), {"name": "b"}),
    ],
)
def test_only_changes_are_returned(before, after):
    assert diff(before, after) == {"before": {"name": "a"}, "after": {"name": "b"}}


def test_equal_states_have_no_difference():
    state = {"a": [1, {"b": {2}}], "when": datetime(2026, 1, 1, tzinfo=UTC)}
    assert diff(state, dict(state)) == {}
    assert diff(None, None) == {}


def test_created_and_deleted_objects_are_shown_whole():
    assert diff(None, {"name": "a"}) == {"after": {"name": "a"}}
    assert diff({"name": "a"}, None) == {"before": {"name": "a"}}


def test_nested_objects_show_only_their_changes():
    before = {"address": {"city": "Bern", "zip": "3000"}, "tags": ["a"]}
    after = {"address": {"city": "Basel", "zip": "3000"}, "tags": ["a", "b"], "new": 1}
    assert diff(before, after) == {
        "before": {"address": {"city": "Bern"}, "tags": ["a"]},
        "after": {"address": {"city": "Basel"}, "tags": ["a", "b"], "new": 1},
    }


def test_numbers_of_different_types_differ():
    assert diff({"a": 1}, {"a": True}) == {"before": {"a": 1}, "after": {"a": True}}


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PasswordHash",
        "api_key",
        "apiKey",
        "client_secret",
        "access-token",
        "Authorization",
        "otp",
        "user_pin",
        "pass",
        "userPass",
        "pwd_hash",
        "X-API-Key",
        "private-key",
        "backup codes",
        "totp_seed",
        "passcode",
        "jwt",
    ],
)
def test_values_that_look_like_secrets_are_masked(name):
    assert diff({name: "old"}, {name: "new"}) == {"before": {name: "[masked]"}, "after": {name: "[masked, changed]"}}
    assert diff(None, {"inner": [{name: "new"}]}) == {"after": {"inner": [{name: "[masked]"}]}}


@pytest.mark.parametrize(
    "name",
    ["name", "compass", "bypass", "passenger", "pinned", "author", "hashtag", "keyboard", "primary_key", "public_key"],
)
def test_other_names_are_not_masked(name):
    assert diff({name: "old"}, {name: "new"})["after"] == {name: "new"}


def test_further_names_can_be_masked_and_ignored():
    changes = diff({"salary": 1, "seen": 1}, {"salary": 2, "seen": 2}, mask=["Salary"], ignore=["seen"])
    assert changes == {"before": {"salary": "[masked]"}, "after": {"salary": "[masked, changed]"}}


def test_secrets_in_json_text_are_masked():
    changes = diff(
        {"settings": '{"theme": "dark", "api_key": "old"}'}, {"settings": '{"theme": "dark", "api_key": "n"}'}
    )
    assert changes["before"] == {"settings": {"api_key": "[masked]"}}
    assert "old" not in str(diff({"settings": '{"api_key": "old", "text": "' + "x" * 2_000_000 + '"}'}, None))
    assert diff(None, {"title": "[draft] one"}) == {"after": {"title": "[draft] one"}}


@pytest.mark.parametrize(
    ("was", "now"), [("x" * 5_000 + "a", "x" * 5_000 + "b"), (b"a", b"b"), (["x" * 5_000 + "a"], ["x" * 5_000 + "b"])]
)
def test_a_change_outside_the_shown_part_is_found(was, now):
    assert set(diff({"text": was}, {"text": now})) == {"before", "after"}
    assert diff({"text": [was]}, {"text": [was]}) == {}


def test_unset_attributes_are_omitted():
    assert diff(Model.model_construct(key="x"), Model.model_construct(key="x")) == {}

    @dataclasses.dataclass
    class Unset:
        name: str = dataclasses.field(init=False)
        size: int = 1

    assert diff(None, Unset()) == {"after": {"size": 1}}


def test_every_value_becomes_json():
    cyclic: list[object] = [1]
    cyclic.append(cyclic)

    class Hostile:
        def __iter__(self):
            raise RuntimeError

        def __len__(self):
            return 3

        def __contains__(self, _):
            return False

    shown = plain_value(
        {
            "decimal": Decimal("1.50"),
            "uuid": uuid.UUID(int=1),
            "bytes": b"abc",
            "enum": Color.red,
            "when": datetime(2026, 1, 1, tzinfo=UTC),
            "day": date(2026, 1, 1),
            "span": timedelta(seconds=90),
            "address": ip_address("192.0.2.1"),
            "set": {2, 1},
            "nan": float("nan"),
            "huge": 1 << 100,
            "surrogate": "a\ud800b",
            "cycle": cyclic,
            "object": object(),
            "class": int,
            "hostile": Hostile(),
            "model": Model(name="m"),
            3: "number as a key",
        }
    )
    assert json.loads(json.dumps(shown, allow_nan=False)) == {
        "decimal": "1.50",
        "uuid": "00000000-0000-0000-0000-000000000001",
        "bytes": "<3 bytes>",
        "enum": "red",
        "when": "2026-01-01T00:00:00+00:00",
        "day": "2026-01-01",
        "span": "0:01:30",
        "address": "192.0.2.1",
        "set": [1, 2],
        "nan": "nan",
        "huge": str(1 << 100),
        "surrogate": "a�b",
        "cycle": [1, "<cycle>"],
        "object": "<object>",
        "class": "<type>",
        "hostile": "<Hostile: RuntimeError>",
        "model": {"name": "m", "key": "[masked]"},
        "3": "number as a key",
    }


@pytest.mark.parametrize(
    "huge",
    [
        "x" * 10_000_000,
        ["y" * 1_000] * 1_000,
        {f"key{n}": n for n in range(100_000)},
        [[[["z" * 100] * 100] * 100] * 100] * 100,
    ],
)
def test_huge_states_are_bounded(huge):
    assert len(json.dumps(diff({}, {"huge": huge}))) < 200_000


def test_depth_is_bounded():
    deep: dict[str, object] = {}
    for _ in range(10_000):
        deep = {"d": deep}
    assert len(json.dumps(diff(None, deep))) < 200
