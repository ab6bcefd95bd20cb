"""Tests export jobs in a bucket of a real S3-compatible server: one owner at a time, the same file as a direct export,
tenant isolation, expiry, a storage outage, and a killed process.
"""

from __future__ import annotations

import io
import signal
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import urllib3
from fixtures.object_storage import ObjectStorage
from fixtures.stack import until
from querying import Store, store
from serving import Served, ServeProcess

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.local.doctor import run as doctor
from auditlane.local.doctor.finding import Level, guarded
from auditlane.query.export.columns import Column
from auditlane.query.export.formats import Format
from auditlane.query.export.jobs.bucket import BucketStorage, JobPrefix, open_bucket
from auditlane.query.export.jobs.disk_quota import DiskQuota
from auditlane.query.export.jobs.lease import Lease, LeaseLost
from auditlane.query.export.jobs.record import JobRecord
from auditlane.runtime.errors import ConfigError, InvalidInput, NotFound, TooManyExports, Unavailable
from auditlane.runtime.ids import uuid7
from auditlane.runtime.settings import load

ROWS = 60_000
DAY = timedelta(days=1)
ACME, GLOBEX = TenantScope.for_operator("acme"), TenantScope.for_operator("globex")


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.generate("acme", ROWS)
        yield made


@pytest.fixture
def bucket(object_storage: ObjectStorage) -> dict[str, Any]:
    """Provide settings with a new prefix."""
    return object_storage.settings()


@pytest.fixture
def jobs(bucket: dict[str, Any]) -> BucketStorage:
    made = BucketStorage(open_bucket(load(**bucket)))
    made.prepare()
    return made


def record(tenant: str = "acme") -> JobRecord:
    return JobRecord(
        id=uuid7(),
        tenant=tenant,
        actor="jane",
        actor_type="user",
        pairs=(("format", "csv"),),
        format=Format.csv,
        columns=(Column("action", "Action"),),
        raw_formulas=False,
        rows=7,
        bound_ms=1,
        created_at=datetime.now(UTC),
    )


def take(job: JobPrefix, owner: str) -> Lease:
    lease = Lease.take(job, job.status(), owner)
    assert lease is not None
    return lease


def write(lease: Lease, *pieces: bytes) -> None:
    with lease.job.writing(lease.attempt, lease.save, lambda: None) as output:
        for piece in pieces:
            output.write(piece)
        lease.save(size=output.tell(), **output.sync())


def test_only_one_owner_takes_a_job_and_a_former_owner_changes_nothing(
    jobs: BucketStorage, object_storage: ObjectStorage, bucket: dict[str, Any]
) -> None:
    made = record()
    job = jobs.create(made)
    status = job.status()
    assert (status.record, status.state) == (made, "queued")
    old = Lease.take(job, status, "a")
    assert old is not None
    assert Lease.take(job, status, "b") is None
    write(old, b"one", b"two")
    new = take(job, "b")
    with pytest.raises(LeaseLost):
        old.save(rows=6)
    job.discard(old.attempt)  # which the successor needs
    write(new, b"three")
    assert (new.attempt.size, new.attempt.segments) == (11, ((1, 6), (2, 5)))
    job.put_segment(1, 1, b"of the former owner")
    new.save(state="done")
    job.drop_outputs(keep=new.attempt)
    names = [name.rpartition("/")[2] for name in object_storage.objects(bucket)]
    assert names == ["job.json", "output.1.0", "output.2.1", "run.1.json", "run.2.json"]
    assert job.status().attempt == new.attempt


def test_a_cancelled_job_is_lost_to_its_owner(jobs: BucketStorage) -> None:
    job = jobs.create(record())
    lease = take(job, "a")
    write(lease, b"half")
    job.cancel()
    with pytest.raises(LeaseLost):
        lease.save(rows=6)
    job.put_segment(1, 1, b"written before the loss was noticed")
    job.discard(lease.attempt)
    assert (job.status().state, jobs.bytes_of("acme")) == ("cancelled", 0)


def test_another_tenants_job_is_not_found_and_bytes_are_bounded(jobs: BucketStorage) -> None:
    mine, theirs = jobs.create(record()), jobs.create(record("globex"))
    write(take(mine, "a"), b"x" * 90)
    write(take(theirs, "a"), b"x" * 500)
    assert jobs.find(ACME, mine.id)[1].record.id == mine.id
    for scope, id_ in ((GLOBEX, mine.id), (ACME, "../globex"), (ACME, mine.id.upper()), (ACME, uuid7())):
        with pytest.raises(NotFound):
            jobs.find(scope, id_)
    with pytest.raises(InvalidInput):
        jobs.find(TenantScope.for_operator("../acme"), mine.id)
    assert [one.record.id for one in jobs.of_tenant("acme")] == [mine.id]
    assert sorted(one.id for one in jobs.all()) == sorted([mine.id, theirs.id])
    DiskQuota(jobs, per_tenant=91, free=1 << 62).require_space(ACME)
    with pytest.raises(TooManyExports, match="90 bytes"):
        DiskQuota(jobs, per_tenant=90, free=1).require_space(ACME)


