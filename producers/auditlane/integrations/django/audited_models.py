"""Records changes to models chosen with the `audited_model` decorator or the setting AUDITLANE["MODELS"]."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar, overload

from django.apps import apps
from django.db.models import ManyToManyField, Model
from django.db.models.query import QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from auditlane.integrations.django import rows
from auditlane.integrations.django.covered import cover, is_covered
from auditlane.integrations.django.links import VERBS, other_ends
from auditlane.integrations.django.options import SETTING, ModelOptions
from auditlane.integrations.django.recording import record_after_commit, safely
from auditlane.integrations.django.request_context import current_request, in_admin
from auditlane.runtime.errors import ConfigError

M = TypeVar("M", bound=type[Model])

_NONE: Final = ModelOptions()
_options: Final[dict[type[Model], ModelOptions]] = {}


@overload
def audited_model(model: M, /) -> M: ...


@overload
def audited_model(*, exclude: Iterable[str] = (), mask: Iterable[str] = ()) -> Callable[[M], M]: ...


def audited_model(
    model: M | None = None, /, *, exclude: Iterable[str] = (), mask: Iterable[str] = ()
) -> M | Callable[[M], M]:
    """Record when objects of a model are created, updated and deleted, after the commit.

        @audited_model
        class Invoice(models.Model): ...

    The events are `invoice.created`, `invoice.updated` with the changed fields, and `invoice.deleted`. Proxies of the
    model and models that inherit from it have the same events, unless they are decorated themselves. Operations that
    send no signals are not recorded: `QuerySet.update`, `bulk_create` and `bulk_update` (see `bulk`), and raw SQL.

    Args:
        model: A model that is not abstract.
        exclude: Fields to leave out of the events.
        mask: Fields whose values are masked, in addition to those that look like secrets.

    Raises ConfigError for an abstract model, and for a field that the model does not have.
    """
    chosen = ModelOptions(frozenset(exclude), frozenset(mask))

    def decorate(model: M) -> M:
        if model._meta.abstract:
            raise ConfigError(
                f"The model {model.__name__} is abstract, so it has no objects.",
                field="audited_model",
                fix="Decorate the models that inherit from it.",
            )
        register(model, chosen)
        return model

    return decorate if model is None else decorate(model)


def connect(models: Mapping[str, ModelOptions]) -> None:
    """Register the models in the setting, check every model's options, and connect many-to-many signals.

    Raises ConfigError for invalid options.
    """
    for label, chosen in models.items():
        try:
            register(apps.get_model(label), chosen)
        except (LookupError, ValueError) as error:
            name = f'{SETTING}["MODELS"]'
            raise ConfigError(
                f"The setting {name} names {label!r}, which is not a model: {error}",
                field=name,
                fix='Use "app_label.Model", with the label of an installed app.',
            ) from None
    for model, chosen in _options.items():
        known = {name for field in model._meta.get_fields() for name in (field.name, getattr(field, "attname", ""))}
        if unknown := (chosen.exclude | chosen.mask) - known:
            raise ConfigError(
                f"The audited model {model._meta.label} has no field {min(unknown)!r}.",
                field=min(unknown),
                fix=f"Use fields of the model: {', '.join(sorted(known - {''}))}.",
            )
        for field in model._meta.many_to_many:
            through: Any = field.remote_field.through
            if field.name not in chosen.exclude and not is_covered(through):
                m2m_changed.connect(_Links(field), sender=through, weak=False, dispatch_uid=f"auditlane.{field}")
    for model in apps.get_models():
        if _audited(model) not in (None, model) and not is_covered(model):
            _connect(model, deletions=bool(model._meta.proxy))  # deleting a child also sends its parent's signal


def register(model: type[Model], chosen: ModelOptions) -> None:
    """Connect a model's signals unless they are connected already."""
    _options[model] = chosen
    if not is_covered(model):
        _connect(model, deletions=True)


