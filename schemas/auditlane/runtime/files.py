"""Files of ours: nobody else's to read, and the small ones written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def private() -> None:
    """From now on what this process and those that it starts create is readable by their user alone."""
    os.umask(0o077)


def write_text(path: Path, text: str) -> None:
    """Replace a file atomically; a reader sees the old text or the new, and after a power loss the new one is there.
    Only its owner may read it.

    A link stays, and the file that it leads to is replaced. Raises OSError.
    """
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, 0o600)
            os.fsync(descriptor)
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Write the folder's names to the disk: what was renamed there is there after a power loss. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
