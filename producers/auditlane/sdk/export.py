"""Take a log away as a file: through an export job, whose download goes on where it broke off."""

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
from auditlane.sdk.http import Http, broken_connections

_PIECE: Final = 1 << 18
_TRIES: Final = 6  # in a row in which nothing came


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """`done` of `total`: events while the service makes the file, bytes while it comes."""

    what: Literal["making", "downloading"]
    done: int
    total: int


Progress = Callable[[ExportProgress], None]


class Download:
    """One export into one file; what it needs to go on later lies beside it: `<name>.part`, `<name>.part.json`."""

    def __init__(self, http: Http, path: Path, request: Mapping[str, Any], progress: Progress, poll_s: float) -> None:
        self._http = http
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._note = path.with_name(path.name + ".part.json")
        self._request = request
        self._progress = progress
        self._poll_s = poll_s

    def run(self, *, resume: bool) -> int:
        """How many events are in the file, which appears when it is whole. Raises what the service says; OSError."""
        id_ = self._begun() if resume else None
        if id_ is None:
            self._part.unlink(missing_ok=True)
            id_ = str(self._http.json("POST", "/v1/exports", body=self._request)["id"])
            self._note.write_text(json.dumps({"job": id_, "request": self._digest()}))
        try:
            job = self._made(id_)
            self._fetch(id_, int(job["bytes"]))
        except (NotFound, Conflict):
            self._note.unlink(missing_ok=True)  # cannot be gone on with
            raise
        self._part.replace(self._path)
        self._note.unlink(missing_ok=True)
        with contextlib.suppress(AuditlaneError):  # it expires by itself
            self._http.json("DELETE", f"/v1/exports/{id_}")
        return int(job["rows"])

    def _begun(self) -> str | None:
        """The job of an earlier attempt at the same export, if the service still has it."""
        try:
            note = json.loads(self._note.read_text())
            if note["request"] != self._digest():
                return None
            id_ = str(note["job"])
            state = self._http.json("GET", f"/v1/exports/{id_}")["state"]
        except (OSError, ValueError, KeyError, TypeError, NotFound):
            return None
        return None if state in ("failed", "cancelled") else id_

    def _digest(self) -> str:
        return hashlib.sha256(json.dumps(self._request, sort_keys=True).encode()).hexdigest()

    def _made(self, id_: str) -> dict[str, Any]:
        while True:
            job: dict[str, Any] = self._http.json("GET", f"/v1/exports/{id_}")
            self._progress(ExportProgress("making", int(job["rows"]), int(job["total"])))
            if job["state"] == "done":
                return job
            if job["state"] in ("failed", "cancelled"):
                error = job["error"] or {"message": f"The export was {job['state']}."}
                raise Conflict(str(error["message"]), fix=str(error.get("fix") or "Ask for the export again."))
            time.sleep(self._poll_s)

    def _fetch(self, id_: str, size: int) -> None:
        failures = 0
        while (had := self._part.stat().st_size if self._part.exists() else 0) < size or not self._part.exists():
            try:
                self._fetch_from(id_, had, size)
            except Unavailable:
                got = self._part.stat().st_size if self._part.exists() else 0
                failures = 0 if got > had else failures + 1
                if failures >= _TRIES:
                    raise
                time.sleep(min(self._poll_s * 2.0**failures, 10.0))
        if self._part.stat().st_size > size:
            self._part.unlink()
            raise Conflict("What lay there is not of this export.", fix="Try again: it begins anew.")

    def _fetch_from(self, id_: str, start: int, size: int) -> None:
        headers = {"Range": f"bytes={start}-"} if start else {}
        answer = self._http.send("GET", f"/v1/exports/{id_}/file", headers=headers, stream=True)
        try:
            with self._part.open("ab" if answer.status == 206 else "wb") as file:
                while True:
                    with broken_connections():
                        piece = answer.read(_PIECE)
                    if not piece:
                        break
                    file.write(piece)
                    self._progress(ExportProgress("downloading", file.tell(), size))
                file.flush()
                os.fsync(file.fileno())
        finally:
            answer.close()
