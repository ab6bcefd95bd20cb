"""The process that draws one PDF: it reads the rows from standard input and writes the document to standard output.

It imports as little as possible, since it is started for every document.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

NO_MEMORY, WRONG_FONT = 3, 4  # exit codes
_NICE: Final = 5  # requests have priority


def main() -> int:
    """Draw the document. Returns the exit code."""
    request: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    import pyarrow as pa

    from auditlane.query.export.pdf import Pdf
    from auditlane.runtime.errors import ConfigError

    _bound(request["memory_bytes"], request["seconds"])
    columns, heading = (
        [SimpleNamespace(title=title) for title in request["titles"]],
        SimpleNamespace(**request["heading"]),
    )
    try:
        pdf = Pdf(cast(Any, columns), cast(Any, heading), Path(request["more_font"]) if request["more_font"] else None)
        if request["rows"]:
            with pa.ipc.open_stream(cast(io.IOBase, sys.stdin.buffer)) as rows:
                for batch in rows:
                    pdf.add(batch)
        sys.stdout.buffer.write(pdf.end())
        sys.stdout.buffer.flush()
    except (MemoryError, pa.ArrowMemoryError):
        os._exit(NO_MEMORY)  # there is not enough memory for an orderly exit
    except ConfigError as error:
        print(error.message, file=sys.stderr)
        return WRONG_FONT
    return 0


def _bound(memory_bytes: int, seconds: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        # Limits written memory, not address space, since libraries reserve more of it than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


if __name__ == "__main__":
    raise SystemExit(main())
