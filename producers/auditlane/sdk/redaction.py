"""Removes or hashes chosen values in an event before it leaves the process."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from auditlane.contract.declared_values import contract_value
from auditlane.contract.event import AuditEvent
from auditlane.sdk.diff import plain_value

REDACTED: Final = "[redacted]"
_HASH_CHARACTERS: Final = 32  # 128 bits
_TEXTS: Final = frozenset({"actor_id", "actor_name", "on_behalf_of", "resource_id", "description", "user_agent"})
_REMOVED: Final = frozenset({"ip"})  # not text, so it can only be removed
_STATES: Final = ("before", "after")
_KEYED: Final = ("metadata.", "fields.", "changes.")


def check_path(path: str, *, hashed: bool) -> str:
    """Return a path if it can be redacted or hashed. Raises ValueError."""
    if path in _TEXTS or (path in _REMOVED and not hashed):
        return path
    if any(path.startswith(prefix) and len(path) > len(prefix) for prefix in _KEYED):
        return path
    if path in _REMOVED:
        raise ValueError(f"{path} can be redacted, but not hashed")
    known = ", ".join(sorted(_TEXTS | (frozenset() if hashed else _REMOVED)))
    raise ValueError(f"{path!r} must be one of {known}, metadata.<key>, fields.<name> or changes.<key>")


@dataclass(frozen=True, slots=True)
class Redaction:
    """The event values to replace: those in `redacted` with a fixed string, and those in `hashed` with an HMAC-SHA256
    under `key`.

    Equal values have equal hashes, so that users can still be distinguished and searched for. A path is the name of a
    base field, `metadata.<key>`, `fields.<name>` for a custom field, or `changes.<key>` for a key at any depth of
    `before` and `after`.
    """

    redacted: frozenset[str]
    hashed: frozenset[str]
    key: bytes

    @classmethod
    def made(cls, redacted: Collection[str], hashed: Collection[str], key: str) -> Redaction | None:
        """Return the redaction, or None if there is nothing to replace."""
        return cls(frozenset(redacted), frozenset(hashed), key.encode()) if redacted or hashed else None

    def apply(self, event: AuditEvent) -> AuditEvent:
        """Return the event with its values replaced."""
        changed: dict[str, Any] = {}
        for path, replace in self._replacements():
            kind, _, name = path.partition(".")
            if not name:
                if value := getattr(event, path):
                    changed[path] = None if path in _REMOVED else replace(value)
            elif kind == "fields" and event.declares(name):
                with suppress(ValueError):  # no contract can carry it, so the event is rejected
                    if (value := contract_value(getattr(event, name))) is not None:
                        changed[name] = self._field(path, value, replace)
            elif kind == "changes":
                for state in _STATES:
                    text = changed.get(state, getattr(event, state))
                    if text and (name in text or "\\" in text):  # the name may be escaped
                        changed[state] = _replaced_in(text, name, replace)
            else:
                values: Mapping[str, Any] = changed.get(kind, getattr(event, kind))
                if values.get(name) is not None:
                    changed[kind] = {**values, name: self._field(path, values[name], replace)}
        return event.model_copy(update=changed) if changed else event

    def _field(self, path: str, value: object, replace: Callable[[Any], str]) -> str | None:
        return None if path in self.redacted and _is_number(value) else replace(value)

    def _replacements(self) -> list[tuple[str, Callable[[Any], str]]]:
        return [(path, lambda _: REDACTED) for path in self.redacted] + [(path, self._hash) for path in self.hashed]

    def _hash(self, value: object) -> str:
        text = value if isinstance(value, str) else _json(value)
        return "hmac:" + hmac.digest(self.key, text.encode(errors="surrogatepass"), "sha256").hex()[:_HASH_CHARACTERS]


def _replaced_in(text: str, name: str, replace: Callable[[Any], str]) -> str:
    """Return JSON text with a key's values replaced. Invalid JSON is replaced as a whole."""
    try:
        state = _walked(json.loads(text), name, replace)
        shown = json.dumps(state, ensure_ascii=False, allow_nan=False)
    except json.JSONDecodeError:  # `before` and `after` may be any string
        return text
    except (ValueError, RecursionError):  # the number is too long, or the text nested too deeply
        return replace(text)
    return shown if _encodable(shown) else json.dumps(state)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_number(value: object) -> bool:
    """Return whether a custom field with this value is a number or a time, which cannot be replaced with a string."""
    return isinstance(value, int | float | Decimal | datetime)


def _json(value: object) -> str:
    try:
        return json.dumps(value, default=str, sort_keys=True)
    except (TypeError, ValueError, RecursionError):  # keys that cannot be sorted, or a cycle
        return json.dumps(plain_value(value))


def _walked(value: Any, name: str, replace: Callable[[Any], str]) -> Any:
    if isinstance(value, dict):
        return {
            key: replace(item) if key == name and item is not None else _walked(item, name, replace)
            for key, item in value.items()
        }
    return [_walked(item, name, replace) for item in value] if isinstance(value, list) else value
