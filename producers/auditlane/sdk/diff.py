"""Compares an object before and after a change, and returns the differences in a readable form.

Objects are read without side effects: only attributes that are already loaded are read, and no query is made. Values
are bounded in size, and masked under keys that look like secrets.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from typing import Any, Final, TypedDict
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr

MASKED: Final = "[masked]"
MASKED_CHANGE: Final = "[masked, changed]"
_MOST_CHARACTERS: Final = 1_000  # maximum length of a string
_MOST_ITEMS: Final = 100  # maximum number of items in a list or object
_MOST_VALUES: Final = 2_000  # maximum number of values in one state
_MOST_DEPTH: Final = 8
_LONGEST_JSON: Final = 1 << 20  # maximum length in characters of JSON text that is parsed
_JSON_BEGINS: Final = frozenset("{[")
_MOST_TOTAL: Final = 64 << 10  # maximum total number of characters in one state's texts
_WORD_START: Final = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+"
)  # splits `apiKey`, `api-key` and `api key` into words
_SECRET: Final = re.compile(
    r"passw|passphrase|passcode|pwd|secret|token|credential|authorization|cookie|signature|private_?key|api_?key"
    r"|access_?key|(encryption|signing|ssh|hmac|aes)_?key|session_?(key|id)|card_?number|(recovery|backup)_?code"
    r"|(^|_)(pass|pw|t?otp|pin|cvv|cvc|salt|hash|seed|ssn|iban|jwt|bearer|auth)(_|$)"
)
_TEXTS: Final = (Decimal, UUID, PurePath, IPv4Address, IPv6Address, IPv4Network, IPv6Network)

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})

Mask = Callable[[str], bool]


class Changes(TypedDict, total=False):
    """Differences between two states, as the keywords `before` and `after` of `emit`."""

    before: dict[str, Any]
    after: dict[str, Any]


def diff(before: object, after: object, *, mask: Iterable[str] = (), ignore: Collection[str] = ()) -> Changes:
    """Return the fields that differ between two states of an object. The result is empty if none do.

        old = document.model_copy()
        document.title = "Final"
        audit.emit(action="document.updated", resource_id=document.id, **audit.diff(old, document))

    Each state is a mapping, a dataclass, a pydantic model, a Django or SQLAlchemy object, another object with
    attributes, or None for an object that does not exist, in which case the result has all fields of the other state.

    Args:
        before: The state before the change.
        after: The state after it.
        mask: Names of fields whose values are masked, in addition to those that look like secrets.
        ignore: Names of fields that are left out.
    """
    masked = frozenset(name.casefold() for name in mask)

    def is_secret(name: str) -> bool:
        return _looks_secret(name) or name.casefold() in masked

    fields = [_fields(state, value_is_state=True) for state in (before, after)]
    same = _same(*fields) if all(isinstance(state, Mapping) for state in fields) else frozenset()
    left, right = (_state(state, same.union(ignore)) for state in fields)
    if left is None or right is None:
        changes = Changes()
        if left:
            changes["before"] = _masked(left, is_secret)
        if right:
            changes["after"] = _masked(right, is_secret)
        return changes
    old, new = _changed(left, right, is_secret)
    return Changes(before=old, after=new) if old or new else Changes()


def plain_value(value: object) -> Any:
    """Return a value in a form that JSON can represent, bounded in size. Unlike `json_text`, this accepts any value.

    A value that JSON cannot represent becomes its type's name in angle brackets.
    """
    return _Reader().read(value, 0)


@lru_cache(maxsize=4_096)  # column names recur
def _looks_secret(name: str) -> bool:
    return _SECRET.search(_WORD_START.sub("_", name).lower()) is not None


def _same(left: Any, right: Any) -> frozenset[Any]:
    """Return the fields whose plain values are the same in both states.

    Most fields are equal, and equal fields need not be read further.
    """
    return frozenset(
        name
        for name, was in left.items()
        if type(was) in _PLAIN and type(now := right.get(name, _ABSENT)) is type(was) and now == was
    )


def _state(fields: object, ignore: Collection[Any]) -> dict[str, Any] | None:
    if fields is None:
        return None
    if isinstance(fields, Mapping):
        fields = {name: item for name, item in fields.items() if name not in ignore}
    state = _Reader().read(fields, 0)
    return state if isinstance(state, dict) else {"value": state}


def _changed(left: dict[str, Any], right: dict[str, Any], is_secret: Mask) -> tuple[dict[str, Any], dict[str, Any]]:
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for name in left.keys() | right.keys() if left.keys() != right.keys() else left:
        was, now = left.get(name, _ABSENT), right.get(name, _ABSENT)
        if was is now or (was == now and type(was) is type(now)):
            continue
        if is_secret(name):
            was, now = (MASKED if was is not _ABSENT else was), (MASKED_CHANGE if now is not _ABSENT else now)
        elif isinstance(was, dict) and isinstance(now, dict):
            was, now = _changed(was, now, is_secret)
            if not was and not now:
                continue
        else:
            was, now = _masked(was, is_secret), _masked(now, is_secret)
        if was is not _ABSENT:
            old[name] = was
        if now is not _ABSENT:
            new[name] = now
    return old, new


def _masked(value: Any, is_secret: Mask) -> Any:
    if isinstance(value, dict):
        return {
            name: MASKED if is_secret(name) and item not in (None, "") else _masked(item, is_secret)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_masked(item, is_secret) for item in value]
    return value


class _Shortened(str):
    """A value's shortened form. Two of them are equal only if the full values are."""

    __slots__ = ("whole",)
    whole: object

    @classmethod
    def of(cls, whole: object, shown: str) -> _Shortened:
        made = cls(shown)
        made.whole = whole
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shortened) and self.whole == other.whole

    __hash__ = str.__hash__


