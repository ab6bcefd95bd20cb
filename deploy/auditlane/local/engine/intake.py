"""Taking a request in: its statement, from URL and body together, and the data behind an INSERT, all of it, first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from auditlane.local.engine.errors import SYNTAX_ERROR, EngineError
from auditlane.local.engine.spool import Spool
from auditlane.local.engine.statements import Statement, parse

_HEAD = 256 << 10  # max_query_size's default; an INSERT's statement is looked for in as much
_LONGEST = 64 << 20


@dataclass(slots=True)
class Taken:
    """A statement, and the data of an INSERT that takes data."""

    statement: Statement
    data: Spool | None = None


def take(query: bytes, body: Iterable[bytes | memoryview], folder: Path) -> Taken:
    """Read everything of the body before anything runs. Raises EngineError: a body cut short runs nothing.

    ClickHouse reads the URL's query and the body as one text; so do we.
    """
    if query and not query.endswith(b"\n"):
        query += b"\n"
    head = bytearray(query)
    pieces = iter(body)
    for piece in pieces:
        head += piece
        if len(head) >= _HEAD:
            break
    text = bytes(head)
    if _is_insert(text):
        statement = parse(text)
        if statement.data_at is not None:
            return Taken(statement, _spool(memoryview(text)[statement.data_at :], pieces, folder))
    text = _rest(text, pieces)
    statement = parse(text)
    if statement.data_at is not None:  # its VALUES or FORMAT came only behind the head
        return Taken(statement, _spool(memoryview(text)[statement.data_at :], (), folder))
    return Taken(statement)


def _is_insert(text: bytes) -> bool:
    from auditlane.local.engine.tokens import tokens

    first = next(tokens(text), None)
    return first is not None and first.upper == "INSERT"


def _rest(text: bytes, pieces: Iterator[bytes | memoryview]) -> bytes:
    parts = [text]
    size = len(text)
    for piece in pieces:
        size += len(piece)
        if size <= _LONGEST:
            parts.append(bytes(piece))
    if size > _LONGEST:
        raise EngineError(SYNTAX_ERROR, f"Max query size exceeded: the statement has {size} bytes")
    return b"".join(parts)


def _spool(first: memoryview, rest: Iterable[bytes | memoryview], folder: Path) -> Spool:
    spool = Spool(folder)
    try:
        spool.write(first)
        for piece in rest:
            spool.write(piece)
    except BaseException:
        spool.close()
        raise
    return spool
