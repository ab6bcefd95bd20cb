"""The current state of a stack: the supervisor's state file, checked against processes and probes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from auditlane.local import services
from auditlane.local.credentials import Credentials, Role
from auditlane.local.layout import Layout
from auditlane.local.stack import without_own_urls
from auditlane.local.stack_variables import with_accounts
from auditlane.runtime.errors import NotFound
from auditlane.runtime.process_plan import State
from auditlane.runtime.settings import Settings, variable

UNREACHABLE = "unreachable"


def report(settings: Settings) -> dict[str, Any]:
    """Return `ready`, and for each of the five services `name`, `pid`, `url`, `state`, `starts`, `log`; others are in
    `extras`. The embedded ClickHouse also has `native`, the address of its native protocol.

    A service is `unreachable` if it should be ready but does not respond within two seconds.
    """
    layout = Layout.of(settings.data_dir)
    state, owner = layout.read_state(), layout.owner()
    rows = state.get("parts") or [_row(name) for name in services.NAMES]
    extras = state.get("extras", [])
    if owner is None:
        rows = [row | {"pid": None, "state": State.STOPPED.value} for row in rows]
        extras = [row | {"pid": None, "state": State.STOPPED.value} for row in extras]
    else:
        entered = with_accounts(without_own_urls(settings, state), state.get("env", {}))
        checks = services.readiness_checks(entered, {row["name"]: row["url"] for row in rows})
        with ThreadPoolExecutor(len(rows)) as pool:
            rows = list(pool.map(lambda row: _checked(row, checks[row["name"]]), rows))
    up = all(row["state"] in (State.READY, "external") for row in rows)
    extras_up = all(row["state"] in (State.READY, State.DONE) for row in extras)
    return {
        "ready": owner is not None and up and extras_up,
        "pid": owner,
        "data": str(layout.root),
        "parts": rows,
        "extras": extras,
    }


def _row(name: str) -> dict[str, Any]:
    return {"name": name, "pid": None, "url": "", "state": State.STOPPED.value, "starts": 0, "log": ""}


def _checked(row: dict[str, Any], is_ready: Any) -> dict[str, Any]:
    if row["state"] not in (State.READY, "external"):
        return row
    alive = row["pid"] is None or _exists(row["pid"])
    return row if alive and is_ready() else row | {"state": UNREACHABLE}


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def environment(settings: Settings, role: Role = Role.INIT) -> dict[str, str]:
    """Return the AUDITLANE_* variables that connect a command to the stack as this user of ClickHouse; for the analyst,
    only ClickHouse's variables. Raises NotFound if no stack was ever started there.
    """
    layout = Layout.of(settings.data_dir)
    env: dict[str, str] = layout.read_state().get("env", {})
    if not env:
        raise NotFound(
            f"No stack has been started in {layout.root}.",
            fix=f"Start one: auditlane up --data {layout.root}. If one was started in another folder, run the command "
            "there, or set AUDITLANE_DATA_DIR.",
        )
    user, password = variable("clickhouse_user"), variable("clickhouse_password")
    if env.get(user) == Role.INIT != role:
        found = Credentials.load_or_create(layout.credentials)
        env = {**env, user: role.value, password: found.of("clickhouse", role)}
    if role is Role.ANALYST:
        return {name: value for name, value in env.items() if name.startswith(variable("clickhouse_"))}
    return env
