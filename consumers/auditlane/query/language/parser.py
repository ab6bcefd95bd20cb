"""Parses a query into its typed tree. Names become fields, and values are converted to the types of those fields."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NoReturn

from auditlane.query import fields
from auditlane.query.fields import LATEST, check_event_id, parse_address, parse_choice, parse_time
from auditlane.query.language import grammar
from auditlane.query.language.grammar import BoolGroup, FieldTerm, Negated, Shape, Value, refuse
from auditlane.query.language.tree import (
    Between,
    Compare,
    Field,
    Has,
    Kind,
    Like,
    Match,
    Node,
    Number,
    Operator,
    Span,
    Within,
    Word,
    all_of,
    any_of,
    none_of,
)
from auditlane.runtime.errors import InvalidFilter

_NUMBER: Final = re.compile(r"[+-]?(\d+)(\.\d+)?([eE][+-]?\d{1,4})?")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_TICK: Final = timedelta(microseconds=1)
_INT64: Final = 1 << 63


def parse(text: str, custom: Mapping[str, Kind]) -> Node | None:
    """Return the tree of a query, or None if the query is empty. `custom` contains the tenant's custom fields.

    Raises InvalidFilter with the column of the error.
    """
    shape = grammar.shape_of(text)
    return None if shape is None else _node(shape, custom)


def _node(shape: Shape, custom: Mapping[str, Kind]) -> Node:
    match shape:
        case BoolGroup("OR", items):
            return any_of(_node(item, custom) for item in items)
        case BoolGroup(_, items):
            return all_of(_node(item, custom) for item in items)
        case Negated(item):
            return none_of(_node(item, custom))
        case Value():
            return _word(shape)
        case FieldTerm():
            return _field_term(shape, custom)


def _word(value: Value) -> Node:
    pieces = value.pieces
    if len(pieces) > 1:  # a word matches anywhere in a value, so wildcards at its ends are redundant
        pieces = pieces[not pieces[0] : len(pieces) - (not pieces[-1])]
    if len(pieces) > 1:
        fix = 'Write field:a*b, or quote the word: "a*b".'
        refuse("wildcard_in_word", "a '*' within a word needs a field", value.column, fix=fix)
    if not pieces or not pieces[0]:
        refuse("nothing_to_find", "the search text is empty", value.column, fix="Remove it.")
    return Word(pieces[0])


def _field_term(term: FieldTerm, custom: Mapping[str, Kind]) -> Node:
    try:
        field = fields.find(term.name, custom)
    except InvalidFilter as error:
        _refuse(error, term.column)
    try:
        return _term(field, term.operator, term.value)
    except InvalidFilter as error:
        if error.column is not None:
            raise
        _refuse(error, term.value.column)


def _refuse(error: InvalidFilter, column: int) -> NoReturn:
    refuse(error.reason, error.message.rstrip("."), column, fix=error.fix, **error.arguments)


def _term(field: Field, operator: str, value: Value) -> Node:
    if not operator and not any(value.pieces):
        has = Has(field)
        return none_of(has) if len(value.pieces) == 1 else has
    if field.kind is Kind.time:
        return _time(field, operator, value)
    if field.kind in (Kind.number, Kind.ordinal) or (field.kind is Kind.untyped and _numeric(operator, value)):
        return _ordered(field, operator, value)
    if operator:
        raise InvalidFilter(
            f"{field.path} is text, which {operator} cannot compare",
            fix=f'If {operator} is part of the value, quote it: {field.path}:"{operator}…".',
            reason="not_comparable",
            arguments={"field": field.path, "operator": operator},
        )
    if len(value.pieces) > 1:
        return _like(field, value)
    return _match(field, value)


def _match(field: Field, value: Value) -> Node:
    text = value.text
    if field.kind is Kind.ip:
        if "/" in text:
            return Within(field, _network(field, text))
        return Match(field, str(parse_address(field.path, text)))
    if field.kind is Kind.choice:
        return Match(field, parse_choice(field.name, text))
    if field.kind is Kind.id:
        return Match(field, check_event_id(text))
    if field.kind is Kind.boolean:
        if text.lower() not in ("true", "false"):
            raise InvalidFilter(
                f"{field.path} must be true or false, not {text[:60]!r}",
                fix="Write true or false.",
                reason="not_boolean",
                arguments={"field": field.path, "value": text[:60]},
            )
        return Match(field, text.lower())
    return Match(field, text)


def _like(field: Field, value: Value) -> Node:
    if field.kind not in (Kind.text, Kind.untyped, Kind.ip, Kind.id):
        _no_wildcards(field, f"Write the whole value, or {field.path}:* for any.")
    first, *inner, last = value.pieces
    return Like(field, (first, *filter(None, inner), last))


def _network(field: Field, text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise InvalidFilter(
            f"{text[:60]!r} is not a network ({field.path})",
            fix="Write it as 10.0.0.0/8 or 2001:db8::/32.",
            reason="not_a_network",
            arguments={"field": field.path, "value": text[:60]},
        ) from None


def _numeric(operator: str, value: Value) -> bool:
    """Return whether a term compares numbers even though the type of its field is unknown."""
    return bool(operator) or (value.ends is not None and all(_NUMBER.fullmatch(end) for end in value.ends if end))


def _ordered(field: Field, operator: str, value: Value) -> Node:
    if len(value.pieces) > 1:
        _no_wildcards(field, f"Compare: {field.path}:>=…, or {field.path}:a..b.")
    if value.ends and not operator:
        low, high = (_bound(field, end) if end else None for end in value.ends)
        if low is None or high is None:
            return Compare(field, ">=", low) if low is not None else Compare(field, "<=", _given(high))
        if _place(low) > _place(high):
            _backwards()
        return Between(field, low, high)
    bound = _bound(field, value.text)
    if field.kind is Kind.ordinal and not operator:
        return Match(field, str(bound))
    return Compare(field, _operator(operator), bound)


def _given(value: Number | str | None) -> Number | str:
    assert value is not None  # a range has at least one end
    return value


def _operator(text: str) -> Operator:
    known: dict[str, Operator] = {"": "=", "=": "=", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
    return known[text]


def _place(value: Number | str) -> Number:
    return fields.severity_rank(value) if isinstance(value, str) else value


def _bound(field: Field, text: str) -> Number | str:
    if field.kind is Kind.ordinal:
        return parse_choice(field.name, text)
    if not _NUMBER.fullmatch(text):
        _no_number(field, text)
    whole = int(text) if text.lstrip("+-").isdecimal() and len(text) < 25 else None
    if whole is not None and -_INT64 <= whole < _INT64:
        return whole
    number = float(text)
    if math.isinf(number):
        _no_number(field, text)
    return number


def _no_number(field: Field, text: str) -> NoReturn:
    raise InvalidFilter(
        f"{field.path} is compared as a number, but {text[:60]!r} is not a number",
        fix="Write it as -1.5 or 1e6.",
        reason="not_a_number",
        arguments={"field": field.path, "value": text[:60]},
    )


def _no_wildcards(field: Field, fix: str) -> NoReturn:
    message = f"{field.path} does not support wildcards"
    raise InvalidFilter(message, fix=fix, reason="no_wildcards", arguments={"field": field.path})


def _backwards() -> NoReturn:
    raise InvalidFilter("the range ends before it begins", fix="Swap the two values.", reason="range_backwards")


def _time(field: Field, operator: str, value: Value) -> Span:
    if len(value.pieces) > 1:
        _no_wildcards(field, f"Write {field.path}:2026-01-31 for a whole day.")
    if value.ends and not operator:
        low, high = value.ends
        return _span(field, _covered(field, low)[0] if low else None, _covered(field, high)[1] if high else None)
    begin, end = _covered(field, value.text)
    match operator:
        case ">=":
            return _span(field, begin, None)
        case ">":
            return _span(field, end, None)
        case "<":
            return _span(field, None, begin)
        case "<=":
            return _span(field, None, end)
    return _span(field, begin, end)


def _covered(field: Field, text: str) -> tuple[datetime, datetime]:
    """Return the interval that a time covers: the whole day (UTC) for a date, and one microsecond otherwise."""
    begin = parse_time(field.path, text)
    return begin, begin + (timedelta(days=1) if _DATE.fullmatch(text.strip()) else _TICK)


def _span(field: Field, since: datetime | None, until: datetime | None) -> Span:
    since, until = (bound and min(bound, LATEST) for bound in (since, until))
    if since and until and since >= until:
        _backwards()
    return Span(field, since, until)
