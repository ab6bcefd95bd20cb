"""Starts a program that is killed when its parent dies: sets up the tether, then executes the program under the same
process id.

It is run by its path, not as a module, so that it starts in milliseconds: `python -I -S tether.py PARENT_PID FD PROGRAM
…`. On Linux, the kernel sends the signal. Elsewhere (or with FD not -1), a small watcher process does: FD is the
reading end of a pipe whose other end only the parent holds, so that end of file means that the parent is gone. The
signal is SIGKILL: no parent is left to wait for a program that hangs, and every program in the embedded stack survives
it without losing data.
"""

from __future__ import annotations

import os
import select
import signal
import sys

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 1.0


def main(argv: list[str]) -> None:
    parent, watched, program = int(argv[1]), int(argv[2]), argv[3:]
    if watched >= 0:
        os.set_inheritable(watched, False)
        if os.fork() == 0:
            _watch(watched, os.getppid())
    else:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before the tether was set up
        sys.exit(1)
    try:
        os.execvp(program[0], program)  # noqa: S606
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


def _watch(pipe: int, program: int) -> None:
    """Watch the program from a child process. `getppid` shows whether the program is still running, even if process ids
    are reused.
    """
    os.setsid()
    for fd in (0, 1, 2):
        os.close(fd)
    while os.getppid() == program:
        readable, _, _ = select.select([pipe], [], [], _LOOK_EVERY_S)
        if readable and os.getppid() == program:
            os.kill(program, signal.SIGKILL)
            break
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv)
