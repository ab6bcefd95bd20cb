"""Exports a log to a file. An export job creates the file, which is then downloaded. An interrupted export resumes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from auditlane.runtime.errors import AuditlaneError, Conflict, NotFound, Unavailable
from auditlane.sdk.http import Http, unavailable_if_broken

_CHUNK_BYTES: Final = 1 << 18
_MAX_FAILURES: Final = 6  # number of consecutive requests without a byte received after which an export fails


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """An export's progress, `done` of `total`: in events while the service creates the file, in bytes during the
    download.
    """

    what: Literal["making", "downloading"]
    done: int
    total: int


Progress = Callable[[ExportProgress], None]


class Download:
    """One export to one file. `<name>.part` and `<name>.part.json` contain its state until it is complete."""

    def __init__(self, http: Http, path: Path, request: Mapping[str, Any], progress: Progress, poll_s: float) -> None:
        self._http = http
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._state = path.with_name(path.name + ".part.json")
        self._request = request
        self._progress = progress
        self._poll_s = poll_s

    def run(self, *, resume: bool) -> int:
        """Export, and return the number of events. The file appears only once it is complete.

        Raises the service's errors, and OSError if the file cannot be written.
        """
        job_id = self._resumable_job() if resume else None
        if job_id is None:
            self._part.unlink(missing_ok=True)
            job_id = str(self._http.json("POST", "/v1/exports", body=self._request)["id"])
            self._state.write_text(json.dumps({"job": job_id, "request": self._digest()}))
        try:
            job = self._finished_job(job_id)
            self._fetch(job_id, int(job["bytes"]))
        except (NotFound, Conflict):
            self._state.unlink(missing_ok=True)  # this job can no longer be resumed
            raise
        self._part.replace(self._path)
        self._state.unlink(missing_ok=True)
        with contextlib.suppress(AuditlaneError):  # the job expires anyway
            self._http.json("DELETE", f"/v1/exports/{job_id}")
        return int(job["rows"])

    def _resumable_job(self) -> str | None:
        """Return the job id of an earlier attempt at the same export, if the service still has the job."""
        try:
            state = json.loads(self._state.read_text())
            if state["request"] != self._digest():
                return None
            job_id = str(state["job"])
            status = self._http.json("GET", f"/v1/exports/{job_id}")["state"]
        except (OSError, ValueError, KeyError, TypeError, NotFound):
            return None
        return None if status in ("failed", "cancelled") else job_id

    def _digest(self) -> str:
        return hashlib.sha256(json.dumps(self._request, sort_keys=True).encode()).hexdigest()

    def _finished_job(self, job_id: str) -> dict[str, Any]:
        while True:
            job: dict[str, Any] = self._http.json("GET", f"/v1/exports/{job_id}")
            self._progress(ExportProgress("making", int(job["rows"]), int(job["total"])))
            if job["state"] == "done":
                return job
            if job["state"] in ("failed", "cancelled"):
                error = job["error"] or {"message": f"The export was {job['state']}."}
                raise Conflict(str(error["message"]), fix=str(error.get("fix") or "Request the export again."))
            time.sleep(self._poll_s)

    def _fetch(self, job_id: str, size: int) -> None:
        failures = 0
        while (start := self._part.stat().st_size if self._part.exists() else 0) < size or not self._part.exists():
            try:
                self._fetch_from(job_id, start, size)
            except Unavailable:
                end = self._part.stat().st_size if self._part.exists() else 0
                failures = 0 if end > start else failures + 1
                if failures >= _MAX_FAILURES:
                    raise
                time.sleep(min(self._poll_s * 2.0**failures, 10.0))
        if self._part.stat().st_size > size:
            self._part.unlink()
            raise Conflict(
                f"{self._part.name} is larger than the export, so it belongs to a different one. It was removed.",
                fix="Export again.",
            )

    def _fetch_from(self, job_id: str, start: int, size: int) -> None:
        headers = {"Range": f"bytes={start}-"} if start else {}
        response = self._http.send("GET", f"/v1/exports/{job_id}/file", headers=headers, stream=True)
        try:
            with self._part.open("ab" if response.status == 206 else "wb") as file:
                while True:
                    with unavailable_if_broken():
                        chunk = response.read(_CHUNK_BYTES)
                    if not chunk:
                        break
                    file.write(chunk)
                    self._progress(ExportProgress("downloading", file.tell(), size))
                file.flush()
                os.fsync(file.fileno())
        finally:
            response.close()
