"""Reads outbox rows, and releases rows that were set aside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Engine, MetaData, Table, create_engine, func, inspect, select, update
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from auditlane.outbox.sqlalchemy import outbox_table
from auditlane.runtime.errors import ConfigError, Unavailable
from auditlane.runtime.settings import Settings, variable

DIALECTS: Final = ("postgresql", "mariadb", "mysql", "sqlite")
_USE: Final = "Use a URL such as postgresql+psycopg://user:password@host/app, mariadb+pymysql://… or sqlite:///app.db."


@dataclass(frozen=True, slots=True)
class Backlog:
    """The rows in the table. `oldest_s` is the age in seconds of the oldest waiting row, or 0 if no row is waiting."""

    waiting: int
    set_aside: int
    oldest_s: float


class OutboxStore:
    """One table's rows."""

    def __init__(self, engine: Engine, table: Table) -> None:
        self.engine = engine
        self.table = table

    def backlog(self, now: datetime) -> Backlog:
        """Return the table's backlog."""
        columns = self.table.c
        counted = select(columns.problem.is_(None), func.count(), func.min(columns.created_at))
        with self.engine.connect() as connection:
            found = {
                bool(waits): (count, at)
                for waits, count, at in connection.execute(counted.group_by(columns.problem.is_(None)))
            }
        waiting, oldest = found.get(True, (0, None))
        if oldest is not None and oldest.tzinfo is None:  # MariaDB and SQLite keep no time zone
            oldest = oldest.replace(tzinfo=UTC)
        age_s = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
        return Backlog(waiting, found.get(False, (0, None))[0], age_s)

    def set_aside(self, limit: int) -> list[dict[str, Any]]:
        """Return at most `limit` rows that were set aside, oldest first, each with its problem."""
        columns = self.table.c
        shown = select(columns.seq, columns.id, columns.aggregateid, columns.created_at, columns.problem)
        query = shown.where(columns.problem.is_not(None)).order_by(columns.seq).limit(limit)
        with self.engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - documented name

    def retry(self) -> int:
        """Make all rows that were set aside wait again. Returns their number."""
        columns = self.table.c
        with self.engine.begin() as connection:
            again = update(self.table).where(columns.problem.is_not(None)).values(problem=None)
            return connection.execute(again).rowcount


@contextmanager
def opened(settings: Settings) -> Iterator[OutboxStore]:
    """Connect to the outbox.

    Raises ConfigError if the settings are wrong or the table does not exist, and Unavailable if the database cannot be
    reached.
    """
    engine = engine_of(settings.outbox_url)
    schema, _, name = settings.outbox_table.rpartition(".")
    try:
        try:
            exists = inspect(engine).has_table(name, schema=schema or None)
        except SQLAlchemyError as error:
            raise Unavailable(f"The outbox's database cannot be read: {problem_of(error)}.") from error
        if not exists:
            raise ConfigError(
                f"The database has no table {settings.outbox_table}.",
                field=variable("outbox_table"),
                fix="Create it with your migrations, or with the output of `auditlane outbox ddl`.",
            )
        yield OutboxStore(engine, outbox_table(MetaData(), name, schema or None))
    finally:
        engine.dispose()


def engine_of(url: str) -> Engine:
    """Return the database's engine without connecting. Raises ConfigError if the URL does not describe a usable
    database.
    """
    name = variable("outbox_url")
    if not url:
        raise ConfigError(f"{name} is not set.", field=name, fix=f"Set it, or pass --url. {_USE}")
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ValueError):  # the errors' texts may contain the password
        raise ConfigError(f"{name} is not a SQLAlchemy URL.", field=name, fix=_USE) from None
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The database driver {error.name} is not installed.", field=name, fix="Install it with pip."
        ) from error
    if engine.dialect.name not in DIALECTS:
        raise ConfigError(f"The outbox does not support {engine.dialect.name}.", field=name, fix=_USE)
    return engine


def problem_of(error: SQLAlchemyError) -> str:
    """Return the first line of the database's error message."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0].rstrip(".")
