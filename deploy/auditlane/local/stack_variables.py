"""What a command takes from the stack that runs in the data directory: addresses, files and accounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from auditlane.runtime.settings import Settings, variable

_ACCOUNTS: Final = {
    "kafka_bootstrap": ("kafka_extra",),
    "registry_url": ("registry_user", "registry_password", "registry_token"),
    "clickhouse_url": ("clickhouse_user", "clickhouse_password"),
}
# A part's account, by the variable of its address.
ACCOUNTS: Final = {variable(address): tuple(map(variable, account)) for address, account in _ACCOUNTS.items()}
_FIELDS: Final = {variable(name): name for account in _ACCOUNTS.values() for name in account}


def missing_variables(environ: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """What a command with this environment lacks of the variables `env` of a stack.

    An environment that names no part lacks all that it does not set; another lacks accounts alone.
    """
    if any(environ.get(address) for address in ACCOUNTS):
        return missing_accounts(environ, env)
    open_ = {name: value for name, value in env.items() if name not in _FIELDS and not environ.get(name)}
    return open_ | missing_accounts({**environ, **open_}, env)


def missing_accounts(given: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """The stack's accounts for the parts that are given as the stack names them, and without anything of an account."""
    found: dict[str, str] = {}
    for address, account in ACCOUNTS.items():
        if given.get(address) and given[address] == env.get(address) and not any(map(given.get, account)):
            found |= {name: env[name] for name in account if name in env}
    return found


def with_accounts(settings: Settings, env: Mapping[str, str]) -> Settings:
    """The settings with the accounts that are among these variables."""
    own = {field: env[name] for name, field in _FIELDS.items() if name in env}
    return Settings.model_validate({**settings.model_dump(), **own})
