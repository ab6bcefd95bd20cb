"""Runs a supervisor with small stand-in processes: `python small_stack.py FOLDER JSON`.

JSON lists services with `name`, `depends_on`, `tier` and `mode`, which is serve, stubborn (ignores SIGTERM) or broken
(exits immediately). Each service writes `start NAME` and `stop NAME` into FOLDER/journal, and is ready once
FOLDER/up-NAME exists. While FOLDER/full exists, no service can be prepared, as if the disk were full. FOLDER/refused
has one line per attempt. If FOLDER/unreported exists, reporting that everything is up fails.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

from auditlane.local.layout import Layout
from auditlane.local.services import Service
from auditlane.local.supervisor import Supervisor
from auditlane.runtime import signals
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.process import ProcessExit
from auditlane.runtime.process_plan import Policy, ServiceSpec

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

    def changed(self, service, state, seconds):
        print(service.name, state.value, flush=True)

    def trouble(self, service, failures, log):
        print("trouble", service.name, failures, log, flush=True)

    def remark(self, service, sentence):
        print("remark", service.name, sentence, flush=True)

    def ready(self, state):
        if (self._folder / "unreported").exists():
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        print("READY", json.dumps(state["parts"]), flush=True)


def prepare(folder: Path, up: Path) -> None:
    if (folder / "full").exists():
        with (folder / "refused").open("a") as file:
            file.write("refused\n")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    up.unlink(missing_ok=True)


def service(
    folder: Path, layout: Layout, name: str, mode: str = "serve", remarks: tuple[str, ...] = (), **spec
) -> Service:
    up = folder / f"up-{name}"
    return Service(
        ServiceSpec(name, depends_on=tuple(spec.pop("depends_on", ())), one_shot=mode == "once", **spec),
        url="",
        is_ready=None if mode == "once" else up.exists,
        command=[sys.executable, "-c", _PART, name, mode, str(folder)],
        env=dict(os.environ),
        prepare=lambda: prepare(folder, up),
        logs=[layout.log(name)],
        remarks=lambda: list(remarks),
    )


def restarted(name: str, ended: ProcessExit) -> None:
    print("restarted", name, ended.cause, flush=True)


def main(folder: Path, wanted: list[dict]) -> None:
    layout = Layout.of(folder)
    layout.prepare()
    with layout.claim(os.getpid()):
        services = [service(folder, layout, **one) for one in wanted]
        policy = Policy(backoff_initial_s=0.05, stable_after_s=3600)
        Supervisor(services, layout, {}, {}, Quiet(folder), policy, on_restart=restarted).run()


if __name__ == "__main__":
    signals.ordinary()
    try:
        main(Path(sys.argv[1]), json.loads(sys.argv[2]))
    except AuditlaneError as error:
        sys.exit(f"{error.code} {error}")
