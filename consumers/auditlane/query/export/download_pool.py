"""How many exports are sent at once, of one tenant and of all: in threads of their own, so that lists keep theirs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from auditlane.query.clickhouse.concurrency import TenantConcurrency
from auditlane.query.export.formats import Format
from auditlane.runtime.errors import Busy
from auditlane.runtime.fair_share import current
from auditlane.runtime.settings import Settings

THREADS: Final = 16  # of exports at work; one whose client reads slowly holds none
T = TypeVar("T")


class DownloadPool:
    """The exports that a process sends at present."""

    def __init__(self, *, per_tenant: int, pdfs: int, pdfs_per_tenant: int, patience_s: float) -> None:
        """`patience_s` is how long a PDF waits for one of the `pdfs` processes."""
        self._concurrency = TenantConcurrency(per_tenant, what="downloads", setting="export_downloads_per_tenant")
        self._pdf_concurrency = TenantConcurrency(pdfs_per_tenant, what="PDFs", setting="export_pdfs_per_tenant")
        self._pdfs = anyio.CapacityLimiter(pdfs)
        self._threads = anyio.CapacityLimiter(max(THREADS, 2 * per_tenant))
        self._patience_s = patience_s

    @classmethod
    def of(cls, settings: Settings) -> DownloadPool:
        """As the settings bound them."""
        return cls(
            per_tenant=settings.export_downloads_per_tenant,
            pdfs=settings.export_pdfs,
            pdfs_per_tenant=settings.export_pdfs_per_tenant,
            patience_s=settings.query_timeout_s,
        )

    async def run(self, work: Callable[[], T]) -> T:
        """What `work`, which may block, returns; in one of the threads of exports."""
        return await anyio.to_thread.run_sync(current().charged(work), limiter=self._threads)

    async def begin(self, tenant: str, format_: Format) -> ExitStack:
        """A place for one export, which closing the stack gives back.

        Raises RateLimited when the tenant has no place left, Busy when a PDF waited for its process in vain.
        """
        with ExitStack() as held:
            held.enter_context(self._concurrency.slot(tenant))
            if format_ is Format.pdf:
                held.enter_context(self._pdf_concurrency.slot(tenant))
                await self._seat(held)
            return held.pop_all()

    async def _seat(self, held: ExitStack) -> None:
        borrower: Any = object()
        try:
            with anyio.fail_after(self._patience_s):
                await self._pdfs.acquire_on_behalf_of(borrower)
        except TimeoutError as error:
            raise Busy(
                "As many PDFs are being made as this process makes at once.",
                fix="Try again in a moment, or take a CSV.",
            ) from error
        held.callback(self._pdfs.release_on_behalf_of, borrower)
