"""Describes problems with values in plain words and valid UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "string_type": "must be text",
    "string_sub_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must have the form {pattern}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "none_required": "must be null",
}


def escape_surrogates(text: str) -> str:
    """Return `text` with lone surrogates, which UTF-8 cannot encode, escaped."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint such as `Did you mean actor_id?` if a known name is similar, or ""."""
    from difflib import get_close_matches  # imported only when there is a mistake to report

    close = get_close_matches(name, list(known), 1)
    return f"Did you mean {close[0]}?" if close else ""


def plain(problem: Mapping[str, Any]) -> str:
    """Describe a pydantic problem as the end of a sentence that starts with the field, such as `is missing` or `must be
    text`.

    Messages from auditlane's own validators, and for types not listed above, are returned unchanged.
    """
    kind, context = str(problem["type"]), problem.get("ctx") or {}
    if kind.startswith(("datetime", "timezone")):
        return "must be a time with its offset from UTC (RFC 3339), such as 2024-05-01T12:00:00Z"
    try:
        return _WORDS[kind].format(**context).replace(" 1 characters", " 1 character").replace(" 1 items", " 1 item")
    except KeyError:
        return str(problem["msg"]).removeprefix("Value error, ")
