"""Event ids: UUIDv7 for new events, UUIDv5 for events that must get the same id each time they are read."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid

# The namespace of every deterministic id of ours; changing it would double what was imported before.
NAMESPACE = uuid.UUID("6ba6d8a5-5b1a-5f0e-9c6b-1f3f0d7e3a11")

_lock = threading.RLock()  # a signal handler may ask for an id while the thread that it interrupts asks for one
_last = 0
# Its own, which no program seeds by accident; reading the system's randomness for each id costs more than all the rest.
_random = random.Random()  # noqa: S311 - an id is to be unique, not secret


def _after_fork() -> None:
    """In a forked child: ids of its own, and a lock that no thread of the parent's holds."""
    global _lock
    _lock = threading.RLock()
    _random.seed()


os.register_at_fork(after_in_child=_after_fork)


def uuid7() -> str:
    """A time-ordered UUID (RFC 9562, version 7), lower case; increasing within one process.

    The 12 bits after the milliseconds count sub-milliseconds and grow by at least one, as the RFC's method 3 allows.
    """
    global _last
    stamp = time.time_ns() * 4096 // 1_000_000  # milliseconds << 12 | fraction
    with _lock:
        stamp = stamp if stamp > _last else _last + 1
        _last = stamp
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64
    text = f"{value | 0b10 << 62 | _random.getrandbits(62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def uuid5(*parts: str) -> str:
    """The UUIDv5 of the parts in our namespace, each length-prefixed so that ("a", "bc") differs from ("ab", "c")."""
    return str(uuid.uuid5(NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))
