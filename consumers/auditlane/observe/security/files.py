"""The modes and owners of files with secrets or events, and findings about them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from auditlane.access.provenance_keys import path_of
from auditlane.observe.security.findings import Finding, Gap, Rule, Severity
from auditlane.runtime.files import is_accessible_to_others
from auditlane.runtime.settings import Settings, files_of_secrets

_WRITABLE: Final = 0o022

READABLE: Final = Rule(
    "file-accessible-to-others",
    Severity.high,
    "Other users of the machine can read the secrets or events in it.",
    "Run: chmod go= on it.",
)
OWNER: Final = Rule(
    "file-owned-by-another-user",
    Severity.high,
    "Its owner can read it and replace it at any time.",
    "Run chown, so that the user who runs auditlane owns it.",
)
REPLACEABLE: Final = Rule(
    "folder-writable-by-others",
    Severity.critical,
    "Other users of the machine can replace the secrets in the folder with their own.",
    "Run: chmod go-w on the folder.",
)


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a file or folder. `mode` is its `st_mode`, `owner` a user id, `group` a group id, and `folder_mode`
    the mode of the parent folder.
    """

    what: str
    path: str
    mode: int
    owner: int
    group: int
    folder_mode: int


def paths(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the files and folders that only the user who runs auditlane may read. Some may not exist."""
    given = (
        ("keys file", settings.keys_file),
        ("signing keys file", settings.signing_keys_file),
        ("provenance keys file", path_of(settings)),
        ("data directory", settings.data_dir),
        ("export folder", None if settings.export_url else settings.export_dir or _beside(settings, "exports")),
        ("folder of spooled audit events", settings.trail_spool_dir or _beside(settings, "trail")),
    )
    yield from ((what, path) for what, path in given if path is not None)
    for path in sorted((settings.data_dir / "credentials").glob("*.json")):
        yield "credentials file", path
    yield from ((f"file of {name}", path) for name, path in files_of_secrets().items())
    for option in ("ssl.key.location", "ssl.keystore.location"):
        if location := settings.kafka_extra.get(option):
            yield f"file of {option}", Path(str(location))


def _beside(settings: Settings, name: str) -> Path | None:
    return settings.signing_keys_file.with_name(name) if settings.signing_keys_file else None


def gather(settings: Settings) -> Iterator[FileState | Gap]:
    """Yield the state of each existing file, or a Gap if its state cannot be determined."""
    for what, path in paths(settings):
        try:
            found = path.stat()  # follows links, since mounted secrets are symbolic links
            folder = path.resolve().parent.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            yield Gap(f"The {what} {path} cannot be examined: {error.strerror}.", "Run the check as its owner.")
            continue
        yield FileState(what, str(path), found.st_mode, found.st_uid, found.st_gid, folder.st_mode)


def judge(states: Iterable[FileState], *, user: int, groups: Set[int]) -> Iterator[Finding]:
    """Yield findings about files that users other than `user` and root can read or replace.

    `user` is a user id. `groups` are the ids of that user's groups. Their members may read the files.
    """
    for state in states:
        shown = f"The {state.what} {state.path}"
        if is_accessible_to_others(state.mode, state.group, groups):
            yield READABLE.found(f"{shown} has mode {stat.S_IMODE(state.mode):o}.", f"Run: chmod go= {state.path}")
        if state.owner not in (user, 0):
            yield OWNER.found(f"{shown} belongs to the user with id {state.owner}.")
        sticky = state.folder_mode & stat.S_ISVTX
        if state.folder_mode & _WRITABLE and not sticky:
            parent = os.path.dirname(state.path) or "."  # noqa: PTH120 - a text, which may be of another machine
            yield REPLACEABLE.found(f"The folder of {state.path} is writable by others.", f"Run: chmod go-w {parent}")
