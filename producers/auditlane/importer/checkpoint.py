"""Stores an import's progress in a file. It advances only past events that Kafka has acknowledged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from auditlane.runtime.files import write_text


@dataclass(frozen=True, slots=True)
class Progress:
    """An import's progress.

    `number` is the last finished item's number. The other members count the items up to it by outcome: sent, already
    known, rejected, or skipped. `cut` counts rejected items that may stand for several records.
    """

    number: int = 0
    sent: int = 0
    known: int = 0
    refused: int = 0
    passed: int = 0
    cut: int = 0

    def __add__(self, other: Progress) -> Progress:
        return Progress(*(getattr(self, count.name) + getattr(other, count.name) for count in fields(self)))


class Checkpoint:
    """The checkpoint of one import: one file, format, tenant and set of target topics."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, folder: Path, file: Path, options: Iterable[str]) -> Checkpoint:
        """Return the checkpoint for `file` in its current state. A changed file is imported from the start."""
        stat = file.stat()
        parts = [str(file.resolve()), str(stat.st_size), str(stat.st_mtime_ns), str(stat.st_ino), *options]
        return cls(folder / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.json")

    def load(self) -> Progress:
        """Return the saved progress. Without readable progress, the import starts from the beginning."""
        try:
            return Progress(**json.loads(self.path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Progress()

    def save(self, progress: Progress) -> None:
        """Replace the file atomically, so that a killed process leaves either the old or the new file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps(asdict(progress)))

    def clear(self) -> None:
        """Remove the checkpoint once the import is complete."""
        self.path.unlink(missing_ok=True)
