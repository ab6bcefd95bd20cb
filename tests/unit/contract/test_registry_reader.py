"""Tests what clients do if the newest version of the base event lacks some base fields. They are not blocked, but use
the newest complete version.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import fastavro
from registering import InProcess

from auditlane.contract.avro import base_schema
from auditlane.contract.event import AuditEvent
from auditlane.contract.registry_reader import missing_base_fields, newest_complete
from auditlane.contract.subjects import ensure_base_subject
from auditlane.contract.wire import unframe
from auditlane.sdk.schema_resolver import SchemaCache

BASE = "audit.events-value"
OWN = {"name": "x", "type": ["null", "string"], "default": None}


def schema(*names: str, own: Any = ()) -> str:
    described = base_schema()
    described["fields"] = [one for one in described["fields"] if not names or one["name"] in names] + list(own)
    return json.dumps(described)


SMALL = ("event_id", "tenant_id", "occurred_at", "action", "actor_id")


def registered() -> InProcess:
    registry = InProcess()
    assert ensure_base_subject(registry, "audit.events").created
    registry.register(BASE, schema(own=[OWN]))
    registry.register(BASE, schema(*SMALL))
    registry.set_compatibility(BASE, "NONE")
    registry.register(BASE, schema("event_id", "action"))
    return registry


def test_events_are_written_with_the_newest_complete_version() -> None:
    registry = registered()
    assert newest_complete(registry, BASE).version == 2
    assert set(missing_base_fields(schema(*SMALL))) >= {"metadata", "ip"}
    known, event = SchemaCache(registry, BASE), AuditEvent(tenant_id="other", action="a", metadata={"a": "b"})
    known.ask("audit.events.other-value", 0, 0, alone=False)
    answer = known.of("audit.events.other-value")
    assert answer is not None
    schema_id, datum = unframe(answer[1].encode(event, 10_000))
    written = fastavro.parse_schema(json.loads(registry.schema(schema_id)))
    assert fastavro.schemaless_reader(BytesIO(datum), written, None)["metadata"] == {"a": "b"}


def test_older_versions_are_searched_once_per_latest_version() -> None:
    registry = registered()
    requests: list[str] = []
    registry.before = lambda method, path: requests.append(path)
    known = SchemaCache(registry, BASE)
    for now in (0, 1, 2):
        known.ask("audit.events.other-value", now, now, alone=False)
    assert sum(path.endswith("/versions") for path in requests) == 1


def test_without_a_complete_version_the_latest_is_used() -> None:
    registry = InProcess()
    registry.register(BASE, schema(*SMALL))
    assert newest_complete(registry, BASE).version == 1


def test_init_reports_the_stray_version() -> None:
    report = ensure_base_subject(registered(), "audit.events")
    assert not report.created
    stray = next(one for one in report.drift if "newest version 4" in one)
    assert "use version 2" in stray
    assert "auto.register.schemas" in stray
