"""Where downloads are kept: once a user, shared by every stack of theirs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from auditlane.runtime.errors import ConfigError


def folder(given: Path | None, environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The folder for downloads, absolute, not yet made. `given` is AUDITLANE_CACHE_DIR.

    Raises ConfigError when nothing is given and the user has no home.
    """
    if given:
        return given.expanduser().absolute()
    if base := environ.get("XDG_CACHE_HOME"):
        return Path(base).absolute() / "auditlane"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ConfigError("There is no home folder to keep downloads in.", fix="Set AUDITLANE_CACHE_DIR.") from error
    return (home / "Library" / "Caches" if platform == "darwin" else home / ".cache") / "auditlane"
