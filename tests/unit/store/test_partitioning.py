"""Tests the partitions of the table `events`: periods, the choice of `init`, and the setting."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import load
from auditlane.store.migrate import known
from auditlane.store.partitioning import Partitioning, check_setting, configured, resolve

MONTH, DAY = Partitioning.MONTH, Partitioning.DAY


def test_a_period_is_a_number_in_the_order_of_time() -> None:
    assert MONTH.period(date(2026, 3, 1)) == 202603
    assert DAY.period(date(2026, 3, 1)) == 20260301
    assert MONTH.previous(date(2026, 3, 31)) == 202602
    assert DAY.previous(date(2026, 3, 1)) == 20260228


@given(st.dates(min_value=date(1900, 2, 1)), st.sampled_from(Partitioning))
def test_the_previous_period_is_the_one_before(day: date, partitioning: Partitioning) -> None:
    assert partitioning.previous(day) < partitioning.period(day)
    assert partitioning.previous(day) == max(
        one for back in range(1, 63) if (one := partitioning.period(date.fromordinal(day.toordinal() - back)))
        < partitioning.period(day)
    )  # fmt: skip


@pytest.mark.parametrize("partitioning", Partitioning)
def test_the_migration_makes_the_key_that_is_recognized(partitioning: Partitioning) -> None:
    statements = known()[0].statements("audit", partitioning)
    assert f"\nPARTITION BY {partitioning.expression}\n" in statements[0]
    assert Partitioning.of(partitioning.expression) is partitioning
    assert Partitioning.of(partitioning.expression.replace("occurred_at", "`occurred_at`")) is partitioning
    assert not [one for statement in statements for one in ("{partitioning}", "{database}") if one in statement]


@pytest.mark.parametrize("key", ["", "tuple()", "toYYYYMM(ingested_at)", "(toYYYYMM(occurred_at), tenant_id)"])
def test_other_keys_are_not_recognized(key: str) -> None:
    assert Partitioning.of(key) is None


@pytest.mark.parametrize(
    ("found", "wanted", "made"),
    [
        (None, None, MONTH),
        (None, MONTH, MONTH),
        (None, DAY, DAY),
        (MONTH.expression, None, MONTH),
        (MONTH.expression, MONTH, MONTH),
        (DAY.expression, None, DAY),
        (DAY.expression, DAY, DAY),
        ("tenant_id", None, MONTH),  # creates nothing, since the table exists; no worker starts with it
    ],
)
def test_a_table_keeps_its_partitions(found: str | None, wanted: Partitioning | None, made: Partitioning) -> None:
    assert resolve("audit.events", found, wanted) is made


@pytest.mark.parametrize(
    ("found", "wanted", "has"),
    [
        (MONTH.expression, DAY, "one partition for each month, not one for each day"),
        (DAY.expression, MONTH, "one partition for each day, not one for each month"),
        ("tenant_id", MONTH, "the partition key tenant_id, not one for each month"),
        ("", DAY, "the partition key tuple(), not one for each day"),
    ],
)
def test_another_choice_for_an_existing_table_is_refused(found: str, wanted: Partitioning, has: str) -> None:
    with pytest.raises(ConfigError) as no:
        resolve("audit.events", found, wanted)
    assert f"audit.events has {has}" in no.value.message
    assert no.value.field == "--partitions"
    assert "--partitions and AUDITLANE_CLICKHOUSE_PARTITIONS" in no.value.fix
    assert "rebuild the table" in no.value.fix


def test_the_setting_must_fit_the_table_that_a_worker_finds() -> None:
    assert configured(load(clickhouse_partitions=None)) is None
    assert configured(load(clickhouse_partitions="day")) is DAY
    for existing in Partitioning:
        check_setting("audit.events", existing, None)
        check_setting("audit.events", existing, existing)
    with pytest.raises(ConfigError, match="has one partition for each month, not for each day") as no:
        check_setting("audit.events", MONTH, DAY)
    assert no.value.field == "AUDITLANE_CLICKHOUSE_PARTITIONS"
    assert "Set AUDITLANE_CLICKHOUSE_PARTITIONS=month" in no.value.fix
