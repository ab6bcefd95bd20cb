"""Draws PDFs in child processes: a document takes seconds of CPU time, which must not delay other requests.

The parent sends the request as one line of JSON and the rows as an Arrow stream, and reads the finished document. Each
child starts with memory and time limits, and is killed when its request is cancelled.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final, cast

import pyarrow as pa

from auditlane.query.clickhouse.cancellation import current_scope
from auditlane.query.export import pdf_child
from auditlane.query.export.columns import Column
from auditlane.query.export.formats import Heading
from auditlane.runtime.errors import AuditlaneError, ConfigError, QueryTooLarge

_FIX: Final = "Narrow the filter, choose fewer columns, or use csv, jsonl or parquet."


@dataclass(frozen=True, slots=True)
class PdfBounds:
    """The limits of drawing one document."""

    memory_bytes: int = 1 << 30
    seconds: int = 300


class PdfProcess:
    """An `Encoder` whose document is drawn by a child process, started with the first rows. `close` ends it."""

    def __init__(
        self,
        columns: Sequence[Column],
        heading: Heading,
        more_font: Path | None = None,
        bounds: PdfBounds | None = None,
    ) -> None:
        self._request = {
            "titles": [column.title for column in columns],
            "heading": asdict(heading),
            "more_font": str(more_font) if more_font else None,
            **asdict(bounds or PdfBounds()),
        }
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

    def end(self) -> bytes:
        child = self._started(rows=False)
        assert child.stdout is not None
        try:
            if self._rows is not None:
                self._rows.close()
            _pipe(child.stdin).close()
            document = child.stdout.read()
        except (OSError, pa.ArrowException) as error:
            raise self._failed() from error
        if child.wait() or not document:
            raise self._failed()
        self.close()
        return document

    def close(self) -> None:
        """Kill the child. May be called from any thread, and repeatedly."""
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

    def _started(self, *, rows: bool) -> subprocess.Popen[bytes]:
        """Return the child, starting it if necessary; `rows` tells the child whether to expect rows."""
        if self._child is None:
            command = [sys.executable, "-m", pdf_child.__name__]
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
        """Return why the child ended without a document."""
        assert self._child is not None
        child = self._child
        with contextlib.suppress(OSError, ValueError):
            _pipe(child.stdin).close()
        output = _pipe(child.stderr).read().decode(errors="replace").strip() if child.stderr else ""
        code = child.wait()
        self.close()
        if code == -signal.SIGALRM:
            return QueryTooLarge("Drawing the PDF exceeded its time limit.", field="format", fix=_FIX)
        # Out of memory can also mean SIGKILL from the kernel or an abort in C++.
        if code in (pdf_child.NO_MEMORY, -signal.SIGKILL, -signal.SIGABRT) or "MemoryError" in output:
            return QueryTooLarge("Drawing the PDF exceeded its memory limit.", field="format", fix=_FIX)
        if code == pdf_child.WRONG_FONT:
            return ConfigError(output, field="export_font")
        return AuditlaneError(f"The process that draws PDFs exited with code {code}: {output[-500:]}")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
