"""Kills the gunicorn workers of an application while it handles requests, and then compares its database with the
store.

The application handles `GET /<number>/<ending>/` by making a change named `<number>-<pid>`. The ending is one of
ENDINGS, and determines how the request ends.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import urllib3
from django_site import free_port, served
from fixtures.stack import Stack, until

SUPPORT = Path(__file__).parent
ENDINGS = ("commit", "commit", "flush", "savepoint", "rollback", "raise", "raise_late")
WORKERS = 3


@dataclass(frozen=True)
class Application:
    """An application under test. `wsgi` is gunicorn's argument, and `changes` is a query for the names of the committed
    changes.
    """

    wsgi: str
    folder: Path
    env: Mapping[str, str]
    database: Path
    changes: str
    action: str
    name: str  # the key in `after` that holds the change's name


class KillLoop:
    """Sends requests, and kills gunicorn's workers in between."""

    def __init__(self, url: str, tenant: str, master: int, seed: int) -> None:
        self.pool = urllib3.PoolManager(retries=False, timeout=60.0)
        self.url, self.tenant, self.master = url, tenant, psutil.Process(master)
        self.random = random.Random(seed)
        self.killed: set[int] = set()
        self.acknowledged: dict[int, set[int]] = defaultdict(set)  # request numbers by process
        self.failed = 0
        self._lock = threading.Lock()

    def run(self, requests: int, kills: int) -> None:
        endings = [self.random.choice(ENDINGS) for _ in range(requests)]
        delays = [self.random.uniform(0, 0.02) for _ in range(requests)]
        kill_at = set(self.random.sample(range(requests // 10, requests), kills))

        def send(number: int) -> None:
            if number in kill_at:
                threading.Timer(delays[number], self.kill).start()  # while requests are being served
            self.send(number, endings[number])

        with ThreadPoolExecutor(WORKERS) as threads:
            list(threads.map(send, range(requests)))
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join()

    def send(self, number: int, ending: str) -> None:
        try:
            response = self.pool.request("GET", f"{self.url}/{number}/{ending}/", headers={"x-tenant": self.tenant})
        except urllib3.exceptions.HTTPError:
            with self._lock:
                self.failed += 1  # the process that made the change was killed
            return
        if response.status != 200:
            assert ending in ("raise", "raise_late"), response.data
            return
        body = response.json()
        if body["acknowledged"]:
            with self._lock:
                self.acknowledged[body["pid"]].add(number)

    def kill(self) -> None:
        """Kill one of gunicorn's workers, whatever it is doing."""
        workers = [child for child in self.master.children() if child.pid not in self.killed]
        if workers:
            chosen = self.random.choice(workers)
            self.killed.add(chosen.pid)
            os.kill(chosen.pid, signal.SIGKILL)

    def must_be_stored(self, name: str) -> bool:
        """Return whether a change must be in the store: its process survived, or was killed after its event was
        acknowledged.
        """
        number, _, pid = name.partition("-")
        return int(pid) not in self.killed or int(number) in self.acknowledged[int(pid)]


def check_events(stack: Stack, tenant: str, application: Application, *, requests: int, kills: int) -> str:
    """Run the loop, assert that the events match the committed changes, and return a summary of the run."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}"]
    with served([*command, application.wsgi], application.folder, application.env, port) as master:
        loop = KillLoop(f"http://127.0.0.1:{port}", tenant, master.pid, seed=requests)
        loop.run(requests, kills)
    # gunicorn's workers have ended, so Kafka has everything that they could deliver
    with closing(sqlite3.connect(application.database)) as connection:
        committed = {str(row[0]) for row in connection.execute(application.changes)}

    def stored() -> list[str]:
        rows = stack.client.query(
            f"SELECT after FROM audit.events WHERE tenant_id = '{tenant}' AND action = '{application.action}'"
        )
        return [json.loads(row[0])[application.name] for row in rows.result_rows]

    until(lambda: not {*filter(loop.must_be_stored, committed)} - {*stored()}, 60, "every event that must be stored")
    rows = stored()
    assert len(rows) == len(set(rows)), "an event is stored twice"
    assert set(rows) <= committed, f"events of changes that were rolled back: {set(rows) - committed}"
    missing = committed - set(rows)
    assert not {*filter(loop.must_be_stored, missing)}
    assert len(loop.killed) == kills
    assert committed
    return (
        f"{requests} requests, {loop.failed} cut off by {kills} kills; {len(committed)} changes committed, "
        f"{len(rows)} events stored, {len(missing)} unacknowledged events of killed processes missing"
    )
