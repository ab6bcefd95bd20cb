"""The child process that creates one document, a PDF or a workbook. It reads the rows from standard input and writes
the document to standard output.

It imports as little as possible, since it is started for every document.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Protocol, cast

NO_MEMORY, WRONG_FONT, NO_DISK = 3, 4, 5  # exit codes
_NICE: Final = 5  # requests have priority


class _Document(Protocol):
    def add(self, batch: Any) -> object: ...
    def end(self) -> Iterable[bytes]: ...


def main() -> int:
    """Create the document. Returns the exit code of the process."""
    request: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    import pyarrow as pa

    from auditlane.runtime.errors import ConfigError

    make = (_workbook if request["format"] == "xlsx" else _pdf)()  # imports the library before the memory is limited
    _bound(request["memory_bytes"], request["seconds"])
    try:
        document = make(request)
        if request["rows"]:
            with pa.ipc.open_stream(cast(io.IOBase, sys.stdin.buffer)) as rows:
                for batch in rows:
                    document.add(batch)
        for piece in document.end():
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    except (MemoryError, pa.ArrowMemoryError):
        os._exit(NO_MEMORY)  # too little memory for an orderly exit
    except ConfigError as error:
        print(error.message, file=sys.stderr)
        return WRONG_FONT
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os._exit(NO_DISK)  # the library would try to write the rest
    return 0


def _pdf() -> Callable[[dict[str, Any]], _Document]:
    from auditlane.query.export.pdf import Pdf

    def make(request: dict[str, Any]) -> _Document:
        columns = [SimpleNamespace(title=title) for title in request["titles"]]
        heading = SimpleNamespace(**request["heading"])
        return Pdf(cast(Any, columns), cast(Any, heading), Path(request["more_font"]) if request["more_font"] else None)

    return make


def _workbook() -> Callable[[dict[str, Any]], _Document]:
    from auditlane.query.export.xlsx import SHEET_ROWS, Workbook

    def make(request: dict[str, Any]) -> _Document:
        folder = Path(request["folder"])
        return Workbook(request["titles"], request["times"], request["numbers"], folder, sheet_rows=SHEET_ROWS)

    return make


def _bound(memory_bytes: int, seconds: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        # Limits written memory rather than address space, of which libraries reserve more than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


if __name__ == "__main__":
    raise SystemExit(main())
