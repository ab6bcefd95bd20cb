"""Records changes to groups, memberships and permissions, after the commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from auditlane.integrations.django import rows
from auditlane.integrations.django.covered import cover
from auditlane.integrations.django.links import VERBS, other_ends
from auditlane.integrations.django.recording import record_after_commit, safely


def connect() -> None:
    """Connect the signals of groups, and of the links between users, groups and permissions."""
    cover(Group)
    cover(Group.permissions.through)
    pre_save.connect(_before_save, sender=Group, dispatch_uid="auditlane.group")
    post_save.connect(_saved, sender=Group, dispatch_uid="auditlane.group")
    post_delete.connect(_deleted, sender=Group, dispatch_uid="auditlane.group")
    m2m_changed.connect(_group_permissions, sender=Group.permissions.through, dispatch_uid="auditlane.group")
    user_model: Any = get_user_model()
    if hasattr(user_model, "groups"):  # of PermissionsMixin
        cover(user_model.groups.through)
        m2m_changed.connect(_members, sender=user_model.groups.through, dispatch_uid="auditlane.members")
    if hasattr(user_model, "user_permissions"):
        through = user_model.user_permissions.through
        cover(through)
        m2m_changed.connect(_user_permissions, sender=through, dispatch_uid="auditlane.permissions")


@safely
def _before_save(
    sender: type[Model], instance: Model, raw: bool, using: str, update_fields: Collection[str] | None, **_: object
) -> None:
    if not raw:
        rows.note_before(instance, using, update_fields, ())


@safely
def _saved(
    sender: type[Model],
    instance: Group,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **_: object,
) -> None:
    if raw:
        return
    changes = rows.changes_of(instance, update_fields, ())
    known = {"resource_id": str(instance.pk), "metadata": {"name": instance.name}}
    if created:
        record_after_commit(using, "group.created", **known)
    elif changes is None or changes:
        record_after_commit(using, "group.updated", **known, **(changes or {}))


@safely
def _deleted(sender: type[Model], instance: Group, using: str, **_: object) -> None:
    record_after_commit(using, "group.deleted", resource_id=str(instance.pk), metadata={"name": instance.name})


@safely
def _members(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: Collection[Any] | None, using: str, **_: object
) -> None:
    if action not in VERBS:
        return
    event = "group.member_added" if VERBS[action] else "group.member_removed"
    ids = other_ends(_field("groups"), instance, action, reverse, pk_set, using)
    if reverse:  # group.user_set
        pairs = [(instance, user) for user in ids]
    else:
        pairs = [(group, instance.pk) for group in Group._base_manager.using(using).filter(pk__in=ids)]
    for group, user in pairs:
        record_after_commit(using, event, resource_id=str(group.pk), metadata={"user": str(user), "name": group.name})


@safely
def _user_permissions(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: Collection[Any] | None, using: str, **_: object
) -> None:
    _permissions("user", _field("user_permissions"), instance, action, reverse, pk_set, using)


@safely
def _group_permissions(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: Collection[Any] | None, using: str, **_: object
) -> None:
    _permissions("group", Group._meta.get_field("permissions"), instance, action, reverse, pk_set, using)


def _permissions(
    resource: str,
    field: Any,
    instance: Any,
    action: str,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
) -> None:
    if action not in VERBS:
        return
    event = "permission.granted" if VERBS[action] else "permission.revoked"
    ids = other_ends(field, instance, action, reverse, pk_set, using)
    if reverse:  # permission.user_set, permission.group_set
        pairs: Iterable[tuple[Any, str]] = [(pk, _name(instance)) for pk in ids]
    else:
        found = Permission._base_manager.using(using).filter(pk__in=ids)
        pairs = [(instance.pk, _name(permission)) for permission in found.select_related("content_type")]
    for holder, permission in pairs:
        record_after_commit(
            using, event, resource=resource, resource_id=str(holder), metadata={"permission": permission}
        )


def _field(name: str) -> Any:
    return get_user_model()._meta.get_field(name)


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
