"""A row while it is being mapped to OCSF. Each value is taken once; values that are left go into `unmapped`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json

Attributes = dict[str, Any]
_INTEGER: Final = 1 << 31


class Row:
    """A JSON Lines row's values by field. Fields that are empty or not exported are absent."""

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
        """Take a field's value, parsed as JSON, or the raw text if it is not valid JSON. Returns None if the field has
        no value.
        """
        text = self.take(field)
        return _parsed(text) if text else None

    def take_key(self, *keys: str) -> str:
        """Take the text of the first of these metadata keys that has a value, or "" if none has."""
        for key in keys:
            if self._metadata.get(key):
                return self._metadata.pop(key)
        return ""

    def key(self, key: str) -> str:
        """Return a metadata key's text without taking it, or "" if it has no value."""
        return self._metadata.get(key) or ""

    def take_list(self, *keys: str) -> list[str]:
        """Take comma-separated text, from the same key as `take_key`, as a list."""
        return [part for part in map(str.strip, self.take_key(*keys).split(",")) if part]

    def take_number(self, key: str) -> int | None:
        """Take a metadata key's value if it is a whole number that fits OCSF's `integer_t`."""
        text = self._metadata.get(key, "")
        if not (text.isascii() and text.isdecimal() and len(text) < 11 and int(text) < _INTEGER):
            return None
        return int(self._metadata.pop(key))

    def rest(self) -> Attributes:
        """Return all values not taken yet. `before` and `after` are JSON values."""
        rest = dict(self._values)
        for field in ("before", "after"):
            if field in rest:
                rest[field] = _parsed(rest[field])
        if self._metadata:
            rest["metadata"] = self._metadata
        return rest


def _parsed(text: str) -> Any:
    """Parse JSON text. Text that is not JSON, or that is nested too deeply, is returned unchanged."""
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return text
