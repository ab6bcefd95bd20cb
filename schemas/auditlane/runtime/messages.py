"""What is wrong with a value, in plain words that every answer can carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
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


def sayable(text: str) -> str:
    """The text in UTF-8's reach: half a surrogate pair, which a value that is quoted may hold, as its escape."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`Did you mean actor_id?` where one of the known names is close to this one, else nothing."""
    from difflib import get_close_matches  # only what is wrong needs it

    close = get_close_matches(name, list(known), 1)
    return f"Did you mean {close[0]}?" if close else ""


def plain(problem: Mapping[str, Any]) -> str:
    """A problem of pydantic's as the end of the sentence that its place begins: `is missing`, `must be text`; that of
    our own validators, and one we have no words for, as it is said."""
    kind, context = str(problem["type"]), problem.get("ctx") or {}
    if kind.startswith(("datetime", "timezone")):
        return "must be a time with its offset from UTC (RFC 3339), such as 2024-05-01T12:00:00Z"
    try:
        return _WORDS[kind].format(**context).replace(" 1 characters", " 1 character").replace(" 1 items", " 1 item")
    except KeyError:
        return str(problem["msg"]).removeprefix("Value error, ")
