"""Stops workers and gateways in turn while events keep arriving. Each process exits within the grace period that the
chart allows it, and no acknowledged event is lost or stored twice.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import uuid4

import pytest
import urllib3
from fixtures.workers import WorkerProcess, World, wait_until
from serving import ServeProcess

from auditlane.access.tokens import mint_client_token

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
ROUNDS = 6
DRAIN_S = 20
WORKER_GRACE_S, SERVE_GRACE_S = DRAIN_S + 10, DRAIN_S + 15  # of the chart; that of serve is without its preStop of 5 s
SENDERS = 4


class Load:
    """Continuously sends events to the gateways in `urls`. `acknowledged` contains the ids of events that got a 202."""

    def __init__(self, served: ServeProcess) -> None:
        now = datetime.now(UTC)
        client = served.keys.create(roles=("writer",), tenant=None, now=now).client
        self._token = mint_client_token(served.signing, client, now=now, ttl=timedelta(hours=1)).text
        self.urls = [served.url]
        self.acknowledged: list[str] = []
        self.unexpected: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(SENDERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        headers = {
            "authorization": f"Bearer {self._token}",
            "auditlane-tenant": f"t{number}",
            "content-type": "application/json",
        }
        pool = urllib3.PoolManager(retries=False, timeout=60.0)
        while not self._ended.is_set():
            body = json.dumps([{"action": uuid4().hex} for _ in range(20)])
            try:
                answer = pool.request("POST", f"{self.urls[-1]}/v1/events", body=body, headers=headers)
            except urllib3.exceptions.HTTPError:
                continue  # not acknowledged: the listening socket was closed before the request was accepted
            if answer.status == 202:
                self.acknowledged += [one["event_id"] for one in answer.json()["results"]]
            elif answer.status != 503:
                self.unexpected.append(f"{answer.status}: {answer.data[:300]!r}")
        pool.clear()


def gateway(world: World) -> ServeProcess:
    given = world.settings.model_dump(exclude_unset=True)
    return ServeProcess(world.folder, roles="ingest", **given | {"shutdown_timeout_s": DRAIN_S, "ingest_rate": 0})


def terminated(process: subprocess.Popen[str], grace_s: float) -> int:
    """Send SIGTERM, and return the exit code. Fails after `grace_s` seconds, when a platform would kill the process."""
    process.send_signal(signal.SIGTERM)
    return process.wait(grace_s)


def test_processes_that_are_replaced_under_load_end_in_time_and_lose_nothing(world: World) -> None:
    def worker() -> WorkerProcess:
        started = world.worker(shutdown_timeout_s=DRAIN_S, provenance_keys_file=world.folder / "provenance-keys.json")
        started.ready()
        return started

    with ExitStack() as gateways:
        served = gateways.enter_context(gateway(world))
        workers = [worker(), worker()]
        with Load(served) as load:
            for _ in range(ROUNDS):
                before = len(load.acknowledged)
                wait_until(lambda: len(load.acknowledged) >= before + 500, patience_s=90)  # noqa: B023
                oldest = workers.pop(0)
                assert terminated(oldest.process, WORKER_GRACE_S) == 0, oldest.tail()
                workers.append(worker())
                newer = gateways.enter_context(gateway(world))
                load.urls.append(newer.url)
                assert terminated(served.process, SERVE_GRACE_S) == 0
                served = newer
    assert load.unexpected == []
    world.completed(patience_s=120)
    query = f"SELECT toString(event_id), count() FROM {world.events} WHERE startsWith(tenant_id, 't') GROUP BY 1"
    rows = world.client.query(query).result_rows
    found = {str(event_id): int(count) for event_id, count in rows}
    assert set(load.acknowledged) - found.keys() == set()
    assert set(found.values()) == {1}, "before any merge"
    print(f"{ROUNDS} workers and gateways replaced, {len(load.acknowledged)} events acknowledged, {len(found)} stored")
