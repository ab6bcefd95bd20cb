"""A SELECT: the engine writes into a pipe on its own thread, and what comes out goes to the client as it comes."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Generator
from dataclasses import dataclass, field

from auditlane.local.engine.embedded import Connection, Engine, Result
from auditlane.local.engine.errors import STD_EXCEPTION, EngineError
from auditlane.local.engine.request import Request
from auditlane.local.engine.statements import Statement

PIECE = 1 << 20
_PIPE = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, Linux
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


@dataclass(slots=True)
class _Run:
    """The query on its thread: what it ended with."""

    result: Result = field(default_factory=lambda: Result(b""))
    error: EngineError | None = None


class Reading:
    """One running SELECT; iterate `pieces`, then `result` has the counts. A failure is raised by the iteration."""

    def __init__(self, engine: Engine, connection: Connection, request: Request, client: socket.socket | None) -> None:
        self._engine = engine
        self._connection = connection
        self._request = request
        self._client = client  # None: do not watch for the client to go away
        self.result = Result(b"")

    def pieces(self, statement: Statement, default_format: str) -> Generator[bytes]:
        """The result in pieces of up to a megabyte. Raises EngineError, also after some pieces."""
        read_end, write_end = os.pipe()
        run = _Run()
        path = f"/dev/fd/{write_end}"
        sql = statement.into_file(path, default_format)

        def query() -> None:
            try:
                run.result = self._connection.run(sql, default_format, self._request.params)
            except EngineError as error:
                run.error = error
            except Exception as error:  # whatever it is, the reader must see an end and an error
                run.error = EngineError(STD_EXCEPTION, repr(error))
            finally:
                os.close(write_end)

        thread = threading.Thread(target=query, name="query")
        try:
            _widen(read_end)
            thread.start()
            yield from self._drain(read_end)
        except BaseException:
            self._engine.kill(f"INTO OUTFILE '{path}'")
            raise
        finally:
            # A closed pipe alone does not stop the engine, which ignores the failed writes: kill comes first.
            os.close(read_end)
            thread.join()
        if run.error:
            raise run.error
        self.result = run.result

    def _drain(self, read_end: int) -> Generator[bytes]:
        poll = select.poll()
        poll.register(read_end, select.POLLIN)
        if self._client is not None:
            poll.register(self._client, _GONE)
        parts: list[bytes] = []
        size = 0
        while True:
            for fd, _ in poll.poll():
                if fd != read_end:
                    raise ConnectionAbortedError("the client went away")
            data = os.read(read_end, PIECE)
            if data:
                parts.append(data)
                size += len(data)
            if parts and (not data or size >= PIECE):
                yield parts[0] if len(parts) == 1 else b"".join(parts)
                parts, size = [], 0
            if not data:
                return


def _widen(fd: int) -> None:
    """A larger pipe where there is such a thing: fewer switches between the engine's thread and ours."""
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, _SET_PIPE_SIZE, _PIPE)