def test_expired_jobs_are_removed_with_all_their_objects(
    jobs: BucketStorage, object_storage: ObjectStorage, bucket: dict[str, Any]
) -> None:
    waiting, done = jobs.create(record()), jobs.create(record())
    lease = take(done, "a")
    write(lease, b"x")
    lease.save(state="done")
    removed = jobs.create(record())
    removed.remove()
    removed.put_segment(1, 0, b"of an owner that did not notice")
    jobs.sweep(lease.attempt.changed_at + DAY / 2, DAY)
    assert done.status().state == "done"
    jobs.sweep(lease.attempt.changed_at + DAY, DAY)
    assert [one.id for one in jobs.all()] == [waiting.id]
    assert object_storage.objects(bucket) == [f"acme/{waiting.id}/job.json"]


def test_errors_of_the_bucket_name_the_settings(bucket: dict[str, Any]) -> None:
    wrong_key = BucketStorage(open_bucket(load(**bucket | {"export_s3_secret_key": "wrong"})))
    with pytest.raises(ConfigError, match="refuses access"):
        wrong_key.prepare()
    [failed] = guarded("exports", lambda: doctor.bucket(load(**bucket | {"export_s3_secret_key": "wrong"})))
    assert (failed.level, "s3:PutObject" in failed.fix) == (Level.FAIL, True)
    [fine] = doctor.bucket(load(**bucket))
    assert fine.level is Level.OK
    missing = BucketStorage(open_bucket(load(**bucket | {"export_url": f"s3://{uuid.uuid4().hex}"})))
    with pytest.raises((ConfigError, Unavailable), match="AUDITLANE_EXPORT_URL"):
        missing.prepare()


@pytest.fixture
def served(filled: Store, tmp_path: Path, bucket: dict[str, Any]) -> Iterator[Served]:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    with Served(tmp_path, **settings, **bucket, export_lease_s=1.0) as made:
        yield made


def ended(served: Served, token: str, **body: Any) -> dict[str, Any]:
    id_ = served.request("/v1/exports", token, method="POST", body=body).json()["id"]

    def look() -> dict[str, Any] | None:
        job = served.request(f"/v1/exports/{id_}", token).json()
        return job if job["ended_at"] else None

    return until(look, 90, "the job's end")


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_job_makes_the_same_file_as_a_direct_export_and_its_ranges(
    served: Served, object_storage: ObjectStorage, bucket: dict[str, Any], format_: str
) -> None:
    token = served.viewer_token("acme", Permission.export)
    job = ended(served, token, format=format_, columns=["event_id", "action"])
    assert (job["state"], job["rows"], job["error"]) == ("done", ROWS, None)
    whole = urllib3.request("GET", job["url"], retries=False)
    direct = served.request(f"/v1/export?format={format_}&columns=event_id,action", token)
    assert (whole.status, len(whole.data), whole.headers["content-length"]) == (200, job["bytes"], str(job["bytes"]))
    if format_ == "parquet":
        assert pq.read_table(io.BytesIO(whole.data)).equals(pq.read_table(io.BytesIO(direct.data)))
    else:
        assert whole.data == direct.data
    path, size = f"/v1/exports/{job['id']}/file", job["bytes"]
    tail = {"range": f"bytes={size - 9}-", "if_range": whole.headers["etag"]}
    part = served.request(path, token, **tail)
    assert (part.status, part.headers["content-range"]) == (206, f"bytes {size - 9}-{size - 1}/{size}")
    assert part.data == whole.data[-9:]
    assert served.request(path, token, **tail | {"if_range": '"another"'}).data == whole.data
    assert served.request(path, token, range="bytes=0-1,5-6").data == whole.data
    assert served.request(path, token, range=f"bytes={size}-").status == 416
    head = served.request(path, token, method="HEAD")
    assert (head.data, head.headers["content-length"]) == (b"", str(size))
    assert served.request(path, served.viewer_token("globex", Permission.export)).status == 404
    assert served.request(f"/v1/exports/{job['id']}", token, method="DELETE").status == 204
    assert served.request(path, token).status == 404
    assert object_storage.objects(bucket) == []


def test_a_job_is_resumed_after_its_process_was_killed_and_the_storage_was_unavailable(
    filled: Store, tmp_path: Path, object_storage: ObjectStorage, bucket: dict[str, Any]
) -> None:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database} | bucket
    jobs = BucketStorage(open_bucket(load(**bucket)))
    first = ServeProcess(tmp_path, **settings, export_lease_s=1.0)
    headers = {"Authorization": f"Bearer {first.viewer_token('acme')}"}
    asked = urllib3.request("POST", f"{first.url}/v1/exports", json={"format": "jsonl"}, headers=headers).json()
    job, _ = jobs.find(ACME, asked["id"])
    until(lambda: job.status().attempt, 60, "an owner")
    first.stop(signal.SIGKILL)
    left = job.status().attempt
    assert left is not None
    object_storage.stop()
    with ServeProcess(tmp_path, **settings, export_lease_s=1.0) as second:
        answer = urllib3.request("GET", f"{second.url}/v1/exports", headers=headers, retries=False, timeout=120)
        assert (answer.status, answer.json()["code"]) == (503, "UNAVAILABLE")
        object_storage.start()

        def done() -> dict[str, Any] | None:
            answer = urllib3.request("GET", f"{second.url}/v1/exports/{asked['id']}", headers=headers, timeout=120)
            return answer.json() if answer.status == 200 and answer.json()["ended_at"] else None

        ended = until(done, 120, "the job's end")
        assert (ended["state"], ended["rows"]) == ("done", ROWS)
        attempt = job.status().attempt
        assert attempt is not None
        assert attempt.epoch > left.epoch or left.state == "done"
        file = urllib3.request("GET", ended["url"]).data
        assert file == urllib3.request("GET", f"{second.url}/v1/export?format=jsonl", headers=headers).data
