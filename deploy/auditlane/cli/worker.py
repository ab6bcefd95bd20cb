"""Implements `auditlane worker`, which stores events from Kafka in ClickHouse exactly once, in one or more
processes.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from auditlane.cli.help_text import examples
from auditlane.cli.processes import ProcessGroup, command_line, cpu_count
from auditlane.contract import topics
from auditlane.runtime import log, settings, tracing
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import Settings, variable
from auditlane.trail.lifecycle import recorded
from auditlane.worker.service import Service, stopped_by_signals

app = typer.Typer(add_completion=False)
_LAST_PORT = 65_535


@app.command(epilog=examples("worker", "worker --processes 4"))
def command(
    processes: Annotated[
        int, typer.Option("--processes", "-n", min=0, help="Number of worker processes; 0 starts one per CPU core.")
    ] = 1,
) -> None:
    """Store events from Kafka in ClickHouse, exactly once.

    Prints one line of JSON to standard output after joining the consumer group. On SIGTERM, the worker stores its
    buffered events and exits within AUDITLANE_SHUTDOWN_TIMEOUT_S. SIGKILL is safe at any time.

    With several processes, each is a member of the group and listens on its own port, counted up from
    AUDITLANE_WORKER_PORT. A process that exits is restarted. The line is printed after all processes have joined.
    """
    read = settings.load()
    log.configure(read.log_level, json=read.log_json)
    topics.admin(read)  # rejects wrong Kafka options here, once, rather than later in every process
    count = processes or cpu_count()
    if count == 1:
        _run_one(read)
        return
    worker_ports(read, count)  # fails here rather than in every process
    with recorded(read, "worker") as lifecycle:
        group = ProcessGroup(
            command_line("worker"),
            count,
            lambda number: child_env(read, number, count),
            shutdown_timeout_s=read.shutdown_timeout_s,
            on_ready=_print_all_ready,
            lifecycle=lifecycle,
        )
        code = group.run()
    if code:
        raise typer.Exit(code)


def _run_one(read: Settings) -> None:
    """Run a worker in this process. Its start is recorded once it has joined its group."""
    with ExitStack() as stack:

        def on_ready(url: str) -> None:
            # not earlier, since `run` must start the first thread
            stack.enter_context(recorded(read, "worker")).started()
            _print_ready(url=url, pid=os.getpid())

        tracing.configure(read, "worker")
        stack.callback(tracing.shutdown)
        service = Service(read, on_ready=on_ready)
        with stopped_by_signals(service):
            service.run()


def worker_ports(read: Settings, count: int) -> list[int]:
    """Return each process's port, counted up from the first, or all 0. Raises ConfigError past the last port."""
    first = read.worker_port
    if first and first + count - 1 > _LAST_PORT:
        raise ConfigError(
            f"{count} processes from port {first} would need ports above {_LAST_PORT}.",
            field=variable("worker_port"),
            fix="Choose a lower first port, or 0 for free ports.",
        )
    return [first + number if first else 0 for number in range(count)]


def child_env(read: Settings, number: int, count: int) -> dict[str, str]:
    """Return this process's environment, with the child's port and a total of at least `count` worker processes.

    The parent records the group's lifecycle, so the child must not.
    """
    return os.environ | {
        variable("worker_port"): str(worker_ports(read, number + 1)[number]),
        variable("worker_processes_total"): str(max(read.worker_processes_total, count)),
        variable("trail_lifecycle"): "false",
    }


def _print_all_ready(ready_lines: list[dict[str, Any]]) -> None:
    processes = [{"url": line["url"], "pid": line["pid"]} for line in ready_lines]
    _print_ready(url=processes[0]["url"], pid=os.getpid(), processes=processes)


def _print_ready(**facts: object) -> None:
    print(json.dumps({"ready": True, "part": "worker", **facts}), flush=True)
