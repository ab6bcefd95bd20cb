"""The engine itself: opened once by its process, one connection for each request."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from auditlane.local.engine.config import Layout
from auditlane.local.engine.errors import BAD_ARGUMENTS, EngineError, from_engine
from auditlane.runtime.errors import PartFailed

_KEPT = "default_set_aside"
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement answered, and the counts for X-ClickHouse-Summary."""

    data: bytes
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0


class Connection:
    """One connection: its own settings, current database and temporary tables; used by one thread at a time."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def run(self, sql: str, output_format: str = "TabSeparated", params: Mapping[str, str] | None = None) -> Result:
        """Run one statement. `params` are in ClickHouse's escaped text form. Raises EngineError."""
        try:
            result = self._raw.query(sql, output_format, params=dict(params or {}))
        except RuntimeError as error:
            raise from_engine(str(error)) from None
        if result.has_error():
            raise from_engine(result.error_message())
        return Result(
            result.bytes(),
            result.storage_rows_read(),
            result.storage_bytes_read(),
            result.rows_written(),
            result.bytes_written(),
            result.rows_read(),  # the library's name for the rows of the result
            result.bytes_read(),
        )

    def set(self, settings: Mapping[str, str]) -> None:
        """Apply settings to what this connection runs next. Raises EngineError for an unknown one."""
        if not settings:
            return
        for name in settings:
            if not _SETTING.match(name):
                raise EngineError(BAD_ARGUMENTS, f"{name!r} is not the name of a setting")
        # What restricts goes last: after readonly no other setting can be changed.
        ordered = sorted(settings.items(), key=lambda item: item[0] == "readonly")
        self.run("SET " + ", ".join(f"{name} = {literal(value)}" for name, value in ordered))

    def use(self, database: str) -> None:
        self.run(f"USE {identifier(database)}")

    def statements_in(self, sql: str) -> int:
        """How many statements the engine's own parser sees; 0 when it does not parse."""
        try:
            return int(self._raw.classify_query(sql)["statement_count"])
        except RuntimeError:
            return 0

    def close(self) -> None:
        self._raw.close()


class Engine:
    """The engine over one data directory; at most one in a process, and one process for a directory."""

    def __init__(self, layout: Layout) -> None:
        """Open the directory, making it if need be. Raises PartFailed."""
        os.chdir(layout.work)  # importing chdb opens an engine, which would read a config.xml found here
        os.environ["TZ"] = "UTC"  # it ends at once for a zone that it has no file of, such as CST-8
        from chdb import _chdb

        library: Any = _chdb
        self._connect = library.connect
        _set_default_aside(layout)
        self._target = f"{layout.store}?config-file={quote(str(layout.config), safe='/')}"
        try:
            self._root = self._connect(self._target)
        except RuntimeError as error:
            raise PartFailed(f"The ClickHouse engine could not open {layout.data}: {error}") from None
        # The engine's signal handlers would report a crash for our SIGTERM; ours come after.
        library.reset_signal_handlers()
        self._plain_default()

    def _plain_default(self) -> None:
        """Make `default` an ordinary database: the engine overlays it with the file system at every start."""
        with self.connection() as connection:
            kept = _KEPT in connection.run("SHOW DATABASES").data.decode().split()
            connection.run("DETACH DATABASE default")
            connection.run(f"RENAME DATABASE {_KEPT} TO default" if kept else "CREATE DATABASE default ENGINE = Atomic")

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A fresh connection: after a failure the engine prepends what was left to the next result."""
        try:
            raw = self._connect(self._target)
        except RuntimeError as error:
            raise from_engine(str(error)) from None
        connection = Connection(raw)
        try:
            yield connection
        finally:
            connection.close()

    def kill(self, marker: str) -> None:
        """Ask the engine to stop the query whose text has `marker`; it ends with QUERY_WAS_CANCELLED soon after."""
        with contextlib.suppress(EngineError), self.connection() as connection:
            connection.run(f"KILL QUERY WHERE position(query, {literal(marker)}) > 0 ASYNC")

    def close(self) -> None:
        """Close the engine: parts in flight are finished or dropped, the lock is released."""
        self._root.close()


def _set_default_aside(layout: Layout) -> None:
    """Let the engine load the database `default` of the last start under another name: its overlay takes that one.

    The file names the database by its UUID only, so that renaming the file renames the database. Links under the old
    name would have the overlay load the same tables, or be in the way later; the engine makes them anew.
    """
    metadata, data = layout.store / "metadata", layout.store / "data" / "default"
    (metadata / "default").unlink(missing_ok=True)
    for link in data.iterdir() if data.is_dir() else ():
        if link.is_symlink():
            link.unlink()
    if (metadata / "default.sql").exists():
        (metadata / "default.sql").replace(metadata / f"{_KEPT}.sql")


def literal(value: str) -> str:
    """A value as a string literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{escaped}'"


def identifier(name: str) -> str:
    """A name as a quoted identifier."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
