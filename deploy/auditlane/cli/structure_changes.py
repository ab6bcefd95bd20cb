"""Shared by commands that change data structures: creates the service, and records an audit event for each change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditlane.cli.operator_audit import record_all
from auditlane.runtime.settings import load

if TYPE_CHECKING:
    from auditlane.query.structure.contract_repository import Registrations
    from auditlane.query.structure.service import FieldChange, StructureChange, StructureService, Unfinished


def structure_service() -> StructureService:
    """Return a service that directly changes the configured ClickHouse and registry."""
    from auditlane.query.structure.contract_repository import contract_repository_of
    from auditlane.query.structure.service import StructureService
    from auditlane.store.client import LazyClient, connect

    settings = load()
    return StructureService(
        LazyClient(lambda: connect(settings)).client, settings.clickhouse_database, contract_repository_of(settings)
    )


def unfinished_recorder(tenant: str | None, stated: FieldChange | None, name: str) -> Unfinished:
    """Return a function that records a failed change that may have changed the contract anyway."""
    from auditlane.query.structure.audit import schema_events, unfinished

    def note(error: BaseException, registered: Registrations) -> None:
        action, facts = unfinished(name, stated, error)
        record_all([(action, facts | {"tenant": tenant}), *schema_events(registered)])

    return note


def record_change(done: StructureChange, stated: FieldChange | None = None) -> None:
    """Record a change. `stated` is the requested change to a field's contract, if any."""
    from auditlane.query.structure.audit import audit_events

    scope, _, tenant = done.after.own.scope.partition(":")
    own = {"tenant": tenant} if scope == "tenant" else {}
    record_all([(action, own | facts) for action, facts in audit_events(done, stated)])
