"""The cache folder for downloads. Each user has one, shared by all of the user's stacks."""

from __future__ import annotations

import os
import pwd
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from auditlane.runtime.errors import ConfigError


def candidates(
    given: Path | None, environ: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> Iterator[Path]:
    """Yield the absolute paths of possible cache folders, best first: only `given` (AUDITLANE_CACHE_DIR) if set,
    otherwise the user's own.

    They may be missing or read-only, since callers only look there for files that are already cached.
    """
    if given:
        yield given.expanduser().absolute()
        return
    if base := environ.get("XDG_CACHE_HOME"):
        yield Path(base).absolute() / "auditlane"
    for home in filter(None, (environ.get("HOME"), _home_of_user())):
        within = ("Library", "Caches") if platform == "darwin" else (".cache",)
        yield Path(home).absolute().joinpath(*within, "auditlane")


def folder(given: Path | None, environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the absolute path of the cache folder, after creating it and checking that it is writable.

    If no folder is given and the user's is not writable, because the home folder is missing or read-only, it is in the
    folder for temporary files. Raises ConfigError if the given folder or the fallback cannot be used.
    """
    for candidate in candidates(given, environ, platform):
        try:
            return _writable(candidate)
        except ConfigError:
            if given:
                raise
    return _temporary()


def _home_of_user() -> str:
    """Return the home folder from the user database, ignoring HOME, or an empty string for an unknown user."""
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_dir
    return ""


def _temporary() -> Path:
    """Return a temporary folder that no other user can have written to. Raises ConfigError."""
    path = _writable(Path(tempfile.gettempdir()).absolute() / f"auditlane-{os.getuid()}")
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise ConfigError(
            f"{path} belongs to another user, or other users can write to it.",
            field="cache_dir",
            fix="Set AUDITLANE_CACHE_DIR to a writable folder.",
        )
    return path


def _writable(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise ConfigError(
            f"Cannot write to the cache folder {path}: {error.strerror or error}.",
            field="cache_dir",
            fix="Set AUDITLANE_CACHE_DIR to a writable folder.",
        ) from error
    return path
