"""Room for the files of export jobs: what one tenant may fill, and what of the disk is left to everybody else."""

from __future__ import annotations

from auditlane.access.scope import TenantScope
from auditlane.query.export.jobs.folder import JobStore
from auditlane.runtime.errors import ConfigError, TooManyExports, Unavailable
from auditlane.runtime.settings import Settings, variable


class DiskQuota:
    """The bounds of the folder. The disk may hold the keys and ClickHouse's data as well."""

    def __init__(self, jobs: JobStore, *, per_tenant: int, free: int) -> None:
        """In bytes."""
        self._jobs = jobs
        self._per_tenant = per_tenant
        self._free = free

    @classmethod
    def of(cls, settings: Settings, jobs: JobStore) -> DiskQuota:
        """As the settings bound it."""
        return cls(jobs, per_tenant=settings.export_bytes_per_tenant, free=settings.export_disk_free_bytes)

    def demand(self, scope: TenantScope) -> None:
        """Raise TooManyExports when the tenant has filled its part, Unavailable when the disk has no room to spare."""
        held = self._jobs.bytes_of(scope.tenant)
        if held >= self._per_tenant:
            raise TooManyExports(
                f"The exports of this tenant hold {held} bytes, and {self._per_tenant} can be kept.",
                fix=f"Remove one that is not needed; {variable('export_bytes_per_tenant')} is the bound.",
            )
        try:
            free = self._jobs.free()
        except OSError as error:
            raise ConfigError(
                f"Export jobs cannot be written: {error}.", fix="Set AUDITLANE_EXPORT_DIR to a folder that can be."
            ) from error
        if free < self._free:
            raise Unavailable(
                "The disk of the exports has no room to spare.",
                fix=f"Try again later, or take the file at once; {variable('export_disk_free_bytes')} stay free.",
            )
