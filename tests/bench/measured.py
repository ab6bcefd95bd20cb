"""Reads a process's resource usage from the operating system."""

from __future__ import annotations

import bisect
import os
import platform
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources used by a process. `cpu_s` includes all threads, and `peak_mb` is resident memory. Child processes
    that have exited are not counted.
    """

    cpu_s: float
    peak_mb: float


def usage(pid: int) -> Usage:
    times = psutil.Process(pid).cpu_times()
    peak = next(
        (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")), "VmHWM: 0"
    )
    return Usage(times.user + times.system, int(peak.split()[1]) / 1024)


def stopwatch(pid: int) -> Callable[[], float]:
    """Start to measure a process. Returns a function that returns the CPU seconds used since then."""
    before = usage(pid).cpu_s
    return lambda: usage(pid).cpu_s - before


@dataclass(frozen=True, slots=True)
class Middle:
    """The middle of a run, from 10% to 90% of its rows, which excludes its start and end. Times are Unix seconds."""

    begin: float
    end: float
    rows: int

    @classmethod
    def of(cls, stored: Sequence[tuple[float, int]]) -> Middle:
        """Return the middle of a run. `stored` lists the time at which each range was stored and its number of rows, in
        order.
        """
        totals = list(accumulate(rows for _, rows in stored))
        first, last = (bisect.bisect_left(totals, totals[-1] * share) for share in (0.1, 0.9))
        return cls(stored[first][0], stored[last][0], totals[last] - totals[first])


class Busy:
    """The CPU usage of the whole machine, sampled every `EVERY_S` while the context is active."""

    EVERY_S = 0.1

    def __init__(self) -> None:
        self._seen: list[tuple[float, float, float]] = []  # time, CPU seconds of all cores, idle seconds among them
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Busy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> float:
        """Return the share of all cores in use, from 0 to 1."""
        seen = [one for one in self._seen if begin <= one[0] <= end]
        if len(seen) < 2:
            seen = self._seen
        (_, total, idle), (_, later, later_idle) = seen[0], seen[-1]
        return 1 - (later_idle - idle) / (later - total)

    def _look(self) -> None:
        while True:
            now = psutil.cpu_times()
            self._seen.append((time.time(), sum(now[:8]), now.idle + getattr(now, "iowait", 0.0)))
            if self._over.wait(self.EVERY_S):
                return


def machine() -> dict[str, object]:
    """Return the facts about this machine that are needed to interpret the results."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),  # above 0, other programs are using the machine too
    }
