"""Implements `auditlane structure`, which manages data structures directly in ClickHouse and the registry, without the
service.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from auditlane.cli.help_text import examples
from auditlane.cli.operator_audit import operator_name
from auditlane.cli.structure_changes import record_change, structure_service, unfinished_recorder
from auditlane.contract.tenants import check_tenant
from auditlane.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from auditlane.query.structure.service import FieldChange, StructureChange
    from auditlane.query.structure.views import ScopeState

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Show and change the fields of events and how readers see them.",
    epilog=examples("structure show --tenant acme", "structure add-field region --tenant acme"),
)

Tenant = Annotated[
    str | None, typer.Option(help="Tenant to show or change.", show_default="the environment: every tenant")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in the API's format.")]
_TICKS = ("show_in_table", "show_in_more_info", "downloadable", "filterable", "sortable")
_TYPES = "Type: AlphaNumeric, Number, Integer, Boolean, Timestamp, Email, IpAddress, Json or Enum."
_SWITCH = {"on": True, "off": False, "inherit": None}


@app.command(epilog=examples("structure show --tenant acme"))
def show(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Show the fields in order, and whether audit logs are enabled."""
    _print(structure_service().state(_tenant(tenant)), as_json=as_json)


@app.command(
    name="set",
    epilog=examples(
        "structure set ip --display-name 'IP address' --no-in-table --tenant acme",
        "structure set --logs off --tenant acme",
    ),
)
def set_(
    field: Annotated[str | None, typer.Argument(help="Field to change; omit it to change only --logs.")] = None,
    tenant: Tenant = None,
    display_name: Annotated[str | None, typer.Option(help="Heading of the field.")] = None,
    in_table: Annotated[bool | None, typer.Option(help="Show the field as a column of the table.")] = None,
    in_details: Annotated[bool | None, typer.Option(help="Show the field in an event's details.")] = None,
    downloadable: Annotated[bool | None, typer.Option(help="Include the field in exports.")] = None,
    filterable: Annotated[bool | None, typer.Option(help="Allow filtering by the field.")] = None,
    sortable: Annotated[bool | None, typer.Option(help="Allow sorting by the field.")] = None,
    order: Annotated[int | None, typer.Option(help="Position of the field; columns are in ascending order.")] = None,
    logs: Annotated[str | None, typer.Option(help="Enable or disable audit logs: on, off or inherit.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change how a field is displayed, or enable or disable audit logs."""
    options = {
        "display_name": display_name,
        "show_in_table": in_table,
        "show_in_more_info": in_details,
        "downloadable": downloadable,
        "filterable": filterable,
        "sortable": sortable,
        "order": order,
    }
    stated = {name: value for name, value in options.items() if value is not None}
    if logs is not None and logs not in _SWITCH:
        raise InvalidInput(f"Invalid --logs {logs!r}.", field="logs", fix="Use one of: on, off, inherit.")
    if bool(field) != bool(stated) or not (field or logs):
        raise InvalidInput(
            "A field and the options that change it must be given together.",
            field="field",
            fix="Name a field and pass the options to change, or pass --logs.",
        )
    service, tenant_id = structure_service(), _tenant(tenant)
    seen = service.state(tenant_id)
    fields = None
    if field:
        # `replace` resets omitted fields to their inherited state.
        others: list[tuple[str, dict[str, Any]]] = [
            (other.name, {}) for other in seen.fields.values() if not other.hidden and other.name != field
        ]
        fields = [*others, (field, stated)]
    switch = (_SWITCH[logs],) if logs is not None else None
    _finish(
        service.replace(tenant_id, fields=fields, switch=switch, etags=[seen.etag], who=operator_name()),
        as_json=as_json,
    )


@app.command(
    name="add-field",
    epilog=examples(
        "structure add-field region --tenant acme --one-of eu --one-of us --required",
        "structure add-field amount --type Number --minimum 0 --default 0",
    ),
)
def add_field(
    name: Annotated[str, typer.Argument(help="Name of the field: letters, digits and underscores.")],
    tenant: Tenant = None,
    type_: Annotated[
        str,
        typer.Option("--type", help=_TYPES),
    ] = "AlphaNumeric",
    display_name: Annotated[
        str | None, typer.Option(help="Heading of the field.", show_default="derived from the name")
    ] = None,
    default: Annotated[str | None, typer.Option(help="Default value as JSON, for events without the field.")] = None,
    required: Annotated[bool, typer.Option("--required", help="Reject events whose value is null or empty.")] = False,
    max_length: Annotated[int | None, typer.Option(help="Maximum length of a text value, in characters.")] = None,
    pattern: Annotated[
        str | None, typer.Option(help="RE2 pattern that the whole text must match; requires --max-length.")
    ] = None,
    minimum: Annotated[float | None, typer.Option(help="Minimum value of a number.")] = None,
    maximum: Annotated[float | None, typer.Option(help="Maximum value of a number.")] = None,
    one_of: Annotated[list[str] | None, typer.Option(help="Allowed value. Can be repeated.")] = None,
    exclusive: Annotated[
        bool | None, typer.Option(help="Reject the tenant's events that use the base event's schema.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a custom field, or restore a removed field."""
    from auditlane.query.structure.models import NewField
    from auditlane.query.structure.service import FieldChange

    rules = {"required": required or None, "maxLength": max_length, "pattern": pattern, "oneOf": one_of or None}
    bounds = {"minimum": _number(minimum), "maximum": _number(maximum)}
    body = {"name": name, "type": type_, "displayName": display_name, "exclusive": exclusive}
    try:
        given = NewField.model_validate(body | {"rules": rules | bounds, "default": default and json.loads(default)})
    except ValueError as error:  # pydantic's too
        raise InvalidInput(
            f"The field is invalid: {_first_problem(error)}.", fix="Run: auditlane structure add-field --help"
        ) from error
    tenant_id = _tenant(tenant)
    if tenant_id is None and exclusive is not None:
        raise InvalidInput(
            "--exclusive applies to a tenant's contract, but the base event is shared by all tenants.",
            field="exclusive",
            fix="Pass --tenant.",
        )
    rules = given.rules.stated() if given.rules else {}
    stated = FieldChange(name, given.type, given.default, rules, exclusive, given.view())
    note = unfinished_recorder(tenant_id, stated, name)
    done = structure_service().add(tenant_id, stated, etags=None, who=operator_name(), unfinished=note)
    _finish(done, stated, as_json=as_json)


@app.command(name="remove-field", epilog=examples("structure remove-field region --tenant acme"))
def remove_field(
    name: Annotated[str, typer.Argument(help="Name of the field.")], tenant: Tenant = None, as_json: AsJson = False
) -> None:
    """Remove a field. It is hidden, and its rules are dropped. Stored values are kept, and `add-field` restores the
    field.
    """
    tenant_id = _tenant(tenant)
    note = unfinished_recorder(tenant_id, None, name)
    done = structure_service().remove(tenant_id, name, etags=None, who=operator_name(), unfinished=note)
    _finish(done, as_json=as_json)


@app.command(name="actions", epilog=examples("structure actions --own", "structure actions --json"))
def actions_(
    own: Annotated[bool, typer.Option("--own", help="List only the environment's own actions.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the known actions with their labels."""
    _print_actions(structure_service().state(None), own=own, as_json=as_json)


@app.command(
    name="name-action",
    epilog=examples("structure name-action document.deleted --en 'Document deleted' --de 'Dokument gelöscht'"),
)
def name_action(
    name: Annotated[str, typer.Argument(help="Action, as in events.")],
    en: Annotated[str, typer.Option("--en", help="English label.")],
    de: Annotated[str, typer.Option("--de", help="German label.")],
    as_json: AsJson = False,
) -> None:
    """Add an action to the environment's catalogue, or give an action another label."""
    from auditlane.query.structure.models import LabelledAction

    try:
        given = LabelledAction.model_validate({"name": name, "label": {"en": en, "de": de}})
    except ValueError as error:
        raise InvalidInput(
            f"The action is not valid: {_first_problem(error)}.", fix="Run: auditlane structure name-action --help"
        ) from error
    done = structure_service().name_actions(lambda own: [given.stored(own)], etags=None, who=operator_name())
    _print_actions(done.after, own=True, as_json=as_json)
    record_change(done)


@app.command(name="forget-action", epilog=examples("structure forget-action document.deleted"))
def forget_action(
    name: Annotated[str, typer.Argument(help="One of the environment's own actions.")], as_json: AsJson = False
) -> None:
    """Remove the environment's label of an action. A built-in label applies again. Events are not changed."""
    done = structure_service().forget_action(name, etags=None, who=operator_name())
    _print_actions(done.after, own=True, as_json=as_json)
    record_change(done)


@app.command(epilog=examples("structure history --tenant acme --limit 10"))
def history(
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Maximum number of revisions.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the changes and who made them, newest first."""
    from auditlane.query.structure import responses

    found = responses.history(structure_service().history(_tenant(tenant), limit=limit), limit)
    if as_json:
        print(found.model_dump_json(by_alias=True))
        return
    for revision in found.data:
        print(f"{revision.revision}  {revision.changed_at:%Y-%m-%d %H:%M:%S}  {revision.changed_by}")
        for change in revision.changes:
            values = ", ".join(f"{name}: {was} -> {now}" for name, (was, now) in change.values.items())
            print(f"    {change.kind} {change.field or change.action or ''}  {values}")


def _tenant(named: str | None) -> str | None:
    return None if named is None else check_tenant(named, ours=True)


def _finish(done: StructureChange, stated: FieldChange | None = None, *, as_json: bool) -> None:
    _print(done.after, as_json=as_json)
    record_change(done, stated)


def _print(shown: ScopeState, *, as_json: bool) -> None:
    from auditlane.query.structure import responses

    answer = responses.structure(shown)
    if as_json:
        print(answer.model_dump_json(by_alias=True))
        return
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for name in ("field", "heading", "type", "table", "details", "exports", "filter", "sort", "order", "from"):
        table.add_column(name, no_wrap=name == "field")
    for field in answer.fields:
        ticks = ["yes" if getattr(field, name) else "" for name in _TICKS]
        table.add_row(field.name, field.display_name, field.display_type, *ticks, str(field.order), field.origin)
    out = Console(highlight=False)
    out.print(table)
    if answer.removed:
        out.print("removed: " + ", ".join(field.name for field in answer.removed))
    inherited = "" if answer.enabled is not None else " (inherited)" if answer.tenant else " (by default)"
    out.print(f"audit logs: {'on' if answer.effective_enabled else 'off'}{inherited}; revision {answer.revision}")


def _print_actions(shown: ScopeState, *, own: bool, as_json: bool) -> None:
    from auditlane.query.structure import responses

    answer = responses.catalogue(shown)
    if own:
        answer = answer.model_copy(update={"actions": [action for action in answer.actions if action.own]})
    if as_json:
        print(answer.model_dump_json(by_alias=True, exclude={"grammar"}))
        return
    table = Table("action", "English", "German", "from", box=SIMPLE)
    for action in answer.actions:
        table.add_row(action.name, action.label.en, action.label.de, "environment" if action.own else "built-in")
    Console(highlight=False).print(table)


def _number(value: float | None) -> int | float | None:
    """Return a whole number as an int, since integer fields do not accept floats."""
    return int(value) if value is not None and value.is_integer() else value


def _first_problem(error: ValueError) -> str:
    problems = getattr(error, "errors", None)
    if problems is None:
        return f"--default is not JSON ({error})"
    first = problems()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
