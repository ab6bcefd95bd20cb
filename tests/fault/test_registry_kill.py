"""Kills the registry (SIGKILL) while schemas are registered. Its earlier responses remain valid, and no id is assigned
twice.
"""

from __future__ import annotations

import json
import signal
import threading
import time

from fixtures.registry import RegistryProcess

from auditlane.contract.registry import RegistryClient
from auditlane.runtime.errors import RegistryUnavailable

ROUNDS = 4
BEFORE_A_KILL = 25
DEADLINE_S = 120


def text(worker: int, number: int) -> str:
    return json.dumps({"type": "string", "worker": worker, "number": number})


def test_the_registry_survives_kills_during_registrations(own_registry: RegistryProcess) -> None:
    answered: dict[tuple[int, int], int] = {}
    stop = threading.Event()

    def register(worker: int) -> None:
        client = RegistryClient(own_registry.url)
        number = 0
        while not stop.is_set():
            try:
                schema_id = client.register(f"subject-{number % 7}-{worker}", text(worker, number))
            except RegistryUnavailable:
                time.sleep(0.005)  # the registry is down: repeat the same registration
                continue
            answered[worker, number] = schema_id
            number += 1
        client.close()

    workers = [threading.Thread(target=register, args=(worker,)) for worker in range(3)]
    for thread in workers:
        thread.start()
    deadline = time.monotonic() + DEADLINE_S
    for _ in range(ROUNDS):
        goal = len(answered) + BEFORE_A_KILL
        while len(answered) < goal:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        assert own_registry.end(signal.SIGKILL) == -signal.SIGKILL
        own_registry.start()
    stop.set()
    for thread in workers:
        thread.join()

    client = RegistryClient(own_registry.url)
    assert len(answered) >= ROUNDS * BEFORE_A_KILL
    assert len(set(answered.values())) == len(answered)
    for (worker, number), schema_id in answered.items():
        assert json.loads(client.schema(schema_id)) == json.loads(text(worker, number))
        assert client.subjects_of(schema_id) == {f"subject-{number % 7}-{worker}"}
    for subject in client.subjects():
        versions = client.versions(subject)
        assert versions == list(range(1, len(versions) + 1))
    client.close()
