"""Who may ask the registry: nobody for a foreign page or name, and where there are users, who knows a password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from auditlane.local.registry.errors import ApiError
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.foreign_requests import is_foreign


class RequestGuard:
    """Called with a request's headers; raises Refusal for one that may not enter.

    `users` are passwords by name; empty lets anybody in. `on_loopback`: the registry listens on the loopback interface.
    """

    def __init__(self, users: Mapping[str, str], *, on_loopback: bool) -> None:
        self._users = [_digest(f"{name}:{password}".encode()) for name, password in users.items()]
        self._near = on_loopback

    def __call__(self, headers: Sequence[tuple[str, str]]) -> None:
        if self._near and is_foreign(_all(headers, "host"), _all(headers, "origin")):
            raise ApiError(403, "Requests for other hosts and from other sites are refused")
        if self._users and not self._has_password(_all(headers, "authorization")):
            raise ApiError(401, "User and password are missing or wrong")

    def _has_password(self, given: list[str]) -> bool:
        """Compares with every user, each in a time that does not depend on what was given."""
        scheme, _, encoded = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "basic":
            return False
        try:
            found = _digest(base64.b64decode(encoded.strip(), validate=True))
        except ValueError:
            return False
        return any([hmac.compare_digest(found, one) for one in self._users])  # noqa: C419 - all of them, always


def read_users(path: Path | None) -> dict[str, str]:
    """Passwords by user name from a JSON file; none without a file. Raises ConfigError."""
    if path is None:
        return {}
    try:
        users = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"The users cannot be read from {path}: {error}", fix="Correct --users.") from error
    if not isinstance(users, dict) or not users or not all(isinstance(one, str) and one for one in users.values()):
        raise ConfigError(f"{path} holds no users.", fix='Write them as JSON: {"name": "password"}')
    return users


def _all(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [value for one, value in headers if one == name]


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
