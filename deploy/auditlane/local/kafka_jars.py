"""Kafka as Maven artifacts, in a pinned list of jars. jgo fetches each jar once per user, and its SHA-256 is verified.

`python -m auditlane.local.kafka_jars GROUP:ARTIFACT:VERSION...` resolves the dependencies and writes a list. The
broker's is that of kafka_2.13 with log4j-core and log4j-slf4j-impl.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from auditlane.runtime.errors import PartFailed

VERSION = "4.3.0"
_LIST = f"kafka-{VERSION}.jars"
_TIMEOUT_S = 60
_AT_ONCE = 4

# Called with (bytes so far, total bytes), at most once per chunk, from any thread.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Jar:
    """One artifact of the list. `size` is in bytes."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def path(self) -> Path:
        """The path within a Maven repository."""
        return Path(*self.group.split("."), self.artifact, self.version, f"{self.artifact}-{self.version}.jar")


def pinned() -> list[Jar]:
    """Return the jars that the broker needs."""
    return parse_list(files(__package__).joinpath(_LIST).read_text("utf-8"))


def parse_list(text: str) -> list[Jar]:
    """Parse a list with one jar per line."""
    return [parse(line) for line in text.splitlines() if line and not line.startswith("#")]


def parse(line: str) -> Jar:
    """Parse `group:artifact:version size sha256` into a Jar."""
    name, size, sha256 = line.split()
    group, artifact, version = name.split(":")
    return Jar(group, artifact, version, int(size), sha256)


def fetch(cache: Path, progress: Progress = lambda done, total: None, jars: Sequence[Jar] | None = None) -> list[Path]:
    """Download the jars missing from `cache`, and return the class path. If no jar is missing, the network is not used.
    The default is the jars that the broker needs.

    Several processes may call it concurrently: one of them downloads, and the others wait. Jars fetched before an
    interruption are kept. Raises PartFailed if a download fails or a file has the wrong hash.
    """
    jars = pinned() if jars is None else jars
    root = cache / "maven"
    if missing := [jar for jar in jars if not _present(root, jar)]:
        root.mkdir(parents=True, exist_ok=True)
        with (root / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            missing = [jar for jar in missing if not _present(root, jar)]
            _download(root, missing, jars, progress)
    return [root / jar.path for jar in jars]


def is_complete(cache: Path) -> bool:
    """Return whether this cache contains all jars, so that it need not be writable."""
    return all(_present(cache / "maven", jar) for jar in pinned())


def _present(root: Path, jar: Jar) -> bool:
    """Return whether the jar is present. Comparing its size is enough, since a jar is renamed into place only after its
    hash has been verified.
    """
    try:
        return (root / jar.path).stat().st_size == jar.size
    except OSError:
        return False


def _download(root: Path, missing: list[Jar], jars: Sequence[Jar], progress: Progress) -> None:
    total = sum(jar.size for jar in jars)
    done = total - sum(jar.size for jar in missing)
    stopped = threading.Event()  # a failure, or Ctrl-C, ends the other downloads at their next chunk

    def advance(count: int) -> None:
        nonlocal done
        if stopped.is_set():
            raise InterruptedError
        done += count
        progress(done, total)

    progress(done, total)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = [pool.submit(_fetch_jar, root, jar, advance) for jar in missing]
        try:
            for future in running:
                future.result()
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_jar(root: Path, jar: Jar, advance: Callable[[int], None]) -> None:
    target = root / jar.path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=root, prefix=".part-") as part:
            context = _context(Path(part), advance)
            arrived = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
            found = hashlib.sha256(arrived.read_bytes()).hexdigest()
            if found != jar.sha256:
                raise PartFailed(
                    f"{target.name} has SHA-256 {found}, but {jar.sha256} was expected.",
                    fix="A proxy or mirror changes the files that it delivers. Contact its operator.",
                )
            os.replace(arrived, target)  # noqa: PTH105  # atomic, over a file of the wrong size as well
    except PartFailed:
        raise
    except Exception as error:  # an error of requests, an OSError on a full disk, or jgo's RuntimeError
        raise _failed(jar, root, error) from error


def _failed(jar: Jar, root: Path, error: Exception) -> PartFailed:
    if isinstance(error, OSError) and error.errno is not None and error.filename:
        return PartFailed(
            f"{error.filename} cannot be used: {error.strerror}.", fix="Free disk space or set AUDITLANE_CACHE_DIR."
        )
    return PartFailed(
        f"Kafka could not be downloaded. The download of {jar.path.name} failed: {_short(error)}",
        fix="Check the network and start again (finished downloads are kept), or unpack Kafka and set"
        " AUDITLANE_KAFKA_HOME, or use your own broker with AUDITLANE_KAFKA_BOOTSTRAP."
        f" Downloads are stored in {root}; to use a mirror, edit jgo's configuration file.",
    )


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:200] + "…"


def _context(repository: Path, advance: Callable[[int], None]) -> Any:
    """Return a jgo context with the repositories that the user configured, such as a mirror, or jgo's default."""
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext, PythonResolver

    @contextlib.contextmanager
    def one_file(name: str, size: int) -> Iterator[Callable[[int], None]]:
        yield advance if name.endswith(".jar") else lambda count: None

    return MavenContext(
        resolver=PythonResolver(progress_callback=one_file),
        repo_cache=repository,
        remote_repos=GlobalSettings.load().repositories or None,
        timeout=_TIMEOUT_S,
    )


def resolve(artifacts: Sequence[str]) -> list[str]:
    """Return the lines of a new list: the artifacts, as `group:artifact:version`, and their run-time dependencies."""
    with tempfile.TemporaryDirectory() as scratch:
        context = _context(Path(scratch), lambda count: None)
        dependencies = [context.create_dependency(name) for name in artifacts]
        for dependency in dependencies:
            dependency.raw = True  # otherwise, the versions that log4j's POM manages would also apply to Kafka
        given, brought = context.resolver.resolve(dependencies)
        lines = []
        for dependency in [*given, *brought]:
            data = dependency.artifact.resolve().read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            name = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
            lines.append(f"{name} {len(data)} {digest}")
        return sorted(lines)


if __name__ == "__main__":
    print("\n".join(resolve(sys.argv[1:])))
