"""The filter options that `events` and `export` share, and what they mean."""

from __future__ import annotations

from typing import Annotated

import typer

from auditlane.contract.tenants import check_tenant
from auditlane.query.filters import KNOWN, Filter, parse
from auditlane.runtime.errors import InvalidFilter

Tenant = Annotated[str, typer.Option("--tenant", "-t", help="Whose events.", show_default=False)]
From = Annotated[str, typer.Option("--from", help="Occurred at this time or later: RFC 3339, or a date (UTC).")]
To = Annotated[str, typer.Option("--to", help="Occurred before this time.")]
Actor = Annotated[list[str] | None, typer.Option(help="The actor's id or name. Repeat an option for any of several.")]
Action = Annotated[list[str] | None, typer.Option(help="The action.")]
Resource = Annotated[list[str] | None, typer.Option(help="The kind of resource.")]
Outcome = Annotated[list[str] | None, typer.Option(help="success, failure, denied, unknown.")]
Severity = Annotated[list[str] | None, typer.Option(help="Info, Low, Medium, High, Critical, Error.")]
Text = Annotated[str, typer.Option("--query", "-q", help="Words that all occur in some text of the event.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", help="Any other filter, as `name=value`: `ip=10.0.0.1`, `metadata.region=eu`."),
]


def filter_of(
    *,
    since: str = "",
    until: str = "",
    text: str = "",
    where: list[str] | None = None,
    **columns: list[str] | None,
) -> Filter:
    """The filter of these options. Raises InvalidFilter."""
    pairs = [(column, value) for column, values in columns.items() for value in values or ()]
    pairs += [(name, value) for name, value in (("from", since), ("to", until), ("q", text)) if value]
    for one in where or ():
        name, equals, value = one.partition("=")
        if not equals:
            raise InvalidFilter(
                f"--where {one[:60]!r} has no '='.",
                field="where",
                fix=f"Write name=value; names are {', '.join(KNOWN)}.",
            )
        pairs.append((name, value))
    return parse(pairs)


def checked_tenant(tenant: str) -> str:
    """The tenant id, ours included, or InvalidEvent that says what one looks like."""
    return check_tenant(tenant, ours=True)
