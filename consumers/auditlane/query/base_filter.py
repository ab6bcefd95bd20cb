"""A base filter is part of a viewer token. Like the tenant, it limits everything that the token can read.

A base filter is passed as (name, value) pairs in tokens, links, export jobs and the `TenantScope` of a request. Its
meaning depends on nothing else. Therefore, custom fields are written `fields.<name>` and compared as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from auditlane.access.scope import BaseFilter, TenantScope
from auditlane.query.filters import INCLUDE_ACCESS, Filter, parse
from auditlane.runtime.errors import InvalidFilter

MAX_BYTES: Final = 1_500  # as JSON in ASCII: a link's code and a session cookie can hold at most 4096 characters
# Prefix of a base filter's pairs in links and jobs. Earlier releases have no filter with this prefix, so they refuse
# the link or the job instead of ignoring the limit.
_MARK: Final = "base_filter:"


def base_filter(given: Mapping[str, str | Sequence[str]]) -> BaseFilter:
    """Validate a base filter and return its pairs. `given` maps each filter's name to one value or a list of
    alternatives.

    Raises InvalidFilter, whose field begins with `filter`. Empty values are errors. They probably mean that the
    vendor's code had no value, and the token would then show events that the vendor did not intend to show.
    """
    if not given:
        raise InvalidFilter(
            "'filter' is empty, so it would not limit the token.",
            field="filter",
            fix="Name a filter, or omit 'filter'.",
        )
    pairs = []
    for name, values in given.items():
        field = f"filter.{name[:100]}"
        if name == INCLUDE_ACCESS:
            raise InvalidFilter(
                f"{name!r} cannot be part of a base filter.", field=field, fix="Omit it: each request sets it."
            )
        alternatives = [values] if isinstance(values, str) else list(values)
        if not alternatives or not all(value.strip() for value in alternatives):
            raise InvalidFilter(
                f"{name[:100]!r} has no value." if not alternatives else f"{name[:100]!r} has an empty value.",
                field=field,
                fix="Pass the value that events must have, or omit the name. For events without a value, use"
                " {'query': '-resource_id:*'}.",
            )
        pairs += [(name, value) for value in alternatives]
    if len(json.dumps(pairs)) > MAX_BYTES:
        raise InvalidFilter(
            f"'filter' is longer than {MAX_BYTES} bytes.", field="filter", fix="Use fewer or shorter values."
        )
    try:
        filter_of(tuple(pairs))
    except InvalidFilter as error:
        raise InvalidFilter(
            error.message,
            fix=error.fix,
            field=f"filter.{error.field}" if error.field else "filter",
            column=error.column,
            reason=error.reason,
            arguments=error.arguments,
        ) from None
    return tuple(pairs)


@lru_cache(maxsize=1_024)
def filter_of(pairs: BaseFilter) -> Filter:
    """Return the filter for these pairs, which also matches events about access to the log. Raises InvalidFilter.

    The result is cached, so it must not be changed.
    """
    return parse([*pairs, (INCLUDE_ACCESS, "true")])


def digest(scope: TenantScope) -> bytes:
    """Return a 16-byte digest of the scope's base filter, or b"" if it has none."""
    return filter_of(scope.base_filter).digest() if scope.base_filter else b""


def marked(scope: TenantScope, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs of a link or job, preceded by those of the scope's base filter."""
    return [*((_MARK + name, value) for name, value in scope.base_filter), *pairs]


def unmarked(pairs: Iterable[tuple[str, str]]) -> tuple[BaseFilter, tuple[tuple[str, str], ...]]:
    """Split the pairs of a link or job into the base filter and the rest. This is the inverse of `marked`."""
    base, rest = [], []
    for name, value in pairs:
        if name.startswith(_MARK):
            base.append((name.removeprefix(_MARK), value))
        else:
            rest.append((name, value))
    return tuple(base), tuple(rest)
