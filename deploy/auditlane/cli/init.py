"""`auditlane init`: topics, the base subject, the tables. May run any number of times, at once too."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from auditlane.contract import subjects, topics
from auditlane.contract.connect import registry_client
from auditlane.runtime import settings as settings_
from auditlane.runtime.errors import ConfigError, Drift
from auditlane.store import migrate
from auditlane.store.client import connect
from auditlane.store.cluster import script

app = typer.Typer(add_completion=False)


@app.command()
def command(
    strict: Annotated[bool, typer.Option("--strict", help="Fail (exit code 5) when something differs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    cluster: Annotated[
        str, typer.Option("--cluster", help="With --print: the tables' SQL for this ClickHouse cluster.")
    ] = "",
    print_: Annotated[bool, typer.Option("--print", help="Only print the SQL; needs --cluster.")] = False,
) -> None:
    """Create topics, register the base schema, migrate ClickHouse.

    What exists is left as it is; where it differs from the settings, that is reported with the command to change it.
    """
    settings = settings_.load()
    if bool(cluster) != print_:
        raise ConfigError("--cluster and --print go together.", fix="docs/operate/cluster.md says how it is applied.")
    if cluster:
        print(script(settings.clickhouse_database, cluster), end="")
        return
    made = topics.ensure(settings)
    subject = subjects.ensure_base_subject(registry_client(settings), settings.topic)
    migrations = migrate.migrate(connect(settings), settings.clickhouse_database)
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
