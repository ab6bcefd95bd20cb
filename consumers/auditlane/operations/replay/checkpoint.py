"""How far a replay got, kept in a file of its own, so that the same command goes on after an interruption."""

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
    """Messages by what became of them. `refused` are those that no worker would store and that have no dead letter, by
    code; `to_bury` those that the workers have still to come to, and will dead-letter themselves."""

    read: int = 0
    other_tenants: int = 0
    dead_lettered: int = 0
    already: int = 0
    stored: int = 0
    to_bury: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, code: str) -> None:
        self.refused[code] = self.refused.get(code, 0) + 1


@dataclass(slots=True)
class Progress:
    """`run` names the replay in its deduplication tokens. `done` is, by partition, one past the last offset that is
    done with. `pending` is the chunk (partition, first, end) that may be stored in part: it is sent again as it was."""

    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    done: dict[int, int] = field(default_factory=dict)
    pending: tuple[int, int, int] | None = None
    counts: Counts = field(default_factory=Counts)


class Checkpoint:
    """One request's progress; another request has a checkpoint of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, folder: Path, request: object) -> Checkpoint:
        """`request` is whatever JSON tells one replay from another: where from, where to, which messages."""
        text = json.dumps(request, sort_keys=True)
        return cls(folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json")

    def load(self) -> Progress | None:
        """What was saved; None when there is nothing that can be read."""
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
        """Replace the file at once, so that a kill leaves the old or the new."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps(asdict(progress)))

    def clear(self) -> None:
        """The replay is complete."""
        self.path.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path, target: str) -> Iterator[None]:
    """Hold a target against other replays of this user. Raises AlreadyRunning.

    Two replays at once could each find an offset missing and both store it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(target.encode()).hexdigest()[:32]}.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning(
                f"Another replay into {target} is running.", fix="Wait for it, or interrupt it."
            ) from error
        yield
