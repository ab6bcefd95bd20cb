"""Tests that the gateway accepts events while Kafka is down, and loses none of them when it is killed."""

from __future__ import annotations

import json
import random
import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from fixtures.workers import World, wait_until
from serving import ServeProcess

from auditlane.access.tokens import mint_client_token

AWAY = "127.0.0.1:9"  # the discard port, on which no process listens


def serve(world: World, **settings: Any) -> ServeProcess:
    """Start a gateway with a spool. By default, its Kafka address is unreachable."""
    given = world.settings.model_dump(exclude_unset=True) | {"kafka_bootstrap": AWAY}
    spool = {"ingest_spool_bytes": 64 << 20, "ingest_spool_dir": world.folder / "spool"}
    spool["ingest_ack_timeout_ms"] = 60_000  # on a busy machine, it may take a while until the first event is on disk
    return ServeProcess(world.folder, roles="ingest", **given | spool | settings)


class Sender:
    """Posts events in a thread. `accepted` lists the ids of events that got a 202, in the order of the requests."""

    def __init__(self, served: ServeProcess) -> None:
        now = datetime.now(UTC)
        client = served.keys.create(roles=("writer",), tenant=None, now=now).client
        token = mint_client_token(served.signing, client, now=now, ttl=timedelta(hours=1)).text
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._url = f"{served.url}/v1/events"
        self._pool = urllib3.PoolManager(retries=False, timeout=60.0)
        self.accepted: list[str] = []
        self.thread = threading.Thread(target=self._run)

    def post(self, events: Any, tenant: str = "acme", **headers: str) -> urllib3.BaseHTTPResponse:
        sent = self._headers | {"auditlane-tenant": tenant} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self._pool.request("POST", self._url, body=json.dumps(events), headers=sent)

    def _run(self) -> None:
        number = 0
        try:
            while True:
                answer = self.post([{"action": uuid4().hex} for _ in range(number % 7 + 1)], f"t{number % 3}")
                assert answer.status == 202, answer.data
                self.accepted += [one["event_id"] for one in answer.json()["results"]]
                number += 1
        except urllib3.exceptions.HTTPError:
            return  # the service was killed

    def close(self) -> None:
        self._pool.clear()


def stored(world: World, tenant_like: str = "%") -> dict[str, int]:
    """Return how often each event is visible in the store, by id."""
    query = f"SELECT event_id, count() FROM {world.events} FINAL WHERE tenant_id LIKE '{tenant_like}' GROUP BY 1"
    return {str(row[0]): int(row[1]) for row in world.client.query(query).result_rows}


def drained(world: World) -> None:
    """Run a gateway that can reach Kafka until the spool is empty. The gateway removes its own record set when it
    ends.
    """
    spool = world.folder / "spool"
    earlier = set(spool.glob("*.set"))
    with serve(world, kafka_bootstrap=world.settings.kafka_bootstrap):
        wait_until(lambda: not earlier & set(spool.glob("*.set")), patience_s=120)
    wait_until(lambda: not [*spool.glob("*.set")])


def kill_and_count(world: World, kills: int, seed: int) -> None:
    chance, accepted = random.Random(seed), set[str]()
    for _ in range(kills):
        served = serve(world)
        sender = Sender(served)
        sender.thread.start()
        enough = chance.randrange(20, 200)
        wait_until(lambda: len(sender.accepted) >= enough, patience_s=90)  # noqa: B023
        served.stop(signal.SIGKILL)
        sender.thread.join(60)
        sender.close()
        accepted |= set(sender.accepted)
    drained(world)
    world.worker().ready()
    world.completed()
    found = stored(world, "t%")
    assert accepted - set(found) == set(), "every event that got 202 is stored"
    assert set(found.values()) == {1}
    print(f"{kills} kills, {len(accepted)} events got 202, {len(found)} stored")


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_events_that_a_gateway_accepted_between_many_kills_are_stored_once(world: World) -> None:
    kill_and_count(world, kills=50, seed=2)


def test_a_gateway_without_kafka_is_ready_and_loses_nothing_when_it_is_killed(world: World) -> None:
    at = datetime.now(UTC).isoformat()
    events = [{"action": f"a{number}", "occurred_at": at} for number in range(5)]
    with serve(world) as served:
        sender = Sender(served)
        first = sender.post(events, idempotency_key="once")
        assert (first.status, first.json()["accepted"], first.json()["spooled"]) == (202, 5, 5)
        assert all(one["spooled"] is True and one["status"] == 202 for one in first.json()["results"])
        again = sender.post(events, idempotency_key="once")
        assert [one["event_id"] for one in again.json()["results"]] == [
            one["event_id"] for one in first.json()["results"]
        ]
        invalid = sender.post([{"action": "a"}, {"action": ""}])
        assert invalid.status == 207
        assert [one.get("spooled") for one in invalid.json()["results"]] == [True, None]
        ready = sender._pool.request("GET", f"{served.url}/health/ready")
        assert (ready.status, ready.json()["ready"]) == (200, True)
        assert {part["name"]: part["state"] for part in ready.json()["parts"]}["kafka"] == "away"
        sender.close()
        served.stop(signal.SIGKILL)
    drained(world)
    world.worker().ready()
    world.completed()
    found = stored(world, "acme")
    assert (len(found), set(found.values())) == (6, {1})
    rows = world.client.query(f"SELECT action FROM {world.events} WHERE tenant_id = 'acme' ORDER BY kafka_offset")
    actions = [row[0] for row in rows.result_rows]
    assert actions == ["a0", "a1", "a2", "a3", "a4"] * 2 + ["a"], "in order"
    provenance = world.client.query(f"SELECT DISTINCT provenance FROM {world.events} WHERE tenant_id = 'acme'")
    assert [row[0] for row in provenance.result_rows] == ["gateway"]
