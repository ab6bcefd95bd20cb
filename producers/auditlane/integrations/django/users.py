"""Records changes to users, their roles and their passwords, after the commit."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save
from django.http import HttpRequest

from auditlane.integrations.django import rows
from auditlane.integrations.django.audited_models import leave_to_others, options_of
from auditlane.integrations.django.covered import cover
from auditlane.integrations.django.recording import record_after_commit, safely
from auditlane.integrations.django.request_context import current_request, in_admin, user_of
from auditlane.sdk.diff import Changes
from auditlane.sdk.masking import masked

_ROLES: Final = {"is_staff": "staff", "is_superuser": "superuser"}
_IGNORED: Final = ("password", "last_login")  # a hash, and a field that every login changes
_RESET_URLS: Final = ("password_reset_confirm", "account_reset_password_from_key")


def connect() -> None:
    """Connect the signals of the project's user model, its proxies and its children."""
    user_model = get_user_model()
    for model in apps.get_models():
        if issubclass(model, user_model):
            cover(model)
            leave_to_others(model)
            pre_save.connect(_before_save, sender=model, dispatch_uid="auditlane.user")
            post_save.connect(_saved, sender=model, dispatch_uid="auditlane.user")
            if model is user_model or model._meta.proxy:  # deleting a child also sends its parent's signal
                post_delete.connect(_deleted, sender=model, dispatch_uid="auditlane.user")


@safely
def _before_save(
    sender: type[Model],
    instance: Model,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **_: object,
) -> None:
    if not raw:  # the hash is read but never shown
        rows.note_before(instance, using, update_fields, [*options_of(sender).exclude, "last_login"])


@safely
def _saved(
    sender: type[Model],
    instance: Any,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **_: object,
) -> None:
    if raw:  # loaddata
        return
    old_hash = (rows.noted(instance) or {}).get("password")
    changes = rows.changes_of(instance, update_fields, _ignored(sender), options_of(sender).mask)
    if created:
        _created(instance, using)
        return
    if changes is None:
        record_after_commit(using, "user.updated", resource_id=str(instance.pk), metadata={"changed_fields": "unknown"})
    else:
        _updated(instance, using, changes)
    if _has_new_password(instance, old_hash, update_fields):
        action, metadata = _password_action(instance, current_request())
        if not instance.has_usable_password():
            metadata["usable"] = "false"
        record_after_commit(using, action, resource_id=str(instance.pk), metadata=metadata)


@safely
def _deleted(sender: type[Model], instance: Model, using: str, **_: object) -> None:
    record_after_commit(
        using,
        "user.deleted",
        resource_id=str(instance.pk),
        metadata={"via": _via(instance)},
        before=rows.compared(_shown(instance), None, options_of(sender).mask).get("before"),
    )


def _created(user: Model, using: str) -> None:
    request = current_request()
    if request is None:
        via = "import"
    else:
        actor = user_of(request)
        via = "admin" if actor is not None and actor.is_authenticated and actor.pk != user.pk else "signup"
    record_after_commit(
        using,
        "user.created",
        resource_id=str(user.pk),
        metadata={"via": via},
        after=rows.compared(None, _shown(user), options_of(type(user)).mask).get("after"),
    )
    for field, role in _ROLES.items():
        if getattr(user, field, False) is True:
            _record_role(user, using, role, given=True)


def _updated(user: Any, using: str, changes: Changes) -> None:
    """Record the flags and the address as separate events, and the other fields as one."""
    before, after = dict(changes.get("before", {})), dict(changes.get("after", {}))
    for field, role in _ROLES.items():
        if field in after:
            before.pop(field, None)
            _record_role(user, using, role, given=bool(after.pop(field)))
    if "is_active" in after:
        before.pop("is_active", None)
        action = "user.enabled" if after.pop("is_active") else "user.disabled"
        record_after_commit(using, action, resource_id=str(user.pk), metadata={"via": _via(user)})
    email = user.get_email_field_name() if hasattr(user, "get_email_field_name") else ""
    if email in after:
        record_after_commit(
            using,
            "user.email_changed",
            resource_id=str(user.pk),
            before={email: _masked_address(before.pop(email, ""))},
            after={email: _masked_address(after.pop(email))},
        )
    if before or after:
        record_after_commit(
            using,
            "user.updated",
            resource_id=str(user.pk),
            metadata={"changed_fields": ", ".join(after or before), "via": _via(user)},
            before=before,
            after=after,
        )


def _record_role(user: Model, using: str, role: str, *, given: bool) -> None:
    action = "role.assigned" if given else "role.removed"
    record_after_commit(using, action, severity="High", resource_id=str(user.pk), metadata={"role": role})


def _ignored(model: type[Model]) -> Collection[str]:
    return {*_IGNORED, *options_of(model).exclude}


def _shown(user: Model) -> dict[str, Any]:
    state = rows.state(user, rows.watched(user, None, _ignored(type(user))))
    email = getattr(user, "get_email_field_name", lambda: "")()
    return {name: _masked_address(value) if name == email else value for name, value in state.items()}


def _masked_address(value: object) -> object:
    return masked(str(value)) if value else value


def _via(user: Model) -> str:
    """Return where a change to an account came from: the admin site, the user, another user, or code outside a
    request."""
    request = current_request()
    if request is None:
        return "system"
    if in_admin(request):
        return "admin"
    actor = user_of(request)
    if actor is None or not actor.is_authenticated:
        return "system"
    return "self" if actor.pk == user.pk else "admin"


def _has_new_password(user: Any, old_hash: str | None, update_fields: Collection[str] | None) -> bool:
    """Return whether a save has changed the password. Merely upgrading the hash, as a login does, does not count."""
    if update_fields is not None and "password" not in update_fields:
        return False
    if getattr(user, "_password", None) is not None:
        return True
    if old_hash is None or old_hash == user.password:
        return False
    return update_fields is None or len(update_fields) > 1 or not user.has_usable_password()


def _password_action(user: Model, request: HttpRequest | None) -> tuple[str, dict[str, str]]:
    """Return `user.password_changed` or `user.password_reset`, and metadata on who reset the password."""
    if request is None:
        return "user.password_reset", {"by": "system"}
    actor = user_of(request)
    if _is_reset_page(request) or actor is None or not actor.is_authenticated:
        return "user.password_reset", {"by": "self"}
    if actor.pk != user.pk:
        return "user.password_reset", {"by": "admin"}
    return "user.password_changed", {}


def _is_reset_page(request: HttpRequest) -> bool:
    """Return whether the request is for a page that a mailed link opens."""
    from django.contrib.auth.views import PasswordResetConfirmView

    match = request.resolver_match
    if match is None:
        return False
    view = getattr(match.func, "view_class", None)
    return match.url_name in _RESET_URLS or (isinstance(view, type) and issubclass(view, PasswordResetConfirmView))
