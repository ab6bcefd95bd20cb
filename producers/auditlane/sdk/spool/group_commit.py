"""Syncs a file to disk once for all threads that are waiting for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

_sync: Final = getattr(os, "fdatasync", os.fsync)


class GroupCommit:
    """Syncs a file for several threads together. Thread-safe. A signal handler may call `wait`, even if it interrupted
    `wait`.
    """

    def __init__(self, snapshot: Callable[[], tuple[int, int]]) -> None:
        """Create a file's group commit.

        `snapshot` returns the number of records written so far, and a descriptor of their file to sync and close, or
        -1.
        """
        self._snapshot = snapshot
        self._changed = threading.Condition(threading.RLock())
        self._syncing = 0  # id of the thread that syncs
        self._synced = 0

    def wait(self, written: int) -> None:
        """Return once this many records have been synced. Raises OSError."""
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
        """Sync without holding the lock, so that other threads can write in the meantime and join the next group."""
        self._changed.release()
        try:
            written, descriptor = self._snapshot()
            sync_and_close(descriptor)
        finally:
            self._changed.acquire()
        self._synced = max(self._synced, written)


def sync_and_close(descriptor: int) -> None:
    """Sync a file and close it, or do nothing if the descriptor is -1. Raises OSError."""
    if descriptor < 0:
        return
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)
