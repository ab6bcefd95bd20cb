"""What `up` shows while it starts, runs and stops: plain lines, and on a terminal a bar and a spinner as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.status import Status

from auditlane.local.services import Service
from auditlane.runtime.process_plan import State

_WORDS = {
    State.READY: "ready",
    State.DONE: "done",
    State.RESTARTING: "[yellow]ended; starting it again[/]",
    State.STOPPING: "stopping",
    State.STOPPED: "stopped",
}


class Terminal:
    """Implements `supervisor.Observer`. `on_ready` prints the ready block; everything else goes to `out`.

    What `out` cannot take, on a full disk, is lost: it must not end the stack.
    """

    def __init__(self, out: Console, on_ready: Callable[[Mapping[str, Any]], None]) -> None:
        self._out = out
        self._on_ready = on_ready
        self._status: Status | None = None
        self._progress: Progress | None = None
        self._tenth = -1
        self._waiting: dict[str, None] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Leaves the terminal clean, whatever ends the context."""
        try:
            yield
        finally:
            self._clear()

    def download(self, done: int, total: int) -> None:
        """Kafka is being downloaded; bytes."""
        if not self._out.is_terminal:
            if done * 10 // total > self._tenth:
                self._tenth = done * 10 // total
                self._say(f"downloading Kafka: {done >> 20} of {total >> 20} MB")
            return
        if self._progress is None:
            columns = TextColumn("downloading Kafka (once)"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
            self._progress = Progress(*columns, console=self._out, transient=True)
            self._progress.start()
            self._progress.add_task("")
        self._progress.update(self._progress.task_ids[0], completed=done, total=total)
        if done >= total:
            self._clear()

    def note(self, sentence: str) -> None:
        """Something takes a while, once."""
        self._say(sentence)

    def changed(self, service: Service, state: State, seconds: float) -> None:
        """One line for each service that comes up or goes down."""
        if state in (State.STARTING, State.STOPPING):
            self._waiting[service.name] = None
        else:
            self._waiting.pop(service.name, None)
        if state in _WORDS and state is not State.STOPPING:
            took = f" ({seconds:.1f} s)" if state in (State.READY, State.DONE) else ""
            self._say(f"{service.name:<11}{_WORDS[state]}{took}")
        self._spin("stopping" if state in (State.STOPPING, State.STOPPED) else "starting")

    def trouble(self, service: Service, failures: int, log: str) -> None:
        """A service keeps dying; the stack goes on trying."""
        self._say(f"[red]{service.name} ended {failures} times in a row.[/] What it said last:")
        self._say(log, markup=False)

    def remark(self, service: Service, sentence: str) -> None:
        """A service is up, and yet something is wrong with it."""
        self._say(f"[yellow]{service.name}:[/] {escape(sentence)}")

    def ready(self, state: Mapping[str, Any]) -> None:
        """Print the ready block, once."""
        self._clear()
        self._on_ready(state)

    def _say(self, text: str, *, markup: bool = True) -> None:
        with suppress(OSError):
            self._out.print(text, markup=markup, highlight=False)

    def _spin(self, verb: str) -> None:
        if not self._out.is_terminal:
            return
        if not self._waiting:
            self._clear()
            return
        text = f"{verb} {', '.join(self._waiting)} …"
        if self._status is None:
            self._status = self._out.status(text)
            self._status.start()
        self._status.update(text)

    def _clear(self) -> None:
        for shown in (self._status, self._progress):
            if shown is not None:
                shown.stop()
        self._status = self._progress = None
