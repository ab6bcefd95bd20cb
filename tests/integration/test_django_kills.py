"""Whatever happens to a request or its process, an event exists for a change exactly if the change was committed.

A process that is killed may lack the events that Kafka had not acknowledged, and nothing else.
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import urllib3
from django_site import environment, free_port, manage, served
from fixtures.stack import Stack, until

SUPPORT = Path(__file__).parents[1] / "support"
WAYS = ("commit", "commit", "flush", "savepoint", "rollback", "raise", "raise_late")
WORKERS = 3


class Loop:
    """Sends requests to gunicorn, and kills its workers in between."""

    def __init__(self, url: str, tenant: str, master: int, seed: int) -> None:
        self.pool = urllib3.PoolManager(retries=False, timeout=60.0)
        self.url, self.tenant, self.master = url, tenant, psutil.Process(master)
        self.random = random.Random(seed)
        self.killed: set[int] = set()
        self.acknowledged: dict[int, set[int]] = defaultdict(set)  # numbers of requests by process
        self.failed = 0
        self._lock = threading.Lock()

    def run(self, requests: int, kills: int) -> None:
        plan = [self.random.choice(WAYS) for _ in range(requests)]
        delays = [self.random.uniform(0, 0.02) for _ in range(requests)]
        kill_at = set(self.random.sample(range(requests // 10, requests), kills))

        def one(number: int) -> None:
            if number in kill_at:
                threading.Timer(delays[number], self.kill).start()  # while requests are being served
            self.send(number, plan[number])

        with ThreadPoolExecutor(WORKERS) as threads:
            list(threads.map(one, range(requests)))
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join()

    def send(self, number: int, how: str) -> None:
        try:
            answer = self.pool.request("GET", f"{self.url}/{number}/{how}/", headers={"x-tenant": self.tenant})
        except urllib3.exceptions.HTTPError:
            with self._lock:
                self.failed += 1  # its process was killed
            return
        if answer.status != 200:
            assert how in ("raise", "raise_late"), answer.data
            return
        given = answer.json()
        with self._lock:
            if given["acknowledged"]:
                self.acknowledged[given["pid"]].add(number)

    def kill(self) -> None:
        """Kill one of gunicorn's workers, wherever it is in a request."""
        workers = [child for child in self.master.children() if child.pid not in self.killed]
        if workers:
            chosen = self.random.choice(workers)
            self.killed.add(chosen.pid)
            os.kill(chosen.pid, signal.SIGKILL)


def check_loop(stack: Stack, tenant: str, folder: Path, requests: int, kills: int) -> str:
    """Run the loop and compare the database with the store; return the figures."""
    database = folder / "shop.sqlite3"
    more = {"SHOP_DATABASE": str(database), "DJANGO_SETTINGS_MODULE": "django_shop.loop_settings"}
    env = environment(stack.env, PYTHONPATH=str(SUPPORT), **more)
    (folder / "manage.py").write_text("import sys\nfrom django.core.management import execute_from_command_line\n"
                                      "execute_from_command_line(sys.argv)\n")  # fmt: skip
    manage(sys.executable, folder, env, "migrate", "--run-syncdb", "--verbosity", "0")
    (folder / "wsgi.py").write_text("from django.core.wsgi import get_wsgi_application\n\n"
                                    "application = get_wsgi_application()\n")  # fmt: skip
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}", "wsgi"]
    with served(command, folder, env, port) as master:
        loop = Loop(f"http://127.0.0.1:{port}", tenant, master.pid, seed=requests)
        loop.run(requests, kills)
    # gunicorn's workers have ended, so everything that they could deliver is in Kafka
    with closing(sqlite3.connect(database)) as connection:
        committed = {row[0] for row in connection.execute("SELECT number FROM django_shop_invoice")}
    where = f"tenant_id = '{tenant}' AND action = 'invoice.created'"

    def lacking() -> set[str]:
        """Return the committed changes that are not stored although they must be."""
        rows = stack.client.query(f"SELECT after FROM audit.events WHERE {where}").result_rows
        stored = {json.loads(row[0])["number"] for row in rows}
        return {number for number in committed - stored if must_be_stored(number, loop)}

    until(lambda: not lacking(), 60, "every event that must be stored")
    rows = [json.loads(row[0])["number"] for row in
            stack.client.query(f"SELECT after FROM audit.events WHERE {where}").result_rows]  # fmt: skip
    assert len(rows) == len(set(rows)), "an event is stored twice"
    assert set(rows) <= committed, f"events of changes that were rolled back: {set(rows) - committed}"
    missing = committed - set(rows)
    assert {pid_of(number) for number in missing} <= loop.killed
    assert len(loop.killed) == kills
    assert committed
    return (
        f"{requests} requests, {loop.failed} cut off by {kills} kills; {len(committed)} changes committed, "
        f"{len(rows)} events stored, {len(missing)} unacknowledged events of killed processes missing"
    )


def pid_of(number: str) -> int:
    return int(number.partition("-")[2])


def must_be_stored(number: str, loop: Loop) -> bool:
    """Return whether a committed change was made by a process that lived on, or acknowledged before it was killed."""
    pid = pid_of(number)
    if pid not in loop.killed:
        return True
    return int(number.partition("-")[0]) in loop.acknowledged[pid]


def test_events_are_the_committed_changes(stack: Stack, unique: str, tmp_path: Path) -> None:
    print(check_loop(stack, unique, tmp_path, requests=150, kills=3))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_events_are_the_committed_changes_of_many_requests(stack: Stack, unique: str, tmp_path: Path) -> None:
    print(check_loop(stack, unique, tmp_path, requests=2_000, kills=40))
