"""Measures what a workbook costs the service: `python tests/bench/bench_xlsx.py` (ROWS=1000000).

It exports one tenant's events with all columns as a workbook, from a real `auditlane serve` on the embedded engine. It
prints the rows, bytes and seconds, and the peak memory of `serve` and of the process that creates the file. It fails if
the file lacks a row, or if either process used 300 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import psutil
import urllib3
from bench_export import CHUNK, DATABASE, FILL, MOST_MB, TENANT
from fixtures.clickhouse import EngineProcess
from measured import machine, usage
from serving import ServeProcess

from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.migrate import migrate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=int(os.environ.get("ROWS", "1000000")))
    count = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as name:
        folder = Path(name)
        engine = EngineProcess(folder / "clickhouse")
        try:
            client = connect(load(clickhouse_url=engine.url, query_timeout_s=300.0))
            migrate(client, DATABASE)
            for start in range(0, count, CHUNK):
                client.command(FILL.format(start=start, count=min(CHUNK, count - start)))
            client.close()
            print(json.dumps({"rows": count, **machine()}), flush=True)
            _measure(engine, folder, count)
        finally:
            engine.stop()


def _measure(engine: EngineProcess, folder: Path, count: int) -> None:
    path = folder / "log.xlsx"
    with ServeProcess(folder, clickhouse_url=engine.url, query_timeout_s=120.0) as serve:
        children = _PeakOfChildren(serve.process.pid)
        began = time.perf_counter()
        headers = {"Authorization": f"Bearer {serve.viewer_token(TENANT)}"}
        url = f"{serve.url}/v1/export?format=xlsx&zone=Europe/Berlin"
        with urllib3.request("GET", url, headers=headers, preload_content=False, timeout=1_800.0) as answer:
            assert answer.status == 200, answer.data
            with path.open("wb") as file:
                for piece in answer.stream(1 << 18):
                    file.write(piece)
        seconds = time.perf_counter() - began
        peak, child = usage(serve.process.pid).peak_mb, children.stop()
    rows = 0
    with zipfile.ZipFile(path) as parts:
        sheets = [name for name in parts.namelist() if name.startswith("xl/worksheets/sheet")]
        for name in sheets:
            with parts.open(name) as sheet:
                rest = b""
                while piece := sheet.read(1 << 20):
                    rows += (rest + piece).count(b"<row ")
                    rest = piece[-4:]  # a tag may be divided between two chunks
            rows -= 1  # the header
    result = {"rows": rows, "sheets": len(sheets), "mb": round(path.stat().st_size / 1e6), "seconds": round(seconds)}
    print(json.dumps({**result, "serve_peak_mb": round(peak), "child_peak_mb": round(child)}), flush=True)
    assert rows == count
    assert max(peak, child) < MOST_MB, "a process held too much memory"


class _PeakOfChildren:
    """Polls the peak memory of a process's children, in MB."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._stopping = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def stop(self) -> float:
        self._stopping.set()
        self._thread.join()
        return self._peak

    def _poll(self) -> None:
        while not self._stopping.wait(0.1):
            for child in psutil.Process(self._pid).children():
                with suppress(psutil.Error, OSError):
                    self._peak = max(self._peak, usage(child.pid).peak_mb)


if __name__ == "__main__":
    main()
