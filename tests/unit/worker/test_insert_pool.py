"""Tests how insert threads report work that fails unexpectedly."""

from __future__ import annotations

from unittest.mock import Mock

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.remedy import Remedy
from auditlane.worker.protocol.actions import Write
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.sink.insert_pool import InsertPool


class Panic(BaseException):
    """Derives from BaseException, like panics in Rust libraries."""


def test_a_panic_halts_its_partition_and_the_thread_lives_on() -> None:
    pool = InsertPool(
        Mock(validate=Mock(side_effect=Panic("index out of bounds"))), Mock(), Mock(), Failpoints(), threads=1
    )
    for _ in range(3):  # more failures than threads
        pool.submit(Write(Range(Partition("t", 0), "id", 0, 0, Columns([0], [0], [b"k"], [b"v"]), "", 1)))
        assert pool.join(10)
        [done] = pool.poll()
        assert done.failure is not None
        assert done.failure.remedy is Remedy.halt
        assert done.failure.message == "Panic: index out of bounds"
    pool.close()