def _connect(model: type[Model], *, deletions: bool) -> None:
    cover(model)
    pre_save.connect(_before_save, sender=model, dispatch_uid="auditlane.model")
    post_save.connect(_saved, sender=model, dispatch_uid="auditlane.model")
    if deletions:
        post_delete.connect(_deleted, sender=model, dispatch_uid="auditlane.model")


def options_of(model: type[Model]) -> ModelOptions:
    """Return the options set for a model or its parent, or the defaults."""
    audited = _audited(model)
    return _NONE if audited is None else _options[audited]


def _audited(model: type[Model]) -> type[Model] | None:
    """Return the model if it is audited, or else its first audited base class. Returns None if neither exists."""
    return next((kind for kind in model.__mro__ if kind in _options), None)


def leave_to_others(model: type[Model]) -> None:
    """Disconnect the signals of a model that has more specific events, but keep its options."""
    for signal in (pre_save, post_save, post_delete):
        signal.disconnect(sender=model, dispatch_uid="auditlane.model")


@safely
def _before_save(
    sender: type[Model], instance: Model, raw: bool, using: str, update_fields: Collection[str] | None, **_: object
) -> None:
    if not raw:
        rows.note_before(instance, using, update_fields, options_of(sender).exclude)


@safely
def _saved(
    sender: type[Model],
    instance: Model,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **_: object,
) -> None:
    if raw:
        return
    chosen = options_of(sender)
    changes = rows.changes_of(instance, update_fields, chosen.exclude, chosen.mask)
    if created:
        shown = rows.state(instance, rows.watched(instance, None, chosen.exclude))
        record_change(instance, using, "created", rows.compared(None, shown, chosen.mask))
    elif changes is None or changes:
        record_change(instance, using, "updated", changes or {})


@safely
def _deleted(sender: type[Model], instance: Model, using: str, origin: object = None, **_: object) -> None:
    deleted = origin.model if isinstance(origin, QuerySet) else type(origin)
    if deleted is not sender and deleted in _options and issubclass(deleted, sender):
        return  # an audited child, which has its own event
    chosen = options_of(sender)
    shown = rows.state(instance, rows.watched(instance, None, chosen.exclude))
    record_change(instance, using, "deleted", rows.compared(shown, None, chosen.mask))


class _Links:
    """Receives changes to a many-to-many field."""

    def __init__(self, field: ManyToManyField[Any, Any]) -> None:
        self._field = field

    @safely
    def __call__(
        self,
        instance: Model,
        action: str,
        reverse: bool,
        model: type[Model],
        pk_set: Collection[Any] | None,
        using: str,
        **_: object,
    ) -> None:
        audited = model if reverse else type(instance)
        if action not in VERBS or _audited(audited) is None:
            return
        ids = other_ends(self._field, instance, action, reverse, pk_set, using)
        linked = [(pk, [instance.pk]) for pk in ids] if reverse else [(instance.pk, sorted(ids, key=str))]
        side = "after" if VERBS[action] else "before"
        for pk, others in linked if ids else ():
            _record(audited, pk, using, "updated", {side: {self._field.name: others}})


def record_change(
    instance: Model, using: str, verb: str, changes: Mapping[str, Any], *, prefix: str = "", **metadata: object
) -> None:
    """Record a change to an object as `<model>.<verb>`."""
    _record(type(instance), instance.pk, using, verb, changes, prefix=prefix, **metadata)


def _record(
    model: type[Model],
    pk: object,
    using: str,
    verb: str,
    changes: Mapping[str, Any],
    *,
    prefix: str = "",
    **metadata: object,
) -> None:
    if in_admin(current_request()):
        metadata["via"] = "admin"
    name = (_audited(model) or model)._meta.model_name
    record_after_commit(
        using,
        f"{prefix}{name}.{verb}",
        resource=name,
        resource_id=str(pk),
        metadata={"model": model._meta.label, **metadata},
        **changes,
    )
