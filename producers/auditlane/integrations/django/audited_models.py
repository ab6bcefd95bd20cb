"""Record changes to the models chosen with the decorator `audited_model` or the setting AUDITLANE["MODELS"]."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar, overload

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from auditlane.integrations.django import rows
from auditlane.integrations.django.covered import cover, is_covered
from auditlane.integrations.django.options import SETTING, ModelOptions
from auditlane.integrations.django.recording import record_after_commit, safely
from auditlane.integrations.django.request_context import current_request, in_admin
from auditlane.runtime.errors import ConfigError

M = TypeVar("M", bound=type[Model])

_NONE: Final = ModelOptions()
_options: Final[dict[type[Model], ModelOptions]] = {}
_OWN_EVENTS: Final = ("auth.Group", "auth.Permission")  # links to them are memberships and grants
_LINKS: Final = {"post_add": "after", "post_remove": "before", "pre_clear": "before"}


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

    The events are `invoice.created`, `invoice.updated` with what changed, and `invoice.deleted`. Operations that
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
    """Register the models of the setting, check the options of all models, and connect their links to others.

    Raises ConfigError.
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
        for field in model._meta.local_many_to_many:
            through: Any = field.remote_field.through
            if field.name not in chosen.exclude and field.related_model._meta.label not in _OWN_EVENTS:
                m2m_changed.connect(_Links(field.name), sender=through, weak=False, dispatch_uid=f"auditlane.{field}")


def register(model: type[Model], chosen: ModelOptions) -> None:
    """Connect the signals of a model, unless they already are."""
    _options[model] = chosen
    if is_covered(model):
        return
    cover(model)
    pre_save.connect(_before_save, sender=model, dispatch_uid="auditlane.model")
    post_save.connect(_saved, sender=model, dispatch_uid="auditlane.model")
    post_delete.connect(_deleted, sender=model, dispatch_uid="auditlane.model")


def options_of(model: type[Model]) -> ModelOptions:
    """Return the options given for a model, or the defaults."""
    return _options.get(model, _NONE)


def leave_to_others(model: type[Model]) -> None:
    """Disconnect the signals of a model that has events of a more specific kind; its options stay."""
    for signal in (pre_save, post_save, post_delete):
        signal.disconnect(sender=model, dispatch_uid="auditlane.model")


@safely
def _before_save(
    sender: type[Model], instance: Model, raw: bool, using: str, update_fields: Collection[str] | None, **_: object
) -> None:
    if not raw:
        rows.note_before(instance, using, update_fields, _options[sender].exclude)


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
    chosen = _options[sender]
    changes = rows.changes_of(instance, update_fields, chosen.exclude, chosen.mask)
    if created:
        shown = rows.state(instance, rows.watched(instance, None, chosen.exclude))
        record_change(instance, using, "created", rows.compared(None, shown, chosen.mask))
    elif changes is None or changes:
        record_change(instance, using, "updated", changes or {})


@safely
def _deleted(sender: type[Model], instance: Model, using: str, **_: object) -> None:
    chosen = _options[sender]
    shown = rows.state(instance, rows.watched(instance, None, chosen.exclude))
    record_change(instance, using, "deleted", rows.compared(shown, None, chosen.mask))


class _Links:
    """Receives the changes to a many-to-many field."""

    def __init__(self, field: str) -> None:
        self._field = field

    @safely
    def __call__(
        self, instance: Model, action: str, reverse: bool, pk_set: Collection[Any] | None, using: str, **_: object
    ) -> None:
        side = _LINKS.get(action)
        if side is None or reverse or type(instance) not in _options:
            return
        if pk_set is None:
            pk_set = list(getattr(instance, self._field).using(using).values_list("pk", flat=True))
        if pk_set:
            record_change(instance, using, "updated", {side: {self._field: sorted(pk_set, key=str)}})


def record_change(
    instance: Model, using: str, verb: str, changes: Mapping[str, Any], *, prefix: str = "", **metadata: object
) -> None:
    """Record what happened to an object as `<model>.<verb>`."""
    meta = instance._meta
    request = current_request()
    if in_admin(request):
        metadata["via"] = "admin"
    record_after_commit(
        using,
        f"{prefix}{meta.model_name}.{verb}",
        resource=meta.model_name,
        resource_id=str(instance.pk),
        metadata={"model": meta.label, **metadata},
        **changes,
    )
