"""`auditlane keys`: who may call the HTTP API. A running `serve` sees a change at its next request."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from auditlane.access.audit import Action
from auditlane.cli.operator_audit import record
from auditlane.cli.pipes import require_stdout
from auditlane.contract.tenants import check_tenant
from auditlane.runtime.errors import ConfigError, InvalidInput
from auditlane.runtime.settings import load, variable

if TYPE_CHECKING:
    from auditlane.access.keys import Client, Issued

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Create, list and revoke the keys that clients authenticate with."
)

File = Annotated[Path | None, typer.Option("--file", help="The keys file. [AUDITLANE_KEYS_FILE]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}


@app.command()
def create(
    role: Annotated[list[str], typer.Option(help="writer, auditor, vendor or admin; may be repeated.")],
    permission: Annotated[
        list[str] | None,
        typer.Option(help="Give this one too, beside those of the roles, such as audits:contract; may be repeated."),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Bind the key to one tenant; else it is for all of them.")] = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires: Annotated[str | None, typer.Option(help="When it ends: 90d, 12h, or 2027-01-31.")] = None,
    client_id: Annotated[str, typer.Option("--client-id", help="Choose the client id yourself.")] = "",
    file: File = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print its secret, this once. The file is made when it is missing."""
    from auditlane.access.keys import KeysFile
    from auditlane.access.permissions import Permission, parse_permissions

    now = datetime.now(UTC)
    extra = parse_permissions(permission, allowed=frozenset(Permission)) if permission else frozenset()
    require_stdout()
    issued = KeysFile.load_or_create(_path(file)).create(
        roles=tuple(role),
        extra_permissions=tuple(sorted(extra)),
        tenant=check_tenant(tenant) if tenant is not None else None,
        name=name,
        expires=parse_end(expires, now) if expires else None,
        client_id=client_id,
        now=now,
        on_issued=partial(_print_issued, now=now, as_json=as_json),
    )
    given = {"roles": " ".join(issued.client.roles), "permissions": " ".join(sorted(issued.client.permissions))}
    _record(Action.key_created, issued.client, **given, expires=expires)


@app.command(name="list")
def list_(file: File = None, as_json: AsJson = False) -> None:
    """List the keys, without secrets."""
    from auditlane.access.keys import KeysFile

    now = datetime.now(UTC)
    clients = KeysFile(_path(file)).clients()
    if as_json:
        print(json.dumps([_facts(client, now) for client in clients]))
        return
    headings = "name", "roles", "also", "tenant", "state", "expires"
    table = Table(Column("client id", no_wrap=True), *headings, box=SIMPLE)
    for client in clients:
        ends = f"{client.expires:%Y-%m-%d %H:%M}" if client.expires else "never"
        granted = ", ".join(client.roles), ", ".join(client.extra_permissions)
        table.add_row(client.client_id, client.name, *granted, client.tenant or "every tenant", client.state(now), ends)
    Console().print(table)


