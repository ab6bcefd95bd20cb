"""Resolves the paths given to an import (files, folders and patterns) to files."""

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
_EXTENSIONS: Final = tuple(f"{name}{gz}" for name in (".json", ".jsonl", ".ndjson") for gz in ("", ".gz"))


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files to read, in order and without duplicates.

    `others` counts files in the folders that are ignored because of their extension. `unread` lists folders that cannot
    be read, with the reason.
    """

    files: tuple[str, ...]
    others: int = 0
    unread: tuple[tuple[str, InvalidInput], ...] = ()


def inputs(paths: Sequence[str]) -> Inputs:
    """Return the files for `paths`.

    A folder stands for all files below it with a JSON extension, sorted by name. A pattern such as `2026-*.json.gz`
    stands for its matches. Raises InvalidInput for a folder without such a file, or a pattern without a match.
    """
    files: dict[str, None] = {}
    others = 0
    unread: list[tuple[str, InvalidInput]] = []
    for path in (match for given in paths for match in _matches(given)):
        if path == STANDARD or not Path(path).is_dir():
            files[path] = None
            continue
        unread_before = len(unread)
        found = _files_in(Path(path), unread)
        readable = [str(file) for file in found if file.name.lower().endswith(_EXTENSIONS)]
        if not readable and len(unread) == unread_before:
            raise InvalidInput(
                f"{path} contains no file to import.",
                fix=f"Give the files one of these extensions: {', '.join(_EXTENSIONS)}.",
            )
        others += len(found) - len(readable)
        files |= dict.fromkeys(readable)
    return Inputs(tuple(files), others, tuple(unread))


def _matches(path: str) -> list[str]:
    """Return the path itself if it exists or is not a pattern, otherwise the pattern's matches."""
    if path == STANDARD or not glob.has_magic(path) or Path(path).exists():
        return [path]
    matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - the pattern may start anywhere
    if not matches:
        raise InvalidInput(f"No file matches {path}.", fix="Correct the pattern.")
    return matches


def _files_in(folder: Path, unread: list[tuple[str, InvalidInput]]) -> list[Path]:
    """Return the files at any depth, sorted by name. Unreadable folders are added to `unread`."""

    def on_error(error: OSError) -> None:
        problem = InvalidInput(f"Cannot read the folder: {error.strerror}.", fix="Check its permissions.")
        unread.append((str(error.filename), problem))

    found = (Path(at, name) for at, _, names in os.walk(folder, onerror=on_error) for name in names)
    return sorted(file for file in found if _is_file(file))


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:  # the reason is reported when the file is opened
        return True
