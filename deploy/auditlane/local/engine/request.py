"""What a request asks for: query text, parameters, settings, database and formats, as ClickHouse reads its URL."""

from __future__ import annotations

import uuid
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from auditlane.local.engine.errors import AUTHENTICATION_FAILED, EngineError

# Of the URL's parameters, those that are the interface's own and not settings of the query.
_INTERFACE = """
    query database default_format user password quota_key query_id session_id session_timeout session_check
    close_session compress decompress role client_protocol_version wait_end_of_query buffer_size stacktrace
"""
_RESERVED = frozenset(_INTERFACE.split())
_EXTERNAL_SUFFIXES = ("_structure", "_format", "_types")


@dataclass(slots=True)
class Request:
    """One request's parameters; `settings` in the order given, `params` without their `param_` prefix."""

    query: bytes = b""
    database: str = ""
    default_format: str = ""
    query_id: str = ""
    session_id: str = ""
    session_timeout: float = 60.0
    session_check: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    external: dict[str, str] = field(default_factory=dict)
    compress: bool = False
    decompress: bool = False
    wait_end_of_query: bool = False
    protocol_version: int = 0
    encoding: str = ""

    def flag(self, setting: str) -> bool:
        """Whether a boolean setting is on in this request."""
        return _true(self.settings.get(setting, ""))


def read(query_string: str, headers: Mapping[str, str], fields: Mapping[str, str] | None = None) -> Request:
    """Read a request; `headers` by lower-case names; `fields` of a form in the body add to the URL's parameters.

    Raises EngineError.
    """
    given = dict(parse_qsl(query_string, keep_blank_values=True, errors="surrogateescape"))
    given.update(fields or {})
    authenticate(given, headers)
    settings = {name: value for name, value in given.items() if not _reserved(name)}
    return Request(
        query=given.get("query", "").encode("utf-8", "surrogateescape"),
        database=given.get("database") or headers.get("x-clickhouse-database") or "",
        default_format=given.get("default_format") or headers.get("x-clickhouse-format") or "",
        query_id=given.get("query_id") or headers.get("x-clickhouse-query-id") or str(uuid.uuid4()),
        session_id=given.get("session_id", ""),
        session_timeout=float(given.get("session_timeout") or 60),
        session_check=_true(given.get("session_check", "")),
        settings=settings,
        params={name.removeprefix("param_"): value for name, value in given.items() if name.startswith("param_")},
        external={name: value for name, value in given.items() if name.endswith(_EXTERNAL_SUFFIXES)},
        compress=_true(given.get("compress", "")),
        decompress=_true(given.get("decompress", "")),
        wait_end_of_query=_true(given.get("wait_end_of_query", "")),
        protocol_version=int(given.get("client_protocol_version") or 0),
        encoding=headers.get("accept-encoding") or "",
    )


def authenticate(given: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """There is one user, `default`, without a password, as in a fresh ClickHouse. Raises EngineError for another."""
    user, password = given.get("user", ""), given.get("password", "")
    authorization = headers.get("authorization") or ""
    if authorization.lower().startswith("basic "):
        try:
            user, _, password = b64decode(authorization[6:]).decode().partition(":")
        except ValueError:
            raise EngineError(AUTHENTICATION_FAILED, "The Authorization header is not valid Basic") from None
    user = headers.get("x-clickhouse-user") or user or "default"
    password = headers.get("x-clickhouse-key") or password
    if user != "default" or password:
        raise EngineError(
            AUTHENTICATION_FAILED,
            f"{user}: Authentication failed: the embedded engine has one user, default, without a password",
        )


def _reserved(name: str) -> bool:
    return name in _RESERVED or name.startswith("param_") or name.endswith(_EXTERNAL_SUFFIXES)


def _true(value: str) -> bool:
    return value.lower() in {"1", "true"}
