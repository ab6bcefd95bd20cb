"""Limits the disk space of export jobs, per tenant and by the space that must remain free on the disk."""

from __future__ import annotations

from auditlane.access.scope import TenantScope
from auditlane.query.export.jobs.storage import JobStorage
from auditlane.runtime.errors import ConfigError, TooManyExports, Unavailable
from auditlane.runtime.settings import Settings, variable


class DiskQuota:
    """The limits on the storage of jobs. The disk of a folder may also contain the keys and ClickHouse's data."""

    def __init__(self, jobs: JobStorage, *, per_tenant: int, free: int) -> None:
        """Limit the files of each tenant to `per_tenant` bytes, and keep `free` bytes free on the disk of a folder."""
        self._jobs = jobs
        self._per_tenant = per_tenant
        self._free = free

    @classmethod
    def of(cls, settings: Settings, jobs: JobStorage) -> DiskQuota:
        """Make a quota with the limits from the settings."""
        return cls(jobs, per_tenant=settings.export_bytes_per_tenant, free=settings.export_disk_free_bytes)

    def require_space(self, scope: TenantScope) -> None:
        """Check that another file may be written for this tenant.

        Raises TooManyExports if the total size of the tenant's files is too large, and Unavailable if the disk is too
        full.
        """
        held = self._jobs.bytes_of(scope.tenant)
        if held >= self._per_tenant:
            raise TooManyExports(
                f"This tenant's exports take up {held} bytes; the limit is {self._per_tenant}.",
                fix=f"Remove one that is no longer needed; {variable('export_bytes_per_tenant')} is the limit.",
            )
        try:
            free = self._jobs.free()
        except OSError as error:
            raise ConfigError(
                f"Cannot write export jobs: {error}.", fix="Set AUDITLANE_EXPORT_DIR to a writable folder."
            ) from error
        if free is not None and free < self._free:
            raise Unavailable(
                "The disk for exports is almost full.",
                fix=f"Try again later, or download without a job; {variable('export_disk_free_bytes')} must stay free.",
            )
