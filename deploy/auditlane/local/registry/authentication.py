"""Controls access to the registry: rejects requests for other hosts or from other sites, and checks passwords, if
any.
"""

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
    """Raises ApiError for a request that is not allowed. Call it with the request's headers.

    `users` maps names to passwords; without users, no password is required. `on_loopback` is true if the registry
    listens on the loopback interface.
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
        """Compare the password with every user's, in constant time."""
        scheme, _, encoded = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "basic":
            return False
        try:
            found = _digest(base64.b64decode(encoded.strip(), validate=True))
        except ValueError:
            return False
        return any([hmac.compare_digest(found, user) for user in self._users])  # noqa: C419 - compares with all, always


def read_users(path: Path | None) -> dict[str, str]:
    """Read a JSON file of passwords by user name. Returns {} if no file is given. Raises ConfigError."""
    if path is None:
        return {}
    try:
        users = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"Cannot read the users from {path}: {error}.", fix="Check the file that --users names."
        ) from error
    if not isinstance(users, dict) or not users or not all(isinstance(word, str) and word for word in users.values()):
        raise ConfigError(f"{path} is not a valid password file.", fix='Write users as JSON: {"name": "password"}')
    return users


def _all(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [value for header, value in headers if header == name]


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
