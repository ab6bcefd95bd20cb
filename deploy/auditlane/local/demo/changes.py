"""People's actions on a tenant's objects. Each function changes the inventory and returns the action for the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from auditlane.contract.event import Outcome, Severity
from auditlane.local.demo.chance import another, weighted
from auditlane.local.demo.inventory import LEAST, PROJECTS, TITLES, Edit, Inventory, Values, new
from auditlane.local.demo.people import Person


@dataclass(frozen=True, slots=True)
class Change:
    """An action, still without actor and time."""

    action: str
    resource: str
    resource_id: str | None = None
    severity: Severity = Severity.Info
    outcome: Outcome = Outcome.success
    description: str | None = None
    before: Values | None = None
    after: Values | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def of_edit(
    action: str, resource: str, edit: Edit, severity: Severity = Severity.Info, description: str | None = None
) -> Change:
    """Return the successful action behind an edit."""
    return Change(action, resource, edit.object_id, severity, Outcome.success, description, edit.before, edit.after)


Step = Callable[[Inventory, Person, Random], Change]


def work(inventory: Inventory, person: Person, dice: Random) -> Change:
    """Perform an action typical of the person's department. If a viewer tries to change something, it is denied."""
    step = weighted(dice, _USUAL[person.department])
    if person.role == "viewer" and step is not _view:
        if dice.random() < 0.15:
            return _denied(inventory, dice)
        step = _view
    return step(inventory, person, dice)


def synced(inventory: Inventory, dice: Random) -> Change:
    """Update a customer from another system."""
    object_id = inventory.pick("customer", dice)
    seats = inventory.number("customer", object_id, "seats") + dice.randrange(1, 4)
    edit = inventory.update("customer", object_id, {"seats": seats})
    return of_edit("customer.updated", "customer", edit)


def imported(dice: Random) -> Change:
    """Import data over the API, which occasionally fails."""
    rows = dice.randrange(20, 900)
    if dice.random() < 0.04:
        return Change(
            "data.imported", "customer", None, Severity.Error, Outcome.failure,
            "The import was cancelled: the file's header has no column id.", metadata={"rows": "0", "format": "csv"},
        )  # fmt: skip
    return Change("data.imported", "customer", None, Severity.Medium, metadata={"rows": str(rows), "format": "csv"})


def backed_up(dice: Random, *, ordinal: int) -> Change:
    """Make the nightly backup. Every ninth one fails."""
    if ordinal % 9 == 0:
        return Change(
            "backup.created", "backup", None, Severity.Critical, Outcome.failure,
            "The nightly backup failed: no space left on the target.", metadata={"target": "cold-storage"},
        )  # fmt: skip
    size = f"{dice.randrange(40, 90) / 10:.1f} GB"
    return Change("backup.created", "backup", None, metadata={"target": "cold-storage", "size": size})


def _view(inventory: Inventory, person: Person, dice: Random) -> Change:
    object_id = inventory.pick("document", dice)
    title = inventory.objects["document"][object_id]["title"]
    return Change("document.viewed", "document", object_id, description=str(title))


def _denied(inventory: Inventory, dice: Random) -> Change:
    kind, verb = dice.choice((("document", "deleted"), ("project", "deleted"), ("customer", "updated")))
    return Change(
        f"{kind}.{verb}", kind, inventory.pick(kind, dice), Severity.Medium, Outcome.denied,
        "The role viewer may not change this.", metadata={"required_role": "editor"},
    )  # fmt: skip


def _create_document(inventory: Inventory, person: Person, dice: Random) -> Change:
    values = {**new("document", inventory, dice), "owner": person.email}
    return of_edit("document.created", "document", inventory.create("document", values, dice))


def _update_document(inventory: Inventory, person: Person, dice: Random) -> Change:
    object_id = inventory.pick("document", dice)
    changed: dict[str, object] = {"version": 1 + inventory.number("document", object_id, "version")}
    if dice.random() < 0.5:
        changed["status"] = another(
            dice, ("draft", "review", "approved"), inventory.objects["document"][object_id]["status"]
        )
    if dice.random() < 0.2:
        changed["title"] = f"{dice.choice(TITLES)} {dice.randrange(1, 60)}"
    return of_edit("document.updated", "document", inventory.update("document", object_id, changed))


def _share_document(inventory: Inventory, person: Person, dice: Random) -> Change:
    object_id = inventory.pick("document", dice)
    was = inventory.objects["document"][object_id]["classification"]
    now = another(dice, ("internal", "confidential", "public"), was)
    severity = Severity.Medium if now == "public" else Severity.Low
    edit = inventory.update("document", object_id, {"classification": now})
    return of_edit("document.shared", "document", edit, severity, f"Classification changed from {was} to {now}")


