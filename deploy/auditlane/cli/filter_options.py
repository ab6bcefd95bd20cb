"""The filter options shared by `events` and `export`, and their conversion to a filter."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from auditlane.contract.tenants import check_tenant
from auditlane.query.fields import CustomFields, from_structure, no_fields
from auditlane.query.filters import INCLUDE_ACCESS, KNOWN, Filter, parse
from auditlane.runtime.errors import InvalidFilter
from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.structure_cache import Structure, StructureCache

PARAMETER = "filter_"
Tenant = Annotated[str, typer.Option("--tenant", "-t", help="Tenant whose events to read.", show_default=False)]
From = Annotated[str, typer.Option("--from", help="Events at or after this time: RFC 3339, or a date (UTC).")]
To = Annotated[str, typer.Option("--to", help="Events before this time: RFC 3339, or a date (UTC).")]
Actor = Annotated[
    list[str] | None, typer.Option(help="Id or name of the actor. Can be repeated to match any of several.")
]
Action = Annotated[list[str] | None, typer.Option(help="Action. Can be repeated.")]
Resource = Annotated[list[str] | None, typer.Option(help="Kind of resource. Can be repeated.")]
Outcome = Annotated[list[str] | None, typer.Option(help="Outcome: success, failure, denied, unknown. Can be repeated.")]
Severity = Annotated[
    list[str] | None, typer.Option(help="Severity: Info, Low, Medium, High, Critical, Error. Can be repeated.")
]
Query = Annotated[
    str,
    typer.Option("--query", "-q", help="Query, such as `action:login* -ip:10.0.0.0/8 outcome:failure words`."),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        "-w",
        help="Any other filter as name=value, such as ip=10.0.0.1 or metadata.region=eu. Can be repeated.",
    ),
]
IncludeAccess = Annotated[
    bool,
    typer.Option(
        "--include-access", help="Include auditlane's own events about access to the log: reads, exports, links."
    ),
]


def filter_of(
    *,
    since: From = "",
    until: To = "",
    actor: Actor = None,
    action: Action = None,
    resource: Resource = None,
    outcome: Outcome = None,
    severity: Severity = None,
    query: Query = "",
    where: Where = None,
    include_access: IncludeAccess = False,
    own: CustomFields = no_fields,
) -> Filter:
    """Return the filter for these options, which `--help` lists in this order. Raises InvalidFilter.

    `own` supplies the tenant's custom fields.
    """
    columns = {"actor": actor, "action": action, "resource": resource, "outcome": outcome, "severity": severity}
    pairs = [(column, value) for column, values in columns.items() for value in values or ()]
    pairs += [(name, value) for name, value in (("from", since), ("to", until), ("query", query)) if value]
    for condition in where or ():
        name, equals, value = condition.partition("=")
        if not equals:
            raise InvalidFilter(
                f"--where {condition[:60]!r} has no '='.",
                field="where",
                fix=f"Write name=value; names are {', '.join(KNOWN)}.",
            )
        pairs.append((name, value))
    if include_access:
        pairs.append((INCLUDE_ACCESS, "true"))
    return parse(pairs, own)


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's parameter `filter_` with the filter options, and pass it the resulting Filter."""
    own, options = inspect.signature(command), _options()
    types = get_type_hints(command, include_extras=True) | get_type_hints(filter_of, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        parameters += options if name == PARAMETER else [parameter]

    @functools.wraps(command)
    def with_filter(**given: Any) -> None:
        chosen = {option.name: given.pop(option.name) for option in options}
        command(**given, **{PARAMETER: filter_of(**chosen, own=from_structure(structure_of)(given["tenant"]))})

    # Typer reads a command's options from its signature and annotations.
    named = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=types[parameter.name])
        for parameter in parameters
    ]
    with_filter.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    with_filter.__annotations__ = {parameter.name: parameter.annotation for parameter in named}
    return with_filter


def _options() -> list[inspect.Parameter]:
    """Return the parameters of `filter_of` that are command-line options."""
    return [parameter for name, parameter in inspect.signature(filter_of).parameters.items() if name != "own"]


def structure_of(tenant: str) -> Structure:
    """Read the tenant's data structure from ClickHouse. Raises InvalidEvent for an invalid tenant id."""
    settings = load()
    client = connect(settings)
    try:
        return StructureCache(lambda: client, settings.clickhouse_database).of(checked_tenant(tenant))
    finally:
        client.close()


def checked_tenant(tenant: str) -> str:
    """Return the tenant id, which may be auditlane's own. Raises InvalidEvent if malformed."""
    return check_tenant(tenant, ours=True)
