"""One request from its parameters to its answer: intake, refusals, the session's connection, the run."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from auditlane.local.engine import compression, refusals
from auditlane.local.engine.answer import Answer, content_type, summary
from auditlane.local.engine.embedded import Connection, Engine, Result
from auditlane.local.engine.errors import READONLY, SYNTAX_ERROR, EngineError
from auditlane.local.engine.intake import Taken, take
from auditlane.local.engine.reading import PIECE, Reading
from auditlane.local.engine.request import Request
from auditlane.local.engine.sessions import Session, Sessions
from auditlane.local.engine.spool import Spool
from auditlane.local.engine.writing import insert

_FORMAT = "TabSeparated"


class Service:
    """Everything behind the HTTP server: one engine, its sessions, a folder for spooled bodies."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._sessions = Sessions()
        with engine.connection() as connection:
            self.timezone = connection.run("SELECT timezone()").data.decode().strip()

    def serve(
        self,
        request: Request,
        body: Iterable[bytes | memoryview],
        answer: Answer,
        *,
        read_only: bool = False,
        client: socket.socket | None = None,
    ) -> None:
        """Answer one request. Raises EngineError before the answer began, ConnectionError when the client is gone."""
        started = time.monotonic_ns()
        taken = take(request.query, body, self._folder)
        with contextlib.ExitStack() as stack:
            if taken.data:
                stack.enter_context(taken.data)
            statement = taken.statement
            refusals.check(statement)
            if read_only and not refusals.check_reading(statement):
                raise EngineError(
                    READONLY, f"Cannot execute {statement.verb} in readonly mode: GET only reads; use POST"
                )
            session = stack.enter_context(self._sessions.entered(request))
            connection = stack.enter_context(self._connection(request, session))
            answer.headers.update(self._headers(request, taken))
            if statement.reads:
                self._read(connection, request, taken, answer, started, client)
                return
            if taken.data:
                result = insert(connection, statement, taken.data, request)
            else:
                self._single(connection, statement.text)
                result = connection.run(_text(statement.text), request.default_format or _FORMAT, request.params)
            if session is not None and statement.verb in {"SET", "USE"}:
                session.said.append(_text(statement.text))
            self._finish(answer, request, result, started)

    @contextlib.contextmanager
    def _connection(self, request: Request, session: Session | None) -> Iterator[Connection]:
        with self._engine.connection() as connection:
            for said in session.said if session else ():
                connection.run(said)
            if request.database:
                connection.use(request.database)
            # The engine gives queries ids of its own; the request's is found in the log by this.
            connection.set({"log_comment": request.query_id} | request.settings)
            yield connection

    def _headers(self, request: Request, taken: Taken) -> dict[str, str]:
        name = taken.statement.format or request.default_format or _FORMAT
        return {
            "Content-Type": content_type(name),
            "X-ClickHouse-Format": name,
            "X-ClickHouse-Query-Id": request.query_id,
            "X-ClickHouse-Timezone": self.timezone,
            "X-ClickHouse-Server-Display-Name": "auditlane",
        }

    def _single(self, connection: Connection, text: bytes) -> None:
        """The engine's own parser has the last word on what is one statement."""
        if connection.statements_in(_text(text)) > 1:
            raise EngineError(SYNTAX_ERROR, "Multi-statements are not allowed")

    def _read(
        self,
        connection: Connection,
        request: Request,
        taken: Taken,
        answer: Answer,
        started: int,
        client: socket.socket | None,
    ) -> None:
        self._single(connection, taken.statement.text)
        watched = client if request.flag("cancel_http_readonly_queries_on_client_close") else None
        reading = Reading(self._engine, connection, request, watched)
        pieces = reading.pieces(taken.statement, request.default_format or _FORMAT)
        with contextlib.closing(pieces):
            if request.wait_end_of_query:
                with Spool(self._folder) as spool:
                    for piece in pieces:
                        spool.write(piece)
                    answer.headers["X-ClickHouse-Summary"] = summary(reading.result, time.monotonic_ns() - started)
                    self._stream(answer, request, spool.pieces())
                return
            first = next(pieces, b"")
            if len(first) < PIECE:  # it is all there, so is any failure: a plain answer
                rest = next(pieces, None)
                if rest is None:
                    self._finish(answer, request, reading.result, started, first)
                    return
                first += rest
            self._stream(answer, request, _chain(first, pieces))

    def _stream(self, answer: Answer, request: Request, pieces: Iterator[bytes]) -> None:
        encoding = self._encoding(request, answer)
        answer.begin(compression.compressor(encoding) if encoding else None)
        try:
            for piece in pieces:
                answer.send(piece)
        except EngineError as error:
            answer.fail(error)
            return
        answer.end()

    def _finish(
        self, answer: Answer, request: Request, result: Result, started: int, data: bytes | None = None
    ) -> None:
        body = result.data if data is None else data
        answer.headers["X-ClickHouse-Summary"] = summary(result, time.monotonic_ns() - started)
        encoding = self._encoding(request, answer) if body else ""
        if encoding:
            stream = compression.compressor(encoding)
            body = stream.compress(body) + stream.flush()
        answer.whole(body)

    def _encoding(self, request: Request, answer: Answer) -> str:
        encoding = compression.choose(request.encoding) if request.flag("enable_http_compression") else ""
        if encoding:
            answer.headers["Content-Encoding"] = encoding
        return encoding


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _text(statement: bytes) -> str:
    return statement.decode("utf-8", "surrogateescape")
