"""Checks the base fields and the rules of a contract, column by column. Each check returns a mask of the failing
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from auditlane.contract.event import parse_ip
from auditlane.contract.patterns import LONGEST_VALUE
from auditlane.contract.provenance import is_ours
from auditlane.contract.rules import Rules
from auditlane.contract.tenant_contract import Field
from auditlane.contract.values import TIME_FIRST_US, TIME_LAST_US
from auditlane.contract.window import EARLIEST_US, LATEST_US
from auditlane.runtime._pyarrow import Column, pa, pc

Mask = npt.NDArray[np.bool_]

# The range that all column types involved can represent: 1970 to 2262, the limit of 64-bit nanoseconds.
_FIRST_US: Final = 0
_LAST_US: Final = 9_214_646_400_000_000

_LONGEST_IP: Final = 64  # maximum length in characters; every valid address is shorter
_UUID: Final = r"\A[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\z"
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4: Final = rf"\A{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}\z"


def mask(array: Column, *, null: bool = False) -> Mask:
    """Convert a boolean Arrow column to NumPy. Nulls become `null`."""
    return np.asarray(pc.fill_null(array, null).to_numpy(zero_copy_only=False), dtype=bool)


def bad_event_ids(column: Column) -> Mask:
    """Return a mask of rows whose event_id is not a UUID of 36 characters, in upper or lower case."""
    return ~mask(pc.match_substring_regex(column, _UUID))


def bad_times(occurred_us: npt.NDArray[np.int64], kafka_ms: npt.NDArray[np.int64]) -> Mask:
    """Return a mask of rows whose occurred_at is too far from the Kafka timestamp or outside the range of the table."""
    stored = (occurred_us >= _FIRST_US) & (occurred_us <= _LAST_US)
    kafka_us = np.clip(kafka_ms, 0, _LAST_US // 1000) * 1000
    distance = np.where(stored, occurred_us, 0) - kafka_us
    return np.asarray(~stored | (kafka_ms * 1.0 * 1000 > _LAST_US) | (distance > LATEST_US) | (distance < -EARLIEST_US))


def reserved_sources(column: Column) -> Mask:
    """Return a mask of rows whose source is reserved for auditlane."""
    sources = column.dictionary_encode()
    ours = np.array([is_ours(name) for name in sources.dictionary.to_pylist()], dtype=bool)
    return ours[sources.indices.to_numpy()] if ours.any() else np.zeros(len(column), dtype=bool)


def bad_ips(column: Column) -> Mask:
    """Return a mask of rows whose ip is not an address, unless it is empty or null."""
    bad = ~mask(pc.match_substring_regex(column, _IPV4), null=True) & ~mask(pc.equal(column, ""))
    rows = np.flatnonzero(bad)
    for row, text in zip(rows.tolist(), column.take(pa.array(rows)).to_pylist(), strict=True):
        bad[row] = len(text) > _LONGEST_IP or not _is_ip(text)  # long values must not fill the cache
    return bad


@lru_cache(maxsize=65_536)
def _is_ip(text: str) -> bool:
    return parse_ip(text) is not None


def unmatchable(fields: Iterable[Field]) -> str:
    """Return the reason why Arrow's RE2 cannot use the pattern of a field, or an empty string if it can use all
    patterns.
    """
    for field in fields:
        if field.rules.pattern is not None:
            try:
                pc.match_substring_regex(pa.array([""]), field.rules.pattern.re2)
            except pa.ArrowInvalid as error:
                return f"{field.name}: `pattern` {field.rules.pattern.text!r} cannot be used: {error}"
    return ""


def broken_rules(columns: Iterable[tuple[Field, Column]]) -> dict[int, tuple[Field, str]]:
    """Return, by row, the first field in the given order whose rules are violated, and the first such rule.

    A time outside the calendar's years violates the rule `time`.
    """
    broken: dict[int, tuple[Field, str]] = {}
    for field, column in columns:
        for rule, rows in _broken(field, column):
            if rows.any():
                for row in np.flatnonzero(rows).tolist():
                    broken.setdefault(row, (field, rule))
    return broken


def _broken(field: Field, column: Column) -> Iterator[tuple[str, Mask]]:
    if field.kind == "timestamp":
        yield "time", mask(pc.or_(pc.less(column, TIME_FIRST_US), pc.greater(column, TIME_LAST_US)))
    rules = field.rules
    if not rules:
        return
    for rule, breaks in _CHECKS.items():
        found = breaks(rules, field, column)
        if found is not None:
            yield rule, found


def _required(rules: Rules, field: Field, column: Column) -> Mask | None:
    if not rules.required:
        return None
    if field.kind in ("string", "enum"):
        return mask(pc.equal(column, ""), null=True)
    if field.kind == "map":
        return np.asarray(np.diff(column.offsets.to_numpy()) == 0)
    return mask(column.is_null())


def _max_length(rules: Rules, field: Field, column: Column) -> Mask | None:
    return None if rules.max_length is None else mask(pc.greater(pc.utf8_length(column), rules.max_length))


def _pattern(rules: Rules, field: Field, column: Column) -> Mask | None:
    if rules.pattern is None:
        return None
    # Longer values already break `maxLength`, and a pattern's cost grows with the value's length.
    longest = LONGEST_VALUE if rules.max_length is None else rules.max_length
    bounded = pc.if_else(pc.greater(pc.utf8_length(column), longest), pa.scalar(None, column.type), column)
    return ~mask(pc.match_substring_regex(bounded, rules.pattern.re2), null=True)


def _minimum(rules: Rules, field: Field, column: Column) -> Mask | None:
    return None if rules.minimum is None else _beyond(column, rules.minimum, below=True)


def _maximum(rules: Rules, field: Field, column: Column) -> Mask | None:
    return None if rules.maximum is None else _beyond(column, rules.maximum, below=False)


def _one_of(rules: Rules, field: Field, column: Column) -> Mask | None:
    if rules.one_of is None:
        return None
    wide, values = _wide(column), list(rules.one_of)
    if pa.types.is_floating(column.type):  # Arrow distinguishes -0.0 from 0.0; adding 0.0 makes both 0.0
        wide, values = pc.add(wide, 0.0), [float(one) + 0.0 for one in rules.one_of]
    return ~mask(pc.is_in(wide, value_set=pa.array(values, wide.type)), null=True) & mask(column.is_valid())


def _beyond(column: Column, bound: float, *, below: bool) -> Mask:
    wide = _wide(column)
    limit = pa.scalar(bound, wide.type)
    keeps = pc.greater_equal(wide, limit) if below else pc.less_equal(wide, limit)
    return ~mask(keeps, null=True)  # NaN satisfies neither comparison


def _wide(column: Column) -> Column:
    """Widen 32-bit floats to 64 bits, as Python does before comparing them."""
    return column.cast(pa.float64()) if pa.types.is_floating(column.type) else column


_CHECKS: Final[dict[str, Callable[[Rules, Field, Column], Mask | None]]] = {
    "required": _required,
    "maxLength": _max_length,
    "pattern": _pattern,
    "minimum": _minimum,
    "maximum": _maximum,
    "oneOf": _one_of,
}
