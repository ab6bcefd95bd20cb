"""Tests the folders of export jobs: one owner at a time, lost leases, separation of tenants, and expiry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditlane.access.scope import TenantScope
from auditlane.query.export.columns import Column
from auditlane.query.export.formats import Format
from auditlane.query.export.jobs.disk_quota import DiskQuota
from auditlane.query.export.jobs.folder import FolderStorage, JobFolder
from auditlane.query.export.jobs.lease import Lease, LeaseLost, LeaseMonitor
from auditlane.query.export.jobs.record import JobAttempt, JobRecord
from auditlane.runtime.errors import InvalidInput, NotFound, TooManyExports, Unavailable
from auditlane.runtime.ids import uuid7

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACME, GLOBEX = TenantScope.for_operator("acme"), TenantScope.for_operator("globex")
DAY = timedelta(days=1)


def record(tenant: str = "acme") -> JobRecord:
    return JobRecord(
        id=uuid7(),
        tenant=tenant,
        actor="jane",
        actor_type="user",
        pairs=(("format", "csv"), ("action", "login")),
        format=Format.csv,
        columns=(Column("action", "Action"), Column("total", "Total", custom=True, number=True)),
        raw_formulas=False,
        rows=7,
        bound_ms=1,
        created_at=NOW,
    )


@pytest.fixture
def jobs(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "exports")


@pytest.fixture
def folder(jobs: FolderStorage) -> JobFolder:
    return jobs.create(record())


def take(folder: JobFolder, owner: str) -> Lease:
    lease = Lease.take(folder, folder.status(), owner)
    assert lease is not None
    return lease


def test_a_written_job_is_read_back(jobs: FolderStorage) -> None:
    made = record()
    status = jobs.create(made).status()
    assert (status.record, status.attempt, status.state, status.ended_at) == (made, None, "queued", None)
    assert status.record.form.columns == made.columns


def test_only_one_owner_takes_a_job(folder: JobFolder) -> None:
    status = folder.status()
    assert Lease.take(folder, status, "a") is not None
    assert Lease.take(folder, status, "b") is None
    attempt = folder.status().attempt
    assert attempt is not None
    assert (attempt.owner, folder.status().state) == ("a", "running")
    assert not list(folder.path.glob(".*"))


def test_an_owner_that_lost_its_lease_changes_nothing(folder: JobFolder) -> None:
    old = take(folder, "a")
    old.save(rows=5, size=50, position=(1, "x", "y"), file=1)
    new = take(folder, "b")
    assert (new.attempt.epoch, new.attempt.rows, new.attempt.size, new.attempt.file) == (2, 5, 50, 1)
    with pytest.raises(LeaseLost):
        old.save(rows=6)
    new.save(rows=7, state="done")
    assert folder.status().attempt == new.attempt
    assert folder.status().state == "done"


def test_a_cancelled_job_is_lost_to_its_owner(folder: JobFolder) -> None:
    lease = take(folder, "a")
    folder.output(1).write_text("half")
    folder.cancel()
    assert folder.status().state == "cancelled"
    assert not folder.output(1).exists()
    with pytest.raises(LeaseLost):
        lease.save(rows=6)


def test_a_lease_expires_without_a_sign_of_its_owner() -> None:
    now = 100.0
    monitor = LeaseMonitor(10.0, lambda: now)
    attempt = JobAttempt(epoch=1, owner="a", changed_at=NOW)
    assert not monitor.lapsed("x", attempt), "seen for the first time"
    now = 109.0
    assert not monitor.lapsed("x", attempt)
    now = 110.0
    assert not monitor.lapsed("x", attempt.model_copy(update={"beat": 1})), "its owner renewed the lease"
    now = 119.0
    assert not monitor.lapsed("x", attempt.model_copy(update={"beat": 1}))
    now = 120.0
    assert monitor.lapsed("x", attempt.model_copy(update={"beat": 1}))
    assert monitor.lapsed("y", attempt.model_copy(update={"owner": ""})), "the lease was released"


def test_another_tenants_job_is_not_found(jobs: FolderStorage, tmp_path: Path) -> None:
    mine = jobs.create(record()).id
    assert jobs.find(ACME, mine)[1].record.id == mine
    for scope, id_ in ((GLOBEX, mine), (ACME, "../globex"), (ACME, ""), (ACME, mine.upper()), (ACME, uuid7())):
        with pytest.raises(NotFound):
            jobs.find(scope, id_)
    for tenant in ("../acme", "", "."):
        with pytest.raises(InvalidInput):
            jobs.find(TenantScope.for_operator(tenant), mine)
    # On a case-insensitive file system, `Acme` and `acme` name the same folder.
    (tmp_path / "exports" / "globex").symlink_to(tmp_path / "exports" / "acme")
    with pytest.raises(NotFound):
        jobs.find(GLOBEX, mine)
    assert jobs.of_tenant("globex") == []
    assert [one.record.id for one in jobs.of_tenant("acme")] == [mine]


def test_expired_jobs_are_deleted(jobs: FolderStorage) -> None:
    waiting, going, done = (jobs.create(record()) for _ in range(3))
    take(going, "a")
    lease = take(done, "a")
    lease.save(state="done")
    half_made = JobFolder(done.path.with_name(uuid7()))
    half_made.path.mkdir()
    soon, later = lease.attempt.changed_at + DAY / 2, lease.attempt.changed_at + DAY
    jobs.sweep(soon, DAY)
    assert done.status().state == "done"
    jobs.sweep(later, DAY)
    with pytest.raises(NotFound):
        done.status()
    assert not done.path.exists()
    assert not half_made.path.exists()
    assert [one.status().state for one in (waiting, going)] == ["queued", "running"]


# Disk space


def test_a_tenants_bytes_and_the_disk_are_bounded(jobs: FolderStorage) -> None:
    scope = record().scope
    for size in (60, 30):
        jobs.create(record()).output(1).write_bytes(b"x" * size)
    jobs.create(record("globex")).output(1).write_bytes(b"x" * 500)
    DiskQuota(jobs, per_tenant=91, free=1).require_space(scope)
    with pytest.raises(TooManyExports, match="90 bytes"):
        DiskQuota(jobs, per_tenant=90, free=1).require_space(scope)
    with pytest.raises(Unavailable, match="almost full"):
        DiskQuota(jobs, per_tenant=91, free=1 << 62).require_space(scope)
    with pytest.raises(TooManyExports):
        DiskQuota(jobs, per_tenant=500, free=1).require_space(record("globex").scope)
