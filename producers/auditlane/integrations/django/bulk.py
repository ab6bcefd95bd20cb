"""Record one event for a change to many rows, which sends no signals."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.db import router
from django.db.models import Model, Q, QuerySet
from django.db.models.lookups import Lookup
from django.db.models.sql.where import WhereNode

from auditlane.integrations.django.options import options
from auditlane.integrations.django.recording import record_after_commit, safely
from auditlane.runtime.errors import InvalidInput
from auditlane.sdk.diff import diff, plain_value

_MOST_CHARACTERS: Final = 1_000  # maximum length of a filter


def bulk(objects: QuerySet[Any] | Collection[Model], action: str, *, count: int | None = None, **event: Any) -> None:
    """Record one event, after the commit, for a change to many rows that sends no signals.

        changed = invoices.update(archived=True)
        bulk(invoices, "invoice.archived", count=changed)

        bulk(Invoice.objects.bulk_create(new), "invoice.created")

    Args:
        objects: The queryset that was or will be changed, or the objects. A queryset is described by its filter.
        action: What happened, such as `invoice.archived`.
        count: Number of rows. By default, the number of objects; for a queryset, it is counted now, so call `bulk`
            before an update that changes which rows match.
        event: Further fields of the event, as for `AuditClient.record`.

    Raises InvalidInput if there is neither an object nor a queryset to determine the model.
    """
    if isinstance(objects, QuerySet):
        model: type[Model] = objects.model
        using = getattr(objects, "_db", None) or router.db_for_write(model)
    else:
        first = next(iter(objects), None)
        if not isinstance(first, Model):
            if not objects:
                return
            raise InvalidInput(
                f"objects has an element of type {type(first).__name__}, which is not a model.",
                field="objects",
                fix="Pass a queryset, or the objects of a model.",
            )
        model, using = type(first), first._state.db or router.db_for_write(type(first))
    _record(objects, model, using, action, count, event)


@safely
def _record(
    objects: Any, model: type[Model], using: str, action: str, count: int | None, event: dict[str, Any]
) -> None:
    metadata = {"model": model._meta.label, **event.pop("metadata", {})}
    if isinstance(objects, QuerySet):
        metadata["filter"] = described(objects)
        metadata["count"] = objects.using(using).count() if count is None else count
    else:
        metadata["count"] = len(objects) if count is None else count
    record_after_commit(using, action, **{"resource": model._meta.model_name, **event, "metadata": metadata})


def described(queryset: QuerySet[Any]) -> str:
    """Return a queryset's filter as text, such as `paid = True AND total > 100`; values of secret fields are masked."""
    text = _where(queryset.query.where)
    if queryset.query.is_sliced:
        text = f"{text} [{queryset.query.low_mark}:{queryset.query.high_mark}]".strip()
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def _where(node: Any) -> str:
    if isinstance(node, WhereNode | Q):
        parts = [part for child in node.children if (part := _where(child))]
        text = f" {node.connector} ".join(parts)
        if len(parts) > 1:
            text = f"({text})"
        return f"NOT {text}" if node.negated and text else text
    if isinstance(node, Lookup):
        field = getattr(node.lhs, "target", None)
        name = field.name if field is not None else type(node.lhs).__name__
        return f"{name} {node.lookup_name} {_shown(name, node.rhs)}"
    return f"<{type(node).__name__}>"


def _shown(name: str, value: Any) -> str:
    if hasattr(value, "resolve_expression") or hasattr(value, "as_sql"):
        return f"<{type(value).__name__}>"
    masked = diff(None, {name: value}, mask=options().mask).get("after", {})
    return str(plain_value(masked.get(name)))
