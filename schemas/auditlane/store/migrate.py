"""Migrates the tables to this version. The migrations are numbered SQL files, each recorded once it has run.

ClickHouse has no locks, so every statement is idempotent. Processes that migrate concurrently do the same work, and a
version's record is one row even if several of them wrote it. `auditlane init` runs them. A new column that readers see
also needs CREATE OR REPLACE VIEW of `log` and `log_text` in its file. A column's COMMENT is its only description. The
docs and the views of the same file (`{columns of events: action, …}`) repeat it. `{partitioning}` stands for the
PARTITION BY of `events`.
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
from auditlane.store.fold import columns
from auditlane.store.partitioning import Partitioning, resolve

# The applied migrations, one row per version. Created before any migration, so it is not a migration itself.
RECORD: Final = """CREATE TABLE IF NOT EXISTS {database}.migrations (
    version UInt32 COMMENT 'Number of the migration',
    name String COMMENT 'Name of its file',
    checksum String COMMENT 'SHA-256 of its text',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
) ENGINE = ReplacingMergeTree
ORDER BY version
SETTINGS non_replicated_deduplication_window = 1000"""
_NAME = re.compile(r"(\d{4})_\w+\.sql")
_DESCRIBED = re.compile(r"\{columns of (\w+): ([^}]*)\}")
_RACED = ("TABLE_ALREADY_EXISTS", "DATABASE_ALREADY_EXISTS")


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file. `version` is its number. `checksum` covers the text as written, before a database's name and the
    partitioning are inserted.
    """

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, database: str, partitioning: Partitioning = Partitioning.MONTH) -> list[str]:
        """Return the file's statements for one database, without comments. Literals must not contain semicolons."""
        text = re.sub(r"^\s*--.*$", "", self.text, flags=re.MULTILINE)
        text = text.replace("{database}", f"`{database}`").replace("{partitioning}", partitioning.expression)
        statements = [statement.strip() for statement in text.split(";") if statement.strip()]
        return [_DESCRIBED.sub(lambda match: _described(match, statements), statement) for statement in statements]


def _described(match: re.Match[str], statements: list[str]) -> str:
    """Return the types and comments of the named columns of a table in the same file, for a view's head."""
    [create] = [one for one in statements if re.match(rf"CREATE TABLE IF NOT EXISTS \S+\.{match[1]} \(", one)]
    of_table = columns(create)
    return ",\n    ".join(
        f"{name} {of_table[name].type} COMMENT {of_table[name].comment}" for name in match[2].replace(",", " ").split()
    )


def known() -> list[Migration]:
    """Return this installation's migrations, oldest first."""
    folder = files(__package__).joinpath("sql")
    found = [(match, file) for file in folder.iterdir() if (match := _NAME.fullmatch(file.name))]
    return sorted(
        (Migration(int(match[1]), file.name, file.read_text("utf-8")) for match, file in found),
        key=lambda migration: migration.version,
    )


def applied(client: Client, database: str) -> dict[int, str]:
    """Return the checksums of the migrations applied to this database, by version; {} if none."""
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


def version(client: Client, database: str) -> int:
    """Return the number of the newest migration applied to this database, 0 if none.

    Raises StoreUnavailable, or StoreRefused if the account may not read the record.
    """
    return max(applied(client, database), default=0)


def plan(known: list[Migration], applied: dict[int, str]) -> list[Migration]:
    """Return the migrations to apply. Raises SchemaTooNew, or Drift if a migration was applied with different text."""
    newest = max((migration.version for migration in known), default=0)
    if applied and max(applied) > newest:
        raise SchemaTooNew(
            f"The store is at version {max(applied)}, but this auditlane supports versions up to {newest}.",
            fix="Upgrade this auditlane to the version that migrated the store.",
        )
    for migration in known:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise Drift(
                f"Migration {migration.name} differs from the version that was applied to the store.",
                fix="Install the version of auditlane that applied it, or compare the tables with `SHOW CREATE TABLE`.",
            )
    return [migration for migration in known if migration.version not in applied]


def partition_key(client: Client, database: str) -> str | None:
    """Return the partition key of the table `events`, or None if there is no such table."""
    with store_errors():
        rows = client.query(
            "SELECT partition_key FROM system.tables WHERE database = {database:String} AND name = 'events'",
            parameters={"database": database},
        ).result_rows
    return str(rows[0][0]) if rows else None


def migrate(client: Client, database: str, partitions: Partitioning | None = None) -> list[str]:
    """Apply the missing migrations and return their names. Several processes may run this concurrently.

    `partitions` is the operator's choice for `events`; by default, an existing table keeps its partitions, and a new
    one gets one for each month. Raises ConfigError if the existing table differs from the choice.
    """
    partitioning = resolve(f"{database}.events", partition_key(client, database), partitions)
    todo = plan(known(), applied(client, database))
    if not todo:
        return []
    run(client, f"CREATE DATABASE IF NOT EXISTS `{database}`")
    run(client, RECORD.replace("{database}", f"`{database}`"))
    for migration in todo:
        for statement in migration.statements(database, partitioning):
            run(client, statement)
        record(client, database, migration)
    return [migration.name for migration in todo]


def record(client: Client, database: str, migration: Migration) -> None:
    """Record that a migration was applied. There is one row even if several processes record it."""
    with store_errors():
        client.insert(
            "migrations",
            [[migration.version, migration.name, migration.checksum]],
            column_names=["version", "name", "checksum"],
            database=database,
            settings={"insert_deduplication_token": f"migration:{migration.version}"},
        )


def run(client: Client, statement: str) -> None:
    """Run an idempotent statement, possibly concurrently with other processes."""
    with store_errors():
        try:
            client.command(statement)
        except DatabaseError as error:
            if not any(code in str(error) for code in _RACED):  # created concurrently by another process
                raise