@app.command()
def rotate(
    client_id: str,
    overlap: Annotated[str, typer.Option(help="How long the earlier secret goes on working.")] = "24h",
    file: File = None,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret and print it, this once. The earlier one works for a while longer."""
    from auditlane.access.keys import KeysFile

    now = datetime.now(UTC)
    require_stdout()
    tell = partial(_print_issued, now=now, as_json=as_json)
    issued = KeysFile(_path(file)).rotate(client_id, now=now, overlap=parse_span(overlap), on_issued=tell)
    _record(Action.key_rotated, issued.client, overlap=overlap)


@app.command()
def revoke(client_id: str, file: File = None, as_json: AsJson = False) -> None:
    """End a key at once, with every token and link that it was given or that it minted."""
    from auditlane.access.keys import KeysFile

    now = datetime.now(UTC)
    client = KeysFile(_path(file)).revoke(client_id, now=now)
    print(json.dumps(_facts(client, now)) if as_json else f"{client_id} is revoked.")
    _record(Action.key_revoked, client)


@app.command(name="rotate-signing")
def rotate_signing(
    overlap: Annotated[str, typer.Option(help="How long tokens of the earlier keys go on working.")] = "31d",
    at_once: Annotated[
        bool, typer.Option("--at-once", help="After a leak: earlier keys and their tokens end now.")
    ] = False,
    file: Annotated[Path | None, typer.Option(help="The signing keys. [AUDITLANE_SIGNING_KEYS_FILE]")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a key that signs tokens, links and cursors from five minutes on, when every replica has it."""
    from auditlane.access.rotation import SPREAD
    from auditlane.access.signing import SigningKeys

    path = file or load().signing_keys_file or _missing("signing_keys_file")
    wait, keep = (timedelta(0), timedelta(0)) if at_once else (SPREAD, parse_span(overlap))
    key = SigningKeys(path).rotate(now=datetime.now(UTC), overlap=keep, spread=wait)
    facts = {"kid": key.kid, "signs_from": key.signs_from.isoformat()}
    print(json.dumps(facts) if as_json else f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC.")
    record(
        Action.signing_keys_rotated, resource="signing_key", resource_id=key.kid, overlap="0" if at_once else overlap
    )


@app.command(name="rotate-provenance")
def rotate_provenance(
    overlap: Annotated[
        str | None, typer.Option(help="End the earlier keys so long after; else they verify for ever.")
    ] = None,
    at_once: Annotated[bool, typer.Option("--at-once", help="After a leak: earlier keys verify no more.")] = False,
    file: Annotated[Path | None, typer.Option(help="The provenance keys. [AUDITLANE_PROVENANCE_KEYS_FILE]")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a key that signs provenance from five minutes on, when every `serve` and worker has it.

    Messages that an ended key signed, and that are stored only then, are stored as coming from anybody who may write
    to the topic.
    """
    from auditlane.access.provenance_keys import ProvenanceKeys, path_of
    from auditlane.access.rotation import SPREAD

    path = file or path_of(load()) or _missing("provenance_keys_file")
    wait, keep = SPREAD, parse_span(overlap) if overlap else None
    if at_once:
        wait, keep = timedelta(0), timedelta(0)
    key = ProvenanceKeys(path).rotate(now=datetime.now(UTC), overlap=keep, spread=wait)
    facts = {"kid": key.kid, "signs_from": key.signs_from.isoformat()}
    print(json.dumps(facts) if as_json else f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC.")
    kept = "0" if at_once else overlap or "for ever"
    record(Action.provenance_keys_rotated, resource="provenance_key", resource_id=key.kid, overlap=kept)


def _record(action: Action, client: Client, **facts: str | None) -> None:
    """An event of the client's tenant, or of our own for a client of every tenant."""
    record(action, tenant=client.tenant, resource="key", resource_id=client.client_id, name=client.name, **facts)


def parse_span(text: str) -> timedelta:
    """`90d`, `12h` or `15m`. Raises InvalidInput."""
    found = re.fullmatch(r"(\d{1,6})([mhd])", text.strip())
    if not found:
        raise InvalidInput(f"{text!r} is not a span of time.", fix="Write 15m, 12h or 90d.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def parse_end(text: str, now: datetime) -> datetime:
    """A span from now, or a date (its beginning) or time in UTC. Raises InvalidInput, also for what is past."""
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        end = now + parse_span(text)
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    if end <= now:
        raise InvalidInput(f"{text} is past.", field="expires", fix="Name a time to come: 90d, or a date.")
    return end


def _path(file: Path | None) -> Path:
    return file or load().keys_file or _missing("keys_file")


def _missing(setting: str) -> Path:
    raise ConfigError(
        f"{variable(setting)} is not set.", field=variable(setting), fix="Set it to the file's path, or give --file."
    )


def _facts(client: Client, now: datetime) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "name": client.name,
        "roles": list(client.roles),
        "extra_permissions": list(client.extra_permissions),
        "permissions": sorted(client.permissions),
        "tenant": client.tenant,
        "state": client.state(now),
        "created": client.created.isoformat(),
        "expires": client.expires.isoformat() if client.expires else None,
    }


def _print_issued(issued: Issued, now: datetime, *, as_json: bool) -> None:
    """At once, since the secret is kept nowhere. Raises ConfigError or BrokenPipeError when it cannot be read."""
    if as_json:
        print(json.dumps(_facts(issued.client, now) | {"secret": issued.secret}), flush=True)
        return
    print(f"client id  {issued.client.client_id}\nsecret     {issued.secret}")
    print("The secret is not kept and cannot be shown again.", flush=True)
