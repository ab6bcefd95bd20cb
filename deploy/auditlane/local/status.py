"""A stack's current state, from the supervisor's state file, processes and probes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from auditlane.local import services
from auditlane.local.layout import Layout
from auditlane.local.stack_variables import with_accounts, without_own_urls
from auditlane.runtime.process_plan import State
from auditlane.runtime.settings import Settings

UNREACHABLE = "unreachable"


def report(settings: Settings) -> dict[str, Any]:
    """Return `ready`, and each of the five services' `name`, `pid`, `url`, `state`, `starts` and `log`.

    Other services are in `extras`. The embedded ClickHouse also has `native`, its native protocol's address. A service
    is `unreachable` if it should be ready but does not respond within two seconds.
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
