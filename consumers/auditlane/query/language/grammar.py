"""Parses the text of a query into its shape, before fields and types are looked up.

    query    action:login* -ip:10.0.0.0/8 (outcome:failure OR severity:>=High) "free text"
    term     name:value, name:>value, name:from..to, name:*, a word, a "quoted phrase"

A backslash makes the next character literal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, NoReturn, TypeAlias

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args

from auditlane.runtime.errors import InvalidFilter

MAX_TERMS: Final = 64
MAX_DEPTH: Final = 16
FIX: Final = 'Write field:value, a word or "a phrase", joined by AND, OR, NOT and brackets. Quote literal text: "…".'

_GRAMMAR: Final = r"""
start: any_of?
?any_of: all_of (_OR all_of)*
?all_of: factor (_AND? factor)*
?factor: (_MINUS | _NOT) factor -> negated
    | "(" any_of ")" -> nested
    | FIELD OPERATOR? (VALUE | QUOTED) -> field_term
    | (WORD | QUOTED) -> word

_OR.4: /OR(?=[\s()"]|\Z)/
_AND.4: /AND(?=[\s()"]|\Z)/
_NOT.4: /NOT(?=[\s()"]|\Z)/
_MINUS: /-(?=\S)/
FIELD.5: /(?:\\.|[^\s()":\\\-])(?:\\.|[^\s()":\\])*:(?=[^\s)])/s
OPERATOR.3: />=|<=|>|</
VALUE: /(?:\\.|[^\s()"\\<>])(?:\\.|[^\s()"\\])*/s
WORD: /(?!(?:OR|AND|NOT)(?:[\s()"]|\Z))(?:\\.|[^\s()":\\\-])(?:\\.|[^\s()":\\])*/s
QUOTED: /"(?:\\.|[^"\\])*"/s
%ignore /\s+/
"""
BoolOp: TypeAlias = Literal["AND", "OR"]
_PIECE: Final = re.compile(r"\\(.)|(\*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Value:
    """A value as written in the query. Wildcards separate `pieces`, and `column` is counted from 1."""

    pieces: tuple[str, ...]
    quoted: bool
    column: int
    raw: str

    @property
    def text(self) -> str:
        """The value without escapes. A wildcard is a `*`."""
        return "*".join(self.pieces)

    @property
    def ends(self) -> tuple[str, str] | None:
        """The ends of a range `a..b`, or None if the value is not a range. Either end may be empty."""
        low, dots, high = self.raw.partition("..")
        found = bool(dots) and not self.quoted and len(self.pieces) == 1 and "\\" not in self.raw
        return (low, high) if found and (low or high) else None


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """A term of the form `name:value`. `operator` is empty or one of the comparisons."""

    name: str
    operator: str
    value: Value
    column: int


@dataclass(frozen=True, slots=True)
class Negated:
    """A term that follows `-` or NOT."""

    item: Shape


@dataclass(frozen=True, slots=True)
class BoolGroup:
    """Terms joined by `op`."""

    op: BoolOp
    items: tuple[Shape, ...]


Shape: TypeAlias = FieldTerm | Value | Negated | BoolGroup


def shape_of(text: str) -> Shape | None:
    """Return the shape of a query, or None if the query is empty. Raises InvalidFilter with the column of the error."""
    try:
        counted: _Counted | None = _parser().parse(text)
    except UnexpectedInput as error:
        _explain(text, error)
    return counted.shape if counted else None


def refuse(reason: str, message: str, column: int, *, fix: str = FIX, **arguments: str) -> NoReturn:
    """Raise InvalidFilter for an error at `column` of the query."""
    detail = f"query, column {column}: {message}."
    raise InvalidFilter(detail, field="query", fix=fix, column=column, reason=reason, arguments=arguments)


@dataclass(frozen=True, slots=True)
class _Counted:
    shape: Shape
    terms: int
    depth: int
    column: int


@v_args(inline=True)
class _Shapes(Transformer[Token, _Counted]):
    """Builds the shape bottom-up during parsing, so that a deep query is rejected before any code recurses into it."""

    def start(self, whole: _Counted | None = None) -> _Counted | None:
        return whole

    def any_of(self, *items: _Counted) -> _Counted:
        return self._group("OR", items)

    def all_of(self, *items: _Counted) -> _Counted:
        return self._group("AND", items)

    def negated(self, item: _Counted) -> _Counted:
        return self._deeper(Negated(item.shape), item)

    def nested(self, item: _Counted) -> _Counted:
        return self._deeper(item.shape, item)

    def field_term(self, name: Token, *rest: Token) -> _Counted:
        *operator, value = rest
        column = _column(name)
        return _Counted(FieldTerm(_unescaped(name[:-1]), "".join(operator), _value(value), column), 1, 0, column)

    def word(self, token: Token) -> _Counted:
        return _Counted(_value(token), 1, 0, _column(token))

    def _group(self, op: BoolOp, items: tuple[_Counted, ...]) -> _Counted:
        terms = sum(item.terms for item in items)
        if terms > MAX_TERMS:
            message = f"there are more than {MAX_TERMS} terms"
            refuse("too_many_terms", message, items[-1].column, fix="Use fewer terms.", most=str(MAX_TERMS))
        shape = BoolGroup(op, tuple(item.shape for item in items))
        return _Counted(shape, terms, max(item.depth for item in items), items[0].column)

    def _deeper(self, shape: Shape, item: _Counted) -> _Counted:
        if item.depth >= MAX_DEPTH:
            message = f"it is nested more than {MAX_DEPTH} levels deep"
            refuse("too_deep", message, item.column, fix="Use fewer brackets.", most=str(MAX_DEPTH))
        return _Counted(shape, item.terms, item.depth + 1, item.column)


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _value(token: Token) -> Value:
    raw = str(token)
    if token.type == "QUOTED":
        return Value((_unescaped(raw[1:-1]),), True, _column(token), raw)
    pieces, at = [""], 0
    for found in _PIECE.finditer(raw):
        pieces[-1] += raw[at : found.start()]
        if found[2]:
            pieces.append("")
        else:
            pieces[-1] += found[1]
        at = found.end()
    pieces[-1] += raw[at:]
    return Value(tuple(pieces), False, _column(token), raw)


@cache  # built by the first query: it takes longer than most imports
def _parser() -> Any:
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", transformer=_Shapes(), maybe_placeholders=False)


_KEYWORDS: Final = ("OR", "AND", "NOT")
_MEANINGS: Final = {
    '"': ("quote_open", "the quote is not closed"),
    ":": ("colon_alone", "there is no value after ':', or no name before it"),
    "(": ("bracket_misplaced", "a bracket does not fit here"),
    ")": ("bracket_misplaced", "a bracket does not fit here"),
    "\\": ("backslash_last", "the backslash has nothing after it"),
    "-": ("minus_alone", "there is nothing after '-'"),
    "<": ("comparison_misplaced", "a comparison does not fit here"),
    ">": ("comparison_misplaced", "a comparison does not fit here"),
}


def _explain(text: str, error: UnexpectedInput) -> NoReturn:
    if isinstance(error, UnexpectedCharacters):
        column = (error.pos_in_stream or 0) + 1
        _misplaced(text[column - 1], column)
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        _misplaced(str(error.token), _column(error.token))
    if text.count("(") > text.count(")"):
        refuse("bracket_open", "a bracket is not closed", len(text) + 1)
    refuse("end_missing", "something is missing at the end", len(text) + 1)


def _misplaced(shown: str, column: int) -> NoReturn:
    if shown in _KEYWORDS:
        fix = f'To search for the word itself, quote it: "{shown}".'
        refuse("keyword_alone", f"a term is missing next to {shown}", column, fix=fix, word=shown)
    if shown in _MEANINGS:
        refuse(*_MEANINGS[shown], column)
    refuse("misplaced", f"{shown[:60]!r} does not fit here", column, text=shown[:60])
