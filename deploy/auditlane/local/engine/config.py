"""The data directory of the embedded ClickHouse and the configuration in it: where it listens, what it may use."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4
from xml.sax.saxutils import escape

from auditlane.runtime.errors import AlreadyRunning

# Disk space that inserts and merges leave alone: a disk that is full refuses them before they begin, not half-way.
KEEP_FREE = 128 << 20
# ClickHouse answers requests for this machine and from its own pages only: no other site's page in a browser, whether
# under a name of its own for 127.0.0.1 or by its origin, and no name that another machine may have.
_HERE = r"(localhost|127(\.[0-9]+){3}|\[::1\])(:[0-9]+)?"



@dataclass(frozen=True, slots=True)
class Options:
    """`data` is the directory, absolute; port 0 is any free one; `memory` and `keep_free` are bytes."""

    data: Path
    host: str
    port: int
    native_port: int
    memory: int
    keep_free: int
    database: str

    @property
    def folder(self) -> Path:
        """Where the process works, as ClickHouse reads `./config.xml`. It merges `config.d` and `users.d` as well."""
        return self.data / "config"

    @property
    def store(self) -> Path:
        return self.data / "store"


def default_memory() -> int:
    """The memory that it may take unless told otherwise, in bytes: half of the machine, at most 4 GiB."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total // 2, 4 << 30)


@contextlib.contextmanager
def owned(options: Options) -> Iterator[None]:
    """Make the directories and own them: the lock goes with the process. Raises AlreadyRunning, OSError."""
    default = options.store / "metadata" / "default.sql"  # the database `default`, as ClickHouse writes it down
    for folder in (options.folder, default.parent):
        folder.mkdir(parents=True, exist_ok=True)
    options.data.chmod(0o700)  # every tenant's events are in it
    with (options.data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Another process has the ClickHouse data directory {options.data} open.",
                fix="Stop it, or give this one another --data directory.",
            ) from None
        if not default.exists():
            default.write_text(f"ATTACH DATABASE _ UUID '{uuid4()}' ENGINE = Atomic\n")
        refused = options.store / "user_defined" / "function_file.sql"
        refused.parent.mkdir(exist_ok=True)
        refused.write_text("CREATE FUNCTION file AS path -> throwIf(1, 'file() is refused: it reads outside of the tables')\n")
        yield


def text(options: Options) -> str:
    """The text of `config.xml`. Every path is below the data directory."""
    data, cache = escape(str(options.data)), min(options.memory // 16, 256 << 20)
    return f"""<clickhouse>
  <!-- Written at every start. What is in config.d is merged into it. -->
  <listen_host>{options.host}</listen_host>
  <http_port>{options.port}</http_port>
  <tcp_port>{options.native_port}</tcp_port>
  <http_handlers>
    <rule><url>/ping</url><handler><type>ping</type></handler></rule>
    <rule>
      <headers><Host>regex:(?i){_HERE}</Host><Origin>regex:(?i)(https?://{_HERE})?</Origin></headers>
      <handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler>
    </rule>
  </http_handlers>
  <users_config>users.xml</users_config>
  <default_database></default_database>  <!-- else it would be one that shows the files of this machine as tables -->
  <database>default</database>
  <display_name>auditlane</display_name>
  <user_scripts_path>{data}/store/user_scripts/</user_scripts_path>
  <format_schema_path>{data}/store/format_schemas/</format_schema_path>
  <custom_local_disks_base_directory>{data}/store/disks/</custom_local_disks_base_directory>
  <backups><allowed_disk>backups</allowed_disk></backups>
  <max_server_memory_usage>{options.memory}</max_server_memory_usage>
  <mark_cache_size>{cache}</mark_cache_size>
  <primary_index_cache_size>{cache}</primary_index_cache_size>
  <storage_configuration><disks>
    <default><keep_free_space_bytes>{options.keep_free}</keep_free_space_bytes></default>
    <backups><type>local</type><path>{data}/backups/</path></backups>
  </disks></storage_configuration>
  <query_log>
    <database>system</database>
    <table>query_log</table>
    <ttl>event_date + INTERVAL 7 DAY DELETE</ttl>
    <flush_interval_milliseconds>7500</flush_interval_milliseconds>
  </query_log>
</clickhouse>
"""
