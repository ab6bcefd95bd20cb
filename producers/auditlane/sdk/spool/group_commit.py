"""Sync a file to disk once for all threads that wait for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

_sync: Final = getattr(os, "fdatasync", os.fsync)


class GroupCommit:
    """Thread-safe. A signal handler that interrupts `wait` may call it too."""

    def __init__(self, snapshot: Callable[[], tuple[int, int]]) -> None:
        """`snapshot` returns how many records were written, and a descriptor of their file to sync and close, or -1."""
        self._snapshot = snapshot
        self._changed = threading.Condition(threading.RLock())
        self._syncing = 0  # the thread that syncs
        self._synced = 0

    def wait(self, written: int) -> None:
        """Return once as many records are synced. Raises OSError."""
        me = threading.get_ident()
        with self._changed:
            while self._synced < written:
                if self._syncing and self._syncing != me:
                    self._changed.wait()
                    continue
                interrupted, self._syncing = self._syncing, me
                try:
                    self._sync()
                finally:
                    self._syncing = interrupted
                    self._changed.notify_all()

    def _sync(self) -> None:
        """Sync without the lock, so that other threads may write and join the next group."""
        self._changed.release()
        try:
            written, descriptor = self._snapshot()
            sync_and_close(descriptor)
        finally:
            self._changed.acquire()
        self._synced = max(self._synced, written)


def sync_and_close(descriptor: int) -> None:
    """Sync a file and close it. Do nothing for -1. Raises OSError."""
    if descriptor < 0:
        return
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)
