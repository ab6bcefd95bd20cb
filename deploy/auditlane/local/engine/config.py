"""The engine's configuration: narrow grants, bounded memory, everything below one data directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from auditlane.local.engine.refusals import DATABASE_ENGINES, TABLE_ENGINES
from auditlane.runtime.errors import AlreadyRunning

# What auditlane and an analyst need; no FILE, URL, REMOTE or any other source, no users, no dictionaries.
_GRANTS = (
    "SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE TEMPORARY TABLE, CREATE FUNCTION,"
    " DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, CHECK, KILL QUERY, SYSTEM, dictGet, INTROSPECTION"
)


# Disk space that inserts and merges leave alone. This engine does not notice a write that fails half-way (it would
# acknowledge rows that are not on disk), only that it cannot reserve: so it must stop well before the disk is full.
KEEP_FREE = 128 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are below the data directory."""

    data: Path

    @property
    def store(self) -> Path:
        return self.data / "store"

    @property
    def work(self) -> Path:
        """Working directory and place of spooled bodies: empty, since the engine reads a `config.xml` it finds."""
        return self.data / "work"

    @property
    def lock(self) -> Path:
        return self.data / "lock"

    @property
    def config(self) -> Path:
        return self.data / "config" / "engine.xml"

    @property
    def users(self) -> Path:
        return self.data / "config" / "users.xml"


@contextlib.contextmanager
def owned(layout: Layout) -> Iterator[None]:
    """Make the data directory and own it: the lock goes with the process. Raises AlreadyRunning, OSError."""
    layout.data.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Another process has the ClickHouse data directory {layout.data} open.",
                fix="Stop it, or give this one another --data directory.",
            ) from None
        yield


def default_memory() -> int:
    """The memory the engine may take unless told otherwise, in bytes: half of the machine, at most 4 GiB."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total // 2, 4 << 30)


def write(layout: Layout, *, memory: int, keep_free: int = KEEP_FREE) -> None:
    """Write the configuration files and make the directories; `memory` and `keep_free` in bytes. Raises OSError."""
    for folder in (layout.store, layout.work, layout.config.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for left in layout.work.iterdir():  # spooled bodies of a process that was killed
        left.unlink()
    layout.users.write_text(_users(memory))
    layout.config.write_text(_config(layout, memory, keep_free))


def _config(layout: Layout, memory: int, keep_free: int) -> str:
    store = escape(str(layout.store))
    temporary = str(Path(store) / "tmp") + "/"
    return f"""<clickhouse>
  <!-- Written at every start. -->
  <users_config>{escape(str(layout.users))}</users_config>
  <display_name>auditlane</display_name>
  <tmp_path>{temporary}</tmp_path>
  <user_files_path>{store}/user_files/</user_files_path>
  <user_scripts_path>{store}/user_scripts/</user_scripts_path>
  <format_schema_path>{store}/format_schemas/</format_schema_path>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>{min(memory // 16, 256 << 20)}</mark_cache_size>
  <primary_index_cache_size>{min(memory // 16, 256 << 20)}</primary_index_cache_size>
  <storage_configuration><disks><default>
    <keep_free_space_bytes>{keep_free}</keep_free_space_bytes>
  </default></disks></storage_configuration>
  <query_log>
    <database>system</database>
    <table>query_log</table>
    <ttl>event_date + INTERVAL 7 DAY DELETE</ttl>
    <flush_interval_milliseconds>7500</flush_interval_milliseconds>
  </query_log>
</clickhouse>
"""


def _users(memory: int) -> str:
    engines = "".join(f"<query>GRANT TABLE ENGINE ON {name}</query>" for name in TABLE_ENGINES + DATABASE_ENGINES)
    return f"""<clickhouse>
  <profiles><default>
    <max_memory_usage>{memory * 3 // 4}</max_memory_usage>
    <implicit_select>0</implicit_select>
    <log_queries>1</log_queries>
  </default></profiles>
  <users><default>
    <password></password>
    <profile>default</profile>
    <quota>default</quota>
    <networks><ip>::/0</ip></networks>
    <grants><query>GRANT {_GRANTS} ON *.*</query>{engines}</grants>
  </default></users>
  <quotas><default></default></quotas>
</clickhouse>
"""
