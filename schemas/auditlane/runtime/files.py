"""Writes auditlane's own files, readable only by their owner. Small files are replaced atomically."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Set
from pathlib import Path


def private() -> None:
    """Set the umask so that files created by this process and its children are accessible only to their owner."""
    os.umask(0o077)


def own_groups() -> frozenset[int]:
    """Return the group ids of this process."""
    return frozenset({os.getegid(), *os.getgroups()})


def is_accessible_to_others(mode: int, group: int, groups: Set[int]) -> bool:
    """Return whether users other than a file's owner may access it. `group` is the file's group, and `groups` are the
    groups of this process.

    The file's group may have access if the process belongs to it. Kubernetes, for example, mounts secrets as root's
    files, readable by the pod's group.
    """
    return bool(mode & (0o027 if group in groups else 0o077))


def write_text(path: Path, text: str) -> None:
    """Replace a file atomically and durably. Readers see either the old or the new content, even after a power loss.

    Only the file's owner may read it. If `path` is a symbolic link, its target is replaced. Raises OSError.
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
    """Sync the folder to disk, so that renames in it survive a power loss. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
