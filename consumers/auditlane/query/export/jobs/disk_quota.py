"""Limits the disk space of export jobs: for each tenant, and what stays free for everything else on the disk."""

from __future__ import annotations

from auditlane.access.scope import TenantScope
from auditlane.query.export.jobs.folder import JobStore
from auditlane.runtime.errors import ConfigError, TooManyExports, Unavailable
from auditlane.runtime.settings import Settings, variable


class DiskQuota:
    """The limits of the jobs' folder. The disk may hold the keys and ClickHouse's data as well."""

    def __init__(self, jobs: JobStore, *, per_tenant: int, free: int) -> None:
        """`per_tenant` is what a tenant's files may hold, `free` what the disk keeps free; both in bytes."""
        self._jobs = jobs
        self._per_tenant = per_tenant
        self._free = free

    @classmethod
    def of(cls, settings: Settings, jobs: JobStore) -> DiskQuota:
        """The quota of the settings."""
        return cls(jobs, per_tenant=settings.export_bytes_per_tenant, free=settings.export_disk_free_bytes)

    def require_space(self, scope: TenantScope) -> None:
        """Check that another file may be written for this tenant.

        Raises TooManyExports when its files hold too much, Unavailable when the disk is too full.
        """
        held = self._jobs.bytes_of(scope.tenant)
        if held >= self._per_tenant:
            raise TooManyExports(
                f"The exports of this tenant hold {held} bytes, and {self._per_tenant} can be kept.",
                fix=f"Remove one that is not needed; {variable('export_bytes_per_tenant')} is the limit.",
            )
        try:
            free = self._jobs.free()
        except OSError as error:
            raise ConfigError(
                f"Export jobs cannot be written: {error}.", fix="Set AUDITLANE_EXPORT_DIR to a folder that can be."
            ) from error
        if free < self._free:
            raise Unavailable(
                "The disk of the exports is too full.",
                fix=f"Try again later, or take the file at once; {variable('export_disk_free_bytes')} stay free.",
            )
