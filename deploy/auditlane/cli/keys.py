"""Implements `auditlane keys`, which manages the keys of HTTP API clients. A running `serve` applies changes at its
next request.
"""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from auditlane.access.audit import Action
from auditlane.cli.help_text import examples
from auditlane.cli.operator_audit import record
from auditlane.cli.pipes import require_stdout
from auditlane.contract.tenants import check_tenant
from auditlane.runtime.errors import ConfigError, InvalidInput
from auditlane.runtime.settings import load, variable

if TYPE_CHECKING:
    from auditlane.access.keys import Client, Issued

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Create, list, rotate and revoke keys.",
    epilog=examples("keys create --role writer --name billing", "keys list"),
)

File = Annotated[Path | None, typer.Option("--file", help="Keys file.", show_default="AUDITLANE_KEYS_FILE")]
ClientId = Annotated[str, typer.Argument(help="Client id of the key, as `list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Format(StrEnum):
    """Output formats for a new key."""

    text = "text"
    json = "json"
    shell = "shell"


_UNITS = {"m": 60, "h": 3_600, "d": 86_400}


@app.command(name="init", epilog=examples("keys init --folder keys", "keys init"))
def init(
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder for the three files.", show_default="the folder in the settings"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create the key files that do not exist yet: keys of clients, signing keys and provenance keys.

    `serve` creates missing files too, but not where secrets are mounted read-only. Existing files stay unchanged.
    """
    from auditlane.access.keys import KeysFile
    from auditlane.access.provenance_keys import NAME, ProvenanceKeys, path_of
    from auditlane.access.signing import SigningKeys

    settings = load()
    signing = folder / "signing-keys.json" if folder else settings.signing_keys_file or _missing("signing_keys_file")
    files = {
        folder / "keys.json" if folder else _path(None): KeysFile.load_or_create,
        signing: SigningKeys.load_or_create,
        folder / NAME if folder else path_of(settings) or signing.with_name(NAME): ProvenanceKeys.load_or_create,
    }
    created = {path: not path.exists() for path in files}
    for path, load_or_create in files.items():
        load_or_create(path)
    if as_json:
        print(json.dumps({"files": [{"path": str(path), "created": new} for path, new in created.items()]}))
        return
    for path, new in created.items():
        print(f"{path}: {'created' if new else 'exists'}")


@app.command(
    epilog=examples(
        "keys create --role writer --name billing --expires 90d",
        "keys create --role auditor --tenant acme --permission audits:contract",
        "keys create --role writer --format shell",
    )
)
def create(
    role: Annotated[list[str], typer.Option(help="Role: writer, auditor, vendor or admin. Can be repeated.")],
    permission: Annotated[
        list[str] | None,
        typer.Option(help="Permission beyond those of the roles, such as audits:contract. Can be repeated."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Restrict the key to one tenant.", show_default="every tenant")
    ] = None,
    name: Annotated[str, typer.Option(help="Purpose of the key.")] = "",
    expires: Annotated[
        str | None, typer.Option(help="When the key expires: 90d, 12h, or 2027-01-31.", show_default="never")
    ] = None,
    client_id: Annotated[str, typer.Option("--client-id", help="Client id.", show_default="a random id")] = "",
    file: File = None,
    as_json: AsJson = False,
    format_: Annotated[
        Format, typer.Option("--format", help="Output; shell prints assignments of CLIENT_ID and SECRET for eval.")
    ] = Format.text,
) -> None:
    """Create a key and print its secret, which is shown only once. Creates the keys file if it does not exist."""
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
        on_issued=partial(_print_issued, now=now, format_=Format.json if as_json else format_),
    )
    given = {"roles": " ".join(issued.client.roles), "permissions": " ".join(sorted(issued.client.permissions))}
    _record(Action.key_created, issued.client, **given, expires=expires)


@app.command(name="list", epilog=examples("keys list --json"))
def list_(file: File = None, as_json: AsJson = False) -> None:
    """List the keys, without secrets."""
    from auditlane.access.keys import KeysFile

    now = datetime.now(UTC)
    clients = KeysFile(_path(file)).clients()
    if as_json:
        print(json.dumps([_facts(client, now) for client in clients]))
        return
    headings = "name", "roles", "extra permissions", "tenant", "state", "expires"
    table = Table(Column("client id", no_wrap=True), *headings, box=SIMPLE)
    for client in clients:
        ends = f"{client.expires:%Y-%m-%d %H:%M}" if client.expires else "never"
        granted = ", ".join(client.roles), ", ".join(client.extra_permissions)
        table.add_row(client.client_id, client.name, *granted, client.tenant or "every tenant", client.state(now), ends)
    Console().print(table)


@app.command(epilog=examples("keys rotate CLIENT_ID --overlap 7d"))
def rotate(
    client_id: ClientId,
    overlap: Annotated[str, typer.Option(help="How long the previous secret remains valid.")] = "24h",
    file: File = None,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret, and print it. It is shown only once. The previous secret remains valid for the time
    given by --overlap."""
    from auditlane.access.keys import KeysFile

    now = datetime.now(UTC)
    require_stdout()
    tell = partial(_print_issued, now=now, format_=Format.json if as_json else Format.text)
    issued = KeysFile(_path(file)).rotate(client_id, now=now, overlap=parse_span(overlap), on_issued=tell)
    _record(Action.key_rotated, issued.client, overlap=overlap)


@app.command(epilog=examples("keys revoke CLIENT_ID"))
def revoke(client_id: ClientId, file: File = None, as_json: AsJson = False) -> None:
    """Revoke a key immediately, with every token and link issued to it or minted by it."""
    from auditlane.access.keys import KeysFile

    now = datetime.now(UTC)
    client = KeysFile(_path(file)).revoke(client_id, now=now)
    print(json.dumps(_facts(client, now)) if as_json else f"{client_id} was revoked.")
    _record(Action.key_revoked, client)


@app.command(name="rotate-signing", epilog=examples("keys rotate-signing", "keys rotate-signing --at-once"))
def rotate_signing(
    overlap: Annotated[str, typer.Option(help="How long tokens signed with previous keys remain valid.")] = "31d",
    at_once: Annotated[
        bool, typer.Option("--at-once", help="After a leak: invalidate previous keys and their tokens immediately.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option(help="Signing keys file.", show_default="AUDITLANE_SIGNING_KEYS_FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a key that signs tokens, links and cursors. It is used after five minutes, when every replica has read it."""
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


@app.command(name="rotate-provenance", epilog=examples("keys rotate-provenance", "keys rotate-provenance --at-once"))
def rotate_provenance(
    overlap: Annotated[
        str | None, typer.Option(help="How long previous keys keep verifying messages.", show_default="forever")
    ] = None,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="After a leak: stop verifying with previous keys immediately.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option(help="Provenance keys file.", show_default="AUDITLANE_PROVENANCE_KEYS_FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a key that signs provenance. It is used after five minutes, when every `serve` and worker has read it.

    A message that is stored after its key has expired counts as unsigned. Only Kafka's access control vouches for it.
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
    kept = "0" if at_once else overlap or "forever"
    record(Action.provenance_keys_rotated, resource="provenance_key", resource_id=key.kid, overlap=kept)


def _record(action: Action, client: Client, **facts: str | None) -> None:
    """Record an audit event in the log of the client's tenant or, for an environment-wide client, in auditlane's
    own.
    """
    record(action, tenant=client.tenant, resource="key", resource_id=client.client_id, name=client.name, **facts)


def parse_span(text: str) -> timedelta:
    """Parse a duration such as 90d, 12h or 15m. Raises InvalidInput."""
    found = re.fullmatch(r"(\d{1,6})([mhd])", text.strip())
    if not found:
        raise InvalidInput(f"{text!r} is not a duration.", fix="Write a duration such as 15m, 12h or 90d.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def parse_end(text: str, now: datetime) -> datetime:
    """Parse a duration from `now`, or a date or time in UTC. Raises InvalidInput if it is malformed or in the past."""
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        end = now + parse_span(text)
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    if end <= now:
        raise InvalidInput(f"{text} is in the past.", field="expires", fix="Choose a time in the future.")
    return end


def _path(file: Path | None) -> Path:
    return file or load().keys_file or _missing("keys_file")


def _missing(setting: str) -> Path:
    raise ConfigError(
        f"{variable(setting)} is not set.", field=variable(setting), fix="Set it to the file's path, or pass --file."
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


def _print_issued(issued: Issued, now: datetime, *, format_: Format) -> None:
    """Print a key and its secret, which is not stored anywhere. Raises ConfigError or BrokenPipeError if printing
    fails.
    """
    if format_ is Format.json:
        print(json.dumps(_facts(issued.client, now) | {"secret": issued.secret}), flush=True)
        return
    if format_ is Format.shell:
        print(f"CLIENT_ID={shlex.quote(issued.client.client_id)}\nSECRET={shlex.quote(issued.secret)}", flush=True)
        return
    print(f"client id  {issued.client.client_id}\nsecret     {issued.secret}")
    print("The secret is not stored and cannot be shown again.", flush=True)
