"""The embedded ClickHouse's users: one per role, each with a password, or only `default`, which has none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import TypeAdapter

from auditlane.local.engine.config import Options
from auditlane.runtime.errors import ConfigError
from auditlane.store.roles import ROLES, grants

LAUNCHER = "launcher"
_PASSWORDS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[Literal[ROLES], Annotated[str, MinLen(1)]])  # type: ignore[valid-type]
# Permissions of `default` without accounts: anything with tables, and nothing else.
_GRANTS_WITHOUT_ACCOUNTS = (
    "SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE TEMPORARY TABLE, CREATE FUNCTION,"
    " DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, CHECK, BACKUP, SYSTEM LISTEN, SYSTEM FLUSH, SYSTEM MERGES,"
    " SYSTEM TTL MERGES, SYSTEM MOVES, SYSTEM DROP CACHE, SYSTEM RELOAD, dictGet ON *.*"
)
# Engines that store data in the data directory, nowhere, or on the servers of `remote_servers`.
_ENGINES = (
    "MergeTree ReplacingMergeTree SummingMergeTree AggregatingMergeTree CollapsingMergeTree GraphiteMergeTree Memory"
    " VersionedCollapsingMergeTree CoalescingMergeTree View MaterializedView Merge Buffer Set Join Log TinyLog"
    " StripeLog GenerateRandom Alias Distributed Null Atomic"
)
_TABLE_GRANTS = [
    *(f"TABLE ENGINE ON {name}" for name in _ENGINES.split()),
    "READ, WRITE ON DISK",
]  # the last one is for backups
# Settings that no user may change. Most of them name a file, which an error message might reveal.
_FIXED = (
    "format_schema format_template_row format_template_resultset output_format_schema merge_tree_disk"
    " allow_python_table_function"
)
_ANALYST_S = 60


def read(file: Path) -> dict[str, str]:
    """Read passwords by role from a JSON file. Raises ConfigError."""
    try:
        return _PASSWORDS.validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        fix = f"Write a JSON object with a password for each of: {', '.join(ROLES)}."
        raise ConfigError(f"{file} is not a valid password file.", field="--users", fix=fix) from error


def text(passwords: Mapping[str, str] | None, launcher: str, options: Options) -> str:
    """Return the content of `users.xml`: the roles with these passwords, or `default` without a password.

    `launcher` is the password of the user that stops the servers.
    """
    users = [_user(LAUNCHER, launcher, ["KILL QUERY ON *.*", "SELECT ON system.processes"])]
    if passwords is None:
        users.append(_user("default", "", [_GRANTS_WITHOUT_ACCOUNTS, *_TABLE_GRANTS]))
    else:
        # The process itself opens the store as `default`, with an empty password and as if from 127.0.0.1. That user
        # has no other permission, and the launcher immediately locks it for the network with a failed login.
        users.append(_user("default", "", ["SYSTEM LISTEN ON *.*"], quota="locked"))
        for role, password in passwords.items():
            users.append(_user(role, password, grants(role, options.database) + _TABLE_GRANTS * (role == "init")))
    query_memory = options.memory * 3 // 4
    fixed = "".join(f"<{name}><const/></{name}>" for name in _FIXED.split())
    return f"""<clickhouse>
  <profiles>
    <default>
      <max_memory_usage>{query_memory}</max_memory_usage>
      <implicit_select>0</implicit_select>
      <log_queries>1</log_queries>
      <network_compression_method>LZ4</network_compression_method>
      <allow_python_table_function>0</allow_python_table_function>
      <constraints>{fixed}</constraints>
    </default>
    <analyst>
      <profile>default</profile>
      <readonly>2</readonly>
      <max_execution_time>{_ANALYST_S}</max_execution_time>
      <constraints>
        <max_memory_usage><min>1</min><max>{query_memory}</max></max_memory_usage>
        <max_execution_time><min>1</min><max>{_ANALYST_S}</max></max_execution_time>
      </constraints>
    </analyst>
  </profiles>
  <quotas>
    <default/>
    <locked><interval>
      <duration>2147483647</duration><failed_sequential_authentications>1</failed_sequential_authentications>
    </interval></locked>
  </quotas>
  <users>
    {"".join(users)}
  </users>
</clickhouse>
"""


def _user(name: str, password: str, granted: Iterable[str], quota: str = "default") -> str:
    return f"""<{name}>
      <password_sha256_hex>{hashlib.sha256(password.encode()).hexdigest()}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>{"analyst" if name == "analyst" else "default"}</profile>
      <quota>{quota}</quota>
      <grants>{"".join(f"<query>GRANT {grant}</query>" for grant in granted)}</grants>
    </{name}>
    """
