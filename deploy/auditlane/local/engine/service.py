"""One request from its parameters to its answer: intake, refusals, the session's connection, the run."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from auditlane.local.engine import compression, native, refusals
from auditlane.local.engine.answer import Answer, content_type, summary
from auditlane.local.engine.blocks import BlockCompressor, unblocked
from auditlane.local.engine.embedded import Connection, Engine, Result
from auditlane.local.engine.errors import READONLY, SYNTAX_ERROR, EngineError
from auditlane.local.engine.intake import Taken, take
from auditlane.local.engine.reading import PIECE, Reading
from auditlane.local.engine.request import Request
from auditlane.local.engine.sessions import Session, Sessions
from auditlane.local.engine.spool import Spool
from auditlane.local.engine.writing import insert, load

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
        taken = take(request.query, unblocked(body) if request.decompress else body, self._folder)
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
            for table in request.external:
                with Spool(self._folder) as spool:
                    spool.write(table.data)
                    load(connection, table.name, table.structure, table.format, spool)
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
            data = result.data
            if data and request.protocol_version and answer.headers["X-ClickHouse-Format"] == "Native":
                data = b"".join(native.versioned([data], request.protocol_version))
            self._finish(answer, request, result, started, data)

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
        with contextlib.closing(reading.pieces(taken.statement, request.default_format or _FORMAT)) as written:
            pieces = self._network(connection, request, taken, written)
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

    def _network(
        self, connection: Connection, request: Request, taken: Taken, written: Iterator[bytes]
    ) -> Iterator[bytes]:
        """What a client on the network expects of Native beyond what the engine writes to a file."""
        if (taken.statement.format or request.default_format) != "Native":
            return written
        headed = self._headed(connection, request, taken, written)
        return native.versioned(headed, request.protocol_version) if request.protocol_version else headed

    def _headed(
        self, connection: Connection, request: Request, taken: Taken, written: Iterator[bytes]
    ) -> Iterator[bytes]:
        """The result; when it is empty, a block that still names its columns."""
        first = next(written, b"")
        if first:
            yield first
            yield from written
            return
        select = _text(taken.statement.text[: taken.statement.format_at])
        described = connection.run(f"DESCRIBE TABLE ({select}\n)", "JSONCompactEachRow", request.params).data
        rows = [json.loads(line) for line in described.splitlines()]
        yield native.header((row[0], row[1]) for row in rows)

    def _stream(self, answer: Answer, request: Request, pieces: Iterator[bytes]) -> None:
        answer.begin(self._compressor(request, answer))
        try:
            for piece in pieces:
                answer.send(piece)
        except EngineError as error:
            answer.fail(error)
            return
        answer.end()

    def _finish(self, answer: Answer, request: Request, result: Result, started: int, body: bytes) -> None:
        answer.headers["X-ClickHouse-Summary"] = summary(result, time.monotonic_ns() - started)
        stream = self._compressor(request, answer) if body else None
        answer.whole(stream.compress(body) + stream.flush() if stream else body)

    def _compressor(self, request: Request, answer: Answer) -> compression.Compressor | None:
        """What the client asked for: ClickHouse's own blocks, or an encoding of HTTP's."""
        if request.compress:
            return BlockCompressor(request.settings.get("network_compression_method", "LZ4"))
        encoding = compression.choose(request.encoding) if request.flag("enable_http_compression") else ""
        if not encoding:
            return None
        answer.headers["Content-Encoding"] = encoding
        return compression.compressor(encoding)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _text(statement: bytes) -> str:
    return statement.decode("utf-8", "surrogateescape")
