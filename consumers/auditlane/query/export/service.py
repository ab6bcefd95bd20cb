"""Everything about exports that one `serve` has: made from the settings, started, closed."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from fastapi import APIRouter

from auditlane.query.clickhouse.concurrency import TenantConcurrency
from auditlane.query.export import router
from auditlane.query.export.download import CountRows
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.jobs import router as jobs_router
from auditlane.query.export.jobs.disk_quota import DiskQuota
from auditlane.query.export.jobs.folder import JobStore
from auditlane.query.export.jobs.record import JobRecord
from auditlane.query.export.jobs.router import JobDependencies, job_file
from auditlane.query.export.jobs.runner import Runner
from auditlane.query.export.jobs.worker import Worker
from auditlane.query.export.links import DownloadLinks, RequireStanding, Signer
from auditlane.query.export.request import StructureOf, filter_of
from auditlane.query.filters import Filter
from auditlane.query.router import Authorize
from auditlane.runtime.settings import Settings


class ExportService:
    """`exporter` makes files, `links` opens codes, `routers` are mounted. `start` comes before the first request,
    `close` after the last."""

    def __init__(
        self,
        settings: Settings,
        authorize: Authorize,
        signer: Signer,
        require_standing: RequireStanding,
        structure_of: StructureOf,
        *,
        count_rows: CountRows = lambda format_, rows: None,
        concurrency: TenantConcurrency | None = None,
    ) -> None:
        standing = partial(require_standing, behind="export")
        self.exporter = Exporter(settings, require_standing=standing, concurrency=concurrency)
        self.links = DownloadLinks(signer, require_standing, settings.serve_url)
        jobs = JobStore(_folder(settings))
        keep = timedelta(seconds=settings.export_expire_s)
        quota = DiskQuota.of(settings, jobs)
        self._runner = Runner(
            jobs,
            Worker(self.exporter, partial(_filter_of, structure_of), count_rows, quota.require_space),
            concurrency=settings.export_concurrency,
            per_tenant=settings.export_jobs_running_per_tenant,
            lease_s=settings.export_lease_s,
            keep=keep,
        )
        dependencies = JobDependencies(
            jobs=jobs,
            exporter=self.exporter,
            links=self.links,
            structure_of=structure_of,
            quota=quota,
            max_jobs=settings.export_jobs_per_tenant,
            keep=keep,
            wake=self._runner.wake,
            require_standing=standing,
        )
        self.routers: list[APIRouter] = [
            router.build(
                self.exporter,
                authorize,
                self.links,
                structure_of,
                count_rows=count_rows,
                job_file=partial(job_file, dependencies),
            ),
            jobs_router.build(dependencies, authorize),
        ]

    def start(self) -> None:
        """Begin to work on jobs."""
        self._runner.start()

    def close(self) -> None:
        """End what is going on, and the connections."""
        self._runner.close()
        self.exporter.close()


def _folder(settings: Settings) -> Path:
    keys = settings.signing_keys_file
    return settings.export_dir or (keys.parent / "exports" if keys else Path("exports"))


def _filter_of(structure_of: StructureOf, record: JobRecord) -> Filter:
    return filter_of(record.pairs, record.tenant, structure_of)
