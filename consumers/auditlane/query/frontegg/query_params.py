"""Parses the query parameters of Frontegg's clients, which can express a filter in five ways.

The forms are `severity=High`, the same name several times or with `[]`, a JSON object or list as the value, and an
object in brackets (`createdAt[$gt]=…`). PHP clients prepend a number, as in `0[severity]=High`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from auditlane.contract.frontegg import storable
from auditlane.contract.provenance import TRAIL
from auditlane.contract.tenants import is_tenant
from auditlane.contract.vocabulary import ACCESS_ACTIONS
from auditlane.query.filters import INCLUDE_ACCESS, one_of
from auditlane.runtime.errors import InvalidFilter

DEFAULT_COUNT: Final = 20
MAX_COUNT: Final = 200
MAX_OFFSET: Final = 10_000_000
MAX_CONDITIONS: Final = 100
MAX_CHARS: Final = 4_096
# Operators after a column's name, as in MongoDB. A plain value or a list means `in`.
OPERATORS: Final = {
    "$eq": "in",
    "$in": "in",
    "$ne": "not in",
    "$nin": "not in",
    "$gt": ">",
    "$gte": ">=",
    "$lt": "<",
    "$lte": "<=",
    "$contains": "contains",
    "$like": "contains",
}
_SINGLE: Final = ("tenantId", "filter", "sortBy", "sortDirection", "offset", "count", "limit", INCLUDE_ACCESS)
_IGNORED: Final = frozenset({"vendorId", "paginationMode", "outputFileName"})
_NAME: Final = re.compile(r"([^\[\]]*)((?:\[[^\[\]]*\])*)")
_SORT_BY: Final = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a column, under Frontegg's name for it. The operator is one of the values of OPERATORS, and the
    alternative values are text.
    """

    name: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """A parsed request.

    `tenants` may only repeat the request's tenant, never select another. Without `include_access`, auditlane's own
    events about access to the log do not match.
    """

    conditions: tuple[Condition, ...] = ()
    text: str = ""
    sort_by: str = "createdAt"
    descending: bool = True
    offset: int = 0
    count: int = DEFAULT_COUNT
    tenants: tuple[str, ...] = ()
    include_access: bool = False


@dataclass(slots=True)
class _Given:
    single: dict[str, str] = field(default_factory=dict)
    many: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, name: str, operator: str, values: Sequence[str]) -> None:
        self.many.setdefault((name, operator), []).extend(values)


def parse(pairs: Iterable[tuple[str, str]]) -> AuditQuery:
    """Parse (name, value) pairs. A pair with an empty value is ignored. Raises InvalidFilter."""
    given = _Given()
    for count, (name, value) in enumerate(pairs, start=1):
        _check(name, value, count)
        if value.strip() and name not in _IGNORED:
            _take(given, name, value)
    single = given.single
    sort_by = single.get("sortBy", "")
    direction = single.get("sortDirection", "asc" if sort_by else "desc").lower()
    if sort_by and not _SORT_BY.fullmatch(sort_by):
        raise InvalidFilter("'sortBy' is not a column name.", field="sortBy", fix="Use letters, digits and '_'.")
    if direction not in ("asc", "desc"):
        raise InvalidFilter("'sortDirection' must be asc or desc.", field="sortDirection", fix="Use asc or desc.")
    counted = single.get("count") or single.get("limit")
    conditions = tuple(Condition(*key, tuple(dict.fromkeys(values))) for key, values in given.many.items())
    access = one_of(INCLUDE_ACCESS, single.get(INCLUDE_ACCESS), ("true", "false"), "false")
    return AuditQuery(
        conditions=conditions,
        text=single.get("filter", ""),
        sort_by=sort_by or "createdAt",
        descending=direction == "desc",
        offset=_number("offset", single.get("offset", "0")),
        count=min(max(_number("count", counted), 1), MAX_COUNT) if counted else DEFAULT_COUNT,
        tenants=_tenants(single),
        include_access=access == "true" or any(map(_names_access, conditions)),
    )


