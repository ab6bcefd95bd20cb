"""Compares a row before and after a save."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import Field, Model
from django.db.models.fields.files import FieldFile

from auditlane.integrations.django.options import options
from auditlane.sdk.diff import Changes, diff

_BEFORE: Final = "_auditlane_before"  # key in an instance's __dict__, from pre_save to post_save


def note_before(instance: Model, using: str, update_fields: Collection[str] | None, ignored: Collection[str]) -> None:
    """Read the row that is about to be saved if any of its watched fields will be written."""
    instance.__dict__.pop(_BEFORE, None)
    names = watched(instance, update_fields, ignored)
    if instance.pk is None or not names or (instance._state.adding and instance._meta.pk.has_default()):
        return
    rows = type(instance)._base_manager.using(using).filter(pk=instance.pk)
    instance.__dict__[_BEFORE] = rows.values(*names).first() or {}


def changes_of(
    instance: Model, update_fields: Collection[str] | None, ignored: Collection[str], mask: Collection[str] = ()
) -> Changes | None:
    """Return the changes made by a save, or None if the row was not read beforehand."""
    before = noted(instance)
    instance.__dict__.pop(_BEFORE, None)
    names = watched(instance, update_fields, ignored)
    if before is None:
        return None if names else Changes()
    before = {name: before[name] for name in names if name in before}
    after = state(instance, names)
    same = {name for name, value in after.items() if name in before and _equal(before[name], value)}
    return compared(_without(before, same), _without(after, same), mask)


def noted(instance: Model) -> dict[str, Any] | None:
    """Return the row's columns before the save: {} for a new row, or None if they were not read."""
    found: dict[str, Any] | None = instance.__dict__.get(_BEFORE)
    return found


def compared(before: object, after: object, mask: Collection[str] = ()) -> Changes:
    """Return the differences between two states, with the values of secret fields masked."""
    return diff(before, after, mask={*options().mask, *mask})


def state(instance: Model, names: Collection[str]) -> dict[str, Any]:
    """Return an instance's column values as the database would return them."""
    known = instance.__dict__
    fields = {field.attname: field for field in instance._meta.concrete_fields}
    return {name: _value(fields[name], known[name]) for name in names if name in known}


def watched(instance: Model, update_fields: Collection[str] | None, ignored: Collection[str]) -> list[str]:
    """Return the columns that a save writes and an event may show, except `auto_now` columns."""
    return [
        field.attname
        for field in instance._meta.concrete_fields
        if not {field.name, field.attname} & set(ignored)
        and not getattr(field, "auto_now", False)
        and (update_fields is None or field.name in update_fields or field.attname in update_fields)
    ]


def _without(row: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _equal(before: object, after: object) -> bool:
    """Return whether a column is unchanged. 1.50 equals 1.5, and microseconds are ignored, since forms drop them."""
    try:
        if isinstance(before, datetime) and isinstance(after, datetime) and not after.microsecond:
            before = before.replace(microsecond=0)
        return bool(before == after)
    except Exception:  # raised by the values' own methods
        return False


def _value(field: Field[Any, Any], value: object) -> object:
    if hasattr(value, "resolve_expression"):
        return f"<{value}>"  # computed by the database, such as F("count") + 1
    if isinstance(value, FieldFile):
        return str(value)
    try:
        return field.to_python(value)
    except Exception:  # if the field could not convert the value, the save would have failed
        return value
