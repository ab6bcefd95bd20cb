"""Bring the tables to this version's form: numbered SQL files, each recorded once it has run.

ClickHouse has no locks to hold, so every statement may run twice: processes that migrate at the same time do the same
idempotent work, and the record of a version is one row however many of them wrote it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from auditlane.runtime.errors import Drift, SchemaTooNew
from auditlane.store.client import store_errors

# What was applied, one row a version. It is made before any migration, and so is none.
RECORD: Final = """CREATE TABLE IF NOT EXISTS {database}.migrations (
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree
ORDER BY version
SETTINGS non_replicated_deduplication_window = 1000"""
_NAME = re.compile(r"(\d{4})_\w+\.sql")
_RACED = ("TABLE_ALREADY_EXISTS", "DATABASE_ALREADY_EXISTS")


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file. `version` is its number; `checksum` is of the text as written, without a database's name."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, database: str) -> list[str]:
        """The file's statements for one database, comments dropped. They hold no semicolon inside a literal."""
        text = re.sub(r"^\s*--.*$", "", self.text, flags=re.MULTILINE).replace("{database}", f"`{database}`")
        return [statement.strip() for statement in text.split(";") if statement.strip()]


def known() -> list[Migration]:
    """The migrations of this installation, oldest first."""
    folder = files(__package__).joinpath("sql")
    found = [(match, one) for one in folder.iterdir() if (match := _NAME.fullmatch(one.name))]
    return sorted(
        (Migration(int(match[1]), one.name, one.read_text("utf-8")) for match, one in found),
        key=lambda migration: migration.version,
    )


def applied(client: Client, database: str) -> dict[int, str]:
    """Version → checksum of what was applied to this database; empty when nothing was."""
    with store_errors():
        exists = client.query(
            "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = 'migrations'",
            parameters={"database": database},
        )
        if not exists.result_rows:
            return {}
        rows = client.query(
            "SELECT version, any(checksum) FROM {database:Identifier}.migrations GROUP BY version",
            parameters={"database": database},
        ).result_rows
    return {int(version): str(checksum) for version, checksum in rows}


def plan(known: list[Migration], applied: dict[int, str]) -> list[Migration]:
    """What is left to apply. Raises SchemaTooNew, or Drift when a version was applied with another text."""
    newest = max((migration.version for migration in known), default=0)
    if applied and max(applied) > newest:
        raise SchemaTooNew(
            f"The store is at version {max(applied)}; this auditlane knows versions up to {newest}.",
            fix="Upgrade auditlane here to the version that migrated the store.",
        )
    for migration in known:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise Drift(
                f"Migration {migration.name} was applied to the store with another text.",
                fix="Install the auditlane that applied it, or compare the tables with `SHOW CREATE TABLE`.",
            )
    return [migration for migration in known if migration.version not in applied]


def migrate(client: Client, database: str) -> list[str]:
    """Apply what is missing and return the names of what was applied. Safe to run from many processes at once."""
    todo = plan(known(), applied(client, database))
    if not todo:
        return []
    run(client, f"CREATE DATABASE IF NOT EXISTS `{database}`")
    run(client, RECORD.replace("{database}", f"`{database}`"))
    for migration in todo:
        for statement in migration.statements(database):
            run(client, statement)
        record(client, database, migration)
    return [migration.name for migration in todo]


def record(client: Client, database: str, migration: Migration) -> None:
    """Note that a migration was applied; however many note it, it is one row."""
    with store_errors():
        client.insert(
            "migrations",
            [[migration.version, migration.name, migration.checksum]],
            column_names=["version", "name", "checksum"],
            database=database,
            settings={"insert_deduplication_token": f"migration:{migration.version}"},
        )


def run(client: Client, statement: str) -> None:
    """Run a statement that may run twice, at once too."""
    with store_errors():
        try:
            client.command(statement)
        except DatabaseError as error:
            if not any(code in str(error) for code in _RACED):  # another process was a moment earlier
                raise
