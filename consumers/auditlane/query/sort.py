"""What a list is sorted by: a field that the tenant's data structure says is sortable, and which way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from auditlane.query.language.fields import BASE, kind_of
from auditlane.query.language.tree import Field, Kind
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.presentation import FieldView
from auditlane.store.structure_cache import Structure

StructureOf = Callable[[str], Structure]


@dataclass(frozen=True, slots=True)
class Sort:
    """By this field; events that have no value in it come last either way, and equal ones newest first."""

    field: Field
    descending: bool = True

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.field.path}"

    @property
    def by_time(self) -> bool:
        """Whether it is the order in which events occurred, which the store keeps."""
        return self.field.name == "occurred_at" and not self.field.group


NEWEST: Final = Sort(Field("occurred_at", Kind.time))


def parse_sort(text: str | None, structure: Callable[[], Structure]) -> Sort:
    """`field`, or `-field` for the greatest first; an own field's name stands with or without `fields.`.

    `structure` is asked only when there is something to look up. Raises InvalidFilter that names the sortable fields.
    """
    if text is None or text == str(NEWEST):
        return NEWEST
    name = text.removeprefix("-")
    sortable = structure().sortable()
    found = next((one for one in sortable if name in (one.name, one.parameter)), None)
    if found is None:
        known = ", ".join(one.parameter for one in sortable)
        said = f"Sortable fields: {known}. -{known.split(', ')[0]} is the other way round." if known else "None is."
        raise InvalidFilter(f"The list cannot be sorted by {name[:100]!r}.", field="sort", fix=said)
    return Sort(_field(found), descending=text.startswith("-"))


def _field(view: FieldView) -> Field:
    if view.custom:
        return Field(view.name, kind_of(view.display_type), "fields")
    return Field(view.name, BASE.get(view.name, Kind.text))
