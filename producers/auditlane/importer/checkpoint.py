"""How far an import got, kept in a file of its own; it only ever moves past events that Kafka acknowledged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from auditlane.runtime.files import write_text


@dataclass(frozen=True, slots=True)
class Progress:
    """`number` is the last item that is done with; of those up to it, so many were sent, known, refused and passed
    over. `cut` of the refused may stand for several."""

    number: int = 0
    sent: int = 0
    known: int = 0
    refused: int = 0
    passed: int = 0
    cut: int = 0

    def __add__(self, other: Progress) -> Progress:
        return Progress(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


class Checkpoint:
    """One import's progress. Another file, format, tenant or target has a checkpoint of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, folder: Path, file: Path, what: Iterable[str]) -> Checkpoint:
        """Of a file as it is now: once it changed it is read from its beginning again."""
        stat = file.stat()
        parts = [str(file.resolve()), str(stat.st_size), str(stat.st_mtime_ns), str(stat.st_ino), *what]
        return cls(folder / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.json")

    def load(self) -> Progress:
        """What was saved; the beginning when there is nothing that can be read."""
        try:
            return Progress(**json.loads(self.path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Progress()

    def save(self, progress: Progress) -> None:
        """Replace the file at once, so that a kill leaves the old or the new."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps(asdict(progress)))

    def clear(self) -> None:
        """The import is complete."""
        self.path.unlink(missing_ok=True)
