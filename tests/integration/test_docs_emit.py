"""Tests that the Python code in docs/emit.md and in the example linked there runs unchanged."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from scripted_gateway import Reply, Request, ScriptedGateway, accepted

from auditlane.contract.avro import base_schema
from auditlane.contract.declaration_diff import needed_fields
from auditlane.contract.field_definition import with_field
from auditlane.contract.registry import RegistryClient

ROOT = Path(__file__).parents[2]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "emit.md").read_text(), re.DOTALL)
[TYPED] = (snippet for snippet in SNIPPETS if "(AuditEvent, action=" in snippet)
[OVER_HTTP] = (snippet for snippet in SNIPPETS if "url=" in snippet)
TOPIC = "audit.events"  # the snippets use these names


@pytest.fixture
def run(kafka: str, registry: str):
    admin = AdminClient({"bootstrap.servers": kafka})
    if TOPIC not in admin.list_topics(timeout=20).topics:
        admin.create_topics([NewTopic(TOPIC, 2, 1)])[TOPIC].result(30)
    registrar = RegistryClient(registry)
    registrar.register(f"{TOPIC}-value", json.dumps(base_schema()))
    registrar.close()
    environ = os.environ | {"AUDITLANE_KAFKA_BOOTSTRAP": kafka, "AUDITLANE_REGISTRY_URL": registry}

    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *arguments], env=environ, capture_output=True, text=True, timeout=60)

    return start


@pytest.mark.parametrize(
    "snippet",
    [other for other in SNIPPETS if other not in (TYPED, OVER_HTTP)],
    ids=("keywords", "event", "known actions", "context", "prometheus", "opentelemetry", "stock"),
)
def test_a_snippet_runs(run, snippet):
    emitted = len(re.findall(r"audit\.(?:emit|\w+\.\w+)\(", snippet))
    checked = f"\nassert event_id and result.delivered == {emitted}" if emitted else "\nassert producer.flush() == 0"
    done = run("-W", "error::SyntaxWarning", "-c", snippet + checked)
    assert done.returncode == 0, done.stderr


def test_the_snippet_over_http_runs(tmp_path):
    (tmp_path / "secret").write_text("hush")

    def rule(request: Request) -> Reply:
        token = request.path == "/v1/token"
        return (200, {"access_token": "t", "expires_in": 60}, {}) if token else accepted(request)

    with ScriptedGateway(rule) as gateway:
        here = {"https://audit.example.com": gateway.url, "/run/secrets/audit": str(tmp_path / "secret")}
        snippet = OVER_HTTP
        for there, replacement in here.items():
            assert there in snippet
            snippet = snippet.replace(there, replacement)
        subprocess.run([sys.executable, "-c", f"{snippet}\nassert result.delivered == 1"], check=True, timeout=60)
        assert len(gateway.stored) == 1


def test_prometheus_reads_the_counters(run):
    [snippet] = (snippet for snippet in SNIPPETS if "prometheus_client" in snippet)
    checks = """
value = REGISTRY.get_sample_value
assert value("audit_events_total", {"result": "acknowledged", "code": ""}) == 1
assert value("audit_events_total", {"result": "refused", "code": "EVENT_INVALID"}) == 1
assert value("audit_events_total", {"result": "refused", "code": "CLIENT_CLOSED"}) == 1
assert value("audit_bytes_total") > 50
assert value("audit_pending_events") == value("audit_pending_bytes") == 0
assert value("audit_flush_seconds_total") > 0
"""
    refused = """
    from auditlane.sdk import AuditlaneError
    try:
        audit.emit(tenant_id="acme", action="")
    except AuditlaneError:
        pass
try:
    audit.emit(tenant_id="acme", action="login")
except AuditlaneError:
    pass
"""
    done = run("-c", snippet.rstrip() + refused + checks)
    assert done.returncode == 0, done.stderr


def test_opentelemetry_reads_the_counters(run):
    [snippet] = (snippet for snippet in SNIPPETS if "opentelemetry" in snippet)
    before = """
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.metrics import set_meter_provider
reader = InMemoryMetricReader()
set_meter_provider(MeterProvider([reader]))
"""
    checks = """
[resource] = reader.get_metrics_data().resource_metrics
found = {one.name: one.data.data_points for scope in resource.scope_metrics for one in scope.metrics}
[events] = found["audit.events"]
assert (events.value, dict(events.attributes)) == (1, {"result": "acknowledged"})
assert found["audit.flush.time"][0].value > 0 == found["audit.pending"][0].value
"""
    done = run("-c", before + snippet + checks)
    assert done.returncode == 0, done.stderr


def test_typed_events_are_sent_once_their_fields_are_registered(run, registry: str):
    refused = run("-c", TYPED)
    assert "auditlane schema sync" in refused.stderr
    assert "--tenant globex" in refused.stderr
    declared: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(TYPED.partition("audit.emit")[0], "snippet", "exec", dont_inherit=True), declared)
    schema = base_schema()
    for needed in needed_fields([declared["DocumentDeleted"]]):
        schema = with_field(schema, needed.field.definition.avro())
    with contextlib.closing(RegistryClient(registry)) as client:
        client.register(f"{TOPIC}.globex-value", json.dumps(schema))
    done = run("-c", TYPED + "\nassert audit.flush(timeout=10).delivered == 1")
    assert done.returncode == 0, done.stderr


def test_the_example_runs(run):
    done = run(str(ROOT / "examples" / "projects.py"))
    assert done.returncode == 0, done.stderr
    assert "10 events of projects-example delivered" in done.stderr
