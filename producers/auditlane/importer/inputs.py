"""What an import is asked to read: files, folders and patterns, as the files that they stand for."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from auditlane.runtime.errors import InvalidInput

STANDARD: Final = "-"
_ENDINGS: Final = tuple(f"{one}{more}" for one in (".json", ".jsonl", ".ndjson") for more in ("", ".gz"))


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files in the order in which they are read, each once; `others` are files in folders that are not read;
    `unread` are folders that cannot be, each with the reason."""

    files: tuple[str, ...]
    others: int = 0
    unread: tuple[tuple[str, InvalidInput], ...] = ()


def inputs(given: Sequence[str]) -> Inputs:
    """The files of paths: a folder stands for all that it holds, at any depth, whose names end as JSON's do, in the
    order of their names; a pattern such as `2026-*.json.gz` for what it matches. Raises InvalidInput where there is
    none."""
    files: dict[str, None] = {}
    others = 0
    unread: list[tuple[str, InvalidInput]] = []
    for one in given:
        for path in _matched(one):
            if path != STANDARD and Path(path).is_dir():
                before = len(unread)
                found = _within(Path(path), unread)
                read = [str(file) for file in found if file.name.lower().endswith(_ENDINGS)]
                if not read and len(unread) == before:
                    raise InvalidInput(
                        f"{path} holds no file to import.",
                        fix=f"Its files are read by their endings: {', '.join(_ENDINGS)}.",
                    )
                others += len(found) - len(read)
                files |= dict.fromkeys(read)
            else:
                files[path] = None
    return Inputs(tuple(files), others, tuple(unread))


def _matched(given: str) -> list[str]:
    """A path as it is, where it is there; else what matches it as a pattern."""
    if given == STANDARD or not glob.has_magic(given) or Path(given).exists():
        return [given]
    matched = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 - the pattern may begin anywhere
    if not matched:
        raise InvalidInput(f"Nothing matches {given}.", fix="Check the pattern.")
    return matched


def _within(folder: Path, unread: list[tuple[str, InvalidInput]]) -> list[Path]:
    """The files at any depth, in order; folders that cannot be read go to `unread`."""

    def refuse(error: OSError) -> None:
        unread.append(
            (
                str(error.filename),
                InvalidInput(f"The folder cannot be read: {error.strerror}.", fix="Check its rights."),
            )
        )

    found = (Path(at, name) for at, _, names in os.walk(folder, onerror=refuse) for name in names)
    return sorted(file for file in found if _is_file(file))


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:  # what opens it says why it cannot
        return True
