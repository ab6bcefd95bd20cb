"""What a statement is: its first word, where its result goes, where an INSERT's data begins; and how we rewrite it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from auditlane.local.engine.errors import NOT_IMPLEMENTED, SYNTAX_ERROR, EngineError
from auditlane.local.engine.tokens import Token, tokens, unquote

_DATA_START = re.compile(rb"[ \t\f]*\r?\n?")
_READS = frozenset({"SELECT", "WITH", "FROM", "VALUES"})


@dataclass(frozen=True, slots=True)
class Input:
    """The `input('structure')` of an INSERT … SELECT: its bytes in the statement and what it declares."""

    start: int
    end: int
    structure: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, still as bytes; offsets are into `text`, which for an INSERT ends before its data.

    `verb` is the first word in upper case ("(" for a parenthesised SELECT). `format` is the name after FORMAT, ""
    without one, and `format_at` where that clause begins (where INTO OUTFILE goes). Of an INSERT that takes data,
    `data_at` is the data's offset in what was parsed, `source_at` where FROM INFILE goes, `input` its input() call.
    """

    text: bytes
    verb: str
    tokens: list[Token] = field(repr=False)
    format: str = ""
    format_at: int = 0
    data_at: int | None = None
    source_at: int = 0
    input: Input | None = None

    @property
    def takes_data(self) -> bool:
        return self.data_at is not None

    @property
    def reads(self) -> bool:
        """Whether its result can be of any size, so that it is streamed."""
        return self.verb in _READS or self.verb == "("

    def into_file(self, path: str, default_format: str) -> str:
        """The SELECT, writing to `path` in its own format or else in `default_format`."""
        head, tail = self.text[: self.format_at], self.text[self.format_at :]
        clause = f"\nINTO OUTFILE '{path}' TRUNCATE " + ("" if self.format else f"FORMAT {default_format}")
        return _decode(head) + clause + _decode(tail)

    def from_file(self, path: str) -> str:
        """The INSERT, reading its data from `path`."""
        head, tail = self.text[: self.source_at], self.text[self.source_at :]
        if self.format == "Values":  # VALUES is a clause of its own; by FORMAT it reads a file like any other
            tail = self.text[self.source_at : self.format_at] + b" FORMAT Values"
        return f"{_decode(head)}\nFROM INFILE '{path}' {_decode(tail)}"

    def from_table(self, table: str) -> str:
        """The INSERT … SELECT with its input() call replaced by a table, without the FORMAT clause."""
        assert self.input is not None
        text = self.text
        return _decode(text[: self.input.start]) + table + _decode(text[self.input.end : self.format_at])


def parse(text: bytes) -> Statement:
    """Read one statement, which an INSERT's data may follow. Raises EngineError for what cannot be served."""
    stream = tokens(text)
    first = next(stream, None)
    if first is None:
        raise EngineError(SYNTAX_ERROR, "Empty query")
    verb = first.upper or first.text.decode("utf-8", "replace")
    if verb == "INSERT":
        return _Insert(text, first).read()
    return _other(text, verb, [first, *stream])


def _other(text: bytes, verb: str, parsed: list[Token]) -> Statement:
    while parsed and parsed[-1].is_symbol(b";"):
        parsed.pop()
    text = text[: parsed[-1].end] if parsed else b""
    format_token = _trailing_format(parsed)
    if format_token is None:
        return Statement(text, verb, parsed, format_at=len(text))
    at = parsed[format_token].start
    return Statement(text, verb, parsed, format=parsed[format_token + 1].name, format_at=at)


def _trailing_format(parsed: list[Token]) -> int | None:
    """The index of `FORMAT name` when it is the last clause, or is followed by SETTINGS alone."""
    depths = _depths(parsed)
    for index in range(len(parsed) - 2, 0, -1):
        if depths[index] or parsed[index].upper != "FORMAT" or not parsed[index + 1].name:
            continue
        behind = parsed[index + 2 :]
        if not behind or behind[0].upper == "SETTINGS":
            return index
    return None


def _depths(parsed: list[Token]) -> list[int]:
    depths, depth = [], 0
    for token in parsed:
        if token.kind == "symbol" and token.text in b")]}":
            depth -= 1
        depths.append(depth)
        if token.kind == "symbol" and token.text in b"([{":
            depth += 1
    return depths


