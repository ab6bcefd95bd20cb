"""What an insert thread does when a redo's verdict differs from that of the attempt before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pytest

from auditlane.contract.codes import RejectCode
from auditlane.worker.actions import Bury, Write
from auditlane.worker.failpoints import Failpoints
from auditlane.worker.jobs import Done, Jobs
from auditlane.worker.judge import Rejection, Verdict
from auditlane.worker.ranges import Columns, Partition, Range

MONTH = 202611
COUNT = 6


@dataclass
class Table:
    """Keeps offsets; a token that was spent stores nothing, as ClickHouse has it."""

    offsets: list[int] = field(default_factory=list)
    spent: set[Any] = field(default_factory=set)

    def insert(self, range_: Range, month: int, rows: pa.Table, *, left_out: bool = False) -> None:
        offsets = tuple(rows.column("kafka_offset").to_pylist())
        token = (month, offsets if left_out else None)
        if token not in self.spent:
            self.spent.add(token)
            self.offsets += [one for one in offsets if one not in self.offsets]  # the guard

    def stored(self, range_: Range) -> set[int]:
        return set(self.offsets)


def attempt(table: Table, accepted: set[int], *, redo: bool) -> Done:
    """Judge the range so, write it, and bury what it refuses; what the last step said."""
    columns = Columns(list(range(COUNT)), [0] * COUNT, [b"k"] * COUNT, [b"v"] * COUNT)
    range_ = Range(Partition("t", 0), "id", 0, COUNT - 1, columns, "", 1, redo)
    rejected = [Rejection(one, RejectCode.SCHEMA_UNKNOWN, "", None, 1) for one in range(COUNT) if one not in accepted]
    rows = {MONTH: pa.table({"kafka_offset": sorted(accepted)})} if accepted else {}
    judge = Mock(judge=Mock(return_value=Verdict(rows, rejected)))
    jobs = Jobs(judge, table, Mock(), Failpoints(), threads=1)
    done = None
    for work in (Write(range_), Bury(range_)):
        jobs.submit(work)
        assert jobs.join(10)
        [done] = jobs.poll()
        assert done.failure is None
    jobs.close()
    assert done is not None
    return done


@pytest.mark.parametrize("first", [set(), {0, 2}, {1, 3, 5}, set(range(COUNT))])
@pytest.mark.parametrize("second", [set(), {0, 2}, {0, 1, 2, 3}, set(range(COUNT))])
@pytest.mark.parametrize("third", [{0, 2}, {0, 1, 2, 3, 4}])
def test_every_message_is_stored_or_buried_whatever_the_verdicts(
    first: set[int], second: set[int], third: set[int]
) -> None:
    table = Table()
    attempt(table, first, redo=False)
    attempt(table, second, redo=True)
    done = attempt(table, third, redo=True)
    buried = {one.index for one in done.rejected}
    assert sorted(table.offsets) == sorted(first | second | third)
    assert buried == set(range(COUNT)) - first - second - third


def test_an_unchanged_verdict_needs_no_second_insert() -> None:
    table = Table()
    attempt(table, {0, 2}, redo=False)
    attempt(table, {0, 2}, redo=True)
    assert len(table.spent) == 1
