"""Tests the budget for late months or days: what a tenant's backdated events may cost, and which partitions have to
wait.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime.failpoints import Failpoints
from auditlane.store.partitioning import Partitioning
from auditlane.worker.protocol.actions import Write
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.sink.insert_pool import Done, InsertPool
from auditlane.worker.sink.late_budget import OF_ALL, LateBudget, late_before
from auditlane.worker.validation.batch import ValidationResult

NOW = int(datetime(2026, 11, 15, tzinfo=UTC).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("newest", "month", "day"),
    [
        (datetime(2026, 11, 15, tzinfo=UTC), 202610, 20261114),
        (datetime(2026, 1, 1, tzinfo=UTC), 202512, 20251231),
        (datetime(2026, 2, 28, 23, 59, tzinfo=UTC), 202601, 20260227),
        (datetime(1970, 1, 1, tzinfo=UTC), 196912, 19691231),
    ],
)
def test_the_current_and_the_previous_period_are_not_late(newest: datetime, month: int, day: int) -> None:
    newest_ms = int(newest.timestamp() * 1_000)
    assert late_before(newest_ms, Partitioning.MONTH) == month
    assert late_before(newest_ms, Partitioning.DAY) == day


@pytest.mark.parametrize(("newest_ms", "day"), [(-1, 19691231), (2**63 - 1, 99991230)])
def test_a_kafka_timestamp_may_be_any_number(newest_ms: int, day: int) -> None:
    assert late_before(newest_ms, Partitioning.DAY) == day


def parts(budget: LateBudget, tenant: str, seconds: int) -> int:
    return sum(budget.take([tenant], at) for at in range(0, seconds * 1_000, 50))


def test_a_burst_of_a_minute_is_allowed_and_then_the_rate_applies() -> None:
    assert parts(LateBudget(4.0), "acme", 60) in range(477, 482)


def test_a_tenant_that_sends_few_does_not_wait_for_one_that_sends_many() -> None:
    budget = LateBudget(1.0)
    assert parts(budget, "mallory", 60) >= 60
    assert not budget.take(["mallory"], 60_000)
    assert budget.take(["acme"], 60_000)
    assert budget.take(["mallory", "bob"], 60_000), "paid from bob's budget, and charged to mallory too"


def test_all_tenants_together_are_limited() -> None:
    budget = LateBudget(1.0)
    made = sum(budget.take([f"t{at % 1_000}"], at * 10) for at in range(60_000))
    assert made <= budget.most_per_second(600) * 600 + 1
    assert made >= OF_ALL * 600


@given(st.lists(st.tuples(st.sets(st.sampled_from("abc"), min_size=1), st.booleans(), st.integers(0, 500))))
def test_no_tenant_pays_more_than_its_rate_and_debts_are_bounded(steps: list[tuple[set[str], bool, int]]) -> None:
    budget, now, alone = LateBudget(2.0), 0, 0
    for tenants, owes, wait in steps:
        now += wait
        if owes:
            budget.owe(tenants, now)
        elif budget.take(tenants, now) and tenants == {"a"}:
            alone += 1
    assert alone <= 2 * 60 + 2 * now / 1_000
    assert all(one.saved >= -120 for one in budget._tenants.values())


class Table:
    def __init__(self) -> None:
        self.periods: list[int] = []

    def insert(self, range_: Range, period: int, rows: Any, **_: Any) -> int:
        self.periods.append(period)
        return len(rows)

    def stored(self, range_: Range) -> dict[int, set[int]]:
        return {period: set(range(100)) for period in self.periods}


def rows(*tenants: str) -> pa.Table:
    return pa.table({"tenant_id": list(tenants), "kafka_offset": list(range(len(tenants)))})


class Thread:
    """Runs the steps of insert threads on a single range, whose validated rows are in these periods."""

    def __init__(
        self,
        periods: dict[int, pa.Table],
        late: LateBudget,
        *,
        redo: bool = False,
        partitioning: Partitioning = Partitioning.MONTH,
    ) -> None:
        columns = Columns(range(100), [NOW] * 100, [b"k"] * 100, [b"v"] * 100)
        self.range = Range(Partition("t", 0), "id", 0, 99, columns, "", 1, redo)
        self.table = Table()
        validator = Mock(validate=Mock(return_value=ValidationResult(periods, [])))
        options = {"threads": 1, "late": late, "partitioning": partitioning}
        self.pool = InsertPool(validator, self.table, Mock(), Failpoints(), **options)

    def write(self) -> Done:
        self.pool.submit(Write(self.range))
        assert self.pool.join(30)
        [done] = self.pool.poll()
        assert done.failure is None
        return done


def test_present_months_are_stored_first_and_late_ones_wait_for_their_budget() -> None:
    late = LateBudget(0.001)  # the bucket holds one part; saving up the next takes a quarter of an hour
    old = [202001, 202002, 202003]
    thread = Thread({month: rows("acme") for month in [*old, 202610, 202611, 202612]}, late)
    done = thread.write()
    assert done.later_ms is not None
    assert thread.table.periods == [202610, 202611, 202612, 202003]
    late.rate = 1_000.0
    late._tenants.clear()
    late._all = None
    done = thread.write()
    thread.pool.close()
    assert done.later_ms is None
    assert sorted(thread.table.periods[4:]) == old[:2], "nothing is sent twice"
    assert (done.parts, done.late) == (6, 3)


def test_with_daily_partitions_only_today_and_yesterday_do_not_wait() -> None:
    days = [20251115, 20261015, 20261113, 20261114, 20261115, 20261116]
    thread = Thread({day: rows("acme") for day in days}, LateBudget(0.001), partitioning=Partitioning.DAY)
    done = thread.write()
    thread.pool.close()
    assert done.later_ms is not None
    assert thread.table.periods == [20261114, 20261115, 20261116, 20261113]


def test_a_month_with_another_tenants_event_does_not_wait() -> None:
    late = LateBudget(0.001)
    assert late.take(["mallory"], time.monotonic_ns() // 1_000_000)
    late._all = None
    thread = Thread({202001: rows("mallory"), 202002: rows("mallory", "acme"), 202003: rows("mallory")}, late)
    thread.write()
    thread.pool.close()
    assert thread.table.periods == [202002]


def test_a_redo_does_not_wait_and_is_charged() -> None:
    late = LateBudget(1.0)
    thread = Thread({month: rows("acme") for month in range(202001, 202013)}, late, redo=True)
    done = thread.write()
    thread.pool.close()
    assert (done.later_ms, done.parts, done.late) == (None, 12, 12)
    assert late._tenants["acme"].saved == pytest.approx(48, abs=1)


def test_the_shared_budget_pays_for_present_months_only() -> None:
    thread = Thread({month: rows("acme") for month in [*range(202001, 202013), 202611]}, LateBudget(10.0))
    done = thread.write()
    while done.later_ms is not None:
        done = thread.write()
    thread.pool.close()
    assert done.parts - done.late == 1


def test_a_slow_validation_delays_no_other_range() -> None:
    release = threading.Event()
    columns = Columns([0], [NOW], [b"k"], [b"v"])

    def validate(raw: Any, **_: Any) -> ValidationResult:
        if raw.partition < 5:
            assert release.wait(30)
        return ValidationResult({}, [])

    pool = InsertPool(Mock(validate=validate), Table(), Mock(), Failpoints(), threads=1)
    for number in range(6):
        pool.submit(Write(Range(Partition("t", number), "id", 0, 0, columns, "", 1)))
    [done] = pool.poll(30)
    assert done.work.range.partition.number == 5
    release.set()
    assert pool.join(30)
    pool.close()
