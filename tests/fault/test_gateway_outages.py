"""Freezes and kills Kafka during POST requests. Acknowledged events are stored, and all others get a 503 with
Retry-After.
"""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from uuid import uuid4

import urllib3
from fixtures.kafka import make_broker, wait_for_broker
from fixtures.workers import wait_until, world_on
from serving import Served

from auditlane.runtime import process

POSTERS = 4
EACH = 5  # events per request


class Posters:
    """Threads that send POST requests until stopped. `acknowledged` contains event ids, and `refused` contains the
    other responses.

    `doubtful` contains the ids of rejected events that may still be stored, according to the response.
    """

    def __init__(self, served: Served) -> None:
        self.acknowledged: set[str] = set()
        self.doubtful: set[str] = set()
        self.refused: list[tuple[int, str | None, str]] = []
        self._url = f"{served.url}/v1/events"
        self._headers = {
            "authorization": f"Bearer {served.client_token('writer')}",
            "auditlane-tenant": "acme",
            "content-type": "application/json",
        }
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._post) for _ in range(POSTERS)]
        for thread in self._threads:
            thread.start()

    def _post(self) -> None:
        with urllib3.PoolManager(retries=False, timeout=30.0) as pool:
            while not self._ending.is_set():
                body = json.dumps([{"action": uuid4().hex} for _ in range(EACH)])
                answer = pool.request("POST", self._url, body=body, headers=self._headers)
                result = answer.json()
                self.acknowledged |= {one["event_id"] for one in result["results"] if one["status"] == 202}
                self.doubtful |= {
                    one["event_id"]
                    for one in result["results"]
                    if "may still have been stored" in one.get("detail", "")
                }
                if answer.status != 202:
                    code = next(one["code"] for one in result["results"] if one["status"] != 202)
                    self.refused.append((answer.status, answer.headers.get("retry-after"), code))

    def acknowledge(self, more: int) -> None:
        enough = len(self.acknowledged) + more
        wait_until(lambda: len(self.acknowledged) >= enough, why=lambda: str(self.refused[-3:]))

    def meet_refusals(self) -> None:
        """Wait until each thread has received one more rejection."""
        enough = len(self.refused) + 2 * POSTERS
        wait_until(lambda: len(self.refused) >= enough, why="for refusals")

    def end(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(60)


def test_no_acknowledged_event_is_lost(registry: str, clickhouse: str, unique: str, tmp_path: Path) -> None:
    broker = make_broker(tmp_path)
    running = broker.start(tmp_path / "kafka.out")
    wait_for_broker(broker.bootstrap)
    world = world_on(broker.bootstrap, registry, clickhouse, unique, tmp_path)
    settings = world.settings.model_dump(exclude_unset=True) | {"ingest_ack_timeout_ms": 1_000}
    with Served(tmp_path, **settings) as served:
        posters = Posters(served)
        posters.acknowledge(300)
        running.send_signal(signal.SIGSTOP)
        posters.meet_refusals()
        kafka = {part["name"]: part for part in served.request("/health/ready").json()["parts"]}["kafka"]
        assert kafka["state"] == "away"
        running.send_signal(signal.SIGCONT)
        posters.acknowledge(300)
        running.kill()
        running.wait()
        posters.meet_refusals()
        running = broker.start(tmp_path / "kafka.out")
        posters.acknowledge(300)
        posters.end()
    assert {(status, code) for status, _, code in posters.refused} <= {
        (503, "KAFKA_UNAVAILABLE"),
        (207, "KAFKA_UNAVAILABLE"),  # Kafka had acknowledged some of the request's events
    }
    assert all(retry_after and int(retry_after) > 0 for _, retry_after, _ in posters.refused)
    world.worker()
    world.completed()
    stored = {str(row[0]) for row in world.client.query(f"SELECT event_id FROM {world.events}").result_rows}
    assert posters.acknowledged - stored == set()
    assert stored - posters.acknowledged <= posters.doubtful, (
        "of the rejected events, only those reported as doubtful may be stored"
    )
    world.close()
    process.stop(running, grace_s=20)
