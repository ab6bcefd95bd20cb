"""Custom fields of the demo's tenants, with their rules and values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from auditlane.contract.event import Outcome, Severity
from auditlane.contract.field_definition import FieldType
from auditlane.local.demo.changes import Change
from auditlane.local.demo.people import Actor


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field added by a tenant's contract, and how readers see it."""

    name: str
    type: FieldType
    label: str
    rules: Mapping[str, object]
    default: object = None
    in_table: bool = True


# Every required field has a default, so that `auditlane emit --tenant acme` needs no more than the docs show.
FIELDS: Final[Mapping[str, tuple[CustomField, ...]]] = {
    "acme": (
        CustomField(
            "department",
            FieldType.Enum,
            "Department",
            {"oneOf": ["admin", "engineering", "finance", "sales", "support"]},
        ),
        CustomField("risk", FieldType.Integer, "Risk", {"minimum": 0, "maximum": 100}, in_table=False),
        CustomField(
            "ticket",
            FieldType.AlphaNumeric,
            "Change ticket",
            {"pattern": "CHG-[0-9]{4}", "maxLength": 8},
            in_table=False,
        ),
    ),
    "globex": (
        CustomField(
            "region", FieldType.Enum, "Region", {"required": True, "oneOf": ["eu-1", "us-1", "ap-1"]}, default="eu-1"
        ),
        CustomField(
            "cost_center",
            FieldType.AlphaNumeric,
            "Cost center",
            {"pattern": "[A-Z]{2}-[0-9]{3}", "maxLength": 6},
            in_table=False,
        ),
    ),
    "initech": (CustomField("rows", FieldType.Integer, "Rows", {"minimum": 0}),),
}
_COST_CENTERS: Final = {"admin": "IT-100", "engineering": "RD-210", "finance": "FI-310", "sales": "SA-420"}
_RISK: Final = dict(zip(Severity, (5, 15, 35, 75, 90, 50), strict=True))
_ON_TICKET: Final = frozenset(
    {"policy.changed", "settings.changed", "role.assigned", "role.removed", "api_key.created"}
)


def values(tenant: str, actor: Actor, change: Change, dice: Random) -> dict[str, object]:
    """Return the custom fields for one of this tenant's events."""
    return _VALUES[tenant](actor, change, dice)


def _acme(actor: Actor, change: Change, dice: Random) -> dict[str, object]:
    risk = _RISK[change.severity] + (10 if change.outcome is not Outcome.success else 0) + dice.randrange(0, 8)
    own: dict[str, object] = {"risk": min(risk, 100)}
    if actor.department:
        own["department"] = actor.department
    if change.action in _ON_TICKET:
        own["ticket"] = f"CHG-{dice.randrange(1_000, 9_999)}"
    return own


def _globex(actor: Actor, change: Change, dice: Random) -> dict[str, object]:
    own: dict[str, object] = {"region": dice.choices(["eu-1", "us-1", "ap-1"], [6, 2, 1])[0]}
    if actor.department:
        own["cost_center"] = _COST_CENTERS[actor.department]
    return own


def _initech(actor: Actor, change: Change, dice: Random) -> dict[str, object]:
    return {"rows": int(change.metadata["rows"])} if "rows" in change.metadata else {}


_VALUES: Final[Mapping[str, Callable[[Actor, Change, Random], dict[str, object]]]] = {
    "acme": _acme,
    "globex": _globex,
    "initech": _initech,
}
