"""An event as a JSON object, for imports and for HTTP: null is absent, a tenant's own fields stand anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from auditlane.contract.event import BASE_FIELDS
from auditlane.runtime.errors import InvalidEvent

_NAMED: Final = frozenset((*BASE_FIELDS, "fields"))


def values_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values for `AuditEvent.checked`: what is null left out, own fields under `fields`, wherever they stood.

    Raises InvalidEvent when `fields` is no object.
    """
    values = {name: value for name, value in given.items() if value is not None}
    if values.keys() <= _NAMED and "fields" not in values:
        return values
    own = {name: values.pop(name) for name in list(values) if name not in _NAMED}
    fields = values.get("fields", {})
    if not isinstance(fields, dict):
        raise InvalidEvent("fields must be an object", field="fields")
    return values | {"fields": fields | own}
