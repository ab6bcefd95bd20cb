"""Handles output that cannot be written: its reader has closed the pipe (`auditlane events … | head`), or the disk is
full."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from auditlane.runtime.errors import ConfigError

SIGPIPE_EXIT_CODE = 128 + 13  # as the shell reports a process that SIGPIPE ended


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """End the process without a traceback when standard output is closed; its rest goes nowhere."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard()
        sys.exit(SIGPIPE_EXIT_CODE)


def raise_on_output_errors() -> None:
    """From now on a write to standard output that fails is a ConfigError, or a BrokenPipeError when nobody reads.

    Where standard output is not the process's own, as in tests, it stays as it is.
    """
    own = sys.__stdout__
    if own is not None and sys.stdout is own:
        sys.stdout = _with_output_errors(own)


def flush() -> None:
    """Write what is still held of standard output. Raises as `raise_on_output_errors` says; leaves nothing behind."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (ConfigError, OSError):
        discard()
        raise


def require_stdout() -> None:
    """Raises ConfigError when there is no standard output: what must be read is not done then."""
    if sys.stdout is None:
        raise ConfigError("Standard output is closed.", fix="Send it to a terminal, a file or another program.")


def discard() -> None:
    """Let what standard output holds go nowhere: the interpreter flushes once more at its end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Output(io.FileIO):
    """Writes to a descriptor that stays open."""

    def write(self, data: object) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ConfigError(
                f"Standard output cannot be written: {error.strerror or error}.",
                fix="Free some space, or send it elsewhere.",
            ) from error


def _with_output_errors(before: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = _Output(before.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=before.encoding, errors=before.errors, line_buffering=before.isatty()
    )
