"""Correct and incorrect uses of the public SDK. They are read by type checkers, and never run.

On a line that ends in `# wrong: <code of mypy>, <rule of pyright>`, each checker must report exactly that. Checkers
must not report anything on other lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Unpack
from uuid import UUID

from auditlane.sdk import (
    AuditClient,
    AuditEvent,
    AuditlaneError,
    AuditReader,
    ClientConfig,
    Event,
    EventFields,
    EventFilters,
    FlushResult,
    Outcome,
    Severity,
)

NOW = datetime.now(UTC)


class DocumentDeleted(AuditEvent, action="document.deleted", resource="document", outcome="success"):
    project: str
    pages: int | None = None


class PageDeleted(DocumentDeleted, action="page.deleted", severity=Severity.Low):
    words: int


def declares(audit: AuditClient) -> str:
    event = DocumentDeleted(project="moon")
    PageDeleted(project="moon", words=7, pages=3, outcome=Outcome.denied, before={"title": "Draft"})
    DocumentDeleted(tenant_id="acme", action="document.purged", project="moon", ip="192.0.2.17", metadata={"a": "b"})
    AuditEvent(tenant_id="acme", action="login", outcome="denied", occurred_at=NOW, before={"a": 1})
    audit.emit(event)

    DocumentDeleted()  # wrong: call-arg, reportCallIssue
    DocumentDeleted(projct="moon")  # wrong: call-arg, reportCallIssue
    DocumentDeleted(project=7)  # wrong: arg-type, reportArgumentType
    DocumentDeleted(project="moon", pages="3")  # wrong: arg-type, reportArgumentType
    DocumentDeleted(project="moon", outcome="succes")  # wrong: arg-type, reportArgumentType
    PageDeleted(project="moon")  # wrong: call-arg, reportCallIssue
    AuditEvent(action="login")  # wrong: call-arg, reportCallIssue
    AuditEvent(tenant_id="acme")  # wrong: call-arg, reportCallIssue
    AuditEvent(tenant_id="acme", action="login", outcome="succes")  # wrong: arg-type, reportArgumentType
    print(event.projct)  # wrong: attr-defined, reportAttributeAccessIssue
    return event.project


def makes_clients(config: ClientConfig, options: dict[str, Any], tenants: frozenset[str]) -> None:
    def on_error(error: AuditlaneError, event_id: str | None) -> None: ...

    AuditClient()
    AuditClient(config)
    AuditClient(config, max_block_ms=500)
    AuditClient(**options)
    AuditClient(on_error=on_error)
    AuditClient(on_error=lambda error, event_id: None)
    AuditClient(kafka_bootstrap="a:1,b:2", registry_url="http://r", kafka_extra={"security.protocol": "SSL"})
    AuditClient(registry_user="u", registry_password="p", registry_ca="/ca.pem")
    AuditClient(registry_token="t", topic="audit.events")
    AuditClient(registry_refresh_s=30, registry_wait_ms=0, close_timeout_s=0.5, source="billing")
    AuditClient(max_event_bytes=1024, buffer_bytes=1024, delivery_timeout_ms=100, max_block_ms=None)
    AuditClient(shards={"acme": 8}, dedicated_tenants={"globex"}, compression="zstd")
    AuditClient(dedicated_tenants=tenants)
    ClientConfig(kafka_bootstrap="a:1", registry_url="http://r", compression="lz4", dedicated_tenants={"acme"})
    ClientConfig.load(max_block_ms=500)

    AuditClient(max_blok_ms=500)  # wrong: arg-type, reportArgumentType
    AuditClient(max_block_ms="500")  # wrong: arg-type, reportArgumentType
    AuditClient(close_timeout_s="10")  # wrong: arg-type, reportArgumentType
    AuditClient(kafka_bootstrap=["a:1", "b:2"])  # wrong: arg-type, reportArgumentType
    AuditClient(kafka_extra="acks=all")  # wrong: arg-type, reportArgumentType
    AuditClient(shards={"acme": "8"})  # wrong: dict-item, reportArgumentType
    AuditClient(dedicated_tenants=8)  # wrong: arg-type, reportArgumentType
    AuditClient(compression="gzip")  # wrong: arg-type, reportArgumentType
    AuditClient(on_error=lambda error: None)  # wrong: arg-type misc, reportArgumentType
    AuditClient("a:1")  # wrong: arg-type, reportArgumentType
    AuditClient(config, on_error)  # wrong: call-arg, reportCallIssue
    AuditClient(url="https://a", token=lambda: "t")
    AuditClient(url="https://a", token=lambda: 1)  # wrong: arg-type return-value, reportArgumentType


def emits(audit: AuditClient, event: AuditEvent, values: dict[str, Any], texts: Mapping[str, str]) -> str:
    audit.emit(event)
    audit.emit(None, tenant_id="acme", action="login")
    audit.emit(**values)
    audit.emit(action="login")  # within a context
    audit.emit(tenant_id="acme", action="login", actor_id="u-1", actor_type="api_key", actor_name=None)
    audit.emit(tenant_id="acme", action="login", event_id=UUID(int=1), occurred_at=NOW, on_behalf_of="u-2")
    audit.emit(tenant_id="acme", action="login", event_id=str(UUID(int=1)), occurred_at="2026-01-31T13:45:00Z")
    audit.emit(tenant_id="acme", action="login", outcome="denied", severity="Critical")
    audit.emit(tenant_id="acme", action="login", outcome=Outcome.denied, severity=Severity.Critical)
    audit.emit(tenant_id="acme", action="login", ip="192.0.2.17", user_agent="curl", request_id="r-1")
    audit.emit(tenant_id="acme", action="login", ip=ip_address("2001:db8::1"), description="Signed in.")
    audit.emit(tenant_id="acme", action="edit", resource="document", resource_id="d-1", before="{}", after={"a": [1]})
    audit.emit(tenant_id="acme", action="login", source="billing", metadata={"region": "eu"})
    audit.emit(tenant_id="acme", action="login", metadata=texts, fields=texts)
    audit.emit(tenant_id="acme", action="pay", fields={"project": "moon", "amount": 12.5})
    audit.emit(tenant_id="acme", action="pay", project="moon", amount=12.5, paid=True)  # the tenant's own custom fields
    audit.emit(AuditEvent(tenant_id="acme", action="pay", fields={"project": "moon"}))

    audit.emit()  # wrong: call-overload, reportCallIssue
    audit.emit({"tenant_id": "acme", "action": "login"})  # wrong: call-overload, reportArgumentType
    audit.emit(event, action="login")  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", acton="login")  # wrong: call-overload, reportCallIssue
    audit.emit(tenant_id=7, action="login")  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action=None)  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", actor_id=17)  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", actor_id=None)  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", actor_name=17)  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", occurred_at=1_714_564_800)  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", event_id=1)  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", outcome="succes")  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", outcome=True)  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", severity="high")  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", severity=Outcome.denied)  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", ip=3_221_225_985)  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", metadata={"attempt": 3})  # wrong: dict-item, reportArgumentType
    audit.emit(tenant_id="acme", action="login", metadata="eu")  # wrong: call-overload, reportArgumentType
    audit.emit(tenant_id="acme", action="login", fields=["moon"])  # wrong: call-overload, reportArgumentType
    # Only here can a checker distinguish a misspelt field from a custom one:
    audit.emit(AuditEvent(tenant_id="acme", action="login", actor_idd="u-1"))  # wrong: call-arg, reportCallIssue

    result: FlushResult = audit.flush(timeout=10)
    audit.flush("10")  # wrong: arg-type, reportArgumentType
    print(result.delivered, result.deliverd)  # wrong: attr-defined, reportAttributeAccessIssue
    count: int = audit.emit(event)  # wrong: assignment, reportAssignmentType
    print(count)
    return audit.emit(event)


def emits_known_actions(audit: AuditClient, event: EventFields) -> str:
    audit.user.login(method="password")
    audit.user.login(method="sso", mfa="totp", session_id=None, tenant_id="acme", actor_id="u-1", ip=ip_address("::1"))
    audit.user.login_failed(reason="bad_credentials", login="jane@example.com", outcome="denied", metadata={"a": "b"})
    audit.user.logout()
    audit.role.assigned(role="admin", resource_id="u-1", severity=Severity.High, before={"role": "viewer"})
    audit.user.locked(reason="attempts", until=NOW, attempts=5)
    audit.api_key.created(name="backup", scopes={"read"}, fields={"project": "moon"})
    audit.data.exported(rows=10, format="csv", **event)

    audit.user.login()  # wrong: call-arg, reportCallIssue
    audit.user.login("password")  # wrong: call-arg, reportCallIssue
    audit.user.login(method="pasword")  # wrong: arg-type, reportArgumentType
    audit.user.login(method="password", actor_idd="u-1")  # wrong: call-arg, reportCallIssue
    audit.user.login(method="password", project="moon")  # wrong: call-arg, reportCallIssue
    audit.user.login(method="password", action="login")  # wrong: call-arg, reportCallIssue
    audit.user.login_failed(reason="typo")  # wrong: arg-type, reportArgumentType
    audit.user.login_failed(reason="mfa", outcome="failed")  # wrong: arg-type, reportArgumentType
    audit.user.loggedin(method="password")  # wrong: attr-defined, reportAttributeAccessIssue
    audit.users.login(method="password")  # wrong: attr-defined, reportAttributeAccessIssue
    audit.role.assigned(role=7)  # wrong: arg-type, reportArgumentType
    audit.user.locked(reason="attempts", attempts="5")  # wrong: arg-type, reportArgumentType
    audit.api_key.created(name="backup", scopes=8)  # wrong: arg-type, reportArgumentType
    audit.key.created()  # wrong: attr-defined, reportAttributeAccessIssue
    return audit.tenant.deleted(resource_id="acme")


def reads(reader: AuditReader, ids: list[str], names: set[str], given: Iterator[str]) -> Iterator[Event]:
    yield from reader.events()
    reader.events(action="login", outcome=["failure", "denied"], from_=NOW, to="2026-01-31", limit=10, sort="-severity")
    reader.events(action=["login", "logout"], actor="Jane", actor_id=ids, resource_id=17, request_id=UUID(int=1))
    reader.events(actor_type=names, actor_name=given, severity=Severity.High, ip=ip_address("::1"), on_behalf_of="u")
    reader.events(event_id=UUID(int=1), resource="document", description="", user_agent="curl", source="billing")
    reader.events(provenance="gateway", provenance_id="c", q="words", query="action:login* OR ip:10.0.0.0/8")
    reader.events({"metadata.region": ["eu", "us"], "fields.amount": 12.5}, outcome=Outcome.failure)
    shares = {
        one.value: one.before for one in reader.groups("actor", {"metadata.region": "eu"}, compare=True, from_=NOW).data
    }
    print(shares)
    rows: int = reader.export("a.csv", format="csv", columns=["action"], action="login", progress=print)
    print(rows, reader.event("id").others[0].action)

    reader.events(acton="login")  # wrong: call-arg, reportCallIssue
    reader.events(tenant_id="acme")  # wrong: call-arg, reportCallIssue
    reader.events(action=None)  # wrong: arg-type, reportArgumentType
    reader.events(action=b"login")  # wrong: arg-type, reportArgumentType
    reader.events(action={"login": True}.values())  # wrong: arg-type, reportArgumentType
    reader.events(outcome="failed")  # wrong: arg-type, reportArgumentType
    reader.events(outcome=["failure", "failed"])  # wrong: list-item, reportArgumentType
    reader.events(severity="high")  # wrong: arg-type, reportArgumentType
    reader.events(provenance="http")  # wrong: arg-type, reportArgumentType
    reader.events(from_=1_714_564_800)  # wrong: arg-type, reportArgumentType
    reader.events(query=["a", "b"])  # wrong: arg-type, reportArgumentType
    reader.events(limit="10")  # wrong: arg-type, reportArgumentType
    reader.events("action")  # wrong: arg-type, reportArgumentType
    reader.events({"action": None})  # wrong: dict-item, reportArgumentType
    reader.export("a.xls", format="xls")  # wrong: arg-type, reportArgumentType
    reader.export("a.csv", acton="login")  # wrong: call-arg, reportCallIssue
    AuditReader("http://a", tokn="t")  # wrong: call-arg, reportCallIssue


def wraps(reader: AuditReader, **filters: Unpack[EventFilters]) -> list[str]:
    return [event.action for event in reader.events(**filters)]


def wrapped(reader: AuditReader) -> None:
    wraps(reader, action="login")
    wraps(reader, acton="login")  # wrong: call-arg, reportCallIssue
