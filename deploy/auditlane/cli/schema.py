"""Implements `auditlane schema`, which compares fields declared by typed events with a contract, and registers those
missing from it.

Fields are registered like those of `auditlane structure add-field`, so that readers see them.
"""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from auditlane.cli.help_text import examples
from auditlane.cli.operator_audit import operator_name
from auditlane.cli.plural import number_of
from auditlane.cli.structure_changes import record_change, structure_service, unfinished_recorder
from auditlane.contract.tenants import check_tenant
from auditlane.runtime.errors import ConfigError, FieldConflict

if TYPE_CHECKING:
    from auditlane.contract.declaration_diff import ContractDiff, Difference, NeededField
    from auditlane.contract.registry import Registered
    from auditlane.query.structure.service import StructureService

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Compare typed events with a contract, and register the fields that they need.",
    epilog=examples("schema diff myapp.events", "schema sync myapp.events --tenant acme"),
)

Events = Annotated[
    list[str],
    typer.Argument(
        metavar="MODULE[:CLASS]", help="Modules that declare subclasses of AuditEvent, or single classes.",
        show_default=False,
    ),
]  # fmt: skip
Tenant = Annotated[
    str | None,
    typer.Option(help="Tenant whose contract the events are for.", show_default="the environment: every tenant"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SIGNS: Final = {"missing": "+", "unshown": "+", "type": "!", "rules": "!"}


@app.command(epilog=examples("schema diff myapp.events", "schema diff myapp.events:DocumentDeleted --tenant acme"))
def diff(events: Events, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Show how the fields that typed events need differ from a contract. The exit code is 1 if there is a
    difference.
    """
    compared = _Compared(events, tenant)
    compared.print(as_json=as_json)
    if compared.diff.differences:
        raise typer.Exit(1)


@app.command(epilog=examples("schema sync myapp.events --tenant acme", "schema sync myapp.events --yes"))
def sync(
    events: Events,
    tenant: Tenant = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Register without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the differences, as `diff` does.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register the fields of typed events that are missing from a contract. Existing fields are not changed or removed.

    If a field has another type or other rules in the contract, nothing is registered.
    """
    compared = _Compared(events, tenant)
    if dry_run or not compared.diff.differences:
        compared.print(as_json=as_json)
        if compared.diff.differences:
            raise typer.Exit(1)
        return
    if conflicts := compared.diff.conflicts:
        raise FieldConflict(
            "Nothing was registered: "
            + "; ".join(f"the field {conflict.needed.name} {conflict.reason}" for conflict in conflicts)
            + ".",
            field=conflicts[0].needed.name,
            fix="Change the declaration, or the field's rules in the data structure.",
        )
    if not as_json:
        compared.print(as_json=False)
    if not yes:
        _confirm(f"Register {number_of(len(compared.diff.differences), 'field')}?")
    for difference in compared.diff.differences:
        compared.register(difference)
    names = [difference.needed.name for difference in compared.diff.differences]
    if as_json:
        print(json.dumps({"tenant": tenant, "registered": names}))
    else:
        print(f"Registered {', '.join(names)} in {compared.where}.")


class _Compared:
    """The fields that classes need, compared with the contract of `tenant`, or with the environment's if it is None."""

    def __init__(self, targets: list[str], tenant: str | None) -> None:
        from auditlane.cli.event_classes import event_classes
        from auditlane.contract.declaration_diff import contract_diff, needed_fields
        from auditlane.query.structure.contract_repository import schema_of

        self.tenant = None if tenant is None else check_tenant(tenant, ours=True)
        self.targets = targets
        self.events = event_classes(targets)
        self.needed: tuple[NeededField, ...] = needed_fields(self.events)
        self.service: StructureService = structure_service()
        self.registered: Registered = self.service.contracts().of(self.tenant)
        shown = {name: not view.hidden for name, view in self.service.state(self.tenant).fields.items()}
        self.diff: ContractDiff = contract_diff(self.needed, schema_of(self.registered), shown)

    @property
    def where(self) -> str:
        return f"the contract of {self.tenant}" if self.tenant else "the environment's contract"

    def register(self, difference: Difference) -> None:
        """Add the field in the same way as `auditlane structure add-field`."""
        from auditlane.query.structure.service import FieldChange

        field, label = difference.definition, difference.needed.field.label
        assert field is not None
        view = {"display_name": label} if label else {}
        stated = FieldChange(field.name, field.type, field.default, field.rules, None, view)
        note = unfinished_recorder(self.tenant, stated, field.name)
        done = self.service.add(self.tenant, stated, etags=None, who=operator_name(), unfinished=note)
        record_change(done, stated)

    def print(self, *, as_json: bool) -> None:
        if as_json:
            print(json.dumps(self._document()))
            return
        found, contract = self.diff, f"{self.registered.subject}, version {self.registered.version}"
        declared = f"{number_of(len(self.events), 'event')} with {number_of(len(self.needed), 'field')}"
        if not found.differences:
            print(f"Nothing to register: {self.where} ({contract}) has the fields of {declared}.")
        else:
            print(f"{declared}, compared with {self.where} ({contract}):")
        for difference in found.differences:
            print(f"  {_SIGNS[difference.kind]} {_line(difference)}")
        if found.removed:
            print(f"Readers do not see, since it was removed from the data structure: {', '.join(found.removed)}")
        if found.unused:
            print(f"Not used by these events: {', '.join(found.unused)}")
        if found.differences and not found.conflicts:
            tenant = f" --tenant {self.tenant}" if self.tenant else ""
            print(f"To register: auditlane schema sync {shlex.join(self.targets)}{tenant}")

    def _document(self) -> dict[str, Any]:
        differences = [
            {
                "field": found.needed.name,
                "kind": found.kind,
                "reason": found.reason,
                "events": found.needed.events,
                "type": found.needed.field.definition.type,
                "rules": found.needed.field.definition.rules,
            }
            for found in self.diff.differences
        ]
        contract = {"subject": self.registered.subject, "version": self.registered.version}
        return {
            "tenant": self.tenant, **contract, "differences": differences, "unused": self.diff.unused,
            "removed": self.diff.removed,
        }  # fmt: skip


def _line(difference: Difference) -> str:
    from auditlane.contract.declaration_diff import Kind, summary

    needed = difference.needed
    declared = f" ({summary(needed.field.definition)})" if difference.kind is Kind.missing else ""
    return f"{needed.name} {difference.reason}{declared}: {', '.join(needed.events)}"


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(
            "Confirmation is required, but standard input is not a terminal.",
            field="--yes",
            fix="Check the result of --dry-run, then pass --yes.",
        )
    typer.confirm(question, abort=True, err=True)
