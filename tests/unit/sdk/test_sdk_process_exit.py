"""Tests clients in a multiprocessing child that exits while its threads are still running."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import multiprocessing, sys, threading

from auditlane.sdk import process_exit


class Client:
    def __init__(self):
        self.flushed = threading.Event()
        self.emitted = []

    def end(self):
        process_exit.forget(self)
        print(*self.emitted, flush=True)

    def end_soon(self):
        self.flushed.set()

    def before_fork(self, deadline):
        pass

    def after_fork(self):
        self.__init__()


client = Client()
process_exit.watch(client)


def second():
    client.emitted.append("second")


def first():
    client.flushed.wait()  # the process is about to end
    client.emitted.append("first")
    threading.Thread(target=second).start()


def work():
    threading.Thread(target=first).start()


if __name__ == "__main__":
    child = multiprocessing.get_context(sys.argv[1]).Process(target=work)
    child.start()
    child.join(30)
    assert child.exitcode == 0, child.exitcode
    process_exit.forget(client)
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_events_that_threads_emit_after_the_end_are_delivered(method, tmp_path):
    (tmp_path / "main.py").write_text(_PROGRAM)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "main.py", method], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["first", "second"]
