"""Determines which variables a command takes from a running stack: addresses, files and accounts. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from auditlane.runtime.secret_files import SUFFIX
from auditlane.runtime.settings import Settings, variable

# The settings that replace an embedded component with an external one.
REPLACEABLE: Final = {"kafka": "kafka_bootstrap", "registry": "registry_url", "clickhouse": "clickhouse_url"}
_ACCOUNTS: Final = {
    "kafka_bootstrap": ("kafka_extra",),
    "registry_url": ("registry_user", "registry_password", "registry_token"),
    "clickhouse_url": ("clickhouse_user", "clickhouse_password"),
}
# The variables of a component's account, by the variable of its address.
ACCOUNTS: Final = {variable(address): tuple(map(variable, account)) for address, account in _ACCOUNTS.items()}
_FIELDS: Final = {variable(name): name for account in _ACCOUNTS.values() for name in account}


def missing_variables(environ: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return those variables of a stack (`env`) that are missing from a command's environment.

    If the environment names no service, these are all variables that it does not set. Otherwise, they are only the
    accounts.
    """
    if any(environ.get(address) for address in ACCOUNTS):
        return missing_accounts(environ, env)
    open_ = {name: value for name, value in env.items() if name not in _FIELDS and not environ.get(name)}
    return open_ | missing_accounts({**environ, **open_}, env)


def missing_accounts(given: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return the stack's accounts for services that have the stack's address, but no account, in `given`."""
    found: dict[str, str] = {}
    for address, account in ACCOUNTS.items():
        if (
            given.get(address)
            and given[address] == env.get(address)
            and not any(given.get(name) or given.get(name + SUFFIX) for name in account)
        ):
            found |= {name: env[name] for name in account if name in env}
    return found


def with_accounts(settings: Settings, env: Mapping[str, str]) -> Settings:
    """Return a copy of the settings that contains the accounts from these variables."""
    own = {field: env[name] for name, field in _FIELDS.items() if name in env}
    return Settings.model_validate({**settings.model_dump(), **own})


def without_own_urls(settings: Settings, before: Mapping[str, Any]) -> Settings:
    """Return the settings without the URLs of this stack's last start.

    Otherwise, in a shell that has evaluated `auditlane env`, `up` would wait for the services that it should start.
    """
    last = before.get("env", {})
    external = {row["name"] for row in before.get("parts", []) if row.get("external")}
    own = [field for name, field in REPLACEABLE.items() if name not in external] + ["serve_url"]
    same = {field: "" for field in own if getattr(settings, field) == last.get(variable(field))}
    return settings.model_copy(update=same)
