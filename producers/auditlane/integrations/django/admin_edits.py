"""Records changes made in Django's admin to models that are not audited otherwise.

A `LogEntry` contains the changed fields' labels but not their values, and entries for several objects are written
without signals. This module therefore wraps the methods of `ModelAdmin` that write entries. They are called inside the
edit's transaction.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.admin.options import ModelAdmin
from django.db import transaction
from django.db.models import Model
from django.db.models.query import QuerySet
from django.http import HttpRequest

from auditlane.integrations.django import rows
from auditlane.integrations.django.audited_models import record_change
from auditlane.integrations.django.covered import is_covered
from auditlane.integrations.django.recording import database_of, safely
from auditlane.integrations.django.wrapping import then, wrap
from auditlane.sdk.diff import Changes

_PREFIX: Final = "admin."
_EDIT: Final = "_auditlane_edit"  # name of a request attribute
_DELETIONS: Final = "_auditlane_deletions"  # name of a request attribute


@dataclass(frozen=True, slots=True)
class _Edit:
    """An edit's forms, kept from the creation of its message until the entry is written to the admin's log."""

    form: Any
    formsets: tuple[Any, ...]


def install() -> None:
    """Wrap ModelAdmin's methods. A subclass that overrides one of them must call it with `super()`."""
    wrap(ModelAdmin, "construct_change_message", then(_after_message))
    wrap(ModelAdmin, "log_addition", then(_after_addition))
    wrap(ModelAdmin, "log_change", then(_after_change))
    wrap(ModelAdmin, "log_deletions", then(_after_deletions))
    wrap(ModelAdmin, "response_action", then(_after_action))


@safely
def _after_message(
    admin: Any, request: HttpRequest, form: Any, formsets: Iterable[Any] | None, add: bool = False
) -> None:
    setattr(request, _EDIT, _Edit(form, tuple(formsets or ())))


@safely
def _after_addition(admin: Any, request: HttpRequest, obj: Model, *_: Any, **__: Any) -> None:
    edit = _taken(request, obj)
    using = database_of(obj)
    if not is_covered(type(obj)):
        record_change(obj, using, "created", rows.compared(None, _state(obj)), prefix=_PREFIX)
    _record_inlines(edit, using)


@safely
def _after_change(admin: Any, request: HttpRequest, obj: Model, *_: Any, **__: Any) -> None:
    edit = _taken(request, obj)
    using = database_of(obj)
    if not is_covered(type(obj)) and (edit is None or edit.form.changed_data):
        record_change(obj, using, "updated", _form_changes(edit.form) if edit else {}, prefix=_PREFIX)
    _record_inlines(edit, using)


@safely
def _after_deletions(admin: Any, request: HttpRequest, queryset: Iterable[Model], *_: Any, **__: Any) -> None:
    """Record the objects that are about to be deleted.

    This happens on commit or, without a transaction, once the action has succeeded.
    """
    objects = [obj for obj in queryset if not is_covered(type(obj))]
    if not objects:
        return
    together: dict[str, object] = {"selected": len(objects)} if isinstance(queryset, QuerySet) else {}
    using = database_of(objects[0])

    records = [
        functools.partial(
            record_change, copy(obj), using, "deleted", rows.compared(_state(obj), None), prefix=_PREFIX, **together
        )
        for obj in objects
    ]
    if transaction.get_connection(using).in_atomic_block:
        for record in records:
            record()
    else:
        request.__dict__.setdefault(_DELETIONS, []).extend(records)


@safely
def _after_action(admin: Any, request: HttpRequest, *_: Any, **__: Any) -> None:
    for record in request.__dict__.pop(_DELETIONS, []):
        record()


def _record_inlines(edit: _Edit | None, using: str) -> None:
    """Record related objects that were edited on the same page."""
    for formset in edit.formsets if edit else ():
        forms = {id(form.instance): form for form in formset.forms}
        for obj in getattr(formset, "new_objects", ()):
            if not is_covered(type(obj)):
                record_change(obj, using, "created", rows.compared(None, _state(obj)), prefix=_PREFIX)
        for obj, _fields in getattr(formset, "changed_objects", ()):
            if not is_covered(type(obj)):
                form = forms.get(id(obj))
                record_change(obj, using, "updated", _form_changes(form) if form else {}, prefix=_PREFIX)
        for obj in getattr(formset, "deleted_objects", ()):
            if not is_covered(type(obj)):
                record_change(obj, using, "deleted", rows.compared(_state(obj), None), prefix=_PREFIX)


def _form_changes(form: Any) -> Changes:
    """Return the values of a form's changed fields before and after."""
    before = {name: _plain(form.get_initial_for_field(form.fields[name], name)) for name in form.changed_data}
    after = {name: _plain(form.cleaned_data.get(name)) for name in form.changed_data}
    return rows.compared(before, after)


def _plain(value: Any) -> Any:
    """Convert objects to their ids, and uploaded files to their names."""
    if isinstance(value, Model):
        return value.pk
    if isinstance(value, QuerySet | list | tuple):
        return sorted((_plain(item) for item in value), key=str)
    return value.name if hasattr(value, "chunks") else value


def _state(obj: Model) -> dict[str, Any]:
    return rows.state(obj, rows.watched(obj, None, ()))


def _taken(request: HttpRequest, obj: Model) -> _Edit | None:
    """Remove and return the forms of this object's edit, or None if the edit's message was created in another way."""
    edit: _Edit | None = request.__dict__.pop(_EDIT, None)
    return edit if edit is not None and getattr(edit.form, "instance", None) == obj else None
