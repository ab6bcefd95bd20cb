"""Starts child processes. They die with this process, are shielded from the terminal's signals, and write their output
to a file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

_TETHER = Path(__file__).with_name("tether.py")


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """The exit of a process. `code` is its exit code, or the negative number of the signal that killed it."""

    pid: int
    code: int
    at: datetime

    @property
    def cause(self) -> str:
        """The name of the signal, such as `SIGKILL`, or the exit code as text."""
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return signal.Signals(-self.code).name
        except ValueError:  # a real-time signal
            return f"signal {-self.code}"


@cache
def _pipe() -> tuple[int, int]:
    """Return a pipe for platforms without a parent-death signal. Children read from it, and this process keeps the
    other end open.
    """
    return os.pipe()


def start(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    output: Path | None = None,
    pipe_output: bool = False,
    inherit_errors: bool = False,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program that the kernel kills when this process dies.

    Call this from the main thread, since the tether is bound to the calling thread. The program gets its own session,
    so that Ctrl-C reaches only this process. `env` is its complete environment. Its output is appended to the file
    `output`. With `pipe_output`, this applies only to stderr, and stdout is a pipe. With `inherit_errors` and without
    `output`, it writes to this process's stderr. It inherits the descriptors `pass_fds`.
    """
    watched = -1 if sys.platform == "linux" else _pipe()[0]
    log = output.open("ab") if output else None
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", _TETHER, str(os.getpid()), str(watched), *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipe_output else log or subprocess.DEVNULL,
            stderr=log or (None if inherit_errors else subprocess.DEVNULL),
            pass_fds=(*pass_fds, *(() if watched < 0 else (watched,))),
            start_new_session=True,
        )
    finally:
        if log:
            log.close()


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a child, unless it has exited. SIGKILL is sent to its whole session."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def stop(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Send SIGTERM, and then SIGKILL after `grace_s` seconds. Returns once the child has exited."""
    send(process, signal.SIGTERM)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        send(process, signal.SIGKILL)
        process.wait()


def end_session(pid: int) -> None:
    """Kill the processes that an exited child left behind in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
