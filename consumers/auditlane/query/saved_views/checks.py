"""Checks the content of a view against the tenant's data structure."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Final

from auditlane.query.fields import from_structure, parse_zone
from auditlane.query.filters import parse
from auditlane.query.saved_views.models import ViewContent
from auditlane.query.sort import parse_sort
from auditlane.query.summary.router import grouping
from auditlane.runtime.errors import InvalidInput
from auditlane.store.structure_cache import Structure

SENTENCE: Final = "sentence"  # a viewer column that is not a field
_METADATA: Final = "metadata."


def check(content: ViewContent, structure_of: Callable[[str], Structure], tenant: str) -> None:
    """Raise InvalidFilter or InvalidInput if the list of events could not show the view. The error names the invalid
    member.

    `structure_of` is called only if the content names a field.
    """
    ends = [(name, value) for name, value in (("from", content.from_), ("to", content.to)) if value is not None]
    if content.range is not None and ends:
        raise InvalidInput(
            f"A view may have either 'range' or {ends[0][0]!r}, not both.", field="range", fix="Omit one of them."
        )
    query = [("query", content.query)] if content.query.strip() else []
    custom = from_structure(structure_of)(tenant)
    parse([*query, *ends], custom)
    parse_sort(content.sort, lambda: structure_of(tenant))
    if content.group is not None:
        grouping(content.group, custom, parameter="group")
    if content.tz is not None:
        parse_zone("tz", content.tz)
    if content.columns is not None:
        _check_columns(content.columns, lambda: structure_of(tenant))


def _check_columns(columns: list[str], structure: Callable[[], Structure]) -> None:
    if not columns:
        raise InvalidInput(
            "A view needs at least one column.", field="columns", fix="Name a column, or omit `columns`."
        )
    known = {field.name for field in structure().fields} | {SENTENCE}
    for place, name in enumerate(columns):
        if name in columns[:place]:
            raise InvalidInput(f"Column {name!r} is listed twice.", field=f"columns.{place}", fix="List it once.")
        if name not in known and not (name.startswith(_METADATA) and name != _METADATA):
            close = difflib.get_close_matches(name, known, 1)
            meant = f"Did you mean {close[0]}? " if close else ""
            raise InvalidInput(
                f"There is no column {name!r}.",
                field=f"columns.{place}",
                fix=f"{meant}Known columns: {', '.join(sorted(known))}, metadata.<key>.",
            )
