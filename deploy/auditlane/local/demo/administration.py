"""Administrators' tasks with members, roles, API keys, policies and settings. Each task is a list of actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from auditlane.contract.event import Outcome, Severity
from auditlane.local.demo.chance import another, token, weighted
from auditlane.local.demo.changes import Change, of_edit
from auditlane.local.demo.inventory import SCOPES, Inventory, Values, new
from auditlane.local.demo.people import Person, hired, masked

_POLICIES: Final[Mapping[str, Sequence[object]]] = {
    "min_length": (10, 12, 14, 16),
    "mfa_required": (False, True),
    "idle_minutes": (30, 60, 120),
    "networks": (["198.51.100.0/24"], ["198.51.100.0/24", "2001:db8::/32"]),
}
_SETTINGS: Final[Mapping[str, Sequence[object]]] = {
    "session_hours": (8, 12, 24),
    "locale": ("en", "de"),
    "sharing": ("workspace", "invited", "link"),
    "digest": ("daily", "weekly", "off"),
}
Task = Callable[[Inventory, Person, Random], list[Change]]


def administer(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    """Perform one task, and return its actions. There may be none."""
    return weighted(dice, _TASKS)(inventory, admin, dice)


def _assign_role(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    others = [person for person in inventory.active() if person.department != "admin"]
    if not others:
        return []
    person = dice.choice(others)
    was = person.role
    if was == "admin":
        person.role = "editor"
        return [_role("role.removed", person, was, Severity.High)]
    choices: dict[str, float] = {"editor": 5, "viewer": 4, "admin": 1}
    person.role = weighted(dice, {role: weight for role, weight in choices.items() if role != was})
    return [_role("role.assigned", person, was, Severity.High if person.role == "admin" else Severity.Medium)]


def _role(action: str, person: Person, was: str, severity: Severity) -> Change:
    return Change(
        action, "user", person.user_id, severity, Outcome.success, f"{person.email}: {was} to {person.role}",
        {"role": was}, {"role": person.role}, {"role": was if action == "role.removed" else person.role},
    )  # fmt: skip


def _invite(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    department = dice.choice([name for name in inventory.tenant.staff if name != "admin"])
    number = 1 + sum(person.department == department for person in [*inventory.people, *inventory.invited.values()])
    person = hired(inventory.tenant, department, number, dice)
    invitation = token(dice, "ivt")
    inventory.invited[invitation] = person
    metadata = {"email": masked(person.email), "roles": person.role}
    after = {"email": person.email, "role": person.role, "department": department}
    return [Change("user.invited", "invitation", invitation, Severity.Low, after=after, metadata=metadata)]


def _offboard(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    leaving = [person for person in inventory.active() if person.department != "admin"]
    if len(leaving) <= 0.8 * sum(inventory.tenant.staff.values()):
        return []
    person = dice.choice(leaving)
    person.active = False
    before: Values = {"status": "active", "role": person.role}
    return [
        Change(
            "user.disabled",
            "user",
            person.user_id,
            Severity.Medium,
            before=before,
            after={**before, "status": "disabled"},
        ),
        Change("session.revoked", "session", None, Severity.Low, metadata={"by": "admin", "user": person.user_id}),
        Change("member.removed", "user", person.user_id, Severity.Medium, description=f"{person.email} left"),
    ]


def _create_key(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    name = f"{dice.choice(('reporting', 'deploy', 'billing', 'archive'))} {dice.randrange(1, 60)}"
    values = {"name": name, "scopes": dice.choice(SCOPES), "enabled": True}
    return [of_edit("api_key.created", "api_key", inventory.create("api_key", values, dice), Severity.Medium)]


def _revoke_key(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    keys = [key for key, values in inventory.objects["api_key"].items() if values["enabled"]]
    if len(keys) < 3:
        return _create_key(inventory, admin, dice)
    edit = inventory.update("api_key", dice.choice(keys), {"enabled": False})
    return [of_edit("api_key.revoked", "api_key", edit, Severity.Medium)]


def _change_policy(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    before = inventory.policy
    inventory.policy = {**before, **_another(before, _POLICIES, dice)}
    return [Change("policy.changed", "policy", "sign-in", Severity.High, before=before, after=inventory.policy)]


def _change_settings(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    before = inventory.settings
    inventory.settings = {**before, **_another(before, _SETTINGS, dice)}
    return [
        Change("settings.changed", "settings", "workspace", Severity.Medium, before=before, after=inventory.settings)
    ]


def _another(before: Values, choices: Mapping[str, Sequence[object]], dice: Random) -> Values:
    name = dice.choice(list(choices))
    return {name: another(dice, choices[name], before[name])}


def _change_webhook(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    if not inventory.objects["webhook"] or dice.random() < 0.4:
        edit = inventory.create("webhook", new("webhook", inventory, dice), dice)
        return [of_edit("webhook.created", "webhook", edit, Severity.Low)]
    hook = inventory.pick("webhook", dice)
    if dice.random() < 0.25:
        return [of_edit("webhook.deleted", "webhook", inventory.delete("webhook", hook), Severity.Medium)]
    enabled = not inventory.objects["webhook"][hook]["enabled"]
    return [
        of_edit("webhook.updated", "webhook", inventory.update("webhook", hook, {"enabled": enabled}), Severity.Low)
    ]


def _reset_mfa(inventory: Inventory, admin: Person, dice: Random) -> list[Change]:
    enrolled = [person for person in inventory.active() if person.mfa and person is not admin]
    if not enrolled:
        return []
    person = dice.choice(enrolled)
    person.mfa = False
    metadata = {"factor": "totp", "by": "admin"}
    return [
        Change("user.mfa_removed", "user", person.user_id, Severity.High, description=person.email, metadata=metadata)
    ]


_TASKS: Final[dict[Task, float]] = {
    _assign_role: 6,
    _invite: 2,
    _offboard: 1,
    _create_key: 3,
    _revoke_key: 2,
    _change_policy: 2,
    _change_settings: 3,
    _change_webhook: 3,
    _reset_mfa: 1.5,
}
