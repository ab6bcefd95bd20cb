"""Passwords of the embedded services, generated once per data directory and stored in one file per service. Commands
receive them according to their role.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from auditlane.runtime.errors import ConfigError
from auditlane.runtime.files import write_text
from auditlane.runtime.settings import Settings, variable
from auditlane.store.roles import ROLES

USER: Final = "auditlane"  # user name for Kafka and the registry
_BYTES: Final = 24
_SASL: Final = ("security.protocol", "sasl.")


class Role(StrEnum):
    """The users of the embedded ClickHouse."""

    INIT = "init"  # the stack's owner, with all other users' permissions
    WORKER = "worker"
    QUERY = "query"
    ANALYST = "analyst"  # read-only


_USERS: Final = {"kafka": (USER,), "registry": (USER,), "clickhouse": ROLES}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Passwords by service and user. Each service has its own file, and does not receive other services' passwords."""

    folder: Path
    passwords: Mapping[str, Mapping[str, str]] = field(repr=False)

    @classmethod
    def load_or_create(cls, folder: Path) -> Credentials:
        """Read the files, creating missing files and users. Raises ConfigError or OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(
            folder,
            {service: _load_or_create_users(folder / f"{service}.json", names) for service, names in _USERS.items()},
        )

    def file(self, service: str) -> Path:
        """Return the path of a service's users, a JSON object of passwords by name."""
        return self.folder / f"{service}.json"

    def of(self, service: str, user: str = USER) -> str:
        return self.passwords[service][user]


def account_variables(settings: Settings, credentials: Credentials | None, role: Role = Role.INIT) -> dict[str, str]:
    """Return the variables that authenticate a process to the embedded services as this ClickHouse user.

    Without credentials, return variables that clear those of an earlier start. A service named in the settings is
    external, and its account comes from the environment.
    """
    found: dict[str, Any] = {}
    if not settings.kafka_bootstrap:
        others = {name: value for name, value in settings.kafka_extra.items() if not name.startswith(_SASL)}
        found["kafka_extra"] = json.dumps(others | (sasl_config(credentials.of("kafka")) if credentials else {}))
    if not settings.registry_url:
        found["registry_user"] = USER if credentials else ""
        found["registry_password"] = credentials.of("registry") if credentials else ""
        found["registry_token"] = ""
    if not settings.clickhouse_url:
        found["clickhouse_user"] = role.value if credentials else "default"
        found["clickhouse_password"] = credentials.of("clickhouse", role) if credentials else ""
    return {variable(name): value for name, value in found.items()}


def sasl_config(password: str) -> dict[str, str]:
    """Return librdkafka's options for the embedded broker."""
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": USER,
        "sasl.password": password,
    }


def _load_or_create_users(path: Path, names: tuple[str, ...]) -> dict[str, str]:
    try:
        if path.exists() and (path.stat().st_uid != os.getuid() or path.stat().st_mode & 0o077):
            raise _unusable(path, "another user owns it or can read it")
        found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(found, dict) or not all(isinstance(password, str) and password for password in found.values()):
        raise _unusable(path, "it must be a JSON object of passwords by user")
    users = {name: found.get(name) or secrets.token_urlsafe(_BYTES) for name in names}
    if users != found:
        write_text(path, json.dumps(users, indent=1) + "\n")
    return users


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path} cannot be used: {why}.", fix="Delete it. The next `auditlane up` generates new passwords."
    )
