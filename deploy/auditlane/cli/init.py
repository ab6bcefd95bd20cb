"""`auditlane init`: topics, the base subject, the tables. May run any number of times, at once too."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from clickhouse_connect.driver.client import Client
from rich.console import Console

from auditlane.contract import subjects, topics
from auditlane.contract.registry_client import registry_client
from auditlane.runtime import settings as settings_
from auditlane.runtime.errors import ConfigError, Drift
from auditlane.store import cluster_init, migrate
from auditlane.store.client import connect
from auditlane.store.cluster import script

app = typer.Typer(add_completion=False)


@app.command()
def command(
    strict: Annotated[bool, typer.Option("--strict", help="Fail (exit code 5) when something differs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    cluster: Annotated[
        str,
        typer.Option(
            "--cluster",
            help="Make the replicated tables of this cluster (of system.clusters) on the server behind "
            "AUDITLANE_CLICKHOUSE_URL, where it lacks them, and bring them to this version. Run it against each "
            "server, in any order, as often as you like; a server that has the tables needs no --cluster.",
        ),
    ] = "",
    print_: Annotated[
        bool, typer.Option("--print", help="Only print the SQL of --cluster, for all of its servers (ON CLUSTER).")
    ] = False,
    this_server: Annotated[
        bool,
        typer.Option("--this-server", help="With --print: without ON CLUSTER, for a server that joins or was away."),
    ] = False,
) -> None:
    """Create topics, register the base schema, migrate ClickHouse.

    What exists is left as it is; where it differs from the settings, that is reported with the command to change it.
    """
    settings = settings_.load()
    if print_ and not cluster:
        raise ConfigError("--print needs --cluster.", field="--print", fix="Name a cluster of system.clusters.")
    if this_server and not print_:
        raise ConfigError(
            "--this-server needs --print.", field="--this-server", fix="Without --print, --cluster means one server."
        )
    if print_:
        print(script(settings.clickhouse_database, cluster, one_server=this_server), end="")
        return
    made = topics.ensure(settings)
    subject = subjects.ensure_base_subject(registry_client(settings), settings.topic)
    migrations = _migrated(connect(settings), settings.clickhouse_database, cluster)
    drift = [sentence for topic in made for sentence in topic.drift] + list(subject.drift)
    if as_json:
        report = {"topics": [asdict(topic) for topic in made], "subject": asdict(subject), "migrations": migrations}
        print(json.dumps(report | {"drift": drift}))
    else:
        out = Console(highlight=False)
        for topic in made:
            out.print(f"topic    {topic.name}: {'created' if topic.created else 'exists'}")
        out.print(
            f"subject  {subject.subject}: {'registered' if subject.created else 'exists'}, id {subject.schema_id}"
        )
        out.print(f"store    {settings.clickhouse_database}: {', '.join(migrations) or 'up to date'}")
        for sentence in drift:
            out.print(f"[yellow]differs[/]  {sentence}")
    if drift and strict:
        raise Drift(f"{len(drift)} things differ from the settings.", fix="They are listed above.")


def _migrated(client: Client, database: str, cluster: str) -> list[str]:
    """The names of the migrations that were applied, to the tables of one server or of one server of a cluster."""
    if cluster := cluster or cluster_init.cluster_of(client, database):
        return cluster_init.migrate(client, database, cluster)
    return migrate.migrate(client, database)
