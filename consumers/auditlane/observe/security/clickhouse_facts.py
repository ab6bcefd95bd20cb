"""Gathers facts from ClickHouse with the account in the settings. Every request has a timeout."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from clickhouse_connect.driver.client import Client

from auditlane.observe.security.clickhouse import Access, Replica, RowPolicy, Tables
from auditlane.observe.security.disks import Disk
from auditlane.observe.security.privileges import Privilege, by_account, parse, roles_by_user
from auditlane.runtime.errors import StoreUnavailable
from auditlane.runtime.settings import Settings
from auditlane.store.client import connect, proxy_of, store_errors

_TIMEOUT_S: Final = 10
_REFUSED: Final = (401, 403)
_REFUSED_CODES: Final = ("192", "193", "194", "516")  # ClickHouse's error codes for a rejected account


class StoreFacts:
    """Gathers facts over one connection. Methods raise StoreUnavailable, or StoreRefused if the account lacks the
    privilege.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = settings.clickhouse_database
        self._client: Client = connect(settings, connect_timeout=_TIMEOUT_S, send_receive_timeout=_TIMEOUT_S)

    def close(self) -> None:
        self._client.close()

    def groups(self) -> dict[str, str]:
        """Return the group of each privilege, or "" for a privilege without a group."""
        return {
            str(name): str(group or "")
            for name, group in self._rows("SELECT toString(privilege), toString(parent_group) FROM system.privileges")
        }

    def own_grants(self) -> list[Privilege]:
        """Return the privileges of this account, including those of its roles."""
        return [privilege for (line,) in self._rows("SHOW GRANTS FINAL") for privilege in parse(str(line))]

    def access(self) -> Access:
        """Return the users, privileges and row policies of the server."""
        open_users = self._rows(
            "SELECT name FROM system.users WHERE has(arrayMap(x -> toString(x), flatten([auth_type])), 'no_password')"
        )
        accounts = self._rows("SELECT name FROM system.users UNION DISTINCT SELECT name FROM system.roles")
        names = ", ".join(f"`{_escaped(str(name))}`" for (name,) in accounts)
        # Without FINAL, a user's grants omit those of its roles, which are read separately.
        granted = [str(line) for (line,) in self._rows(f"SHOW GRANTS FOR {names}")] if names else []
        policies = self._rows(
            "SELECT short_name, table, coalesce(select_filter, ''), apply_to_all, apply_to_list, apply_to_except"
            " FROM system.row_policies WHERE database = {database:String}"
        )
        return Access(
            tuple(str(name) for (name,) in open_users),
            by_account(granted),
            tuple(
                RowPolicy(str(name), str(table), str(condition), bool(to_all), frozenset(listed), frozenset(exempt))
                for name, table, condition, to_all, listed, exempt in policies
            ),
            roles_by_user(granted),
        )

    def tables(self) -> Tables:
        """Return the engines and replicas of the tables, and the size of the largest cluster."""
        engines = self._rows("SELECT name, engine_full FROM system.tables WHERE database = {database:String}")
        clusters = self._rows(
            "SELECT cluster, uniqExact(host_name, port) FROM system.clusters"
            " WHERE NOT startsWith(cluster, 'test_') GROUP BY cluster"  # defined in ClickHouse's example configuration
        )
        replicas = self._rows(
            "SELECT table, is_readonly, total_replicas, active_replicas, absolute_delay FROM system.replicas"
            " WHERE database = {database:String} ORDER BY table"
        )
        return Tables(
            {str(name): str(engine) for name, engine in engines},
            max((int(servers) for _, servers in clusters), default=1),
            tuple(
                Replica(str(table), bool(read_only), int(total), int(active), int(late))
                for table, read_only, total, active, late in replicas
            ),
        )

    def disks(self) -> list[Disk]:
        """Return the disks of ClickHouse."""
        rows = self._rows("SELECT name, free_space, total_space FROM system.disks WHERE total_space > 0")
        return [Disk(f"ClickHouse's disk {name}", int(free), int(total)) for name, free, total in rows]

    def _rows(self, statement: str) -> list[Any]:
        with store_errors():
            # Without a placeholder, the driver would replace % in names.
            parameters = {"database": self._database} if "{database:String}" in statement else None
            return list(self._client.query(statement, parameters=parameters).result_rows)


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")


def default_user_is_open(settings: Settings) -> bool:
    """Return whether ClickHouse accepts the user `default` without a password. Raises StoreUnavailable."""
    url = settings.clickhouse_url
    manager = _manager(settings)
    try:
        answer = manager.request(
            "GET",
            f"{url}/?query=SELECT%201",
            headers={"X-ClickHouse-User": "default", "X-ClickHouse-Key": ""},
            timeout=_TIMEOUT_S,
            retries=False,
        )
    except urllib3.exceptions.HTTPError as error:
        raise StoreUnavailable(f"ClickHouse at {urlsplit(url).netloc} did not respond.") from error
    finally:
        manager.clear()
    if answer.status == 200 and answer.data.strip() == b"1":
        return True
    if answer.status in _REFUSED or answer.headers.get("X-ClickHouse-Exception-Code") in _REFUSED_CODES:
        return False
    raise StoreUnavailable(f"ClickHouse at {urlsplit(url).netloc} responded with {answer.status}.")


def _manager(settings: Settings) -> urllib3.PoolManager:
    """Return a connection pool with the certificate authorities and proxy of the ClickHouse client."""
    ca = str(settings.clickhouse_ca) if settings.clickhouse_ca else None
    if proxy := proxy_of(settings.clickhouse_url):
        return urllib3.ProxyManager(proxy, ca_certs=ca)
    return urllib3.PoolManager(ca_certs=ca)
