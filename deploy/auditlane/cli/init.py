"""Implements `auditlane init`, which creates topics, the base subject and the tables. It is safe to run repeatedly and
concurrently.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from clickhouse_connect.driver.client import Client
from rich.console import Console

from auditlane.access.audit import Action
from auditlane.access.provenance_keys import path_of
from auditlane.cli.help_text import examples
from auditlane.cli.operator_audit import record
from auditlane.cli.plural import number_of
from auditlane.contract import subjects, topics
from auditlane.contract.registry_client import registry_client
from auditlane.runtime import settings as settings_
from auditlane.runtime.errors import ConfigError, Drift
from auditlane.store import cluster_init, migrate
from auditlane.store.client import connect
from auditlane.store.cluster import script
from auditlane.store.partitioning import Partitioning, configured

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "init",
        "init --strict",
        "init --partitions day",
        "init --cluster audit_cluster",
        "init --print --cluster audit_cluster",
    )
)
def command(
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 5 when something existing differs from the settings.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    cluster: Annotated[
        str,
        typer.Option(
            "--cluster",
            help="Create any missing replicated tables for this cluster (a name in system.clusters) on the server at "
            "AUDITLANE_CLICKHOUSE_URL, and migrate them. Run once per server, in any order; repeating is safe. "
            "Servers that already have the tables do not need --cluster.",
        ),
    ] = "",
    partitions: Annotated[
        Partitioning | None,
        typer.Option(
            "--partitions",
            help="Create the table of events with one partition for each month, or for each day if a shard receives "
            "more than 500 events per second. Cannot be changed later. Default: AUDITLANE_CLICKHOUSE_PARTITIONS, "
            "or else those of the existing table; a new table has one for each month.",
        ),
    ] = None,
    print_: Annotated[
        bool,
        typer.Option("--print", help="Print the SQL for every server of --cluster (ON CLUSTER) and change nothing."),
    ] = False,
    this_server: Annotated[
        bool,
        typer.Option(
            "--this-server", help="With --print, omit ON CLUSTER: for one server that joins or was unavailable."
        ),
    ] = False,
) -> None:
    """Create topics, register the base schema, and migrate ClickHouse.

    Existing topics and subjects are not changed. Differences from the settings are reported with the command that
    resolves them.
    """
    settings = settings_.load()
    if print_ and not cluster:
        raise ConfigError(
            "--print requires --cluster.", field="--print", fix="Pass --cluster with a name from system.clusters."
        )
    if this_server and not print_:
        raise ConfigError(
            "--this-server requires --print.",
            field="--this-server",
            fix="Add --print, or remove --this-server: without --print, --cluster changes only one server.",
        )
    wanted = partitions or configured(settings)
    if print_:
        made_for = wanted or Partitioning.MONTH
        print(script(settings.clickhouse_database, cluster, one_server=this_server, partitioning=made_for), end="")
        return
    made = topics.ensure(settings)
    subject = subjects.ensure_base_subject(registry_client(settings), settings.topic)
    client = connect(settings)
    migrations = _migrated(client, settings.clickhouse_database, cluster, wanted)
    partitioning = Partitioning.of(migrate.partition_key(client, settings.clickhouse_database) or "")
    if subject.created and (keys := path_of(settings)) and keys.exists():  # otherwise, the event could not be signed
        facts = {"version": str(subject.version), "previous": "none"}
        record(Action.schema_changed, resource="schema", resource_id=subject.subject, **facts)
    drift = [sentence for topic in made for sentence in topic.drift] + list(subject.drift)
    if as_json:
        report = {"topics": [asdict(topic) for topic in made], "subject": asdict(subject), "migrations": migrations}
        print(json.dumps(report | {"partitions": partitioning, "drift": drift}))
    else:
        out = Console(highlight=False)
        for topic in made:
            out.print(f"topic    {topic.name}: {'created' if topic.created else 'exists'}")
        out.print(
            f"subject  {subject.subject}: {'registered' if subject.created else 'exists'}, id {subject.schema_id}"
        )
        by = f", partitions by {partitioning}" if partitioning else ""
        out.print(f"store    {settings.clickhouse_database}: {', '.join(migrations) or 'up to date'}{by}")
        for sentence in drift:
            out.print(f"[yellow]differs[/]  {sentence}")
    if drift and strict:
        raise Drift(
            f"Found {number_of(len(drift), 'difference')} from the settings.",
            fix="Resolve the differences listed above.",
        )


def _migrated(client: Client, database: str, cluster: str, partitions: Partitioning | None) -> list[str]:
    """Migrate one server's tables, clustered or not. Returns the names of the applied migrations."""
    if cluster := cluster or cluster_init.cluster_of(client, database):
        return cluster_init.migrate(client, database, cluster, partitions)
    return migrate.migrate(client, database, partitions)
