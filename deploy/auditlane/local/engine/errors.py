"""Errors in ClickHouse's own style: a numeric code, its symbolic name, a text, and an HTTP status."""

from __future__ import annotations

import re

from auditlane.local.engine.version import ENGINE_VERSION

# Codes that we raise ourselves (ClickHouse, src/Common/ErrorCodes.cpp).
CANNOT_READ_ALL_DATA = (33, "CANNOT_READ_ALL_DATA")
BAD_ARGUMENTS = (36, "BAD_ARGUMENTS")
CHECKSUM_DOESNT_MATCH = (40, "CHECKSUM_DOESNT_MATCH")
NOT_IMPLEMENTED = (48, "NOT_IMPLEMENTED")
SYNTAX_ERROR = (62, "SYNTAX_ERROR")
UNKNOWN_COMPRESSION_METHOD = (89, "UNKNOWN_COMPRESSION_METHOD")
READONLY = (164, "READONLY")
CANNOT_DECOMPRESS = (271, "CANNOT_DECOMPRESS")
SESSION_NOT_FOUND = (372, "SESSION_NOT_FOUND")
SESSION_IS_LOCKED = (373, "SESSION_IS_LOCKED")
AUTHENTICATION_FAILED = (516, "AUTHENTICATION_FAILED")
STD_EXCEPTION = (1001, "STD_EXCEPTION")

# ClickHouse, src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; by name, since names are what error texts end with.
_STATUS_NAMES: dict[int, str] = {
    400: "BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE CANNOT_PARSE_QUOTED_STRING"
    " CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING"
    " CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6 CANNOT_PARSE_INPUT_ASSERTION_FAILED CANNOT_PARSE_UUID DUPLICATE_COLUMN"
    " ILLEGAL_COLUMN UNKNOWN_ELEMENT_IN_AST UNKNOWN_TYPE_OF_AST_NODE THERE_IS_NO_COLUMN TOO_DEEP_AST TOO_BIG_AST"
    " UNEXPECTED_AST_STRUCTURE SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE"
    # Ours: a body that did not arrive whole is the sender's, not the engine's.
    " CANNOT_READ_ALL_DATA CANNOT_DECOMPRESS CHECKSUM_DOESNT_MATCH",
    401: "REQUIRED_PASSWORD",
    403: "UNKNOWN_USER WRONG_PASSWORD AUTHENTICATION_FAILED SET_NON_GRANTED_ROLE ACCESS_DENIED",
    404: "UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE UNKNOWN_DATABASE"
    " UNKNOWN_SETTING UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION UNKNOWN_FORMAT UNKNOWN_DATABASE_ENGINE"
    " UNKNOWN_TYPE_OF_QUERY UNKNOWN_ROLE",
    408: "TIMEOUT_EXCEEDED",
    411: "HTTP_LENGTH_REQUIRED",
    413: "QUERY_IS_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    501: "NOT_IMPLEMENTED",
    503: "SOCKET_TIMEOUT CANNOT_OPEN_FILE CANNOT_SCHEDULE_TASK",
}
_STATUS: dict[str, int] = {name: status for status, names in _STATUS_NAMES.items() for name in names.split()}

_HEAD = re.compile(r"Code: (\d+)\. DB::Exception: ")
_NAME = re.compile(r" \(([A-Z][A-Z0-9_]+)\)\s*\Z")
_VERSION = re.compile(r" \(version [\d.]+(?: \([^)]*\))?\)")


class EngineError(Exception):
    """What the engine, or this process in its place, answers instead of a result."""

    def __init__(self, kind: tuple[int, str], message: str) -> None:
        self.code, self.name = kind
        self.message = message
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """The text of the answer, in the form that ClickHouse's clients parse."""
        return f"Code: {self.code}. DB::Exception: {self.message} ({self.name}) (version {ENGINE_VERSION})"

    @property
    def status(self) -> int:
        """The HTTP status that ClickHouse gives this error."""
        return _STATUS.get(self.name, 500)


def from_engine(text: str) -> EngineError:
    """The error behind a text that the engine raised; it may repeat its code and name, which this drops."""
    code, name, rest = 0, "", text
    while match := _HEAD.match(rest):
        code, rest = code or int(match[1]), rest[match.end() :]
    rest = _VERSION.sub("", rest)
    while match := _NAME.search(rest):
        name, rest = match[1], rest[: match.start()]
    if not code:
        return EngineError(STD_EXCEPTION, text)
    return EngineError((code, name or "UNKNOWN_EXCEPTION"), rest)
