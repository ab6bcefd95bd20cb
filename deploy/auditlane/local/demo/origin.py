"""The seed and first start of a data directory's demo, recorded so that a restart continues its history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from auditlane.runtime.files import write_text

SEED: Final = 1
_FILE: Final = "demo.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """The demo's random seed and its first start time (UTC)."""

    seed: int
    start: datetime


def load_or_create(folder: Path, now: datetime) -> Origin:
    """Return the recorded origin of the data directory, or record a first start at `now`. Raises OSError.

    An invalid file is replaced.
    """
    path = folder / _FILE
    try:
        recorded = json.loads(path.read_text("utf-8"))
        return Origin(int(recorded["seed"]), datetime.fromisoformat(recorded["start"]).astimezone(UTC))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    origin = Origin(SEED, now.astimezone(UTC).replace(microsecond=0))
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"seed": origin.seed, "start": origin.start.isoformat()}) + "\n")
    return origin
