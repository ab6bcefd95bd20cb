"""Measures what the SDK costs a service: its import time, its packages, and the rate and CPU time of `emit`. The
figures are reported, not asserted.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, requires

from confluent_kafka.admin import AdminClient, NewTopic

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient
from auditlane.sdk import AuditClient
from auditlane.sdk.audited import audited
from auditlane.sdk.diff import diff

EVENTS = 50_000
CALLS = 20_000
EVENT = {
    "tenant_id": "acme",
    "action": "document.updated",
    "actor_id": "user-1234",
    "actor_name": "A user",
    "resource": "document",
    "resource_id": "d-98765",
    "outcome": "success",
    "ip": "192.0.2.17",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "request_id": "5f0c7a3e-8b1d-4d57-9e0b-0f6f3c1f2a77",
    "before": '{"title":"Draft"}',
    "after": '{"title":"Final"}',
    "metadata": {"region": "eu-1", "plan": "team"},
}


def test_import_time():
    code = "import time; t = time.process_time(); from auditlane.sdk import AuditClient; print(time.process_time() - t)"
    times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(7)]
    print(f"\nfrom auditlane.sdk import AuditClient: {statistics.median(times) * 1e3:.0f} ms of CPU (median of 7)")


def test_packages():
    found: set[str] = set()

    def walk(name: str) -> None:
        if name in found:
            return
        try:
            needed = requires(name) or []
        except PackageNotFoundError:  # required only on other platforms
            return
        found.add(name)
        for requirement in needed:
            if "extra ==" not in requirement:
                walk(re.match(r"[\w.-]+", requirement)[0].lower())

    walk("auditlane")
    print(f"\npip install auditlane: {len(found)} packages ({', '.join(sorted(found))})")


def test_emit(kafka, registry, unique):
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(unique, 6, 1)])[unique].result(30)
    registrar = RegistryClient(registry)
    registrar.register(f"{unique}-value", json.dumps(base_schema()))
    registrar.close()
    client = AuditClient(kafka_bootstrap=kafka, registry_url=registry, topic=unique, max_block_ms=60_000)
    client.emit(**EVENT)
    client.flush()
    started, cpu = time.perf_counter(), time.thread_time()
    for _ in range(EVENTS):
        client.emit(**EVENT)
    emitted, mine = time.perf_counter() - started, time.thread_time() - cpu
    assert client.flush(120)
    whole = time.perf_counter() - started
    calls = []
    for _ in range(CALLS):
        before = time.perf_counter()
        client.emit(**EVENT)
        calls.append((time.perf_counter() - before) * 1e6)
    client.close(120)
    print(f"\nemit: {EVENTS / emitted:,.0f}/s, {mine / EVENTS * 1e6:.1f} µs CPU of the caller's thread each; ", end="")
    print(f"acknowledged: {EVENTS / whole:,.0f}/s; ", end="")
    print(f"a call takes {statistics.median(calls):.1f} µs (p99 {statistics.quantiles(calls, n=100)[98]:.1f} µs)")


def test_decorator_and_diff():
    """Compare an `@audited` function with the bare function, and a 20-field diff with copying the fields."""
    recorded = []

    def bare(document_id: str) -> str:
        return document_id

    decorated = audited(lambda **values: recorded.append(values), "document.read", resource_id="document_id")(bare)
    before = {f"field_{at}": f"value {at}" for at in range(20)}
    after = before | {"field_3": "another value", "field_7": 7}
    for name, work in {
        "bare function": lambda: bare("d-1"),
        "@audited function": lambda: decorated("d-1"),
        "copy of 20 fields": lambda: dict(before),
        "diff of 20 fields, 2 changed": lambda: diff(before, after),
    }.items():
        times = []
        for _ in range(5):
            cpu = time.thread_time()
            for _ in range(CALLS):
                work()
            times.append((time.thread_time() - cpu) / CALLS)
            recorded.clear()
        print(f"\n{name}: {min(times) * 1e6:.2f} µs of CPU (best of 5)", end="")
    print()
