"""Creates PDFs and workbooks in child processes. A document takes seconds of CPU time, which must not delay other
requests.

The parent sends the request as one line of JSON, and the rows as an Arrow stream. It then reads the finished document.
Each child starts with memory and time limits, and is killed when its request is cancelled.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final, cast

import pyarrow as pa

from auditlane.query.clickhouse.cancellation import current_scope
from auditlane.query.export import document_child
from auditlane.query.export.formats import Form, Format, Heading
from auditlane.runtime.errors import AuditlaneError, ConfigError, QueryTooLarge

_PIECE: Final = 1 << 20
_FIX: Final = "Narrow the filter, choose fewer columns, or use csv, jsonl or parquet."


@dataclass(frozen=True, slots=True)
class DocumentBounds:
    """Limits on the creation of one document."""

    memory_bytes: int = 1 << 30
    seconds: int = 300


class DocumentProcess:
    """An `Encoder` whose document is created by a child process. The child is started with the first rows and ended by
    `close`.
    """

    def __init__(
        self, form: Form, heading: Heading, more_font: Path | None = None, bounds: DocumentBounds | None = None
    ) -> None:
        places = range(len(form.columns))
        self._label = form.format.label
        self._request: dict[str, Any] = {
            "format": form.format,
            "titles": form.titles,
            "times": [place for place in places if form.columns[place].is_time],
            "numbers": [place for place in places if form.columns[place].number],
            "heading": asdict(heading),
            "more_font": str(more_font) if more_font else None,
            **asdict(bounds or DocumentBounds()),
        }
        self._folder: TemporaryDirectory[str] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._rows: pa.ipc.RecordBatchStreamWriter | None = None

    def begin(self) -> bytes:
        return b""

    def add(self, batch: pa.RecordBatch) -> bytes:
        child = self._started(rows=True)
        try:
            if self._rows is None:
                self._rows = pa.ipc.new_stream(pa.PythonFile(cast(io.IOBase, child.stdin), "w"), batch.schema)
            self._rows.write_batch(batch)
        except (OSError, pa.ArrowException) as error:
            raise self._failed() from error
        return b""

    def end(self) -> Iterator[bytes]:
        child = self._started(rows=False)
        size = 0
        try:
            if self._rows is not None:
                self._rows.close()
            _pipe(child.stdin).close()
            while piece := _pipe(child.stdout).read(_PIECE):
                size += len(piece)
                yield piece
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._failed() from error
        if child.wait() or not size:
            raise self._failed()
        self.close()

    def close(self) -> None:
        """Kill the child. May be called repeatedly and from any thread."""
        child = self._child
        if child is None:
            return
        if (found := current_scope()) is not None:
            found.detach(self)
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(OSError, ValueError):
                _pipe(pipe).close()
        if self._folder is not None:
            self._folder.cleanup()

    def _started(self, *, rows: bool) -> subprocess.Popen[bytes]:
        """Return the child, starting it if necessary. `rows` tells the child whether to expect rows."""
        if self._child is None:
            if self._request["format"] == Format.xlsx:
                # The parent removes the folder, since the child may be killed.
                self._folder = TemporaryDirectory(prefix="auditlane-xlsx-", ignore_cleanup_errors=True)
                self._request["folder"] = self._folder.name
            command = [sys.executable, "-m", document_child.__name__]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            self._child = child = subprocess.Popen(command, **pipes)  # type: ignore[call-overload]
            if (found := current_scope()) is not None:
                found.attach(self, child.kill)
            try:
                _pipe(child.stdin).write(json.dumps(self._request | {"rows": rows}).encode() + b"\n")
            except OSError as error:
                raise self._failed() from error
        return self._child

    def _failed(self) -> AuditlaneError:
        """Return an error that explains why the child ended without a document."""
        assert self._child is not None
        child = self._child
        with contextlib.suppress(OSError, ValueError):
            _pipe(child.stdin).close()
        output = _pipe(child.stderr).read().decode(errors="replace").strip() if child.stderr else ""
        code = child.wait()
        self.close()
        if code == -signal.SIGALRM:
            return QueryTooLarge(f"Creating the {self._label} file exceeded the time limit.", field="format", fix=_FIX)
        # SIGKILL from the kernel or an abort in C++ can also mean that memory ran out.
        if code in (document_child.NO_MEMORY, -signal.SIGKILL, -signal.SIGABRT) or "MemoryError" in output:
            problem = f"Creating the {self._label} file exceeded the memory limit."
            return QueryTooLarge(problem, field="format", fix=_FIX)
        if code == document_child.NO_DISK:
            return QueryTooLarge(
                f"The service has too little disk space for the {self._label} file.",
                field="format",
                fix=f"{_FIX} The operator can set TMPDIR to a folder with more space.",
            )
        if code == document_child.WRONG_FONT:
            return ConfigError(output, field="export_font")
        return AuditlaneError(f"The process that makes the {self._label} file exited with code {code}: {output[-500:]}")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
