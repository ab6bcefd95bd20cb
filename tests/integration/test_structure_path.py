"""Tests the whole path of a field that is added over HTTP. The field and its rules apply to emitting, storing, showing,
filtering, sorting and exporting events.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import pathlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from fixtures.commands import Commands
from fixtures.workers import World, wait_until, world_on
from serving import Served

from auditlane.runtime.errors import InvalidEvent
from auditlane.sdk import AuditClient

SENT = "action=Before&action=Ordered&action=Stock"  # excludes events recorded by the service itself


class Path:
    """A world with a worker, a service, and a client for the whole environment."""

    def __init__(self, world: World, served: Served, folder: pathlib.Path) -> None:
        self.world = world
        self.folder = folder
        self.served = served
        self.token = served.client_token("admin")

    def call(self, method: str, path: str, body: Any = None, *, tenant: str = "", status: int = 200) -> Any:
        headers = {"auditlane_tenant": tenant} if tenant else {}
        answer = self.served.request(path, self.token, method=method, body=body, **headers)
        assert answer.status == status, answer.data
        return answer

    def sdk(self) -> AuditClient:
        settings = self.world.settings
        return AuditClient(
            kafka_bootstrap=settings.kafka_bootstrap,
            registry_url=settings.registry_url,
            topic=settings.topic,
        )

    def subject(self, tenant: str) -> str:
        own = f"{self.world.settings.topic}.{tenant}-value"
        return own if own in self.world.registry.subjects() else f"{self.world.settings.topic}-value"

    def stock(self, tenant: str, **fields: Any) -> None:
        """Produce an event with Confluent's own serializer, which knows the schema but not the contract's rules."""
        event = {
            "event_id": str(uuid.uuid4()),
            "tenant_id": tenant,
            "occurred_at": datetime.now(UTC),
            "action": "Stock",
        }
        text = self.world.registry.latest(self.subject(tenant)).schema
        schema_id = self.world.registry.latest(self.subject(tenant)).schema_id
        with SchemaRegistryClient({"url": self.world.settings.registry_url}) as registry:
            how: dict[str, Any] = {"auto.register.schemas": False, "use.schema.id": schema_id}
            how["subject.name.strategy"] = lambda *_: self.subject(tenant)
            context = SerializationContext(self.world.settings.topic, MessageField.VALUE)
            self.world.send(AvroSerializer(registry, text, conf=how)(event | fields, context), key=tenant)

    def listed(self, tenant: str, query: str, count: int) -> list[dict[str, Any]]:
        def events() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self.call("GET", f"/v1/events?{query}", tenant=tenant).json()["data"]
            return found

        wait_until(lambda: len(events()) >= count, why=self.world.workers[-1].tail)
        return events()


@pytest.fixture(scope="module")
def path(kafka: str, registry: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("structure")
    world = world_on(kafka, registry, clickhouse, f"t{uuid.uuid4().hex[:12]}", folder)
    try:
        world.worker().ready()
        with Served(folder, **world.settings.model_dump(exclude_unset=True)) as served:
            yield Path(world, served, folder)
    finally:
        world.close()


@pytest.mark.parametrize("whose", ["tenant", "environment"])
def test_an_added_field_is_accepted_stored_shown_filtered_sorted_exported_and_validated(path: Path, whose: str) -> None:
    tenant, name = f"{whose}1", f"{whose}_order"
    root = "/v1/structure" if whose == "environment" else f"/v1/tenants/{tenant}/structure"
    with path.sdk() as client:
        client.emit(tenant_id=tenant, action="Before")  # written with the base event, before the field exists
        client.flush()
        field = {"name": name, "displayName": "Order no.", "rules": {"maxLength": 20, "pattern": "[A-Z]{2}-[0-9]+"}}
        path.call("POST", f"{root}/fields", field, status=201)
        amount = {"name": f"{whose}_amount", "type": "Number", "rules": {"minimum": 0}, "sortable": True}
        path.call("POST", f"{root}/fields", amount, status=201)
        client.emit(tenant_id=tenant, action="Ordered", fields={name: "DE-17", f"{whose}_amount": 9.5})
        with pytest.raises(InvalidEvent, match=name):
            client.emit(tenant_id=tenant, action="Wrong", fields={name: "17"})
        client.flush()

    [event] = path.listed(tenant, f"fields.{name}=DE-17", 1)
    assert event["fields"] == {name: "DE-17", f"{whose}_amount": "9.5"}
    assert [one["action"] for one in path.listed(tenant, SENT, 2)] == ["Ordered", "Before"]  # earlier events are kept
    recorded = path.listed(tenant if whose == "tenant" else "_auditlane", "action=structure.changed", 2)
    assert any(name in one["metadata"]["changes"] for one in recorded)
    rows = _exported(path, tenant)
    assert sorted(row["Order no."] for row in rows) == ["", "DE-17"]

    before = len(path.world.dead_letters(0))
    path.stock(tenant, **{name: "17"})
    path.stock(tenant, **{name: "FR-1", f"{whose}_amount": -1.0})
    path.stock(tenant, **{name: "FR-2"})
    path.listed(tenant, f"fields.{name}=FR-2", 1)
    shown = path.call("GET", f"/v1/tenants/{tenant}/structure", tenant=tenant).json()["fields"]
    assert [one["displayName"] for one in shown if one["name"] == name and one["showInTable"]] == ["Order no."]
    path.stock(tenant, **{name: "FR-3", f"{whose}_amount": 80.0})
    path.listed(tenant, f"query={whose}_amount:>9 fields.{name}:FR-3", 1)
    for sort, first in ((f"-{whose}_amount", ["80", "9.5"]), (f"fields.{whose}_amount", ["9.5", "80"])):
        page = path.listed(tenant, f"{SENT}&sort={sort}", 4)
        assert [one["fields"].get(f"{whose}_amount") for one in page] == [*first, None, None], sort
    refused = path.call("GET", f"/v1/events?sort={name}", tenant=tenant, status=400).json()
    assert (refused["code"], refused["field"]) == ("FILTER_INVALID", "sort")

    letters = [dict(one.headers()) for one in path.world.dead_letters(before + 2)]
    mine = [one for one in letters if one["auditlane.tenant"] == tenant.encode()]
    assert [one["auditlane.error.code"] for one in mine] == [b"FIELD_RULE"] * 2
    messages = b" ".join(one["__connect.errors.exception.message"] for one in mine)
    assert name.encode() in messages
    assert b"must be at least 0" in messages

    path.call("DELETE", f"{root}/fields/{name}", status=204)
    assert "Order no." not in _exported(path, tenant)[0]
    path.stock(tenant, **{name: "anything"})  # the field's rules no longer apply
    [kept] = path.listed(tenant, f"fields.{name}=DE-17", 1)
    assert kept["fields"][name] == "DE-17"
    path.call("POST", f"{root}/fields", field, status=201)
    assert sorted(row["Order no."] for row in _exported(path, tenant, 5)) == ["", "DE-17", "FR-2", "FR-3", "anything"]


@pytest.mark.parametrize("whose", ["tenant", "environment"])
def test_a_change_of_fields_applies_to_the_next_posted_event(path: Path, whose: str) -> None:
    """Both the service that made the change and another service apply it. Neither rejects events because of a stale
    cache.
    """
    tenant, name = f"{whose}2", f"{whose}_code"
    root = "/v1/structure" if whose == "environment" else f"/v1/tenants/{tenant}/structure"

    def answered(served: Served, token: str, code: str | None) -> tuple[int, dict[str, Any]]:
        body = {"action": "Posted"} | ({"fields": {name: code}} if code else {})
        answer = served.request("/v1/events", token, method="POST", body=body, auditlane_tenant=tenant)
        return answer.status, json.loads(answer.data)

    with Served(path.folder / whose, **path.world.settings.model_dump(exclude_unset=True)) as other:
        both = [(path.served, path.token), (other, other.client_token("writer"))]
        for service in both:
            assert answered(*service, None)[0] == 202  # from here on, both services have the old contract cached
        path.call("POST", f"{root}/fields", {"name": name, "rules": {"maxLength": 3}}, status=201)
        for service in both:
            assert answered(*service, "abc")[0] == 202
            status, problem = answered(*service, "abcd")
            assert (status, problem["code"]) == (400, "EVENT_INVALID"), problem
            assert name in problem["detail"]
        with path.sdk() as client:
            client.emit(tenant_id=tenant, action="Posted", fields={name: "abc"})
            path.call("DELETE", f"{root}/fields/{name}", status=204)
            client.emit(tenant_id=tenant, action="Posted", fields={name: "abcdefg"})
        assert answered(*both[0], "abcdefg")[0] == 202
    path.listed(tenant, f"fields.{name}=abcdefg", 2)


@pytest.mark.parametrize("whose", ["tenant", "environment"])
def test_typed_events_are_refused_until_their_fields_are_registered(
    path: Path, whose: str, tmp_path: pathlib.Path
) -> None:
    """The error names a command. Once that command has been run, the event is accepted, stored and shown."""
    tenant = f"{whose}3"
    scope = ["--tenant", tenant] if whose == "tenant" else []
    commands = Commands(path.world, tmp_path)
    module = tmp_path / f"{whose}_events.py"
    module.write_text(
        "from auditlane.sdk import AuditEvent\n"
        f"class DocumentDeleted(AuditEvent, action='document.deleted', resource='document'):\n"
        f"    {whose}_project: str\n"
        f"    {whose}_pages: int | None = None\n"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(tmp_path)
        deleted = importlib.import_module(module.stem).DocumentDeleted
        event = deleted(**{f"{whose}_project": "moon", f"{whose}_pages": 7, "resource_id": "d-1"})
        with path.sdk() as client, client.context(tenant=tenant, actor="user-17", ip="192.0.2.17"):
            with pytest.raises(InvalidEvent, match=f"auditlane schema sync {module.stem} --tenant {tenant}"):
                client.emit(event)
            commands.text("schema", "diff", module.stem, *scope, code=1)
            commands.text("schema", "sync", module.stem, *scope, "--yes")
            client.contract_changed(None)  # instead of waiting a second for the next refresh
            client.emit(event)
            client.record(deleted(**{f"{whose}_project": "sun"}))
        commands.text("schema", "diff", module.stem, *scope)
    (sun, moon) = path.listed(tenant, "action=document.deleted", 2)
    assert moon["fields"] == {f"{whose}_project": "moon", f"{whose}_pages": "7"}
    assert (moon["actor_id"], moon["ip"], moon["resource"]) == (
        "user-17", "192.0.2.17", "document"
    )  # fmt: skip
    assert sun["fields"] == {f"{whose}_project": "sun"}
    shown = path.call("GET", f"/v1/tenants/{tenant}/structure", tenant=tenant).json()["fields"]
    assert {one["name"] for one in shown} >= {f"{whose}_project", f"{whose}_pages"}


def _exported(path: Path, tenant: str, rows: int = 0) -> list[dict[str, str]]:
    def found() -> list[dict[str, str]]:
        text = path.call("GET", f"/v1/export?format=csv&{SENT}", tenant=tenant).data.decode()
        return list(csv.DictReader(io.StringIO(text)))

    wait_until(lambda: len(found()) >= rows, why=path.world.workers[-1].tail)
    return found()


def test_a_costly_pattern_delays_no_other_tenant(path: Path) -> None:
    """The service and the SDK immediately reject a pattern that a backtracking engine would never finish."""
    tenant, root = "pattern1", "/v1/tenants/pattern1/structure"
    field = {"name": "note", "rules": {"pattern": "a?" * 60 + "b", "maxLength": 100}}
    path.call("POST", f"{root}/fields", field, status=201)
    costly = "[ab]*(?:" + "|".join(f"a[ab{letter}]{{1000}}" for letter in "defghijklm") + ")c"
    for rules in ({"pattern": costly, "maxLength": 100}, {"pattern": "a"}, {"pattern": "a", "maxLength": 4_097}):
        path.call("POST", f"{root}/fields", {"name": "other", "rules": rules}, status=400)
    bad = {"tenant_id": tenant, "action": "Wrong", "note": "a" * 60}
    assert path.call("POST", "/v1/events", bad, status=400).json()["field"] == "note"
    path.call("POST", "/v1/events", bad | {"action": "Stock", "note": "aab"}, status=202)
    with path.sdk() as client, pytest.raises(InvalidEvent, match="note"):
        client.emit(tenant_id=tenant, action="Wrong", fields={"note": "a" * 60})
    path.stock(tenant, note="b")  # from another producer: the worker validates the event in the same way
    path.stock(tenant, note="a" * 60)
    stored = path.listed(tenant, SENT, 2)
    assert sorted(one["fields"]["note"] for one in stored) == ["aab", "b"]


def test_a_costly_pattern_that_was_registered_directly_is_never_run(path: Path) -> None:
    """Messages to which the pattern applies become dead letters of that tenant. The next tenant's event is stored."""
    base = json.loads(path.world.registry.latest(f"{path.world.settings.topic}-value").schema)
    costly = "[ab]*(?:" + "|".join(f"a[ab{letter}]{{1000}}" for letter in "defghijklm") + ")c"
    field = {"name": "note", "type": ["null", "string"], "default": None, "pattern": costly, "maxLength": 500_000}
    text = json.dumps(base | {"fields": [*base["fields"], field]})
    path.world.registry.register(f"{path.world.settings.topic}.direct1-value", text)
    path.stock("direct1", note="ab" * 50_000)
    path.stock("direct2")
    (stored,) = path.listed("direct2", SENT, 1)
    assert stored["action"] == "Stock"
    assert path.call("GET", f"/v1/events?{SENT}", tenant="direct1").json()["data"] == []
