"""A thread-safe cache that keeps the entries used last, within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, overload

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")


class LruCache(Generic[K, V]):
    """`most` is the sum of all entries' weights, one each by default. The entry used longest ago goes first.

    One that is heavier than `most` is kept alone. No value is None. What a signal handler puts while it interrupts a
    change is not kept.
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
        """The value, else the default: it was never kept, or is not any more."""
        value = self._entries.get(key)
        if value is None:
            return default
        try:  # noqa: SIM105  `suppress` costs more than all the rest, for each event
            self._entries.move_to_end(key)
        except KeyError:  # another thread's `put` made it go just now
            pass
        return value

    def put(self, key: K, value: V) -> None:
        """Keep the value, in place of one that is there."""
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
        """Keep it no longer."""
        with self._lock:
            self._drop(key)

    def after_fork(self) -> None:
        """In a forked child: a thread of the parent's may have held the lock."""
        self._lock = threading.RLock()
        self._changing = False

    def keys(self) -> list[K]:
        """Those of the entries, the one used last at the end."""
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
