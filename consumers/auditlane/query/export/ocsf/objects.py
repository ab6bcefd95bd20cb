"""Builds OCSF users, resources, entities and endpoints. Each of them has a name or an id, as the schema requires."""

from __future__ import annotations

import re
from typing import Any, Final

from auditlane.query.export.ocsf.activities import OTHER
from auditlane.query.export.ocsf.row import Attributes, Row

UNKNOWN: Final = "unknown"  # name of an object that the event does not name
PRINCIPALS: Final = frozenset({"user", "member", "account", "client", "service", "group", "team"})
_USER_TYPES: Final = {
    **dict.fromkeys(("user", "member", "account"), (1, "User")),
    "admin": (2, "Admin"),
    "system": (3, "System"),
    **dict.fromkeys(("service", "client"), (4, "Service")),
}
_ENTITY_TYPES: Final = {
    "device": (1, "Device"),
    "user": (2, "User"),
    "group": (3, "Group"),
    "tenant": (4, "Organization"),
    "organization": (4, "Organization"),
    "policy": (5, "Policy"),
}
_FACTORS: Final = {
    "sms": (1, "SMS"),
    "push": (5, "Push Notification"),
    "totp": (7, "OTP"),
    "email": (8, "Email"),
    "magic_link": (8, "Email"),
    "webauthn": (10, "WebAuthn"),
    "passkey": (10, "WebAuthn"),
    "password": (11, "Password"),
}
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+")


def user(uid: str, name: str = "", kind: str = "user") -> Attributes:
    """Build a user of a kind such as `user` or `api_key`. The result is empty if neither the id nor the name is
    known.
    """
    if not uid and not name:
        if kind in ("", "user"):
            return {}
        name = kind  # the system, or an anonymous caller
    made: Attributes = _named(uid, name)
    if "@" in name and _EMAIL.fullmatch(name):
        made["email_addr"] = name
    return made | _typed(kind, _USER_TYPES)


def actor(row: Row) -> Attributes:
    """Build the acting user. The result is empty if the event does not name an actor."""
    return user(row.take("actor_id"), row.take("actor_name"), row.take("actor_type"))


def subject(row: Row, by: Attributes) -> Attributes:
    """Build the affected user. It is the resource, the user named in the metadata, or the actor `by`, in this order."""
    kind = row.get("resource")
    if (kind in PRINCIPALS or not kind) and (uid := row.take("resource_id")):
        row.take("resource")
        return by if by.get("uid") == uid else user(uid, row.take_key("login", "name"), kind or "user")
    if kind == "user":
        row.take("resource")
    named = user(row.take_key("user"), row.take_key("login"))
    return named or by or {"name": UNKNOWN, "type_id": 0, "type": "Unknown"}


def resource(row: Row) -> Attributes:
    """Build the resource as an OCSF resource, web resource or group. The result is empty if the event does not name a
    resource.
    """
    kind, uid = row.take("resource"), row.take("resource_id")
    if not kind and not uid:
        return {}
    made = _named(uid, row.take_key("name") or ("" if uid else kind))
    return made | ({"type": kind} if kind else {})


def entity(row: Row, noun: str) -> Attributes:
    """Build a managed entity from the resource. If there is no resource, it is named after the type of the resource or
    the noun of the action.
    """
    kind, uid = row.take("resource") or noun, row.take("resource_id")
    made = _named(uid, row.take_key("name") or ("" if uid else kind))
    return made | _typed(kind, _ENTITY_TYPES)


def factors(*names: str) -> list[Attributes]:
    """Build the authentication factors with these names, such as `totp`. A name of "" is ignored."""
    return [_factor(name) for name in names if name]


def _factor(name: str) -> Attributes:
    type_id, caption = _FACTORS.get(name, (OTHER, name))
    made: Attributes = {"factor_type_id": type_id, "factor_type": caption}
    return made | ({"is_totp": True} if name == "totp" else {})


def is_factor(name: str) -> bool:
    """Return whether OCSF has a type for this authentication factor."""
    return name in _FACTORS


def endpoint(row: Row) -> Attributes:
    """Build the source endpoint from the caller's address. The result is empty if the event has no address."""
    ip = row.take("ip")
    return {"ip": ip} if ip else {}


def request(row: Row) -> Attributes:
    """Build the HTTP request from the user agent. The result is empty if the event has no user agent."""
    agent = row.take("user_agent")
    return {"user_agent": agent} if agent else {}


def given(**attributes: Any) -> Attributes:
    """Return the attributes that have a value."""
    return {name: value for name, value in attributes.items() if value or value == 0}


def _named(uid: str, name: str) -> Attributes:
    made = {"uid": uid} if uid else {}
    if name:
        made["name"] = name
    return made


def _typed(kind: str, types: dict[str, tuple[int, str]]) -> Attributes:
    if not kind:
        return {}
    type_id, caption = types.get(kind, (OTHER, kind))
    return {"type_id": type_id, "type": caption}
