"""Implements `auditlane token`, which mints a viewer token or a link with the signing keys, without the service."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from auditlane.access.audit import Action
from auditlane.cli.help_text import examples
from auditlane.cli.keys import parse_span
from auditlane.cli.operator_audit import record
from auditlane.contract.tenants import check_tenant
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import load, variable

app = typer.Typer(add_completion=False)
_DEFAULT_PERMISSIONS: Final = ["read", "export"]  # permissions to change the log must be requested explicitly


@app.command(
    epilog=examples(
        "token --tenant acme --user user-17 --ttl 8h",
        "token --tenant acme --link --permissions read,export",
        "token --tenant acme --filter resource=document --filter resource_id=doc-7",
        "token --console",
    )
)
def command(
    tenant: Annotated[
        str | None, typer.Option(help="Tenant whose log the viewer may read; required unless --console.")
    ] = None,
    user: Annotated[str, typer.Option(help="Id of the viewer or operator, as recorded in the audit log.")] = "operator",
    permissions: Annotated[
        list[str],
        typer.Option(
            "--permission",
            "--permissions",
            help="Permissions: read, export, configure, contract. Separate them by commas, or repeat the option.",
        ),
    ] = _DEFAULT_PERMISSIONS,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="NAME=VALUE",
            help="Limit the token to events that match, such as resource_id=doc-7 or query='action:login*'. Can be"
            " repeated; a name given several times matches any of its values.",
        ),
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option(
            help="Lifetime of the token or session, such as 15m or 8h.", show_default="AUDITLANE_VIEWER_TOKEN_TTL_S"
        ),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Print a link to the viewer that works once, within five minutes.")
    ] = False,
    console: Annotated[
        bool,
        typer.Option("--console", help="Print a link to the operators' console, which shows every tenant."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Mint a viewer token for one tenant, or a link to the viewer (--link) or the operators' console (--console)."""
    from datetime import timedelta

    from auditlane.access.links import mint_console_link, mint_link
    from auditlane.access.permissions import parse_permissions
    from auditlane.access.short_links import ShortLinks
    from auditlane.access.signing import SigningKeys
    from auditlane.access.tokens import Operator, Viewer, mint_viewer_token
    from auditlane.query.base_filter import base_filter

    settings = load()
    if settings.signing_keys_file is None:
        raise ConfigError(
            f"{variable('signing_keys_file')} is not set.",
            fix="Set it to the signing keys file of `serve`; for a stack of `auditlane up`, `auditlane env` prints it.",
        )
    signing, now = SigningKeys(settings.signing_keys_file), datetime.now(UTC)
    life = parse_span(ttl) if ttl else timedelta(seconds=settings.viewer_token_ttl_s)
    url = settings.serve_url or f"http://{settings.serve_host}:{settings.serve_port}"
    shortened = ShortLinks(settings.links_dir).shorten if settings.links_dir else str
    if console and filters:
        raise ConfigError(
            "A token for the console cannot have a filter.", field="--filter", fix="Omit --filter, or --console."
        )
    if console:
        text = shortened(mint_console_link(signing, Operator(user), url=url, now=now, session=life))
        print(json.dumps({"link": text, "session_s": int(life.total_seconds())}) if as_json else text)
        record(Action.link_issued, resource="console", user=user, ttl_s=str(int(life.total_seconds())))
        return
    if tenant is None:
        raise ConfigError("--tenant is missing.", field="--tenant", fix="Pass --tenant, or --console.")
    given = _given(filters or [])
    viewer = Viewer(
        check_tenant(tenant, ours=True),
        user,
        parse_permissions(",".join(permissions).split(",")),
        base_filter=base_filter(given) if given else (),
    )
    facts = {"user": user, "permissions": " ".join(sorted(viewer.permissions)), "ttl_s": str(int(life.total_seconds()))}
    facts |= {"filter": json.dumps(given, ensure_ascii=False)} if given else {}
    if link:
        text = shortened(mint_link(signing, viewer, url=url, now=now, session=life))
        print(json.dumps({"link": text, "session_s": int(life.total_seconds())}) if as_json else text)
        record(Action.link_issued, tenant=tenant, resource="viewer_token", **facts)
        return
    token = mint_viewer_token(signing, viewer, now=now, ttl=life)
    print(json.dumps({"token": token.text, "expires_in": int(life.total_seconds())}) if as_json else token.text)
    record(Action.viewer_token_issued, tenant=tenant, resource="viewer_token", **facts)


def _given(conditions: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for condition in conditions:
        name, equals, value = condition.partition("=")
        if not equals:
            raise ConfigError(f"--filter {condition[:60]!r} has no '='.", field="--filter", fix="Write name=value.")
        found.setdefault(name, []).append(value)
    return found
