"""The output of `up` during start, operation and shutdown: plain lines and, on a terminal, a progress bar and a
spinner.
"""

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
    State.RESTARTING: "[yellow]exited; restarting[/]",
    State.STOPPING: "stopping",
    State.STOPPED: "stopped",
}


class Terminal:
    """Implements `supervisor.Observer`. `on_ready` prints the ready block, and everything else goes to `out`.

    Failed writes to `out` are ignored, since a full disk must not stop the stack.
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
        """Clear the terminal when the context ends for any reason."""
        try:
            yield
        finally:
            self._clear()

    def download(self, done: int, total: int) -> None:
        """Show the progress of Kafka's download, in bytes."""
        if not self._out.is_terminal:
            if done * 10 // total > self._tenth:
                self._tenth = done * 10 // total
                self._print(f"downloading Kafka: {done >> 20} of {total >> 20} MB")
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
        """Print a sentence about a slow step."""
        self._print(sentence)

    def changed(self, service: Service, state: State, seconds: float) -> None:
        """Print a line for each service that starts or stops."""
        if state in (State.STARTING, State.STOPPING):
            self._waiting[service.name] = None
        else:
            self._waiting.pop(service.name, None)
        if state in _WORDS and state is not State.STOPPING:
            took = f" ({seconds:.1f} s)" if state in (State.READY, State.DONE) else ""
            self._print(f"{service.name:<11}{_WORDS[state]}{took}")
        self._spin("stopping" if state in (State.STOPPING, State.STOPPED) else "starting")

    def trouble(self, service: Service, failures: int, log: str) -> None:
        """Report a service that keeps exiting, with the end of its log. The stack keeps restarting it."""
        self._print(f"[red]{service.name} exited {failures} times in a row.[/] The end of its log:")
        self._print(log, markup=False)

    def remark(self, service: Service, sentence: str) -> None:
        """Report a problem of a service that is nevertheless ready."""
        self._print(f"[yellow]{service.name}:[/] {escape(sentence)}")

    def ready(self, state: Mapping[str, Any]) -> None:
        """Print the ready block, once."""
        self._clear()
        self._on_ready(state)

    def _print(self, text: str, *, markup: bool = True) -> None:
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
