"""What a request asks for: query text, parameters, settings, database and formats, as ClickHouse reads its URL."""

from __future__ import annotations

import re
import uuid
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from auditlane.local.engine.errors import AUTHENTICATION_FAILED, BAD_ARGUMENTS, EngineError
from auditlane.local.engine.multipart import External, Form, externals

# Of the URL's parameters, those that are the interface's own and not settings of the query.
_INTERFACE = """
    query database default_format user password quota_key query_id session_id session_timeout session_check
    close_session compress decompress role client_protocol_version wait_end_of_query buffer_size stacktrace
"""
_RESERVED = frozenset(_INTERFACE.split())
_FORMAT = re.compile(r"[A-Za-z0-9_]*\Z")
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
    external: list[External] = field(default_factory=list)
    compress: bool = False
    decompress: bool = False
    wait_end_of_query: bool = False
    protocol_version: int = 0
    encoding: str = ""

    def flag(self, setting: str) -> bool:
        """Whether a boolean setting is on in this request."""
        return _true(self.settings.get(setting, ""))


def read(query_string: str, headers: Mapping[str, str], form: Form | None = None) -> Request:
    """Read a request; `headers` by lower-case names; the fields of a form in the body add to the URL's parameters.

    Raises EngineError.
    """
    given = dict(parse_qsl(query_string, keep_blank_values=True, errors="surrogateescape"))
    if form:
        # As ClickHouse does, the URL's query and the form's are one text.
        query = given.get("query", "") + form.fields.pop("query", "")
        given |= form.fields | {"query": query}
    authenticate(given, headers)
    default_format = given.get("default_format") or headers.get("x-clickhouse-format") or ""
    if not _FORMAT.match(default_format):
        raise EngineError(BAD_ARGUMENTS, f"{default_format!r} is not the name of a format")
    settings = {name: value for name, value in given.items() if not _reserved(name)}
    return Request(
        query=given.get("query", "").encode("utf-8", "surrogateescape"),
        database=given.get("database") or headers.get("x-clickhouse-database") or "",
        default_format=default_format,
        query_id=given.get("query_id") or headers.get("x-clickhouse-query-id") or str(uuid.uuid4()),
        session_id=given.get("session_id", ""),
        session_timeout=_number(given, "session_timeout", 60),
        session_check=_true(given.get("session_check", "")),
        settings=settings,
        params={name.removeprefix("param_"): value for name, value in given.items() if name.startswith("param_")},
        external=externals(form, given) if form else [],
        compress=_true(given.get("compress", "")),
        decompress=_true(given.get("decompress", "")),
        wait_end_of_query=_true(given.get("wait_end_of_query", "")),
        protocol_version=int(_number(given, "client_protocol_version", 0)),
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


def _number(given: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(given.get(name) or default)
    except ValueError:
        raise EngineError(BAD_ARGUMENTS, f"{name} must be a number, not {given[name]!r}") from None


def _true(value: str) -> bool:
    return value.lower() in {"1", "true"}
