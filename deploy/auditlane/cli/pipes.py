"""Handles failed writes to standard output, caused by a closed pipe (`auditlane events … | head`) or a full disk."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from auditlane.runtime.errors import ConfigError

SIGPIPE_EXIT_CODE = 128 + 13  # the code that a shell reports for a process ended by SIGPIPE


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """End the process without a traceback when standard output is closed. The rest of the output is discarded."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard()
        sys.exit(SIGPIPE_EXIT_CODE)


def raise_on_output_errors() -> None:
    """Make failed writes to standard output raise ConfigError, or BrokenPipeError when the pipe is closed.

    Does nothing if standard output was replaced, as in tests.
    """
    own = sys.__stdout__
    if own is not None and sys.stdout is own:
        sys.stdout = _with_output_errors(own)


def flush() -> None:
    """Flush standard output. On failure, discards its buffer and raises like `raise_on_output_errors`."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (ConfigError, OSError):
        discard()
        raise


def require_stdout() -> None:
    """Raise ConfigError if standard output is closed. Call this before work whose output must not be lost."""
    if sys.stdout is None:
        raise ConfigError("Standard output is closed.", fix="Redirect it to a terminal, a file or another program.")


def discard() -> None:
    """Redirect standard output to /dev/null, since the interpreter flushes it again at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Output(io.FileIO):
    """Raises ConfigError when a write to the descriptor fails."""

    def write(self, data: object) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ConfigError(
                f"Cannot write to standard output: {error.strerror or error}.",
                fix="Free disk space, or send the output elsewhere.",
            ) from error


def _with_output_errors(before: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = _Output(before.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=before.encoding, errors=before.errors, line_buffering=before.isatty()
    )
