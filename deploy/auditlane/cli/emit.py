"""Implements `auditlane emit`, which emits one event, from options or from JSON on standard input, and waits for
Kafka's acknowledgement.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from auditlane.cli.help_text import examples
from auditlane.runtime.errors import InvalidEvent, InvalidInput

app = typer.Typer(add_completion=False)
# Options that are named differently from the field.
_OPTION = {"tenant_id": "tenant", "actor_id": "actor", "occurred_at": "time"}


@app.command(
    epilog=examples(
        "emit --tenant acme --action Login --actor user-17 --outcome denied",
        "emit --tenant acme --action invoice.paid --field amount:=12.5 --metadata region=eu",
        "emit - < event.json",
    )
)
def command(  # one option per event field
    event: Annotated[
        str | None, typer.Argument(metavar="[-]", help="Use `-` to read a JSON event from standard input.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Tenant of the event; required unless read from stdin.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Action, such as Login or document.deleted; required unless read from stdin.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Id of the actor.")] = None,
    actor_type: Annotated[
        str | None, typer.Option(help="Type of the actor: user, service, api_key, system or anonymous.")
    ] = None,
    actor_name: Annotated[str | None, typer.Option(help="Name of the actor.")] = None,
    resource: Annotated[str | None, typer.Option(help="Kind of resource.")] = None,
    resource_id: Annotated[str | None, typer.Option(help="Id of the resource.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Outcome: success, failure, denied or unknown.")] = None,
    severity: Annotated[str | None, typer.Option(help="Severity: Info, Low, Medium, High, Critical or Error.")] = None,
    description: Annotated[str | None, typer.Option(help="Description for readers.")] = None,
    ip: Annotated[str | None, typer.Option(help="IP address of the actor.")] = None,
    request_id: Annotated[str | None, typer.Option(help="Correlation id of the request.")] = None,
    source: Annotated[str | None, typer.Option(help="Service that emits the event.")] = None,
    time: Annotated[
        str | None, typer.Option(help="Time of the action, such as 2024-05-01T12:00:00Z.", show_default="now")
    ] = None,
    event_id: Annotated[
        str | None,
        typer.Option(help="UUID of the event. Readers see events with the same id once.", show_default="a new UUID"),
    ] = None,
    metadata: Annotated[list[str] | None, typer.Option(help="Metadata as name=text. Can be repeated.")] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Custom field as name=text or name:=JSON. Can be repeated.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Time to wait for Kafka's acknowledgement, in seconds.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Emit one event and print its id.

    Returns when Kafka has acknowledged the event. Options override fields read from standard input.
    """
    from auditlane.sdk import AuditClient

    options = {
        "tenant_id": tenant,
        "action": action,
        "actor_id": actor,
        "actor_type": actor_type,
        "actor_name": actor_name,
        "resource": resource,
        "resource_id": resource_id,
        "outcome": outcome,
        "severity": severity,
        "description": description,
        "ip": ip,
        "request_id": request_id,
        "source": source,
        "occurred_at": time,
        "event_id": event_id,
    }
    values = _event_from_stdin(event) | {name: value for name, value in options.items() if value is not None}
    if metadata:
        values["metadata"] = values.get("metadata", {}) | dict(map(_pair, metadata))
    if field:
        values["fields"] = values.get("fields", {}) | dict(map(_typed_pair, field))
    if missing := [name for name in ("tenant_id", "action") if name not in values]:
        raise InvalidEvent(
            f"The event is not valid: {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing.",
            field=missing[0],
            fix=f"Pass {' and '.join(map(_option, missing))}.",
        )
    with AuditClient(on_error=lambda error, event_id: None) as client:  # the error is raised by `flush` below
        try:
            emitted_id = client.emit(**values)
        except InvalidEvent as error:
            if error.fix or error.field not in options or options[error.field] is None:
                raise
            raise InvalidEvent(error.message, field=error.field, fix=f"Correct {_option(error.field)}.") from None
        result = client.flush(timeout)
        if not result:
            client.close(timeout=0)
        result.raise_for_failure()
    print(json.dumps({"event_id": emitted_id, "tenant_id": values["tenant_id"]}) if as_json else emitted_id)


def _option(field: str) -> str:
    return "--" + _OPTION.get(field, field).replace("_", "-")


def _event_from_stdin(event: str | None) -> dict[str, Any]:
    if event is None:
        return {}
    if event != "-":
        raise InvalidInput(f"{event!r} is neither `-` nor an option.", fix="Use `-` to read an event from stdin.")
    try:
        values = json.load(sys.stdin)
    except ValueError as error:
        raise InvalidInput(f"Standard input is not JSON: {error}.") from None
    if not isinstance(values, dict) or not all(
        isinstance(values.get(name, {}), dict) for name in ("metadata", "fields")
    ):
        raise InvalidInput("Standard input must be a JSON object of the event's fields.")
    return {name: value for name, value in values.items() if value is not None}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidInput(f"{text!r} is not of the form name=text.")
    return name, value


def _typed_pair(text: str) -> tuple[str, Any]:
    name, value = _pair(text)
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value)
    except ValueError as error:
        raise InvalidInput(f"The value in {text!r} is not JSON: {error}.", fix="Use name=text for text.") from None