def _delete_document(inventory: Inventory, person: Person, dice: Random) -> Change:
    object_id = inventory.pick("document", dice)
    if len(inventory.objects["document"]) <= LEAST:
        return _create_document(inventory, person, dice)
    return of_edit("document.deleted", "document", inventory.delete("document", object_id), Severity.Medium)


def _create_project(inventory: Inventory, person: Person, dice: Random) -> Change:
    values = {**new("project", inventory, dice), "owner": person.email}
    return of_edit("project.created", "project", inventory.create("project", values, dice), Severity.Low)


def _update_project(inventory: Inventory, person: Person, dice: Random) -> Change:
    object_id = inventory.pick("project", dice)
    what = weighted(dice, {"status": 3, "budget": 2, "name": 1})
    choices: dict[str, list[object]] = {
        "status": ["active", "paused", "done"],
        "budget": [inventory.number("project", object_id, "budget") + 1_000 * dice.randrange(1, 9)],
        "name": [f"{name} {dice.randrange(1, 40)}" for name in PROJECTS],
    }
    value = another(dice, choices[what], inventory.objects["project"][object_id][what])
    return of_edit("project.updated", "project", inventory.update("project", object_id, {what: value}))


def _delete_project(inventory: Inventory, person: Person, dice: Random) -> Change:
    object_id = inventory.pick("project", dice)
    if len(inventory.objects["project"]) <= LEAST:
        return _create_project(inventory, person, dice)
    return of_edit("project.deleted", "project", inventory.delete("project", object_id), Severity.High)


def _create_customer(inventory: Inventory, person: Person, dice: Random) -> Change:
    values = {**new("customer", inventory, dice), "contact": person.email}
    return of_edit("customer.created", "customer", inventory.create("customer", values, dice))


def _update_customer(inventory: Inventory, person: Person, dice: Random) -> Change:
    object_id = inventory.pick("customer", dice)
    if dice.random() < 0.5:
        plan = inventory.objects["customer"][object_id]["plan"]
        changed: dict[str, object] = {"plan": another(dice, ("free", "team", "business"), plan)}
    else:
        seats = inventory.number("customer", object_id, "seats")
        changed = {"seats": seats + dice.randrange(1, 9), "contact": person.email}
    return of_edit("customer.updated", "customer", inventory.update("customer", object_id, changed))


def _advance_invoice(inventory: Inventory, person: Person, dice: Random) -> Change:
    object_id = inventory.pick("invoice", dice)
    status = inventory.objects["invoice"][object_id]["status"]
    if status in ("paid", "void"):
        edit = inventory.create("invoice", new("invoice", inventory, dice), dice)
        return of_edit("invoice.created", "invoice", edit)
    if status == "sent" and dice.random() < 0.1:
        edit = inventory.update("invoice", object_id, {"status": "void"})
        return of_edit("invoice.voided", "invoice", edit, Severity.Medium)
    after = {"draft": "sent", "sent": "paid"}[str(status)]
    return of_edit(f"invoice.{after}", "invoice", inventory.update("invoice", object_id, {"status": after}))


def _export(inventory: Inventory, person: Person, dice: Random) -> Change:
    what = dice.choice(("customer", "invoice", "document"))
    form, rows = dice.choice(("csv", "xlsx", "pdf")), dice.randrange(50, 20_000)
    if dice.random() < 0.08:
        return Change(
            "data.exported", what, None, Severity.Error, Outcome.failure,
            "The export exceeded its time limit.", metadata={"rows": "0", "format": form},
        )  # fmt: skip
    return Change(
        "data.exported", what, None, Severity.Medium, description=f"{rows:,} rows as {form.upper()}",
        metadata={"rows": str(rows), "format": form},
    )  # fmt: skip


_WRITING: Final[dict[Step, float]] = {
    _update_document: 10,
    _create_document: 4,
    _view: 4,
    _share_document: 2,
    _delete_document: 1,
}
_USUAL: Final[dict[str, dict[Step, float]]] = {
    "admin": _WRITING | {_update_project: 4, _export: 2, _delete_project: 0.5},
    "engineering": _WRITING | {_update_project: 8, _create_project: 1.5, _delete_project: 0.4},
    "finance": {_advance_invoice: 14, _view: 2, _update_document: 3, _export: 2},
    "sales": {_update_customer: 10, _create_customer: 4, _view: 2, _update_document: 3, _export: 1.5},
    "support": {_update_customer: 8, _view: 5, _update_document: 4, _share_document: 1},
}
