"""Creates a class-data-sharing archive of Kafka once per user. With it, a broker starts in a third of the time."""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from auditlane.local import ports
from auditlane.local.credentials import sasl_config
from auditlane.local.health import KafkaProbe
from auditlane.local.java import Java
from auditlane.local.kafka import Broker, Node
from auditlane.runtime import process
from auditlane.runtime.errors import AuditlaneError

_START_S = 60.0
_DUMP_S = 60.0


def archive(
    cache: Path, java: Java, class_path: Sequence[Path], notice: Callable[[], None] = lambda: None
) -> Path | None:
    """Return the archive for this Java and these jars. If it is missing, `notice` is called, and running a broker once
    creates it.

    Returns None if it cannot be created. The archive only saves time, and a JVM ignores an unsuitable one.
    """
    wanted = cache / "classes" / f"kafka-{_key(java, class_path)}.jsa"
    if wanted.exists():
        return wanted
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        with (wanted.parent / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not wanted.exists():
                notice()
                _make(wanted, java, class_path)
    except (AuditlaneError, OSError, subprocess.SubprocessError):
        return None
    return wanted if wanted.exists() else None


def _key(java: Java, class_path: Sequence[Path]) -> str:
    facts = [str(java.path), java.build, *map(str, class_path), "sasl"]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _make(wanted: Path, java: Java, class_path: Sequence[Path]) -> None:
    with tempfile.TemporaryDirectory(dir=wanted.parent, prefix=".part-") as name:
        folder = Path(name)
        made = folder / "classes.jsa"
        flags = [f"-XX:ArchiveClassesAtExit={made}"]
        node, password = Node(*ports.free(2)), secrets.token_urlsafe()  # also loads the classes for authentication
        broker = Broker(folder / "kafka", node, java, class_path, folder / "log", jvm_flags=flags, password=password)
        running = broker.start(folder / "out")
        try:
            probe = KafkaProbe({"bootstrap.servers": broker.bootstrap, **sasl_config(password)})
            deadline = time.monotonic() + _START_S
            while not probe.is_ready():
                if running.poll() is not None or time.monotonic() > deadline:
                    return
                time.sleep(0.1)
        finally:
            process.stop(running, _DUMP_S)
        if running.returncode != -9 and made.exists():  # the JVM writes it on exit; a killed JVM leaves it incomplete
            made.replace(wanted)
