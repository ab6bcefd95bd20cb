"""Measures the cost of the middleware for a FastAPI route, with and without an event. Ratios within one run are
reported, not asserted.

The application runs in this process and is called directly, as a server would call it. Rounds alternate between the
variants. The CPU time of the fastest round is used, since other processes on the machine can only increase it. Kafka is
real, and the process's CPU time includes the threads of its client.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic
from fastapi import FastAPI, Request

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient
from auditlane.integrations.fastapi import Actor, AuditMiddleware
from auditlane.sdk import AuditClient

ROUNDS = int(os.environ.get("ROUNDS", "40"))
REQUESTS = 500  # per variant and round
HEADERS = [
    (b"host", b"app.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
    (b"accept", b"application/json"),
    (b"authorization", b"Bearer 5f0c7a3e8b1d4d579e0b0f6f3c1f2a77"),
    (b"x-forwarded-for", b"203.0.113.9, 10.0.0.2"),
    (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
]


def application(client: AuditClient | None, *, audited: bool) -> FastAPI:
    app = FastAPI()

    @app.delete("/documents/{document_id}")
    async def delete(document_id: str, request: Request) -> dict[str, str]:
        request.state.user = "u-17"
        return {"deleted": document_id}

    if client is not None:
        app.add_middleware(
            AuditMiddleware,
            routes={("DELETE" if audited else "PUT") + " /documents/{document_id}": "document.deleted"},
            tenant=lambda _: "acme",
            actor=lambda request: Actor(request.state.user),
            trusted_proxies="10.0.0.0/8",
            client=client,
        )
    return app


async def request(app: Any) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None: ...

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "DELETE",
        "scheme": "http",
        "path": "/documents/d-98765",
        "raw_path": b"/documents/d-98765",
        "query_string": b"",
        "root_path": "",
        "headers": HEADERS,
        "client": ("10.0.0.1", 5000),
        "server": ("app.example", 80),
    }
    await app(scope, receive, send)


class Measured:
    """One variant's times, in µs per request."""

    def __init__(self, app: FastAPI, settle: Callable[[], object]) -> None:
        self.app, self._settle = app, settle
        self.cpu: list[float] = []  # the calling thread's time; one median per round
        self.process: list[float] = []  # all threads' time until Kafka has the events; one mean per round
        self.wall: list[float] = []

    async def round(self) -> None:
        before, cpu = time.process_time(), []
        for _ in range(REQUESTS):
            wall, thread = time.perf_counter(), time.thread_time()
            await request(self.app)
            cpu.append((time.thread_time() - thread) * 1e6)
            self.wall.append((time.perf_counter() - wall) * 1e6)
        self._settle()
        self.cpu.append(statistics.median(cpu))
        self.process.append((time.process_time() - before) / REQUESTS * 1e6)


def test_a_route_with_and_without_the_middleware(kafka, registry, unique):
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(unique, 6, 1)])[unique].result(30)
    registrar = RegistryClient(registry)
    registrar.register(f"{unique}-value", json.dumps(base_schema()))
    registrar.close()
    client = AuditClient(kafka_bootstrap=kafka, registry_url=registry, topic=unique, max_block_ms=60_000)
    variants = {
        "without": Measured(application(None, audited=False), lambda: None),
        "middleware": Measured(application(client, audited=False), lambda: None),
        "middleware and an event": Measured(application(client, audited=True), lambda: client.flush(60)),
    }

    async def run() -> None:
        for variant in variants.values():
            await variant.round()
            variant.cpu.clear(), variant.process.clear(), variant.wall.clear()
        for _ in range(ROUNDS):
            for variant in variants.values():
                await variant.round()

    asyncio.run(run())
    assert client.stats.delivered == (ROUNDS + 1) * REQUESTS
    client.close()
    base = variants["without"]
    print()
    for name, variant in variants.items():
        cpu, base_cpu = min(variant.cpu), min(base.cpu)
        p50, p99 = (_quantile(variant.wall, part) for part in (50, 99))
        print(
            f"{name}: {cpu:.0f} µs CPU of the thread ({cpu - base_cpu:+.0f} µs, {cpu / base_cpu:.2f} times),"
            f" {min(variant.process) - min(base.process):+.0f} µs of the process; p50 {p50:.0f} µs"
            f" ({p50 / _quantile(base.wall, 50):.2f} times), p99 {p99:.0f} µs"
            f" ({p99 / _quantile(base.wall, 99):.2f} times)"
        )


def _quantile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]
