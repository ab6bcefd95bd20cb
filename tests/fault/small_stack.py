"""A supervisor over small stand-in processes, run as a program: `python small_stack.py FOLDER JSON`.

JSON lists parts: name, needs, tier, once, and `mode`: serve, stubborn (ignores SIGTERM), broken (ends at once).
Each part writes `start NAME` and `stop NAME` into FOLDER/journal, and answers when FOLDER/up-NAME exists. While there
is a FOLDER/full, no part can be prepared, as on a full disk; FOLDER/refused has a line for each attempt. With a
FOLDER/untold, nobody can be told that everything is up.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

from auditlane.local.layout import Layout
from auditlane.local.parts import Part
from auditlane.local.supervisor import Supervisor
from auditlane.runtime import signals
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.process_plan import Policy, Spec

_PART = """
import os, signal, sys, pathlib
name, mode, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
def note(word):
    with (folder / "journal").open("a") as file:
        file.write(f"{word} {name}\\n")
def end(*_):
    note("stop")
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else end)
note("start")
if mode == "broken":
    sys.exit("no such luck")
if mode == "once":
    sys.exit(0)
(folder / f"up-{name}").write_text(str(os.getpid()))
while True:
    signal.pause()
"""


class Quiet:
    def __init__(self, folder):
        self._folder = folder

    def changed(self, part, state, seconds):
        print(part.name, state.value, flush=True)

    def trouble(self, part, deaths, log):
        print("trouble", part.name, deaths, log, flush=True)

    def remark(self, part, sentence):
        print("remark", part.name, sentence, flush=True)

    def ready(self, state):
        if (self._folder / "untold").exists():
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        print("READY", json.dumps(state["parts"]), flush=True)


def prepare(folder: Path, up: Path) -> None:
    if (folder / "full").exists():
        with (folder / "refused").open("a") as file:
            file.write("refused\n")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    up.unlink(missing_ok=True)


def part(folder: Path, layout: Layout, name: str, mode: str = "serve", remarks: tuple[str, ...] = (), **spec) -> Part:
    up = folder / f"up-{name}"
    return Part(
        Spec(name, needs=tuple(spec.pop("needs", ())), once=mode == "once", **spec),
        url="",
        answers=None if mode == "once" else up.exists,
        command=[sys.executable, "-c", _PART, name, mode, str(folder)],
        env=dict(os.environ),
        prepare=lambda: prepare(folder, up),
        logs=[layout.log(name)],
        remarks=lambda: list(remarks),
    )


def main(folder: Path, wanted: list[dict]) -> None:
    layout = Layout.of(folder)
    layout.prepare()
    with layout.claim(os.getpid()):
        parts = [part(folder, layout, **one) for one in wanted]
        Supervisor(parts, layout, {}, {}, Quiet(folder), Policy(backoff_first=0.05, stable=3600)).run()


if __name__ == "__main__":
    signals.ordinary()
    try:
        main(Path(sys.argv[1]), json.loads(sys.argv[2]))
    except AuditlaneError as error:
        sys.exit(f"{error.code} {error}")
