"""The partitions of the table `events`: one for each month or for each day of `occurred_at`, as chosen by
`auditlane init`.

A *period* is the month or day (UTC) of one partition, as a number: yyyymm or yyyymmdd. An insert contains rows of one
period, since only then does it create one part. Performs no I/O.
"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import Settings, variable

_SETTING: Final = variable("clickhouse_partitions")


class Partitioning(StrEnum):
    """How long the period of one partition is. The values are those of `auditlane init --partitions`."""

    MONTH = "month"
    DAY = "day"

    @classmethod
    def of(cls, partition_key: str) -> Partitioning | None:
        """Return the partitioning of a table with this key in `system.tables`, or None if it is neither."""
        key = partition_key.replace("`", "")
        return next((one for one in cls if one.expression == key), None)

    @property
    def function(self) -> str:
        """ClickHouse's function that returns the period of a time."""
        return "toYYYYMM" if self is Partitioning.MONTH else "toYYYYMMDD"

    @property
    def expression(self) -> str:
        """The table's PARTITION BY, whose values are periods."""
        return f"{self.function}(occurred_at)"

    def period(self, day: date) -> int:
        """Return the period that contains a day of UTC."""
        month = day.year * 100 + day.month
        return month if self is Partitioning.MONTH else month * 100 + day.day

    def previous(self, day: date) -> int:
        """Return the period before the one that contains the day."""
        first = day.replace(day=1) if self is Partitioning.MONTH else day
        return self.period(first - timedelta(days=1))

    def condition(self, period: int) -> str:
        """Return the condition that selects a period's rows.

        Raises ValueError for a period of the other form, which would select nothing.
        """
        if len(str(period)) != (6 if self is Partitioning.MONTH else 8):
            raise ValueError(f"{period} is not a {self} of the table")
        return f"{self.expression} = {period}"


def configured(settings: Settings) -> Partitioning | None:
    """Return the partitioning that the settings require, if any."""
    return Partitioning(settings.clickhouse_partitions) if settings.clickhouse_partitions else None


def resolve(table: str, found: str | None, wanted: Partitioning | None) -> Partitioning:
    """Return the partitioning with which `auditlane init` has to create the table.

    `found` is the table's partition key, or None if the table does not exist. `wanted` is the operator's choice, if
    any. A key that is neither a month nor a day is left for the worker's preflight to refuse. Raises ConfigError if the
    existing table differs from the choice.
    """
    existing = Partitioning.of(found) if found is not None else None
    if found is not None and wanted is not None and existing is not wanted:
        has = f"one partition for each {existing}" if existing else f"the partition key {found or 'tuple()'}"
        keep = f"pass --partitions {existing}, or omit both" if existing else "omit both"
        raise ConfigError(
            f"{table} has {has}, not one for each {wanted}, and the partitions of an existing table cannot be changed.",
            field="--partitions",
            fix=f"To keep them, {keep} --partitions and {_SETTING}. To change them, rebuild the table as described in "
            "Replay and verify.",
        )
    return existing or wanted or Partitioning.MONTH


def check_setting(table: str, existing: Partitioning, wanted: Partitioning | None) -> None:
    """Raise ConfigError if the process is configured for other partitions than the table has."""
    if wanted is not None and wanted is not existing:
        raise ConfigError(
            f"{table} has one partition for each {existing}, not for each {wanted}.",
            field=_SETTING,
            fix=f"Set {_SETTING}={existing} for every process. To change the table, rebuild it as described in Replay "
            "and verify.",
        )
