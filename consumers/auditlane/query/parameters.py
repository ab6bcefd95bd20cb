"""A request's query parameters: the route's own taken out, the rest a filter; and all of them in OpenAPI's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from auditlane.query.filters import COLUMNS, Filter, parse
from auditlane.query.language.fields import Own, no_fields
from auditlane.runtime.errors import InvalidFilter

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200


def split(
    pairs: Iterable[tuple[str, str]], own: Sequence[str], fields: Own = no_fields
) -> tuple[dict[str, str], Filter]:
    """(the route's own parameters by name, the filter of the others). `fields` are the tenant's own.

    Raises InvalidFilter.
    """
    values: dict[str, str] = {}
    rest: list[tuple[str, str]] = []
    for name, value in pairs:
        if name not in own:
            rest.append((name, value))
        elif name in values:
            raise InvalidFilter(f"{name!r} is given more than once.", field=name, fix="Give it once.")
        else:
            values[name] = value
    return values, parse(rest, fields, route_parameters=own)


def limit_of(text: str | None) -> int:
    """1 to 200 events a page."""
    return whole_number("limit", text, default=DEFAULT_LIMIT, maximum=MAX_LIMIT, fix="Use `next` to go on to more.")


def whole_number(name: str, text: str | None, *, default: int, maximum: int, fix: str = "") -> int:
    """A number from 1 to `maximum`, or InvalidFilter."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= maximum):
        raise InvalidFilter(
            f"{name!r} is not a number from 1 to {maximum}.",
            field=name,
            fix=fix or "Write it in digits, or leave it out.",
        )
    return int(text)


def one_of(name: str, text: str | None, choices: Sequence[str], default: str | None = None) -> str:
    """One of the choices; the default when it is not given, InvalidFilter when there is none."""
    value = default if text is None else text
    if value is None or value not in choices:
        said = f"{name!r} is missing." if value is None else f"{name!r} cannot be {value[:60]!r}."
        raise InvalidFilter(said, field=name, fix="Use one of: " + ", ".join(choices) + ".")
    return value


def openapi_parameters(**own: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI parameters of a route: its own (name → schema, with a description), then every filter."""
    parameters = [_parameter(name, schema.pop("description", ""), schema) for name, schema in own.items()]
    text: dict[str, Any] = {"type": "string"}
    time = {"type": "string", "examples": ["2026-01-31T13:45:00Z", "2026-01-31"]}
    parameters += [
        _parameter("from", "Events that occurred at this time or later: RFC 3339, or a date (UTC).", time),
        _parameter("to", "Events that occurred before this time.", time),
        _parameter(
            "query",
            "The query language: `action:login* -ip:10.0.0.0/8 (outcome:failure OR severity:>=High)`. See the docs.",
            text,
        ),
        _parameter("q", "Words that all occur in some text of the event, upper and lower case alike.", text),
    ]
    for column in COLUMNS:
        meaning = "Matches the actor's id or name." if column == "actor" else f"Equals the event's `{column}`."
        parameters.append(_parameter(column, meaning + " Repeat it for any of several values.", _many()))
    for group in ("metadata", "fields"):
        parameters.append(
            _parameter(group, f"`{group}.<key>=<value>`: equals the value of a key.", {"type": "object"}, free=True)
        )
    return {"parameters": parameters}


def _many() -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}}


def _parameter(name: str, description: str, schema: dict[str, Any], *, free: bool = False) -> dict[str, Any]:
    required = bool(schema.pop("required", False))
    parameter = {"name": name, "in": "query", "required": required, "description": description, "schema": schema}
    # A key is part of the name (`metadata.region=eu`), which OpenAPI can only describe as a free object.
    return parameter | ({"style": "form", "explode": True} if free else {})
