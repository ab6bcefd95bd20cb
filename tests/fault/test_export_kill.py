"""Kills `auditlane serve` during exports. A download visibly breaks off, and another process resumes a job."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import urllib3
import urllib3.exceptions
from fixtures.stack import until
from querying import Store, store
from serving import ServeProcess

from auditlane.access.scope import TenantScope
from auditlane.query.export.jobs.folder import FolderStorage
from auditlane.query.export.jobs.record import JobAttempt

ROWS = 300_000


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.generate("acme", ROWS)
        yield made


def serve(filled: Store, folder: Path) -> ServeProcess:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    return ServeProcess(folder, **settings, export_lease_s=1.0)


def test_a_client_notices_a_truncated_download(filled: Store, tmp_path: Path) -> None:
    served = serve(filled, tmp_path)
    headers = {"Authorization": f"Bearer {served.viewer_token('acme')}"}
    answer = urllib3.request(
        "GET", f"{served.url}/v1/export?format=csv", headers=headers, preload_content=False, retries=False
    )
    assert (answer.status, answer.headers["Auditlane-Rows"]) == (200, str(ROWS))
    got = answer.read(1 << 16)
    served.stop(signal.SIGKILL)
    with pytest.raises(urllib3.exceptions.HTTPError):
        while piece := answer.read(1 << 16):
            got += piece
    assert 0 < got.count(b"\r\n") < ROWS


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_a_job_is_resumed_by_another_process(filled: Store, tmp_path: Path, format_: str) -> None:
    scope, jobs = TenantScope.for_operator("acme"), FolderStorage(tmp_path / "exports")
    first = serve(filled, tmp_path)
    token = first.viewer_token("acme")
    headers = {"Authorization": f"Bearer {token}"}
    requested = urllib3.request("POST", f"{first.url}/v1/exports", json={"format": format_}, headers=headers).json()
    folder, _ = jobs.find(scope, requested["id"])

    def under_way() -> JobAttempt | None:
        attempt = folder.status().attempt
        # Parquet restarts from the beginning, so a Parquet job needs no checkpoint yet.
        begun = attempt and (attempt.rows or format_ == "parquet")
        return attempt if attempt and begun and attempt.state == "running" else None

    until(under_way, 60, "a job under way")
    first.stop(signal.SIGKILL)
    left = under_way()
    assert left is not None
    assert left.rows < ROWS
    with serve(filled, tmp_path) as second:

        def done() -> dict[str, object] | None:
            job = urllib3.request("GET", f"{second.url}/v1/exports/{requested['id']}", headers=headers).json()
            return job if job["ended_at"] else None

        job = until(done, 60, "the job's end")
        assert (job["state"], job["rows"], job["total"]) == ("done", ROWS, ROWS)
        attempt = folder.status().attempt
        assert attempt is not None
        assert attempt.epoch == 2
        file = urllib3.request("GET", str(job["url"])).data
        if format_ == "jsonl":
            direct = urllib3.request("GET", f"{second.url}/v1/export?format=jsonl", headers=headers).data
            assert file == direct
        else:
            assert pq.read_metadata(io.BytesIO(file)).num_rows == ROWS
