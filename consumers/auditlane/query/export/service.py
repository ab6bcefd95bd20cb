"""The exports of one `serve` process. It creates the parts from the settings, and starts and closes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from auditlane.access.scope import TenantScope
from auditlane.query.base_filter import unmarked
from auditlane.query.clickhouse.executor import Observe, TenantConcurrency
from auditlane.query.export.download import CountRows
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.jobs.disk_quota import DiskQuota
from auditlane.query.export.jobs.folder import FolderStorage
from auditlane.query.export.jobs.record import JobRecord, State
from auditlane.query.export.jobs.runner import JobFigures, Runner
from auditlane.query.export.jobs.storage import JobStorage
from auditlane.query.export.jobs.worker import Worker
from auditlane.query.export.links import DownloadLinks, RequireStanding, Signer
from auditlane.query.export.request import ExportSpec, StructureOf, filter_of
from auditlane.query.export.since import Extent, Extents, narrowed
from auditlane.query.filters import Filter
from auditlane.runtime.errors import AuditlaneError, MissingExtra
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings, variable
from auditlane.store.client import LazyClient, connect


class ExportService:
    """The state behind the export routes. Call `start` before the first request and `close` after the last.

    A tenant has at most `max_jobs` jobs. A job is kept for `keep` after it ends. `wake` starts a new job without delay,
    and `count_rows(format, rows)` records the rows of a finished export. `require_standing` raises an error if a scope
    has lost access to its export.
    """

    exporter: Exporter
    links: DownloadLinks
    jobs: JobStorage
    quota: DiskQuota
    structure_of: StructureOf
    count_rows: CountRows
    require_standing: Callable[[TenantScope], None]
    max_jobs: int
    keep: timedelta

    def __init__(
        self,
        settings: Settings,
        signer: Signer,
        require_standing: RequireStanding,
        structure_of: StructureOf,
        *,
        count_rows: CountRows = lambda format_, rows: None,
        concurrency: TenantConcurrency | None = None,
        observe: Observe | None = None,
    ) -> None:
        self.structure_of = structure_of
        self.count_rows = count_rows
        self.require_standing = partial(require_standing, behind="export")
        self.exporter = Exporter(
            settings, require_standing=self.require_standing, concurrency=concurrency, observe=observe
        )
        self.links = DownloadLinks(signer, require_standing, settings.serve_url)
        self.jobs = storage_of(settings)
        self.quota = DiskQuota.of(settings, self.jobs)
        self._store = LazyClient(lambda: connect(settings))
        self.extents = Extents(self._store.client, settings.clickhouse_database, self.exporter.executor)
        self.max_jobs = settings.export_jobs_per_tenant
        self.keep = timedelta(seconds=settings.export_expire_s)
        self._runner = Runner(
            self.jobs,
            Worker(
                self.exporter, partial(_filter_of, structure_of), count_rows, self.quota.require_space, self._job_done
            ),
            concurrency=settings.export_concurrency,
            per_tenant=settings.export_jobs_running_per_tenant,
            lease_s=settings.export_lease_s,
            keep=self.keep,
        )

    def start(self) -> None:
        """Start working on export jobs."""
        self._runner.start()

    @property
    def job_figures(self) -> Mapping[State, JobFigures]:
        """Return the figures for each job state, as of the last scan."""
        return self._runner.figures

    def wake(self) -> None:
        """Look for new jobs now."""
        self._runner.wake()

    def covered(self, scope: TenantScope, spec: ExportSpec) -> tuple[Filter, Extent]:
        """Return the filter for an export with `since`, and the extent that it covers."""
        earlier = self.extents.last(scope, spec.filter)
        present = self.extents.present(scope, earlier)
        return narrowed(spec.filter, earlier if spec.since == "last" else None, present), present

    def note_download(self, scope: TenantScope, filter_: Filter, extent: Extent) -> None:
        """Record that a download is complete. If the store is unavailable, the next download repeats its events."""
        try:
            self.extents.keep(scope, filter_, extent)
        except AuditlaneError as error:
            get("export").warning("export.extent_not_kept", tenant=scope.tenant, problem=str(error))

    def close(self) -> None:
        """End the running jobs, and close the connections."""
        self._runner.close()
        self.exporter.close()
        self._store.close()

    def _job_done(self, record: JobRecord) -> None:
        if record.extent is not None:
            self.note_download(record.scope, _filter_of(self.structure_of, record), record.extent)


async def exports_of(request: Request) -> ExportService:
    """Return the export service of the app that handles this request."""
    exports: ExportService = request.app.state.services.exports
    return exports


Exports = Annotated[ExportService, Depends(exports_of)]


def storage_of(settings: Settings) -> JobStorage:
    """Return the storage named in the settings, a bucket or a folder. Raises ConfigError."""
    if not settings.export_url:
        return FolderStorage(_folder(settings))
    try:
        from auditlane.query.export.jobs import bucket
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{variable('export_url')} needs {error.name}.", fix="Install it: pip install 'auditlane[s3]'"
        ) from error
    return bucket.BucketStorage(bucket.open_bucket(settings))


def _folder(settings: Settings) -> Path:
    keys = settings.signing_keys_file
    return settings.export_dir or (keys.parent / "exports" if keys else Path("exports"))


def _filter_of(structure_of: StructureOf, record: JobRecord) -> Filter:
    own = unmarked(record.pairs)[1]
    filter_ = replace(filter_of(own, record.tenant, structure_of), include_access=record.include_access)
    return filter_ if record.offsets is None else replace(filter_, offsets=record.places)