def _names_access(condition: Condition) -> bool:
    """Return whether the condition asks for an action of access to the log, or for auditlane as the source."""
    known = {"action": ACCESS_ACTIONS, "source": {TRAIL}}.get(condition.name, ())
    match condition.operator:
        case "in":
            return any(value in known for value in condition.values)
        case "contains":
            return any(value.lower() in name for value in condition.values for name in known)
    return False


def newer_parameters(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Translate the parameters of the second version to those of the first."""
    names = {"created_from": "createdAt[$gte]", "created_to": "createdAt[$lte]", "users": "user", "users[]": "user"}
    given = [(names.get(name, name), value) for name, value in pairs]
    tenants = [value for name, value in given if name in ("tenant_ids", "tenant_ids[]")]
    rest = [(name, value) for name, value in given if name not in ("tenant_ids", "tenant_ids[]")]
    return [*rest, ("tenantId", ",".join(tenants))] if tenants else rest


def _check(name: str, value: str, count: int) -> None:
    shown = name[:100]
    if count > MAX_CONDITIONS:
        raise InvalidFilter(f"There are more than {MAX_CONDITIONS} parameters.", fix="Use fewer parameters.")
    if len(name) > MAX_CHARS or len(value) > MAX_CHARS:
        raise InvalidFilter(f"{shown!r} is longer than {MAX_CHARS} characters.", field=shown, fix="Shorten it.")
    try:
        (name + value).encode()
    except UnicodeEncodeError:
        raise InvalidFilter(f"{shown!r} is not valid UTF-8.", field=shown, fix="Send it as UTF-8.") from None


def _take(given: _Given, name: str, value: str) -> None:
    if name in _SINGLE:
        if name in given.single and given.single[name] != value:
            raise InvalidFilter(f"{name!r} appears more than once.", field=name, fix="Pass it only once.")
        given.single[name] = value
        return
    found = _NAME.fullmatch(name)
    column, keys = (found[1], re.findall(r"\[([^\[\]]*)\]", found[2])) if found else ("", [])
    if column.isdecimal() and keys and not keys[0].startswith("$") and keys[0]:
        column, *keys = keys  # the number that PHP prepends
    keys = [key for key in keys if key and not key.isdecimal()]  # [] and [0] are list positions
    if not column or len(keys) > 1:
        raise InvalidFilter(
            f"{name[:100]!r} does not name a column.", field=name[:100], fix="Write column or column[$gt]."
        )
    if keys:
        given.add(column, _operator(keys[0], name), [value])
        return
    read = _json(value)
    if isinstance(read, dict):
        for operator, operand in read.items():
            given.add(column, _operator(operator, name), _values(operand, name))
    else:
        given.add(column, "in", _values(read, name) if isinstance(read, list) else [value])


def _operator(text: str, name: str) -> str:
    if text not in OPERATORS:
        raise InvalidFilter(
            f"{name[:100]!r} has the unknown operator {text[:60]!r}.",
            field=name[:100],
            fix="Use one of: " + ", ".join(OPERATORS) + ".",
        )
    return OPERATORS[text]


def _json(value: str) -> Any:
    """Parse the value if it is a JSON object or list. Returns None for any other value."""
    if value[:1] not in "{[":
        return None
    try:
        return storable(json.loads(value))
    except (ValueError, RecursionError):
        return None


def _values(value: Any, name: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) or item is None for item in values):
        raise InvalidFilter(
            f"{name[:100]!r} must be compared with text or a number.", field=name[:100], fix="Send text or a number."
        )
    return [item if isinstance(item, str) else json.dumps(item) for item in values]


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(MAX_OFFSET))):
        raise InvalidFilter(
            f"{name!r} is not a whole number below {MAX_OFFSET}: {text[:60]!r}.",
            field=name,
            fix="Send a whole number, such as 0 or 20.",
        )
    return int(text)


def _tenants(single: dict[str, str]) -> tuple[str, ...]:
    named = tuple(tenant.strip() for tenant in single.get("tenantId", "").split(",") if tenant.strip())
    if not all(map(is_tenant, named)):
        raise InvalidFilter(
            "'tenantId' contains an invalid tenant id.", field="tenantId", fix="Omit it; the header names the tenant."
        )
    return named
