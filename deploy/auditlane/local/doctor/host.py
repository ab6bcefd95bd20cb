"""This machine: room on the disk, the credential files, the HTTP services."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import urllib3

from auditlane.access.keys import KeysFile
from auditlane.access.provenance_keys import ProvenanceKeys, path_of
from auditlane.access.signing import SigningKeys
from auditlane.local.doctor.finding import Finding, fail, ok, warn
from auditlane.runtime.settings import Settings, variable

PART = "host"
ROOM_WARN = 2 << 30
ROOM_FAIL = 256 << 20
_ANSWER_S = 5.0
_FURTHER = 2  # ports past the last that answers, since a process in the middle may be starting again
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask one that listens everywhere
_TROUBLES = {
    "auditlane_worker_halted_partitions": "stand still",
    "auditlane_worker_failing_partitions": "have not got on for a minute",
}
_MADE_BY = {"keys_file": "Create a key: auditlane keys create, or run auditlane up."}
_ELSEWHERE = (
    f"If they run elsewhere, run the doctor there, or set {variable('worker_host')} and {variable('worker_port')}."
)


def room(folder: Path) -> Iterator[Finding]:
    """Space where the embedded stack keeps its data."""
    while not folder.exists():
        folder = folder.parent
    yield judge_room(folder, shutil.disk_usage(folder).free)


def judge_room(folder: Path, free: int) -> Finding:
    """`free` in bytes."""
    message = f"{free >> 20:,} MB are free where {folder} is"
    if free < ROOM_WARN:
        level = fail if free < ROOM_FAIL else warn
        return level(PART, message + ".", "Free some space, or move the data directory and pass --data.")
    return ok(PART, message)


def credentials(settings: Settings) -> Iterator[Finding]:
    """The keys file, the signing keys, the provenance keys. Raises ConfigError for one that cannot be read."""
    files: tuple[tuple[str, Callable[[Path], object], Path | None], ...] = (
        ("keys_file", KeysFile, settings.keys_file),
        ("signing_keys_file", SigningKeys, settings.signing_keys_file),
        ("provenance_keys_file", ProvenanceKeys, path_of(settings)),
    )
    for field, opened, path in files:
        if path is None:
            yield warn(PART, f"{variable(field)} is not set.", "`auditlane env` prints it for a stack of `up`.")
        elif not path.exists():
            yield fail(PART, f"{path} does not exist.", _MADE_BY.get(field, "Run auditlane serve, which makes it."))
        else:
            opened(path)
            if path.stat().st_mode & 0o077:
                yield warn(PART, f"{path} can be read by other users.", f"chmod 600 {path}")
            else:
                yield ok(PART, f"{path} is valid")


def service(part: str, url: str, settings: Settings) -> Iterator[Finding]:
    """The worker or `serve` at its URL, the partitions that a worker has halted, the keys that it lacks."""
    answer = _ready(url)
    if answer is None or answer.status != 200:
        yield fail(
            part, f"{url}/health/ready does not answer 200.", f"Start it (auditlane {part}), or look at its log."
        )
        return
    yield ok(part, f"{url} is ready")
    if part == "worker" and "halted" not in answer.json():
        yield from judge_figures(_figures(url))
    for partition, reason in answer.json().get("halted", {}).items():
        yield fail(part, f"{partition} stands still: {reason}.", "Do what it says, or mend it and restart the worker.")
    for partition, failure in answer.json().get("failing", {}).items():
        yield fail(
            part,
            f"{partition} has not got on since {failure['since']}: {failure['error']}.",
            "The worker goes on trying. Mend what the error names, or look at the worker's log.",
        )
    if "provenance_keys" in answer.json():
        yield from judge_provenance(part, answer.json()["provenance_keys"], path_of(settings))


def judge_figures(figures: Mapping[str, float]) -> Iterator[Finding]:
    """What the metrics say of a worker that listens to others, and so does not name its partitions."""
    for name, what in _TROUBLES.items():
        if count := int(figures.get(name, 0)):
            yield fail("worker", f"{count} of its partitions {what}.", "The worker's log says which, and why.")


def judge_provenance(part: str, verifies: Collection[str], path: Path | None) -> Iterator[Finding]:
    """Whether a worker that verifies with these keys verifies what `serve` signs, by the file here, if there is one."""
    fix = f"Give it the file that `serve` has: {variable('provenance_keys_file')}."
    signing = ProvenanceKeys(path).key_ids if path and path.exists() else ()
    if not verifies:
        yield fail(part, f"The {part} has no provenance keys: it believes nobody's signature.", fix)
    elif missing := [kid for kid in signing if kid not in verifies]:
        yield fail(part, f"The {part} lacks the provenance key {missing[0]} of {path}.", fix)


def workers(settings: Settings) -> Iterator[Finding]:
    """The worker processes where the settings say, their ports counted up as `--processes` counts them."""
    first, host = settings.worker_port, _ANY.get(settings.worker_host, settings.worker_host)
    base = f"http://[{host}]" if ":" in host else f"http://{host}"
    if not first:
        yield warn("worker", f"{variable('worker_port')} is 0: no worker can be asked.", _ELSEWHERE)
        return
    last, port = -1, first
    while port <= min(max(last, first) + _FURTHER, 65_535):
        last = port if _is_worker(f"{base}:{port}") else last
        port += 1
    if last < 0:
        yield warn("worker", f"No worker answers at {base}:{first}.", _ELSEWHERE)
    for port in range(first, last + 1):
        yield from service("worker", f"{base}:{port}", settings)


def _is_worker(url: str) -> bool:
    answer = _ready(url)
    try:
        return answer is not None and ("halted" in answer.json() or bool(_figures(url)))
    except ValueError:
        return False


def _figures(url: str) -> dict[str, float]:
    """The gauges of a worker that tell of trouble; empty for what is no worker."""
    answer = _get(url + "/metrics")
    lines = answer.data.decode("utf-8", "replace").splitlines() if answer and answer.status == 200 else []
    samples = (line.rpartition(" ") for line in lines)
    return {name: float(value) for name, _, value in samples if name in _TROUBLES}


def _ready(url: str) -> urllib3.BaseHTTPResponse | None:
    return _get(url + "/health/ready")


def _get(url: str) -> urllib3.BaseHTTPResponse | None:
    try:
        return urllib3.PoolManager().request("GET", url, timeout=_ANSWER_S, retries=False)
    except urllib3.exceptions.HTTPError:
        return None
