"""The filter options that `events` and `export` share, and what they mean."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from auditlane.contract.tenants import check_tenant
from auditlane.query.filters import KNOWN, Filter, parse
from auditlane.query.language.fields import Own, from_structure, no_fields
from auditlane.runtime.errors import InvalidFilter
from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.structure_cache import Structure, StructureCache

PARAMETER = "filter_"
Tenant = Annotated[str, typer.Option("--tenant", "-t", help="Whose events.", show_default=False)]
From = Annotated[str, typer.Option("--from", help="Occurred at this time or later: RFC 3339, or a date (UTC).")]
To = Annotated[str, typer.Option("--to", help="Occurred before this time.")]
Actor = Annotated[list[str] | None, typer.Option(help="The actor's id or name. Repeat an option for any of several.")]
Action = Annotated[list[str] | None, typer.Option(help="The action.")]
Resource = Annotated[list[str] | None, typer.Option(help="The kind of resource.")]
Outcome = Annotated[list[str] | None, typer.Option(help="success, failure, denied, unknown.")]
Severity = Annotated[list[str] | None, typer.Option(help="Info, Low, Medium, High, Critical, Error.")]
Query = Annotated[
    str,
    typer.Option("--query", "-q", help="The query language: `action:login* -ip:10.0.0.0/8 outcome:failure words`."),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", help="Any other filter, as `name=value`: `ip=10.0.0.1`, `metadata.region=eu`."),
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
    own: Own = no_fields,
) -> Filter:
    """The filter of these options, which are those of `--help`, in its order. Raises InvalidFilter.

    `own` gives the tenant's own fields.
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
    return parse(pairs, own)


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the filter options in place of its parameter `filter_`, which becomes the Filter of them."""
    own, options = inspect.signature(command), _options()
    types = get_type_hints(command, include_extras=True) | get_type_hints(filter_of, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        parameters += options if name == PARAMETER else [parameter]

    @functools.wraps(command)
    def with_filter(**given: Any) -> None:
        chosen = {option.name: given.pop(option.name) for option in options}
        command(**given, **{PARAMETER: filter_of(**chosen, own=from_structure(structure_of)(given["tenant"]))})

    # typer reads what a command takes from its signature and its annotations
    named = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=types[parameter.name])
        for parameter in parameters
    ]
    with_filter.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    with_filter.__annotations__ = {parameter.name: parameter.annotation for parameter in named}
    return with_filter


def _options() -> list[inspect.Parameter]:
    """What `filter_of` takes from the command line."""
    return [parameter for name, parameter in inspect.signature(filter_of).parameters.items() if name != "own"]


def structure_of(tenant: str) -> Structure:
    """The tenant's data structure, read from ClickHouse."""
    settings = load()
    client = connect(settings)
    try:
        return StructureCache(lambda: client, settings.clickhouse_database).of(checked_tenant(tenant))
    finally:
        client.close()


def checked_tenant(tenant: str) -> str:
    """The tenant id, ours included, or InvalidEvent that says what one looks like."""
    return check_tenant(tenant, ours=True)
