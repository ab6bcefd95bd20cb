"""Child processes of this one: tethered to it, apart from the terminal's signals, their output in a file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

_TETHER = Path(__file__).with_name("tether.py")


@cache
def _pipe() -> tuple[int, int]:
    """For platforms without a parent-death signal: reading end for the children, writing end kept for our life."""
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
    """Start a program that the kernel kills when we die. Call it from the main thread: the knot is to the thread.

    It gets a session of its own, so that Ctrl-C reaches only us. `env` is all of its environment. Its output is
    appended to the file `output`; with `pipe_output` only what it writes to stderr, and stdout can be read by us.
    With `inherit_errors`, and no `output`, it writes to our own stderr. It inherits the descriptors `pass_fds`.
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
    """Signal a child; one that has ended is left alone. SIGKILL goes to all of its session."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def stop(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """End a child: SIGTERM, and after `grace_s` seconds SIGKILL; returns when it has ended."""
    send(process, signal.SIGTERM)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        send(process, signal.SIGKILL)
        process.wait()


def end_session(pid: int) -> None:
    """Kill what an ended child left behind in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
