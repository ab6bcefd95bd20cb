"""A thread-safe, bounded LRU cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, overload

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")


class LruCache(Generic[K, V]):
    """A cache that evicts the least recently used entry first. `most` limits the sum of the weights of all entries. The
    default weight is 1.

    An entry heavier than `most` is kept alone. Values must not be None. A `put` from a signal handler that interrupts
    another change is ignored.
    """

    def __init__(self, most: int, *, weight: Callable[[V], int] = lambda value: 1) -> None:
        self._most = most
        self._weight = weight
        self._total = 0
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.RLock()
        self._changing = False

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: Any = None) -> Any:
        """Return the cached value, or the default."""
        value = self._entries.get(key)
        if value is None:
            return default
        try:  # noqa: SIM105  `suppress` costs more than all the rest, for each event
            self._entries.move_to_end(key)
        except KeyError:  # another thread's `put` has just evicted it
            pass
        return value

    def put(self, key: K, value: V) -> None:
        """Store the value, replacing any earlier value."""
        with self._lock:
            if self._changing:
                return
            self._changing = True
            try:
                self._drop(key)
                self._entries[key] = value
                self._total += self._weight(value)
                while self._total > self._most and len(self._entries) > 1:
                    self._drop(next(iter(self._entries)))
            finally:
                self._changing = False

    def pop(self, key: K) -> None:
        """Remove the entry, if it exists."""
        with self._lock:
            self._drop(key)

    def after_fork(self) -> None:
        """Replace the lock in a forked child, since it may have been held by another thread of the parent."""
        self._lock = threading.RLock()
        self._changing = False

    def keys(self) -> list[K]:
        """Return the keys, most recently used last."""
        with self._lock:
            return list(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def _drop(self, key: K) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self._total -= self._weight(value)