class _Absent:
    pass


_ABSENT: Final[Any] = _Absent()


class _Reader:
    """Reads one state. It counts the values read, so that a huge or cyclic object yields a bounded result."""

    __slots__ = ("characters", "open", "values")

    def __init__(self) -> None:
        self.characters = _MOST_TOTAL
        self.values = _MOST_VALUES
        self.open: set[int] = set()  # ids of the containers being read

    def read(self, value: object, depth: int) -> Any:  # noqa: C901 - a table of types
        self.values -= 1
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if kind is str:
            return self._json_or_text(value, depth)  # type: ignore[arg-type]
        if kind is int:
            return value if -(1 << 63) <= value < 1 << 64 else self._text(str(value))  # type: ignore[operator]
        if kind is float:
            return value if value - value == 0 else str(value)  # type: ignore[operator]  # NaN and infinities are not JSON
        try:
            if isinstance(value, Enum):
                return self.read(value.value, depth)
            if isinstance(value, date | time):
                return value.isoformat()
            if isinstance(value, timedelta):
                return str(value)
            if isinstance(value, _TEXTS):
                return self._text(str(value))
            if isinstance(value, SecretStr | SecretBytes):
                return MASKED
            if isinstance(value, bytes | bytearray | memoryview):
                whole = bytes(value)
                return _Shortened.of(whole, f"<{len(whole)} bytes>")
            if isinstance(value, str):
                return self._text(str.__str__(value))
            if isinstance(value, int | float):
                return self.read(int(value) if isinstance(value, int) else float(value), depth)
            return self._container(value, depth)
        except Exception as error:  # raised by one of the value's own methods
            return f"<{kind.__name__}: {type(error).__name__}>"

    def _json_or_text(self, text: str, depth: int) -> Any:
        """Read text. If it is a JSON object or list, read that instead, since it may have keys to mask."""
        if text[:1] not in _JSON_BEGINS:
            return self._text(text)
        if len(text) > _LONGEST_JSON:
            return _Shortened.of(text, f"<{len(text)} characters>")
        try:
            return self.read(json.loads(text), depth)
        except (ValueError, RecursionError):
            return self._text(text)

    def _container(self, value: object, depth: int) -> Any:
        if id(value) in self.open:
            return "<cycle>"
        if depth >= _MOST_DEPTH or self.values <= 0:
            return "<…>"
        self.open.add(id(value))
        try:
            fields = _fields(value)
            if isinstance(fields, Mapping):
                return self._object(fields, depth)
            if isinstance(value, AbstractSet):
                return sorted(self._list(value, depth), key=str)
            if isinstance(value, list | tuple) or (isinstance(value, Collection) and not isinstance(value, type)):
                return self._list(value, depth)
            return f"<{type(value).__name__}>"
        finally:
            self.open.discard(id(value))

    def _object(self, fields: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for name, item in fields.items():
            if len(state) >= _MOST_ITEMS or self.values <= 0:
                state["…"] = f"{len(fields) - len(state)} more"
                break
            key = name if type(name) is str else self.read(name, _MOST_DEPTH)
            state[self._text(str(key))] = self.read(item, depth + 1)
        return state

    def _list(self, items: Collection[Any], depth: int) -> list[Any]:
        read: list[Any] = []
        for item in items:
            if len(read) >= _MOST_ITEMS or self.values <= 0:
                read.append(f"… {len(items) - len(read)} more")
                break
            read.append(self.read(item, depth + 1))
        return read

    def _text(self, text: str) -> str:
        if not text.isascii():
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # lone surrogates
        room = max(min(_MOST_CHARACTERS, self.characters), 0)
        self.characters -= len(text)
        if len(text) > room:
            return _Shortened.of(text, f"{text[:room]}… ({len(text)} characters)")
        return text


def _fields(value: Any, *, value_is_state: bool = False) -> object:
    """Return the fields of an object as a mapping. A value without fields is returned unchanged.

    The state itself may be a plain object. A plain object inside a state is shown only as its type, since its
    attributes may be anything.
    """
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return _attributes(value, type(value).model_fields) | (value.model_extra or {})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _attributes(value, (field.name for field in dataclasses.fields(value)))
    kind = type(value)
    attributes = getattr(value, "__dict__", None)
    if attributes is not None and (columns := getattr(getattr(kind, "_meta", None), "concrete_fields", None)):  # Django
        return {column.attname: attributes[column.attname] for column in columns if column.attname in attributes}
    if attributes is not None and (mapper := getattr(kind, "__mapper__", None)) is not None:  # SQLAlchemy
        return {column.key: attributes[column.key] for column in mapper.column_attrs if column.key in attributes}
    if (named := getattr(kind, "__attrs_attrs__", None)) is not None:
        return _attributes(value, (field.name for field in named))
    if value_is_state and attributes is not None and not isinstance(value, type | Collection):
        return {name: item for name, item in attributes.items() if not name.startswith("_")}
    return value


def _attributes(value: object, names: Iterable[str]) -> dict[str, Any]:
    """Return the attributes that are set. A model may have been constructed without some of them."""
    return {name: item for name in names if (item := getattr(value, name, _ABSENT)) is not _ABSENT}
