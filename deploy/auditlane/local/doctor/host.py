"""Checks this machine's disk space, credential files and HTTP services."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import urllib3

from auditlane.access.keys import KeysFile
from auditlane.access.provenance_keys import ProvenanceKeys, path_of
from auditlane.access.signing import SigningKeys
from auditlane.local.doctor.finding import Finding, fail, ok, warn
from auditlane.runtime.files import is_accessible_to_others, own_groups
from auditlane.runtime.settings import Settings, variable

PART = "host"
ROOM_WARN = 2 << 30
ROOM_FAIL = 256 << 20
_TIMEOUT_S = 5.0
# number of ports probed after the last that responds, since a process in between may be restarting
_PORTS_AFTER_LAST = 2
_PROBE_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the address to probe of a server that listens on all
_FAILURE_GAUGES = {
    "auditlane_worker_halted_partitions": "halted",
    "auditlane_worker_failing_partitions": "without progress for a minute",
}
_FIXES = {"keys_file": "Run: auditlane keys create (or auditlane up)"}
_ELSEWHERE = (
    f"If the workers run elsewhere, run the doctor there, or set {variable('worker_host')} and"
    f" {variable('worker_port')}."
)


def room(folder: Path) -> Iterator[Finding]:
    """Yield the finding about free disk space at the data directory."""
    while not folder.exists():
        folder = folder.parent
    yield disk_space_finding(folder, shutil.disk_usage(folder).free)


def disk_space_finding(folder: Path, free: int) -> Finding:
    """Return the finding about free disk space. `free` is in bytes."""
    message = f"{free >> 20:,} MB of disk space free at {folder}"
    if free < ROOM_WARN:
        level = fail if free < ROOM_FAIL else warn
        return level(PART, f"Only {message}.", "Free disk space, or move the data directory and pass --data.")
    return ok(PART, message)


def credentials(settings: Settings, fields: Collection[str] | None = None) -> Iterator[Finding]:
    """Yield findings about the key files of these settings, or about all three. Raises ConfigError if one is invalid.

    With `fields`, a file that is not set is omitted.
    """
    files: tuple[tuple[str, Callable[[Path], object], Path | None], ...] = (
        ("keys_file", KeysFile, settings.keys_file),
        ("signing_keys_file", SigningKeys, settings.signing_keys_file),
        ("provenance_keys_file", ProvenanceKeys, path_of(settings)),
    )
    for field, opened, path in files:
        if fields is not None and (path is None or field not in fields):
            continue
        if path is None:
            yield warn(
                PART, f"{variable(field)} is not set.", "Set it; for a stack of auditlane up, auditlane env prints it."
            )
        elif not path.exists():
            yield fail(PART, f"{path} does not exist.", _FIXES.get(field, "Run auditlane serve, which creates it."))
        else:
            opened(path)
            found = path.stat()
            if is_accessible_to_others(found.st_mode, found.st_gid, own_groups()):
                yield warn(PART, f"{path} can be read by other users.", f"Run: chmod 600 {path}")
            else:
                yield ok(PART, f"{path} is valid")


def service(part: str, url: str, settings: Settings) -> Iterator[Finding]:
    """Yield findings about the worker or `serve` at this URL: readiness, halted and failing partitions, and missing
    keys.
    """
    answer = _ready(url)
    if answer is None or answer.status != 200:
        fix = f"Run: auditlane {part} (or check its log)"
        yield fail(part, f"{url}/health/ready does not respond with 200.", fix, unavailable=True)
        return
    yield ok(part, f"{url} is ready")
    if part == "worker" and "halted" not in answer.json():
        yield from metric_findings(_failure_gauges(url))
    for partition, reason in answer.json().get("halted", {}).items():
        yield fail(
            part, f"{partition} is halted: {reason}.", "Follow the message, or fix the cause and restart the worker."
        )
    for partition, failure in answer.json().get("failing", {}).items():
        yield fail(
            part,
            f"{partition} has made no progress since {failure['since']}: {failure['error']}.",
            "Fix the cause in the error, or check the worker's log; the worker keeps retrying.",
        )
    if "provenance_keys" in answer.json():
        yield from provenance_findings(part, answer.json()["provenance_keys"], path_of(settings))


def metric_findings(gauges: Mapping[str, float]) -> Iterator[Finding]:
    """Yield findings from the metrics of a worker that listens on a network, since its health endpoint names no
    partitions.
    """
    for name, what in _FAILURE_GAUGES.items():
        if count := int(gauges.get(name, 0)):
            plural = "" if count == 1 else "s"
            yield fail("worker", f"{count} partition{plural} {what}.", "Check the worker's log for names and causes.")


def provenance_findings(part: str, verifies: Collection[str], path: Path | None) -> Iterator[Finding]:
    """Yield a finding unless a worker can verify the signatures of `serve`.

    `verifies` contains the ids of the worker's keys. The keys of `serve` are in the file at `path`, if it exists on
    this machine.
    """
    fix = f"Set {variable('provenance_keys_file')} to the file that serve uses."
    signing = ProvenanceKeys(path).key_ids if path and path.exists() else ()
    if not verifies:
        yield fail(part, f"The {part} has no provenance keys and can verify no signature.", fix)
    elif missing := [kid for kid in signing if kid not in verifies]:
        yield fail(part, f"The {part} lacks the provenance key {missing[0]} of {path}.", fix)


def workers(settings: Settings) -> Iterator[Finding]:
    """Yield findings about the worker processes at the configured address and, for `--processes`, at the following
    ports.
    """
    first, host = settings.worker_port, _PROBE_ADDRESS.get(settings.worker_host, settings.worker_host)
    base = f"http://[{host}]" if ":" in host else f"http://{host}"
    if not first:
        yield warn("worker", f"{variable('worker_port')} is 0, so no worker can be checked.", _ELSEWHERE)
        return
    last, port = -1, first
    while port <= min(max(last, first) + _PORTS_AFTER_LAST, 65_535):
        last = port if _is_worker(f"{base}:{port}") else last
        port += 1
    if last < 0:
        yield warn("worker", f"No worker responds at {base}:{first}.", _ELSEWHERE)
    for port in range(first, last + 1):
        yield from service("worker", f"{base}:{port}", settings)


def _is_worker(url: str) -> bool:
    answer = _ready(url)
    try:
        return answer is not None and ("halted" in answer.json() or bool(_failure_gauges(url)))
    except ValueError:
        return False


def _failure_gauges(url: str) -> dict[str, float]:
    """Return the worker's gauges of halted and failing partitions, or {} if the server is not a worker."""
    answer = _get(url + "/metrics")
    lines = answer.data.decode("utf-8", "replace").splitlines() if answer and answer.status == 200 else []
    samples = (line.rpartition(" ") for line in lines)
    return {name: float(value) for name, _, value in samples if name in _FAILURE_GAUGES}


def _ready(url: str) -> urllib3.BaseHTTPResponse | None:
    return _get(url + "/health/ready")


def _get(url: str) -> urllib3.BaseHTTPResponse | None:
    try:
        return urllib3.PoolManager().request("GET", url, timeout=_TIMEOUT_S, retries=False)
    except urllib3.exceptions.HTTPError:
        return None
