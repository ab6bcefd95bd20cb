"""Administrators' actions on members, roles, groups, keys, connections, policies, tenants and data."""

from __future__ import annotations

from functools import partial
from typing import Final

from auditlane.contract.vocabulary.action import Action, MetadataKey

_action = partial(Action, group="user_management")

_VIA: Final = MetadataKey("How it happened, such as `admin`, `invite` or `scim`.")
_ROLE: Final = MetadataKey("Name of the role.")
_SCOPE: Final = MetadataKey("What the role is limited to, such as a project.")
_PERMISSION: Final = MetadataKey("Name of the permission.")
_NAME: Final = MetadataKey("Name of the object, for readers.")
_USER: Final = MetadataKey("Id of the member.")
_SCOPES: Final = MetadataKey("What it gives access to.", kind="list")
_CHANGE: Final = MetadataKey("What was done to it.", ("created", "updated", "deleted"))
_SECTION: Final = MetadataKey("The part that was changed, such as `password` or `billing`.")
_ROWS: Final = MetadataKey("Number of rows.", kind="number")
_FORMAT: Final = MetadataKey("The format, such as `csv`.")

DEFINITIONS: Final = (
    _action("member.added", "A user joined the tenant.", resource="user", severity="Low", required={"via": _VIA}),
    _action(
        "member.removed",
        "A user left the tenant, or was removed from it.",
        resource="user",
        severity="Medium",
        required={"via": _VIA},
    ),
    _action(
        "role.assigned",
        "A role was assigned to a user, group or client. Use severity `High` for a privileged role.",
        resource="user",
        severity="Medium",
        required={"role": _ROLE},
        optional={"scope": _SCOPE},
    ),
    _action(
        "role.removed",
        "A role was removed from a user, group or client. Use severity `High` for a privileged role.",
        resource="user",
        severity="Medium",
        required={"role": _ROLE},
        optional={"scope": _SCOPE},
    ),
    _action(
        "permission.granted",
        "A permission was granted directly, without a role.",
        resource="user",
        severity="Medium",
        required={"permission": _PERMISSION},
    ),
    _action(
        "permission.revoked",
        "A permission that had been granted directly was revoked.",
        resource="user",
        severity="Medium",
        required={"permission": _PERMISSION},
    ),
    _action("role.created", "A role was created.", resource="role", severity="Medium", required={"name": _NAME}),
    _action(
        "role.updated",
        "The definition of a role was changed.",
        resource="role",
        severity="Medium",
        required={"name": _NAME},
    ),
    _action("role.deleted", "A role was deleted.", resource="role", severity="Medium", required={"name": _NAME}),
    _action("group.created", "A group was created.", resource="group", severity="Low", required={"name": _NAME}),
    _action(
        "group.updated",
        "The definition of a group was changed.",
        resource="group",
        severity="Low",
        required={"name": _NAME},
    ),
    _action("group.deleted", "A group was deleted.", resource="group", severity="Low", required={"name": _NAME}),
    _action(
        "group.member_added",
        "A user was added to a group.",
        resource="group",
        severity="Low",
        required={"user": _USER},
    ),
    _action(
        "group.member_removed",
        "A user was removed from a group.",
        resource="group",
        severity="Low",
        required={"user": _USER},
    ),
    _action(
        "api_key.created",
        "An API key, access token or client credential was created. The event never contains the key.",
        resource="api_key",
        severity="Medium",
        required={"name": _NAME, "scopes": _SCOPES},
    ),
    _action(
        "api_key.revoked",
        "An API key, access token or client credential was revoked.",
        resource="api_key",
        severity="Medium",
        required={"name": _NAME, "scopes": _SCOPES},
    ),
    _action(
        "app.authorized",
        "A user gave an application access to their account.",
        resource="app",
        severity="Low",
        required={"scopes": _SCOPES},
    ),
    _action(
        "app.revoked",
        "The access of an application to an account was revoked.",
        resource="app",
        severity="Low",
        required={"scopes": _SCOPES},
    ),
    _action(
        "sso.changed",
        "A single sign-on connection was created, changed or deleted.",
        resource="connection",
        severity="High",
        required={"change": _CHANGE},
    ),
    _action(
        "directory.changed",
        "A directory that provisions users was connected, changed or disconnected.",
        resource="directory",
        severity="Medium",
        required={"change": _CHANGE},
    ),
    _action("domain.verified", "A tenant proved that a domain is theirs.", resource="domain", severity="Low"),
    _action(
        "policy.changed",
        "A password, second-factor, session or address policy was changed. `before` and `after` contain its values.",
        resource="policy",
        severity="High",
        required={"section": _SECTION},
    ),
    _action(
        "settings.changed",
        "Another setting was changed by an administrator. `before` and `after` contain its values.",
        resource="settings",
        severity="Medium",
        required={"section": _SECTION},
    ),
    _action("tenant.created", "A tenant was created.", resource="tenant", severity="Low"),
    _action("tenant.updated", "A tenant was changed.", resource="tenant", severity="Low"),
    _action("tenant.deleted", "A tenant was deleted.", resource="tenant", severity="High"),
    _action(
        "data.exported",
        "Data was exported. The resource identifies the data.",
        resource="data",
        severity="Medium",
        required={"rows": _ROWS, "format": _FORMAT},
    ),
    _action(
        "data.imported",
        "Data was imported. The resource identifies the data.",
        resource="data",
        severity="Medium",
        required={"rows": _ROWS, "format": _FORMAT},
    ),
    _action(
        "threat.detected",
        "A threat to an account was detected. The outcome is `denied` if it was blocked.",
        resource="user",
        severity="High",
        outcome="unknown",
        required={"kind": MetadataKey("The threat, such as `breached_password`, `bot` or `impossible_travel`.")},
    ),
)
