"""Tests an insert thread whose second attempt yields a different validation result from the first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.reject_codes import RejectCode
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.remedy import Remedy
from auditlane.store.event_insert import EncodedBatch, token
from auditlane.worker.protocol.actions import Publish, Write
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.sink.insert_pool import Done, InsertPool
from auditlane.worker.validation.batch import Rejection, ValidationResult

PERIOD = 202611
COUNT = 6


@dataclass
class Table:
    """Keeps offsets. As in ClickHouse, an insert does not store anything if its token has been used before."""

    offsets: list[int] = field(default_factory=list)
    spent: set[Any] = field(default_factory=set)

    def insert(
        self, range_: Range, period: int, rows: EncodedBatch, *, seen: Collection[int] | None = None, again: int = 0
    ) -> int:
        left = [one for one in rows.offsets if one not in self.offsets]  # the guard
        name = token(range_, period, seen=seen, again=again)
        as_seen = seen is None or len(seen) == len(self.offsets)
        if left and as_seen and name not in self.spent:
            self.spent.add(name)
            self.offsets += left
            return len(left)
        return 0

    def stored(self, range_: Range) -> dict[int, set[int]]:
        return {PERIOD: set(self.offsets)} if self.offsets else {}


def attempt(table: Table, accepted: set[int], *, redo: bool) -> Done:
    """Validate a range so that these offsets are accepted, write it, and publish its rejected messages. Returns the
    result of the last step.
    """
    columns = Columns(list(range(COUNT)), [0] * COUNT, [b"k"] * COUNT, [b"v"] * COUNT)
    range_ = Range(Partition("t", 0), "id", 0, COUNT - 1, columns, "", 1, redo)
    rejected = [Rejection(one, RejectCode.SCHEMA_UNKNOWN, "", None, 1) for one in range(COUNT) if one not in accepted]
    rows = {PERIOD: pa.table({"kafka_offset": sorted(accepted)})} if accepted else {}
    validator = Mock(validate=Mock(return_value=ValidationResult(rows, rejected)))
    pool = InsertPool(validator, table, Mock(), Failpoints(), threads=1)
    done = None
    for work in (Write(range_), Publish(range_)):
        pool.submit(work)
        assert pool.join(10)
        [done] = pool.poll()
        assert done.failure is None, done.failure.message
    pool.close()
    assert done is not None
    return done


@pytest.mark.parametrize("first", [set(), {0, 2}, {1, 3, 5}, set(range(COUNT))])
@pytest.mark.parametrize("second", [set(), {0, 2}, {0, 1, 2, 3}, set(range(COUNT))])
@pytest.mark.parametrize("third", [{0, 2}, {0, 1, 2, 3, 4}])
def test_every_message_is_stored_or_dead_lettered_however_validation_changes(
    first: set[int], second: set[int], third: set[int]
) -> None:
    table = Table()
    attempt(table, first, redo=False)
    attempt(table, second, redo=True)
    done = attempt(table, third, redo=True)
    dead_lettered = {one.index for one in done.rejected}
    assert sorted(table.offsets) == sorted(first | second | third)
    assert dead_lettered == set(range(COUNT)) - first - second - third


def test_an_unchanged_result_needs_no_second_insert() -> None:
    table = Table()
    attempt(table, {0, 2}, redo=False)
    attempt(table, {0, 2}, redo=True)
    assert len(table.spent) == 1


def test_manually_deleted_rows_do_not_block_a_redo() -> None:
    table = Table()
    attempt(table, {0, 2}, redo=False)
    table.offsets.clear()
    attempt(table, {0, 2, 3}, redo=True)
    assert sorted(table.offsets) == [0, 2, 3]


def test_a_store_that_hides_acknowledged_rows_halts_the_partition() -> None:
    """A row policy can hide the rows from the user. In that case, every further insert would store them again."""

    class Hides(Table):
        def stored(self, range_: Range) -> dict[int, set[int]]:
            return {}

    with pytest.raises(AssertionError, match="InsertNotVisible: 3 inserts"):
        attempt(Hides(), {0, 1}, redo=True)


@dataclass
class Unsure(Table):
    """A replicated table on which the first insert fails. If `stores` is true, its rows are stored nevertheless;
    otherwise, they are lost.
    """

    code: int = 319
    stores: bool = True
    answers: list[str] = field(default_factory=list)

    def insert(
        self, range_: Range, period: int, rows: EncodedBatch, *, seen: Collection[int] | None = None, again: int = 0
    ) -> int:
        added = super().insert(range_, period, rows, seen=seen, again=again)
        self.answers.append("first" if seen == () else "look")
        if len(self.answers) == 1:
            if not self.stores:
                self.offsets.clear()  # the token remains used
            raise DatabaseError("what it says", code=self.code)
        return added


@pytest.mark.parametrize("code", [244, 319])
@pytest.mark.parametrize("stores", [True, False])
def test_an_insert_of_unknown_outcome_is_followed_by_a_check(code: int, stores: bool) -> None:
    """Without the check, a repeated insert would be acknowledged because of its token, even if the rows had been
    lost.
    """
    table = Unsure(code=code, stores=stores)
    columns = Columns(list(range(COUNT)), [0] * COUNT, [b"k"] * COUNT, [b"v"] * COUNT)
    range_ = Range(Partition("t", 0), "id", 0, COUNT - 1, columns, "", 1, redo=False)
    validator = Mock(
        validate=Mock(return_value=ValidationResult({PERIOD: pa.table({"kafka_offset": list(range(COUNT))})}, []))
    )
    pool = InsertPool(validator, table, Mock(), Failpoints(), threads=1)
    remedies = []
    for _ in range(2):
        pool.submit(Write(range_))
        assert pool.join(10)
        [done] = pool.poll()
        remedies.append(done.failure.remedy if done.failure else None)
    pool.close()
    assert remedies == [Remedy.look, None]
    assert sorted(table.offsets) == list(range(COUNT))
    assert table.answers == (["first"] if stores else ["first", "look", "look"])
