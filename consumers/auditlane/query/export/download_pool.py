"""Limits concurrent exports, per tenant and in total. Exports run in threads separate from those for lists."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from auditlane.query.clickhouse.executor import TenantConcurrency
from auditlane.query.export.formats import Format
from auditlane.runtime.errors import Busy
from auditlane.runtime.fair_share import current
from auditlane.runtime.settings import Settings

THREADS: Final = 16  # number of export threads; an export does not hold one while its client reads slowly
T = TypeVar("T")


class DownloadPool:
    """Tracks the exports that a process is sending."""

    def __init__(self, *, per_tenant: int, pdfs: int, pdfs_per_tenant: int, patience_s: float) -> None:
        """Set the limits. A PDF or workbook waits for at most `patience_s` seconds for one of the `pdfs` processes."""
        self._concurrency = TenantConcurrency(per_tenant, what="downloads", setting="export_downloads_per_tenant")
        self._pdf_concurrency = TenantConcurrency(pdfs_per_tenant, what="documents", setting="export_pdfs_per_tenant")
        self._pdfs = anyio.CapacityLimiter(pdfs)
        self._threads = anyio.CapacityLimiter(max(THREADS, 2 * per_tenant))
        self._patience_s = patience_s

    @classmethod
    def of(cls, settings: Settings) -> DownloadPool:
        """Make a pool with the settings' limits."""
        return cls(
            per_tenant=settings.export_downloads_per_tenant,
            pdfs=settings.export_pdfs,
            pdfs_per_tenant=settings.export_pdfs_per_tenant,
            patience_s=settings.query_timeout_s,
        )

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work`, which may block, in one of the export threads, and return its result."""
        return await anyio.to_thread.run_sync(current().charged(work), limiter=self._threads)

    async def begin(self, tenant: str, format_: Format) -> ExitStack:
        """Take a slot for one export. Closing the stack releases the slot.

        Raises RateLimited if the tenant has no slot left, and Busy if no document process became free in time.
        """
        with ExitStack() as held:
            held.enter_context(self._concurrency.slot(tenant))
            if format_.document:
                held.enter_context(self._pdf_concurrency.slot(tenant))
                await self._acquire_pdf(held)
            return held.pop_all()

    async def _acquire_pdf(self, held: ExitStack) -> None:
        borrower: Any = object()
        try:
            with anyio.fail_after(self._patience_s):
                await self._pdfs.acquire_on_behalf_of(borrower)
        except TimeoutError as error:
            raise Busy(
                "This process has reached its limit of concurrent PDF and Excel exports.",
                fix="Try again in a moment, or export a CSV; AUDITLANE_EXPORT_PDFS is the limit.",
            ) from error
        held.callback(self._pdfs.release_on_behalf_of, borrower)
