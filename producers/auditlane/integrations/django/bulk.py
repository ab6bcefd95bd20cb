"""Records one event for a change to many rows, which sends no signals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from django.db import router
from django.db.models import Model, Q, QuerySet
from django.db.models.lookups import Lookup
from django.db.models.sql.where import WhereNode

from auditlane.integrations.django.audited_models import options_of
from auditlane.integrations.django.options import options
from auditlane.integrations.django.recording import database_of, record_after_commit, safely
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
        model, using = type(first), database_of(first)
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
    """Return a queryset's filter as text, such as `paid = True AND total > 100`. Values of secret fields are masked."""
    chosen = options_of(queryset.model)
    text = _where(queryset.query.where, {*options().mask, *chosen.mask, *chosen.exclude})
    if queryset.query.is_sliced:
        text = f"{text} [{queryset.query.low_mark}:{queryset.query.high_mark}]".strip()
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def _where(node: Any, mask: Collection[str]) -> str:
    if isinstance(node, WhereNode | Q):
        parts = [part for child in node.children if (part := _where(child, mask))]
        text = f" {node.connector} ".join(parts)
        if len(parts) > 1:
            text = f"({text})"
        return f"NOT {text}" if node.negated and text else text
    if isinstance(node, Lookup):
        names = _names(node.lhs)
        return f"{'__'.join(names)} {node.lookup_name} {_shown(names, node.rhs, mask)}"
    return f"<{type(node).__name__}>"


def _names(expression: Any) -> list[str]:
    """Return the names of the columns that an expression reads, and of the JSON keys that it looks up."""
    target = getattr(expression, "target", None)
    if target is not None:
        return [target.name]
    sources = expression.get_source_expressions() if hasattr(expression, "get_source_expressions") else []
    names = [name for source in sources if source is not None for name in _names(source)]
    if (key := getattr(expression, "key_name", None)) is not None:
        return [*names, str(key)]
    return [*names, str(getattr(expression, "lookup_name", None) or type(expression).__name__).lower()]


def _shown(names: Sequence[str], value: Any, mask: Collection[str]) -> str:
    if hasattr(value, "resolve_expression") or hasattr(value, "as_sql"):
        return f"<{type(value).__name__}>"
    for name in names:
        value = diff(None, {name: value}, mask=mask).get("after", {}).get(name)
    return str(plain_value(value))
