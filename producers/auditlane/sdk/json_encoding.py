"""Checks and encodes JSON objects in one pass, with defaults for fields that they omit. Most events of the gateway take
this path.

Null means absent, and custom fields may be next to the base fields, as in `contract.event_json`. An object that needs
full validation is left to the model, like an event in `plain_encoding`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.wire import HEADER_BYTES
from auditlane.runtime.ids import BATCH, uuid7, uuid7s
from auditlane.sdk import plain_values as plain
from auditlane.sdk.compiled_encoding import NAMES, CompiledEncoders, Encode, source
from auditlane.sdk.plain_encoding import PlainEncoder
from auditlane.sdk.transport import Encoded

_NAMED: Final = frozenset((*BASE_FIELDS, "fields"))
_SEPARATOR: Final = ""  # between the defaults' names and the object's, in the names that CompiledEncoders knows


def _source(names: tuple[str, ...]) -> str:
    at = names.index(_SEPARATOR)
    return source(names[at + 1 :], frozenset(names[:at]))


_COMPILED: Final = CompiledEncoders(_source, NAMES)
_ENCODED: Final[Mapping[str, Callable[[str], str]]] = {
    "tenant_id": plain.TENANTS.__getitem__,
    "request_id": plain.present,
    "source": plain.SOURCES.__getitem__,
}


class _Shape(NamedTuple):
    """The names of an object's members. `needs_checks` means that only the model can encode such an object."""

    compiled: Encode | None
    has_request_id: bool
    custom: tuple[str, ...]
    needs_checks: bool = False


_UNKNOWN: Final = _Shape(None, has_request_id=False, custom=(), needs_checks=True)
_MOST_SHAPES: Final = 256
_SHAPES: Final[dict[tuple[str, ...], _Shape]] = {}  # those of compiled functions, by the names of CompiledEncoders


class JsonEncoder:
    """Encodes the objects of one request. Use it within a moment, from one thread."""

    def __init__(
        self, encoder_of: Callable[[str], PlainEncoder | None], defaults: Mapping[str, str], max_event_bytes: int
    ) -> None:
        """Create an encoder. `encoder_of` returns a tenant's encoder, or None if it is not available.

        `defaults` may contain the fields tenant_id, request_id and source. An object may not name another tenant than
        the default.
        """
        self._encoder_of = encoder_of
        self._defaults = defaults
        self._max_event_bytes = max_event_bytes
        self._tenant = defaults.get("tenant_id")
        self._encoders: dict[str, PlainEncoder | None] = {}
        self._omitted: dict[str, str] = {}
        for name, value in defaults.items():
            try:
                self._omitted[name] = _ENCODED[name](value)
            except ValueError:  # invalid, so the model describes the problem
                self._encoder_of = lambda tenant: None

    def encode_all(self, objects: Sequence[object]) -> Iterator[Encoded | None]:
        """Yield each object's encoded event, or None if it needs full validation.

        An object is encoded once its result is requested, so that its time and id follow those of an event that the
        caller has created for the object before it.
        """
        default, limit, time_ns = self._tenant, self._max_event_bytes + HEADER_BYTES, time.time_ns
        omitted, new_id = self._omitted, uuid7s().__next__ if len(objects) >= BATCH else uuid7
        shape, names_of_shape, tenant = _UNKNOWN, None, None
        encoder: PlainEncoder | None = None
        found: Encoded | None
        for values in objects:
            if type(values) is not dict:
                new_id = uuid7  # an id created ahead would precede that of this object
                yield None
                continue
            names = tuple(values)
            if names != names_of_shape:
                names_of_shape, shape = names, self._shape(names)
            named: Any = values.get("tenant_id", default)
            if named != tenant:
                tenant, encoder = named, self._encoder(named)
            if (
                encoder is None
                or shape.needs_checks
                or (shape.has_request_id and not values["request_id"])
                or (shape.custom and None in [values[name] for name in shape.custom])
            ):
                new_id = uuid7
                yield None
                continue
            compiled = shape.compiled
            if compiled is None or encoder.has_rules:
                new_id = uuid7
                if compiled is None:
                    names_of_shape = None  # the next object with these names counts too
                yield self._encoded(encoder, values)
                continue
            try:
                event_id, encoded = compiled(values, time_ns() // 1_000, *encoder.more, omitted, new_id)
            except MemoryError:
                raise
            except IndexError:  # a text is longer than the tables of encoded lengths
                new_id = uuid7
                found = self._encoded(encoder, values)
            except Exception:  # a value may be of any type
                new_id = uuid7
                found = None
            else:
                found = (named, event_id, encoded) if len(encoded) <= limit else None
            yield found

    def _encoder(self, tenant: object) -> PlainEncoder | None:
        if type(tenant) is not str or (self._tenant is not None and tenant != self._tenant):
            return None
        if tenant not in self._encoders:
            self._encoders[tenant] = self._encoder_of(tenant)
        return self._encoders[tenant]

    def _shape(self, names: tuple[str, ...]) -> _Shape:
        key = (*[name for name in self._defaults if name not in names], _SEPARATOR, *names)
        found = _SHAPES.get(key)
        if found is not None:
            return found
        given = frozenset(names)
        custom = tuple(given - _NAMED)
        # An id requires a time, and a custom field may have two values.
        if ("event_id" in given and "occurred_at" not in given) or (custom and "fields" in given):
            return _UNKNOWN
        found = _Shape(_COMPILED.get(key), "request_id" in given, custom)
        if found.compiled is not None:
            if len(_SHAPES) >= _MOST_SHAPES:
                _SHAPES.clear()
            _SHAPES[key] = found
        return found

    def _encoded(self, encoder: PlainEncoder, values: dict[str, Any]) -> Encoded | None:
        """Encode an object whose names have not recurred often enough, or which has a long text."""
        if None in values.values():
            return None
        merged = {**self._defaults, **values}
        found = encoder.encode(merged, time.time_ns() // 1_000, self._max_event_bytes)
        return None if found is None else (merged["tenant_id"], *found)
