"""The process that draws one PDF: what to draw is on standard input, the document goes to standard output.

It imports as little as it can, since it starts anew for every document.
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
_NICE: Final = 5  # requests come first


def main() -> int:
    """Draw it. The exit code says what went wrong."""
    request: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    import pyarrow as pa

    from auditlane.query.export.pdf import Pdf
    from auditlane.runtime.errors import ConfigError

    _bound(request["memory_bytes"], request["seconds"])
    columns, heading = [SimpleNamespace(title=one) for one in request["titles"]], SimpleNamespace(**request["heading"])
    try:
        pdf = Pdf(cast(Any, columns), cast(Any, heading), Path(request["more_font"]) if request["more_font"] else None)
        if request["rows"]:
            with pa.ipc.open_stream(cast(io.IOBase, sys.stdin.buffer)) as rows:
                for batch in rows:
                    pdf.add(batch)
        sys.stdout.buffer.write(pdf.end())
        sys.stdout.buffer.flush()
    except (MemoryError, pa.ArrowMemoryError):
        os._exit(NO_MEMORY)  # there is none left for an orderly end either
    except ConfigError as error:
        print(error.message, file=sys.stderr)
        return WRONG_FONT
    return 0


def _bound(memory_bytes: int, seconds: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to answer
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        # What a process writes to, rather than addresses, of which libraries reserve more than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


if __name__ == "__main__":
    raise SystemExit(main())
