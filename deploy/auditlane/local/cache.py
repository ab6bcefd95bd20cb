"""Where downloads are kept: once a user, shared by every stack of theirs."""

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
    """The folders that may be meant, the best first, absolute: AUDITLANE_CACHE_DIR (`given`) alone, or the user's own.

    None need be there, or be ours to write: they are for what may have been put there already.
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
    """The folder for what is to be kept, absolute; it is there and can be written.

    Where nothing is given and none of the user's own can be written (a home that is read-only, or none), it is one in
    the folder for temporary files. Raises ConfigError when that cannot be used either, or not the given one.
    """
    for candidate in candidates(given, environ, platform):
        try:
            return _writable(candidate)
        except ConfigError:
            if given:
                raise
    return _temporary()


def _home_of_user() -> str:
    """As the system knows it, whatever HOME says; empty for a user that it does not know."""
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_dir
    return ""


def _temporary() -> Path:
    """One that nobody else can have put something into."""
    path = _writable(Path(tempfile.gettempdir()).absolute() / f"auditlane-{os.getuid()}")
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise ConfigError(f"{path} is not this user's own folder.", field="cache_dir", fix="Set AUDITLANE_CACHE_DIR.")
    return path


def _writable(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise ConfigError(
            f"The cache folder {path} cannot be written: {error.strerror or error}.",
            field="cache_dir",
            fix="Set AUDITLANE_CACHE_DIR to a folder that can be written.",
        ) from error
    return path
