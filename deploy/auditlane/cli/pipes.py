"""What a command does when whoever reads its output stops reading: `auditlane events … | head`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CUT = 128 + 13  # as the shell reports a process that SIGPIPE ended


@contextmanager
def quiet_when_cut() -> Iterator[None]:
    """End the process without a traceback when standard output is closed; its rest goes nowhere."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end; give it something to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CUT)
