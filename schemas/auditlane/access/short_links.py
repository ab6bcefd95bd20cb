"""Short forms of one-time links, which fit into one line of a terminal.

The folder of the short links holds a file for each: its name is the short code, and its content is the link's own code.
"""

from __future__ import annotations

import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from auditlane.access.links import LINK_TTL_MAX
from auditlane.runtime.files import write_text

_PARAMETER: Final = "?code="
_BYTES: Final = 16
_SHORT: Final = re.compile(r"[A-Za-z0-9_-]{22}")  # a link's own code is longer, and contains dots


class ShortLinks:
    """The short links in a folder, which `serve` shares with the commands that mint links."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shorten(self, link: str) -> str:
        """Return a short form of a link that `auditlane.access.links` minted, and delete the files of expired links.

        Returns the link unchanged if the folder cannot be written to.
        """
        page, _, code = link.partition(_PARAMETER)
        short = secrets.token_urlsafe(_BYTES)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._delete_expired()
            write_text(self._folder / short, code)
        except OSError:
            return link
        return f"{page}{_PARAMETER}{short}"

    def code_of(self, given: str) -> str:
        """Return the code that a short code stands for. Any other code is returned unchanged."""
        if not _SHORT.fullmatch(given):
            return given
        try:
            return (self._folder / given).read_text("utf-8")
        except OSError:
            return given

    def _delete_expired(self) -> None:
        before = time.time() - LINK_TTL_MAX.total_seconds()
        for path in self._folder.iterdir():
            if _SHORT.fullmatch(path.name):
                with suppress(FileNotFoundError):  # another process was faster
                    if path.stat().st_mtime < before:
                        path.unlink()
