"""Metrics of several `serve` processes. Each writes its values to memory-mapped files in one folder, and reads all
files.

A file is named after its process's number, and survives the process. The replacement process continues with its
counters, which therefore never decrease. Gauges of a process that has ended are removed.
"""

from __future__ import annotations

import os
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from auditlane.runtime.errors import ConfigError

_VARIABLE: Final = "AUDITLANE_SHARED_METRICS"  # <process number>:<folder>, set for the processes of `serve`
_LIBRARY: Final = "PROMETHEUS_MULTIPROC_DIR"
_TRIES: Final = 20
_PAUSE_S: Final = 0.01


@contextmanager
def folder() -> Iterator[Path]:
    """Create a folder for the values, and remove it at the end. Raises ConfigError if it cannot be created."""
    try:
        made = tempfile.TemporaryDirectory(prefix="auditlane-metrics-", ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigError(
            f"Cannot create a folder for the metrics that the processes share: {error}.",
            fix="Set TMPDIR to a folder that `serve` may write to.",
        ) from error
    with made as path:
        yield Path(path)


def variables(path: Path, number: int) -> dict[str, str]:
    """Return the environment variable that tells `join` a process's number."""
    return {_VARIABLE: f"{number}:{path}"}


def join() -> Path | None:
    """Keep this process's values in the folder that an environment variable names, and return that folder. Returns None
    if the variable is not set.

    Call this before any instrument is created.
    """
    number, _, path = os.environ.pop(_VARIABLE, "").partition(":")
    if not path:
        return None
    os.environ[_LIBRARY] = path
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    return Path(path)


def forget(path: Path, number: int) -> None:
    """Remove the gauges of a process that has ended."""
    mark_process_dead(number, str(path))  # type: ignore[no-untyped-call]


def render(path: Path) -> bytes:
    """Return the values of all processes in Prometheus' text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(path))  # type: ignore[no-untyped-call]
    for _ in range(_TRIES):
        try:
            return generate_latest(registry)
        except (struct.error, RuntimeError):  # a process is just creating or extending its file
            time.sleep(_PAUSE_S)
    return generate_latest(registry)
