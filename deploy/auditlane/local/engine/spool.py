"""Where a request's data wait until they are whole: memory, and past a size a temporary file; read by the engine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

MEMORY_LIMIT = 64 << 20


class Spool:
    """Bytes written once, then read by path; nothing of it is left when it is closed or the process is killed."""

    def __init__(self, folder: Path, *, memory_limit: int = MEMORY_LIMIT) -> None:
        self._folder = folder
        self._limit = memory_limit
        self._in_memory = hasattr(os, "memfd_create")
        self._fd = os.memfd_create("auditlane-body") if self._in_memory else self._file()
        self.size = 0

    def _file(self) -> int:
        fd, name = tempfile.mkstemp(dir=self._folder)
        Path(name).unlink()
        return fd

    def write(self, data: bytes | memoryview) -> None:
        """Append. Raises OSError, also when the disk is full."""
        if self._in_memory and self.size + len(data) > self._limit:
            self._to_file()
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            view = view[written:]
            self.size += written

    def _to_file(self) -> None:
        fd = self._file()
        try:
            copied = 0
            while copied < self.size:
                copied += os.sendfile(fd, self._fd, copied, self.size - copied)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd, self._in_memory = fd, False

    @property
    def path(self) -> str:
        """A path that the engine, in this process, opens and reads from the start."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        return f"/dev/fd/{self._fd}"

    def pieces(self) -> Iterator[bytes]:
        """Everything, a megabyte at a time."""
        offset = 0
        while piece := os.pread(self._fd, 1 << 20, offset):
            yield piece
            offset += len(piece)

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
