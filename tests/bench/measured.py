"""What a process used, as the operating system counts it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu_s` of all threads, `peak_mb` of resident memory; `children` that ended are not counted."""

    cpu_s: float
    peak_mb: float


def usage(pid: int) -> Usage:
    times = psutil.Process(pid).cpu_times()
    peak = next(
        (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")), "VmHWM: 0"
    )
    return Usage(times.user + times.system, int(peak.split()[1]) / 1024)


def stopwatch(pid: int) -> Callable[[], float]:
    """CPU seconds of a process since now."""
    before = usage(pid).cpu_s
    return lambda: usage(pid).cpu_s - before


def machine() -> dict[str, object]:
    """Facts that figures are to be read with."""
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
        "load_before": round(os.getloadavg()[0], 1),  # above 0: others work on the machine too
    }
