"""The progress of a replay, saved to a file so that the same command continues after an interruption."""

from __future__ import annotations

import fcntl
import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from auditlane.runtime.errors import AlreadyRunning
from auditlane.runtime.files import write_text


@dataclass(slots=True)
class Counts:
    """Numbers of messages by result.

    `refused` counts messages by code that a worker would reject but that have no dead letter. `left_to_workers` counts
    messages that the workers have not reached yet and will dead-letter themselves.
    """

    read: int = 0
    other_tenants: int = 0
    dead_lettered: int = 0
    already: int = 0
    stored: int = 0
    left_to_workers: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, code: str) -> None:
        """Count a message that would be rejected with this code."""
        self.refused[code] = self.refused.get(code, 0) + 1


@dataclass(slots=True)
class Progress:
    """The progress of a replay. `run` identifies the replay in its deduplication tokens.

    `done` is the offset after the last finished one in each partition. `pending` is a chunk (partition, first, end)
    that may be partially stored, and is sent again with the same bounds.
    """

    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    done: dict[int, int] = field(default_factory=dict)
    pending: tuple[int, int, int] | None = None
    counts: Counts = field(default_factory=Counts)


class Checkpoint:
    """The checkpoint file of one replay request."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, folder: Path, request: object) -> Checkpoint:
        """Return the checkpoint of a request. The request's JSON identifies the replay by source, target and
        selection.
        """
        text = json.dumps(request, sort_keys=True)
        return cls(folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json")

    def load(self) -> Progress | None:
        """Return the saved progress, or None if it is missing or unreadable."""
        try:
            read = json.loads(self.path.read_text("utf-8"))
            pending = read["pending"]
            return Progress(
                str(read["run"]),
                {int(number): int(offset) for number, offset in read["done"].items()},
                (int(pending[0]), int(pending[1]), int(pending[2])) if pending else None,
                Counts(**read["counts"]),
            )
        except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None

    def save(self, progress: Progress) -> None:
        """Replace the file atomically. If the process is killed, either the old or the new file is left."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps(asdict(progress)))

    def clear(self) -> None:
        """Delete the file once the replay is complete."""
        self.path.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path, target: str) -> Iterator[None]:
    """Lock a target against other replays by this user. Raises AlreadyRunning if there is one.

    Two concurrent replays could find the same offset missing, and both would store it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(target.encode()).hexdigest()[:32]}.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning(
                f"Another replay into {target} is running.", fix="Wait for it to finish, or interrupt it."
            ) from error
        yield
