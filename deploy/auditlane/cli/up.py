"""Implements `auditlane up`, which runs the whole stack on this machine until Ctrl-C."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from auditlane.access.links import mint_console_link, mint_link
from auditlane.access.permissions import VIEWER
from auditlane.access.short_links import ShortLinks
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import Operator, Viewer
from auditlane.cli.help_text import DataDirectory, examples
from auditlane.local.console import Terminal
from auditlane.local.stack import stack
from auditlane.runtime import settings as settings_
from auditlane.runtime.settings import variable

app = typer.Typer(add_completion=False)
_SESSION = timedelta(hours=8)
_DEMO_VIEW = {"range": "30d"}


@app.command(epilog=examples("up --demo", "up --demo --open", "up --data /srv/auditlane --port 8480"))
def command(
    data: DataDirectory = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="HTTP port of the pages and the API; 0 chooses a free port.",
            show_default="AUDITLANE_SERVE_PORT, else 8480",
        ),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Add sample tenants and emit live events.")] = False,
    no_auth: Annotated[
        bool,
        typer.Option(
            "--no-auth", help="Disable passwords, so that every user of this machine can read and write everything."
        ),
    ] = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the console in this machine's browser when everything is ready.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when everything is ready.")] = False,
) -> None:
    """Run the whole stack on this machine: Kafka, registry, ClickHouse, worker, serve. Press Ctrl-C to stop it.

    To use an existing Kafka, registry or ClickHouse in place of the embedded one, set AUDITLANE_KAFKA_BOOTSTRAP,
    AUDITLANE_REGISTRY_URL or AUDITLANE_CLICKHOUSE_URL. The data directory is created if it does not exist.
    """
    settings = settings_.load(data_dir=data)

    def on_ready(state: Mapping[str, Any]) -> None:
        links = _tenant_links(state["env"]) if demo else {}
        console = _console_link(state["env"]) if demo or open_ else ""
        if as_json:
            print(json.dumps({**state, "links": links, "console": console}), flush=True)
        else:
            _print_block(state, links, console)
        if open_:
            open_in_browser(console, terminal.note)

    terminal = Terminal(Console(stderr=True), on_ready)
    with (
        terminal.shown(),
        stack(
            settings,
            terminal,
            serve_port=port,
            demo=demo,
            auth=not no_auth,
            download=terminal.download,
            note=terminal.note,
        ) as supervisor,
    ):
        supervisor.run()


def _tenant_links(env: Mapping[str, str]) -> dict[str, str]:
    """Mint a link for each demo tenant. Each works once, within five minutes."""
    from auditlane.local.demo.tenants import TENANTS

    signing = SigningKeys.load_or_create(Path(env[variable("signing_keys_file")]))
    url, now, short = env[variable("serve_url")], datetime.now(UTC), _short_links(env)
    return {
        tenant.name: short.shorten(
            mint_link(signing, Viewer(tenant.name, "demo", VIEWER), url=url, now=now, session=_SESSION, view=_DEMO_VIEW)
        )
        for tenant in TENANTS
    }


def _console_link(env: Mapping[str, str]) -> str:
    """Mint a link to the operators' console. It works once, within five minutes."""
    signing = SigningKeys.load_or_create(Path(env[variable("signing_keys_file")]))
    url = env[variable("serve_url")]
    link = mint_console_link(signing, Operator("demo"), url=url, now=datetime.now(UTC), session=_SESSION)
    return _short_links(env).shorten(link)


def _short_links(env: Mapping[str, str]) -> ShortLinks:
    return ShortLinks(Path(env[variable("links_dir")]))


def open_in_browser(url: str, note: Callable[[str], None]) -> None:
    """Open an address in the user's browser, or tell the user with `note` that no browser was found.

    Does not wait, since a text browser runs until the user leaves it.
    """

    def run() -> None:
        try:
            opened = webbrowser.open(url)
        except webbrowser.Error:
            opened = False
        if not opened:
            note(f"No browser was found on this machine. Open this address yourself: {url}")

    threading.Thread(target=run, name="browser", daemon=True).start()


def _print_block(state: Mapping[str, Any], links: Mapping[str, str], console: str) -> None:
    env = state["env"]
    # Without an activated virtual environment, the command is not on the PATH, so print it the way this process was
    # started.
    command = "auditlane" if shutil.which("auditlane") else shlex.quote(sys.argv[0])
    data = shlex.quote(env[variable("data_dir")])
    lines = ["", "auditlane is ready.", ""]
    if not state.get("auth", True):
        lines += ["  WARNING: --no-auth: every user of this machine can read and write every tenant's events.", ""]
    if console:
        lines += ["  Start here, in the console (each link works once, within five minutes):", f"    {console}", ""]
    for tenant, link in links.items():
        lines += [f"  The viewer of tenant {tenant}:", f"    {link}", ""]
    lines += [f"  {'pages and API':<14}{env[variable('serve_url')]}"]
    for row in state["parts"]:
        if row["name"] not in ("serve", "worker"):
            native = f", native protocol on {row['native']}" if row.get("native") else ""
            lines += [f"  {row['name']:<14}{row['url']}{native}"]
    lines += [f"  {'data':<14}{data}", ""]
    use = f'eval "$({command} env --data {data})"'
    lines += ["  To connect other commands to this stack:", f"    {use}"]
    if links:
        rights = ",".join(sorted(permission.value.removeprefix("audits:") for permission in VIEWER))
        lines += ["  After that, to get new links:", f"    {command} token --console"]
        lines += [f"    {command} token --link --permissions {rights} --ttl 8h --tenant {next(iter(links))}"]
    print("\n".join([*lines, "", "  Press Ctrl-C to stop."]), flush=True)
