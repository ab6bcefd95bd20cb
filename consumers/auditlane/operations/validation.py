"""Builds validators for the operators' tools, with the workers' settings and the current contracts."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from auditlane.access.provenance_secrets import Secrets
from auditlane.contract.registry import RegistryClient
from auditlane.runtime.settings import Settings
from auditlane.store import preflight
from auditlane.store.event_insert import Table
from auditlane.store.partitioning import Partitioning, configured
from auditlane.worker.validation.event_columns import EVENTS
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator


def schema_cache(settings: Settings, registry: RegistryClient) -> SchemaCache:
    """Return a cache of the registry's contracts."""
    return SchemaCache(registry, topic=settings.topic, refresh_s=settings.registry_refresh_s)


def validator(
    settings: Settings, schemas: SchemaCache, secrets: Secrets, partitioning: Partitioning = Partitioning.MONTH
) -> BatchValidator:
    """Return a validator with the workers' settings. `partitioning` only matters if the rows are stored."""
    return BatchValidator(
        schemas,
        topic=settings.topic,
        max_event_bytes=settings.max_event_bytes,
        secrets=secrets,
        partitioning=partitioning,
    )


def events_table(settings: Settings, client: Client, *, parts_per_second: float) -> Table:
    """Check the live table as a worker does when it starts, and return it. Raises the same errors as
    `preflight.check`.
    """
    return preflight.check(
        client,
        settings.clickhouse_database,
        EVENTS.names,
        parts_per_second=parts_per_second,
        partitions=configured(settings),
    )
