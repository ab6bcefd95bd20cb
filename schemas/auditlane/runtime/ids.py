"""Event ids. New events get a UUIDv7. Imported events get a UUIDv5, so that they have the same id on every import."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Final

# Namespace of all our deterministic ids. Changing it would duplicate events imported before.
NAMESPACE = uuid.UUID("6ba6d8a5-5b1a-5f0e-9c6b-1f3f0d7e3a11")

BATCH: Final = 32  # number of ids that `uuid7s` creates at once
_RANDOM: Final = int("3fffffffffffffff" * BATCH, 16)  # the random bits of a batch
_VARIANT: Final = int("8000000000000000" * BATCH, 16)
_lock = threading.RLock()  # reentrant: a signal handler that interrupts `uuid7` may call it too
_last = 0
_prefix = 0, ""  # the last id's time in milliseconds, and the prefix that encodes it
# Private, so that no program seeds it by accident. os.urandom for each id would cost more than the rest of this module.
_random = random.Random()  # noqa: S311 - ids must be unique, not secret


def _after_fork() -> None:
    """Reseed in a forked child, and replace the lock, which may have been held by another thread of the parent."""
    global _lock
    _lock = threading.RLock()
    _random.seed()


os.register_at_fork(after_in_child=_after_fork)


def uuid7() -> str:
    """Return a time-ordered UUID (RFC 9562, version 7) in lower case. Ids are strictly increasing within one process.

    The 12 bits after the milliseconds count fractions of a millisecond and grow by at least one, as the RFC's method 3
    allows.
    """
    global _last, _prefix
    stamp = time.time_ns() * 4096 // 1_000_000  # milliseconds << 12 | fraction
    with _lock:
        stamp = stamp if stamp > _last else _last + 1
        _last = stamp
    milliseconds = stamp >> 12
    known, text = _prefix
    if known != milliseconds:  # busy processes create many ids within a millisecond
        text = f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}"
        _prefix = milliseconds, text
    bits = _random.getrandbits(62)
    parts = text, 0x7000 | stamp & 0xFFF, 0x8000 | bits >> 48, bits & 0xFFFF_FFFF_FFFF
    return "%s-%x-%x-%012x" % parts  # noqa: UP031 - an f-string takes longer


def uuid7s() -> Iterator[str]:
    """Yield ids like `uuid7` without end. They are created BATCH at a time, so each takes a third of the time.

    A forked child must not use its parent's iterator.
    """
    while True:
        yield from _batch()


def _batch() -> list[str]:
    global _last
    stamp = time.time_ns() * 4096 // 1_000_000
    with _lock:
        stamp = stamp if stamp > _last else _last + 1
        if (stamp & 0xFFF) + BATCH > 0x1000:  # all ids of a batch have the same milliseconds
            stamp = (stamp >> 12) + 1 << 12
        _last = stamp + BATCH - 1
    prefix, first = f"{stamp >> 28:08x}-{stamp >> 12 & 0xFFFF:04x}-", 0x7000 | stamp & 0xFFF
    random = f"{_random.getrandbits(64 * BATCH) & _RANDOM | _VARIANT:x}"
    return [
        f"{prefix}{number:x}-{random[at : at + 4]}-{random[at + 4 : at + 16]}"
        for number, at in zip(range(first, first + BATCH), range(0, 16 * BATCH, 16), strict=True)
    ]


def uuid5(*parts: str) -> str:
    """Return the UUIDv5 of the parts in auditlane's namespace.

    The length of each part is included, so that ("a", "bc") differs from ("ab", "c").
    """
    return str(uuid.uuid5(NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))
