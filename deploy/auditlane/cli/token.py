"""`auditlane token`: a viewer token, or a link to the pages, made by the operator with the signing keys themselves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from auditlane.access.audit import Action
from auditlane.cli.keys import parse_span
from auditlane.cli.operator_audit import record
from auditlane.contract.tenants import check_tenant
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import load, variable

app = typer.Typer(add_completion=False)
_DEFAULT_PERMISSIONS: Final = ["read", "export"]  # what decides over the log is given by name only


@app.command()
def command(
    tenant: Annotated[str | None, typer.Option(help="The tenant whose log may be seen.")] = None,
    user: Annotated[str, typer.Option(help="Who sees it.")] = "operator",
    permissions: Annotated[
        list[str],
        typer.Option(
            "--permission", "--permissions", help="read, export, configure, contract; separated by commas, or repeated."
        ),
    ] = _DEFAULT_PERMISSIONS,
    ttl: Annotated[str | None, typer.Option(help="Its life: 15m, 8h. [AUDITLANE_VIEWER_TOKEN_TTL_S]")] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Print a link that opens the pages once, within 5 minutes.")
    ] = False,
    console: Annotated[
        bool, typer.Option("--console", help="Print a link to the operators' console instead: every tenant.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Mint a viewer token for one tenant, or with --link a link to the pages; with --console one to the console."""
    from datetime import timedelta

    from auditlane.access.links import mint_console_link, mint_link
    from auditlane.access.permissions import parse_permissions
    from auditlane.access.signing import SigningKeys
    from auditlane.access.tokens import Operator, Viewer, mint_viewer_token

    settings = load()
    if settings.signing_keys_file is None:
        raise ConfigError(
            f"{variable('signing_keys_file')} is not set.",
            fix="Set it to the file that `serve` uses; `auditlane env` prints it for a stack of `auditlane up`.",
        )
    signing, now = SigningKeys(settings.signing_keys_file), datetime.now(UTC)
    life = parse_span(ttl) if ttl else timedelta(seconds=settings.viewer_token_ttl_s)
    url = settings.serve_url or f"http://{settings.serve_host}:{settings.serve_port}"
    if console:
        text = mint_console_link(signing, Operator(user), url=url, now=now, session=life)
        print(json.dumps({"link": text, "session_s": int(life.total_seconds())}) if as_json else text)
        record(Action.link_issued, resource="console", user=user, ttl_s=str(int(life.total_seconds())))
        return
    if tenant is None:
        raise ConfigError("No tenant is named.", field="--tenant", fix="Give --tenant, or --console.")
    viewer = Viewer(check_tenant(tenant, ours=True), user, parse_permissions(",".join(permissions).split(",")))
    facts = {"user": user, "permissions": " ".join(sorted(viewer.permissions)), "ttl_s": str(int(life.total_seconds()))}
    if link:
        text = mint_link(signing, viewer, url=url, now=now, session=life)
        print(json.dumps({"link": text, "session_s": int(life.total_seconds())}) if as_json else text)
        record(Action.link_issued, tenant=tenant, resource="viewer_token", **facts)
        return
    token = mint_viewer_token(signing, viewer, now=now, ttl=life)
    print(json.dumps({"token": token.text, "expires_in": int(life.total_seconds())}) if as_json else token.text)
    record(Action.viewer_token_issued, tenant=tenant, resource="viewer_token", **facts)
