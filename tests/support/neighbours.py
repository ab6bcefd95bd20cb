"""Runs twenty quiet tenants and an abusive one on real services, with a worker and `auditlane serve` as processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import urllib3
from abuse import KINDS
from fixtures.workers import World
from serving import ServeProcess

from auditlane.access.keys import Issued
from auditlane.access.permissions import Permission
from auditlane.access.provenance_keys import ProvenanceKeys
from auditlane.runtime.settings import load

QUIET: Final = 20
AT_ONCE: Final = 5  # number of quiet tenants that are active concurrently
MAX_S: Final = 300.0  # maximum duration of an abuse that is not stopped earlier
TIMEOUT_S: Final = 600.0  # matters only if a test hangs
POLL_INTERVAL_S: Final = 0.25  # not shorter, because polling adds load too
_PROGRAM: Final = Path(__file__).with_name("abuse.py")


@dataclass
class Times:
    """The durations in seconds of each kind of request, and the unsuccessful responses."""

    login: list[float] = field(default_factory=list)
    emit: list[float] = field(default_factory=list)  # until the event becomes visible
    listed: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Tenant:
    """A quiet tenant with its own key."""

    def __init__(self, installation: Installation, name: str) -> None:
        self.name = name
        self.sent: set[str] = set()
        self._url = installation.serve.url
        self._key = installation.key(name, "writer", "auditor")
        self._pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S)
        self._token = ""

    def round(self, times: Times) -> None:
        """Log in, emit an event and wait until it is visible, and then list events."""
        began = time.perf_counter()
        key = {"client_id": self._key.client.client_id, "secret": self._key.secret}
        answer = self._ask(times, "POST", "/v1/token", key)
        self._token = answer.get("access_token", "")
        self._ask(times, "GET", "/v1/session")
        times.login.append(time.perf_counter() - began)
        began = time.perf_counter()
        sent = self._ask(times, "POST", "/v1/events", {"action": "quiet"}, status=202)
        if not sent:
            return
        [result] = sent["results"]
        self.sent.add(result["event_id"])
        while result["event_id"] not in self.seen(5, times):
            assert time.perf_counter() - began < TIMEOUT_S, f"{self.name} does not see its event"
            time.sleep(POLL_INTERVAL_S)
        times.emit.append(time.perf_counter() - began)
        began = time.perf_counter()
        self.seen(50, times)
        times.listed.append(time.perf_counter() - began)

    def seen(self, limit: int, times: Times) -> set[str]:
        """Return the ids of the tenant's newest events."""
        found = self._ask(times, "GET", f"/v1/events?limit={limit}")
        return {one["event_id"] for one in found.get("data", [])}

    def _ask(self, times: Times, method: str, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
        headers = {"content-type": "application/json"} | (
            {"authorization": f"Bearer {self._token}"} if path != "/v1/token" else {}
        )
        text = None if body is None else json.dumps(body)
        answer = self._pool.request(method, self._url + path, body=text, headers=headers)
        if answer.status != status:
            times.refused.append(f"{method} {path}: {answer.status} {answer.data[:200]!r}")
            return {}
        found: dict[str, Any] = answer.json()
        return found


class Installation:
    """One installation with default settings, shared by quiet tenants and an abusive one."""

    def __init__(self, kafka: str, registry: str, clickhouse: str, unique: str, folder: Path, **overrides: Any) -> None:
        """Start the installation. `overrides` are additional settings."""
        settings = load(
            kafka_bootstrap=kafka,
            registry_url=registry,
            clickhouse_url=clickhouse,
            clickhouse_database=unique,
            topic=f"{unique}.events",
            dead_letter_topic=f"{unique}.dead",
            consumer_group=unique,
            worker_port=0,
            provenance_keys_file=folder / "provenance-keys.json",
            **overrides,
        )
        ProvenanceKeys.load_or_create(folder / "provenance-keys.json")
        self.world = World(settings, folder)
        self.world.client.command(f"SYSTEM START MERGES {self.world.events}")
        self.worker = self.world.worker()
        self.worker.ready()
        shared = settings.model_dump(exclude_unset=True) | {"log_level": "warning"}
        self.serve = ServeProcess(folder, roles="ingest,query", **shared)
        self._abuser = "abuser"
        contract = (Permission.contract,)
        self._key = self.serve.keys.create(
            roles=("vendor",), extra_permissions=contract, tenant=self._abuser, now=datetime.now(UTC)
        )
        self.quiet = [Tenant(self, f"quiet{number}") for number in range(QUIET)]
        self.halted: list[str] = []

    def key(self, tenant: str, *roles: str) -> Issued:
        return self.serve.keys.create(roles=roles, tenant=tenant, now=datetime.now(UTC))

    def rounds(self, count: int) -> Times:
        """Run `count` rounds for each quiet tenant. Some tenants run concurrently."""
        times = Times()

        def live(tenant: Tenant) -> None:
            for _ in range(count):
                tenant.round(times)

        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(live, self.quiet))
        self.halted += json.loads(self.worker.get_status("/health/ready")[1]).get("halted", {})
        return times

    @contextmanager
    def abused(self, kinds: Sequence[str]) -> Iterator[Callable[[], dict[str, int]]]:
        """Run these kinds of abuse. Yields a function that stops them and returns the response counts."""
        answer = urllib3.request(
            "POST",
            self.serve.url + "/v1/token",
            json={"client_id": self._key.client.client_id, "secret": self._key.secret},
        )
        orders = {
            "kinds": list(kinds),
            "seconds": MAX_S,
            "url": self.serve.url,
            "tenant": self._abuser,
            "client_id": self._key.client.client_id,
            "token": answer.json()["access_token"],
            "kafka": self.world.settings.kafka_bootstrap,
            "topic": self.world.settings.topic,
        }
        process = subprocess.Popen(
            [sys.executable, str(_PROGRAM), json.dumps(orders)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        answers: dict[str, int] = {}

        def end() -> dict[str, int]:
            if process.poll() is None:
                process.terminate()
            for line in process.stdout or ():
                answers.update(json.loads(line).get("answers", {}))
            process.wait(60)
            return answers

        try:
            assert "begun" in process.stdout.readline(), end()
            yield end
        finally:
            end()
            process.stdout.close()

    def close(self) -> None:
        self.serve.stop()
        self.world.close()


__all__ = ["KINDS", "QUIET", "Installation", "Tenant", "Times"]