class _Insert:
    """INSERT INTO [TABLE] name [(columns)] [SETTINGS …] {FORMAT x | VALUES | SELECT …}, up to its data."""

    def __init__(self, text: bytes, first: Token) -> None:
        self.text = text
        self.stream = tokens(text, first.end)
        self.seen = [first]

    def read(self) -> Statement:
        token = self._name()
        source_at = self.seen[-2].end if token else self.seen[-1].end
        if token and token.is_symbol(b"("):
            self._close()
            source_at = self.seen[-1].end
            token = self._next()
        while token:
            word = token.upper
            if word == "FORMAT":
                return self._data(token, source_at)
            if word == "VALUES":
                return self._statement(token.end, name="Values", format_at=token.start, source_at=source_at)
            if word == "FROM":
                raise EngineError(NOT_IMPLEMENTED, "INSERT … FROM INFILE is refused: send the data in the body")
            if word in {"SELECT", "WITH"} or token.is_symbol(b"("):
                return self._select(token, source_at)
            if token.is_symbol(b";"):
                break
            token = self._next()  # SETTINGS and its values
        return _other(self.text, "INSERT", [*self.seen, *self.stream])  # the engine names what is wrong

    def _name(self) -> Token | None:
        """Skip to behind the table's name; the token that follows it."""
        token = self._next()
        if token and token.upper == "INTO":
            token = self._next()
        if token and token.upper == "TABLE":
            token = self._next()
        if token and token.upper == "FUNCTION":
            raise EngineError(NOT_IMPLEMENTED, "INSERT INTO FUNCTION is refused: insert into a table")
        while token:
            if token.is_symbol(b"{"):  # {name:Identifier}
                self._close()
            token = self._next()
            if token is None or not token.is_symbol(b"."):
                return token
            token = self._next()
        return None

    def _select(self, token: Token | None, source_at: int) -> Statement:
        """An INSERT … SELECT: data follows it only if it reads input()."""
        call: Input | None = None
        depth = 0
        before = token
        while token:
            if token.kind == "symbol":
                depth += (token.text in b"([{") - (token.text in b")]}")
            if token.name.lower() == "input" and not (before and before.is_symbol(b".")):
                following = self._next()
                if following and following.is_symbol(b"("):
                    call = self._input(token)
                    following = self._next()
                before, token = token, following
                continue
            if call and depth == 0 and token.upper == "FORMAT" and not (before and before.upper == "AS"):
                return self._data(token, source_at, call)
            before, token = token, self._next()
        if call:
            raise EngineError(SYNTAX_ERROR, "FORMAT must be specified for function input()")
        return _other(self.text, "INSERT", self.seen)

    def _input(self, start: Token) -> Input:
        inner = self._close()
        if len(inner) != 1 or inner[0].kind != "string":
            raise EngineError(NOT_IMPLEMENTED, "input() needs its structure as one string: input('a UInt8, b String')")
        return Input(start.start, self.seen[-1].end, unquote(inner[0].text))

    def _data(self, token: Token, source_at: int, call: Input | None = None) -> Statement:
        name = self._next()
        if name is None or not name.name:
            raise EngineError(SYNTAX_ERROR, "FORMAT needs a name")
        return self._statement(name.end, name=name.name, format_at=token.start, source_at=source_at, call=call)

    def _statement(
        self,
        end: int,
        *,
        name: str,
        format_at: int,
        source_at: int,
        call: Input | None = None,
    ) -> Statement:
        start = _DATA_START.match(self.text, end)
        assert start is not None
        return Statement(
            self.text[:end],
            "INSERT",
            self.seen,
            format=name,
            format_at=format_at,
            data_at=start.end(),
            source_at=source_at,
            input=call,
        )

    def _next(self) -> Token | None:
        token = next(self.stream, None)
        if token:
            self.seen.append(token)
        return token

    def _close(self) -> list[Token]:
        """Read to the bracket that closes the one just read; what lies between."""
        start, depth = len(self.seen), 1
        while depth:
            token = self._next()
            if token is None:
                raise EngineError(SYNTAX_ERROR, "Unmatched parentheses")
            if token.kind == "symbol":
                depth += (token.text in b"([{") - (token.text in b")]}")
        return self.seen[start:-1]


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
