"""ClickHouse's lexer as far as statements need it: words, quoted names, strings, heredocs, comments, by position."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "quoted", "string", "number", "symbol", "broken"]

# Bytes, not text: an INSERT's data may follow in the same body and be anything.
# A comment nests (the engine's lexer counts), so it has no alternative of its own but is skipped by hand.
_TOKEN = re.compile(
    rb"""
    (?P<space>[\s\x00]+ | (?:--|//|\#[ !])[^\n]* )
  | (?P<comment>/\*)
  | (?P<string>'(?:[^'\\]|\\.|'')*' | \xe2\x80\x98.*?\xe2\x80\x99 | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<quoted>`(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" | \xe2\x80\x9c.*?\xe2\x80\x9d )
  | (?P<word>[A-Za-z_][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<broken>['`"])
  | (?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
_ESCAPE = re.compile(rb"\\(.)|''|``|\"\"", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `start` and `end` are byte offsets into the statement, `text` its bytes as written."""

    kind: Kind
    start: int
    end: int
    text: bytes

    @property
    def upper(self) -> str:
        """A bare word in upper case, else the empty string: what keywords are compared with."""
        return self.text.decode("utf-8", "replace").upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The name that a word or a quoted identifier stands for, else the empty string."""
        if self.kind == "word":
            return self.text.decode("utf-8", "replace")
        return unquote(self.text) if self.kind == "quoted" else ""

    def is_symbol(self, symbol: bytes) -> bool:
        return self.kind == "symbol" and self.text == symbol


def tokens(text: bytes, start: int = 0) -> Iterator[Token]:
    """The tokens of a statement, lazily, so that an INSERT's data behind it is never looked at."""
    position = start
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup
        position = match.end()
        if kind == "comment":
            position = _comment_end(text, position)
        elif kind != "space":
            yield Token(kind, match.start(), position, match[0])  # type: ignore[arg-type]


def unquote(text: bytes) -> str:
    """The content of a quoted token, its escapes resolved (only those that matter for names and structures)."""
    if text[:1] == b"$":
        tag = text.index(b"$", 1) + 1
        return text[tag:-tag].decode("utf-8", "replace")
    width = 3 if text[:1] == b"\xe2" else 1

    def plain(match: re.Match[bytes]) -> bytes:
        escaped = match[1]
        return {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\0"}.get(escaped, escaped) if escaped else match[0][:1]

    return _ESCAPE.sub(plain, text[width:-width]).decode("utf-8", "replace")


def _comment_end(text: bytes, position: int) -> int:
    depth = 1
    while depth:
        match = _COMMENT_EDGE.search(text, position)
        if match is None:
            return len(text)
        depth += 1 if match[0] == b"/*" else -1
        position = match.end()
    return position
