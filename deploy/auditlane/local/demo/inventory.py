"""A tenant's state: its people, and the objects that they work on. Changes return the values before and after.

Some projects and documents always remain, and customers and invoices are never deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from auditlane.local.demo.chance import count, token
from auditlane.local.demo.people import Person, staff
from auditlane.local.demo.tenants import Tenant

Values = Mapping[str, object]

_PREFIXES: Final = {
    "project": "prj",
    "document": "doc",
    "customer": "cus",
    "invoice": "inv",
    "webhook": "whk",
    "api_key": "key",
}
LEAST: Final = 3  # minimum number of projects and of documents
_PER_PERSON: Final = {"project": 0.5, "document": 2.0, "customer": 1.5, "invoice": 1.0}
PROJECTS: Final = ("Apollo", "Borealis", "Cascade", "Delta", "Ember", "Fjord", "Glacier", "Horizon")
TITLES: Final = (
    "Roadmap",
    "Budget plan",
    "Release notes",
    "Security review",
    "Price list",
    "Runbook",
    "Onboarding",
    "Contract",
)
SCOPES: Final = (
    ["documents:read"],
    ["documents:read", "documents:write"],
    ["invoices:read"],
    ["customers:read", "exports:write"],
)
EVENTS: Final = (["document.created"], ["invoice.paid"], ["project.created", "project.deleted"])


@dataclass(frozen=True, slots=True)
class Edit:
    """An object before and after a change. None means that it did not exist."""

    object_id: str
    before: Values | None
    after: Values | None


class Inventory:
    """One tenant's state, read and changed by actions."""

    def __init__(self, tenant: Tenant, dice: Random) -> None:
        self.tenant = tenant
        self.people = staff(tenant, dice)
        self.invited: dict[str, Person] = {}  # by invitation
        self.objects: dict[str, dict[str, Values]] = {kind: {} for kind in _PREFIXES}
        self.settings: Values = {"session_hours": 12, "locale": "en", "sharing": "workspace", "digest": "weekly"}
        self.policy: Values = {
            "min_length": 12,
            "mfa_required": False,
            "networks": ["198.51.100.0/24"],
            "idle_minutes": 60,
        }
        for kind, share in _PER_PERSON.items():
            for _ in range(max(LEAST, round(share * len(self.people)))):
                self.create(kind, new(kind, self, dice), dice)
        for name in ("billing sync", "backup reader"):
            self.create("api_key", {"name": name, "scopes": dice.choice(SCOPES), "enabled": True}, dice)
        self.create("webhook", new("webhook", self, dice), dice)

    def active(self, *departments: str) -> list[Person]:
        """Return the people in these departments who may sign in. Without departments, return those of all
        departments."""
        return [
            person for person in self.people if person.active and (not departments or person.department in departments)
        ]

    def editors(self) -> list[Person]:
        """Return the active people who may change objects."""
        return [person for person in self.active() if person.role != "viewer"]

    def pick(self, kind: str, dice: Random) -> str:
        """Return the id of an object of this kind, preferably a recent one. There must be at least one."""
        ids = list(self.objects[kind])
        return ids[int(len(ids) * dice.random() ** 0.6)]

    def number(self, kind: str, object_id: str, name: str) -> int:
        """Return an object's value that is a whole number."""
        value = self.objects[kind][object_id][name]
        assert isinstance(value, int)
        return value

    def create(self, kind: str, values: Values, dice: Random) -> Edit:
        """Add an object."""
        object_id = token(dice, _PREFIXES[kind])
        self.objects[kind][object_id] = values
        return Edit(object_id, None, values)

    def update(self, kind: str, object_id: str, values: Values) -> Edit:
        """Replace some of an object's values."""
        before = self.objects[kind][object_id]
        after = {**before, **values}
        self.objects[kind][object_id] = after
        return Edit(object_id, before, after)

    def delete(self, kind: str, object_id: str) -> Edit:
        """Remove an object."""
        return Edit(object_id, self.objects[kind].pop(object_id), None)


def new(kind: str, inventory: Inventory, dice: Random) -> Values:
    """Return a new object's values."""
    owner = dice.choice(inventory.editors() or inventory.people).email
    if kind == "project":
        return {
            "name": f"{dice.choice(PROJECTS)} {dice.randrange(1, 40)}",
            "status": "active",
            "owner": owner,
            "budget": 5_000 * dice.randrange(1, 20),
        }
    if kind == "document":
        title = f"{dice.choice(TITLES)} {dice.randrange(1, 60)}"
        return {"title": title, "owner": owner, "classification": "internal", "status": "draft", "version": 1}
    if kind == "customer":
        return {
            "name": f"Customer {dice.randrange(100, 999)}",
            "plan": dice.choice(("free", "team")),
            "seats": count(dice, 4 * dice.random()) + 1,
            "contact": owner,
        }
    if kind == "invoice":
        return {
            "number": f"INV-{dice.randrange(10_000, 99_999)}",
            "status": "draft",
            "amount": round(20 + 4_000 * dice.random() ** 2, 2),
            "currency": "EUR",
        }
    assert kind == "webhook"
    return {
        "url": f"https://hooks.example.com/{dice.randrange(100, 999)}",
        "events": dice.choice(EVENTS),
        "enabled": True,
    }
