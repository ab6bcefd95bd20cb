"""A row while it is being mapped to OCSF. Each value is taken once, and the remaining values go into `unmapped`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json

Attributes = dict[str, Any]
_INTEGER: Final = 1 << 31


class Row:
    """The values of a JSON Lines row by field. Fields that are empty or not exported are absent."""

    __slots__ = ("_metadata", "_values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name: value for name, value in values.items() if value}
        self._metadata: dict[str, str] = dict(self._values.pop("metadata", {}))

    def get(self, field: str) -> str:
        """Return a field's text without taking it, or "" if it has no value."""
        value: str = self._values.get(field, "")
        return value

    def take(self, field: str) -> str:
        """Take a field's text, or "" if it has no value."""
        value: str = self._values.pop(field, "")
        return value

    def take_json(self, field: str) -> Any:
        """Take the value of a field, parsed as JSON. Invalid JSON is returned as text. Returns None if the field has no
        value.
        """
        text = self.take(field)
        return _parsed(text) if text else None

    def take_key(self, *keys: str) -> str:
        """Take the text of the first of these metadata keys that has a value. Returns "" if none of them has one."""
        for key in keys:
            if self._metadata.get(key):
                return self._metadata.pop(key)
        return ""

    def key(self, key: str) -> str:
        """Return the text of a metadata key without taking it, or "" if it has no value."""
        return self._metadata.get(key) or ""

    def take_list(self, *keys: str) -> list[str]:
        """Take comma-separated text as a list, from the same key as `take_key`."""
        return [part for part in map(str.strip, self.take_key(*keys).split(",")) if part]

    def take_number(self, key: str) -> int | None:
        """Take the value of a metadata key if it is an integer that fits OCSF's `integer_t`."""
        text = self._metadata.get(key, "")
        if not (text.isascii() and text.isdecimal() and len(text) < 11 and int(text) < _INTEGER):
            return None
        return int(self._metadata.pop(key))

    def rest(self) -> Attributes:
        """Return all values that have not been taken. `before` and `after` are JSON values."""
        rest = dict(self._values)
        for field in ("before", "after"):
            if field in rest:
                rest[field] = _parsed(rest[field])
        if self._metadata:
            rest["metadata"] = self._metadata
        return rest


def _parsed(text: str) -> Any:
    """Parse JSON text. Text that is invalid, or nested too deeply, is returned unchanged."""
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return text
