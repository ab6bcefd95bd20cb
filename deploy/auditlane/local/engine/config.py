"""The embedded ClickHouse's data directory, and the configuration of its listeners and limits."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from pathlib import Path
from uuid import uuid4

# Disk space kept free, so that inserts and merges are rejected up front rather than halfway on a full disk.
KEEP_FREE = 128 << 20
MALLOC = "thp:always,narenas:2,percpu_arena:disabled,oversize_threshold:0,dirty_decay_ms:10000,prof:false"  # jemalloc
# Hosts allowed in Host and Origin: other sites' pages must not reach it, even through a DNS name for 127.0.0.1.
_HERE = r"(localhost|127(\.[0-9]+){3}|\[::1\])(:[0-9]+)?"
_REFUSED = "Requests must name a user of this ClickHouse and come from this machine."


@dataclass(frozen=True, slots=True)
class Options:
    """The engine's options. `data` is an absolute path, and `memory` and `keep_free` are in bytes. A port of 0 means
    any free port.
    """

    data: Path
    host: str
    port: int
    native_port: int
    memory: int
    keep_free: int
    database: str

    @property
    def folder(self) -> Path:
        """The working directory, where ClickHouse reads `./config.xml`. It also merges `config.d` and `users.d`."""
        return self.data / "config"

    @property
    def store(self) -> Path:
        return self.data / "store"


def default_memory() -> int:
    """Return the default memory limit in bytes: half of the machine's memory, but at most 4 GiB."""
    return min(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2, 4 << 30)


def prepare(options: Options) -> None:
    """Create missing files that ClickHouse needs in its store before it starts. Raises OSError."""
    default = options.store / "metadata" / "default.sql"  # the database `default`, in ClickHouse's format
    refused = options.store / "user_defined" / "function_file.sql"  # shadows ClickHouse's own function
    for folder in (options.folder, default.parent, refused.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if not default.exists():
        default.write_text(f"ATTACH DATABASE _ UUID '{uuid4()}' ENGINE = Atomic\n")
    refused.write_text("CREATE FUNCTION file AS path -> throwIf(1, 'file() reads outside of the tables')\n")


def _rules(users: Collection[str]) -> str:
    """Return the rules for accepted requests: they must come from this machine and, if there are users, name one of
    them.
    """
    here = f"<Host>regex:(?i){_HERE}</Host><Origin>regex:(?i)(https?://{_HERE})?</Origin>"
    query = "<handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler>"
    named = f"<X-ClickHouse-User>regex:({'|'.join(users)})</X-ClickHouse-User>"
    ways = [named, "<Authorization>regex:.+</Authorization>"] if users else [""]
    return "\n    ".join(f"<rule><headers>{here}{way}</headers>{query}</rule>" for way in ways)


def text(options: Options, users: Collection[str]) -> str:
    """Return the content of `config.xml` for these users. Every path is below the data directory."""
    data, cache = escape(str(options.data), quote=False), min(options.memory // 16, 256 << 20)
    return f"""<clickhouse>
  <!-- Written at every start. Files in config.d are merged into it. -->
  <listen_host>{options.host}</listen_host>
  <http_port>{options.port}</http_port>
  <tcp_port>{options.native_port}</tcp_port>
  <http_handlers>
    <rule><url>/ping</url><handler><type>ping</type></handler></rule>
    {_rules(users)}
    <rule><handler>
      <type>static</type><status>403</status><response_content>{_REFUSED}</response_content>
    </handler></rule>
  </http_handlers>
  <users_config>users.xml</users_config>
  <default_database></default_database>  <!-- the default database exposes this machine's files as tables -->
  <database>default</database>
  <display_name>auditlane</display_name>
  <custom_local_disks_base_directory>{data}/store/disks/</custom_local_disks_base_directory>
  <backups><allowed_disk>backups</allowed_disk></backups>
  <max_server_memory_usage>{options.memory}</max_server_memory_usage>
  <mark_cache_size>{cache}</mark_cache_size>
  <primary_index_cache_size>{cache}</primary_index_cache_size>
  <merge_tree><fsync_after_insert>1</fsync_after_insert><fsync_part_directory>1</fsync_part_directory></merge_tree>
  <storage_configuration><disks>
    <default><keep_free_space_bytes>{options.keep_free}</keep_free_space_bytes></default>
    <backups><type>local</type><path>{data}/backups/</path></backups>
  </disks></storage_configuration>
  <query_log>
    <database>system</database><table>query_log</table><ttl>event_date + INTERVAL 7 DAY DELETE</ttl>
  </query_log>
  <opentelemetry_span_log>
    <database>system</database><table>opentelemetry_span_log</table>
    <engine>
      ENGINE = MergeTree PARTITION BY toYYYYMM(finish_date) ORDER BY (finish_date, finish_time_us)
      TTL finish_date + INTERVAL 7 DAY DELETE
    </engine>
  </opentelemetry_span_log>
</clickhouse>
"""
