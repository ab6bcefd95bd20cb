"""The variables that connect commands to the stack in a data directory. Imports no service's client."""

from __future__ import annotations

from auditlane.local.credentials import Credentials, Role
from auditlane.local.layout import Layout
from auditlane.runtime.errors import NotFound
from auditlane.runtime.settings import Settings, variable


def environment(settings: Settings, role: Role = Role.INIT) -> dict[str, str]:
    """Return the AUDITLANE_* variables that connect a command to the stack as this ClickHouse user. The analyst gets
    only ClickHouse's. Raises NotFound if no stack was ever started there.
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
