"""Tests folding a chain of migrations into one CREATE statement per table and view."""

from __future__ import annotations

import pytest

from auditlane.runtime.errors import ConfigError
from auditlane.store.fold import Column, columns, fold
from auditlane.store.migrate import known

TABLE = """CREATE TABLE IF NOT EXISTS `d`.t (
    a String COMMENT 'one, (two',
    b UInt64 DEFAULT length(a),
    INDEX i b TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
ORDER BY (a, b)
SETTINGS w = 10, x = 'y, z'"""
VIEW = "CREATE VIEW IF NOT EXISTS `d`.v AS SELECT a FROM `d`.t FINAL"


def folded(*alterations: str) -> str:
    [table] = fold([TABLE, *(f"ALTER TABLE `d`.t {one}" for one in alterations)])
    return table


def elements(table: str) -> list[str]:
    return [one.strip().rstrip(",") for one in table.partition("(\n")[2].partition("\n)")[0].splitlines()]


def test_an_unaltered_statement_stays_as_written() -> None:
    chain = [statement for migration in known() for statement in migration.statements("audit")]
    kept = [one for one in chain if one.startswith("CREATE")]
    if kept == chain:
        assert fold(chain) == chain
    assert fold([TABLE, VIEW]) == [TABLE, VIEW]


def test_every_migration_of_this_release_folds_into_creates_alone() -> None:
    made = fold(statement for migration in known() for statement in migration.statements("audit"))
    assert all(one.startswith("CREATE ") for one in made)
    assert len({one.split("(")[0].split(" AS")[0] for one in made}) == len(made)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("ADD COLUMN c String", ["a", "b", "c", "INDEX"]),
        ("ADD COLUMN IF NOT EXISTS c Array(String) DEFAULT ['x, y'] AFTER a", ["a", "c", "b", "INDEX"]),
        ("ADD COLUMN c String FIRST", ["c", "a", "b", "INDEX"]),
        ("ADD COLUMN IF NOT EXISTS a String", ["a", "b", "INDEX"]),
        ("ADD COLUMN c String, ADD COLUMN d Map(String, String)", ["a", "b", "c", "d", "INDEX"]),
        ("ADD INDEX j a TYPE bloom_filter(0.01) GRANULARITY 4", ["a", "b", "INDEX", "INDEX"]),
        ("ADD CONSTRAINT k CHECK b > 0", ["a", "b", "INDEX", "CONSTRAINT"]),
        ("DROP COLUMN b", ["a", "INDEX"]),
        ("DROP INDEX IF EXISTS i", ["a", "b"]),
        ("DROP INDEX IF EXISTS other", ["a", "b", "INDEX"]),
    ],
)
def test_columns_and_indexes_are_added_and_dropped(command: str, expected: list[str]) -> None:
    assert [one.split()[0] for one in elements(folded(command))] == expected


def test_a_columns_position_is_not_part_of_its_definition() -> None:
    assert elements(folded("ADD COLUMN c String DEFAULT 'AFTER all' AFTER a"))[1] == "c String DEFAULT 'AFTER all'"


def test_columns_have_types_and_comments() -> None:
    table = """CREATE TABLE t (
        a LowCardinality(String) COMMENT 'It''s (a, b' CODEC(ZSTD(1)),
        b Enum8('x, COMMENT' = 0) DEFAULT 'x, COMMENT',
        INDEX i b TYPE minmax
    ) ENGINE = Memory"""
    assert columns(table) == {
        "a": Column("LowCardinality(String)", "'It''s (a, b'"),
        "b": Column("Enum8('x, COMMENT' = 0)", ""),
    }


def test_settings_are_changed_added_and_reset() -> None:
    made = folded("MODIFY SETTING w = 20, v = 1", "MODIFY SETTING v = 2", "RESET SETTING x")
    assert made.endswith("ORDER BY (a, b)\nSETTINGS w = 20, v = 2")


def test_a_ttl_is_replaced() -> None:
    assert folded("MODIFY TTL b + 1", "MODIFY TTL b + 2").endswith(
        "ORDER BY (a, b)\nTTL b + 2\nSETTINGS w = 10, x = 'y, z'"
    )


def test_a_column_is_modified_by_its_whole_definition() -> None:
    assert "b UInt32 DEFAULT length(a) CODEC(ZSTD(1))" in folded(
        "MODIFY COLUMN b UInt32 DEFAULT length(a) CODEC(ZSTD(1))"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE `d`.t MODIFY COLUMN b UInt32",  # the column would keep its default
        "ALTER TABLE `d`.t ADD COLUMN a String",
        "ALTER TABLE `d`.t ADD COLUMN c String AFTER nothing",
        "ALTER TABLE `d`.t DROP COLUMN nothing",
        "ALTER TABLE `d`.t RENAME COLUMN a TO c",
        "ALTER TABLE `d`.t UPDATE a = '' WHERE 1",
        "ALTER TABLE `d`.t MATERIALIZE INDEX i",
        "ALTER TABLE `d`.other ADD COLUMN c String",
        "ALTER TABLE `d`.v ADD COLUMN c String",
        "RENAME TABLE `d`.t TO `d`.u",
        "DROP TABLE `d`.t",
    ],
)
def test_a_statement_of_unknown_effect_is_rejected(statement: str) -> None:
    with pytest.raises(ConfigError, match="This statement has no cluster form") as raised:
        fold([TABLE, VIEW, statement])
    assert statement in raised.value.message
    assert raised.value.fix


@pytest.mark.parametrize(
    "statement",
    ["CREATE OR REPLACE VIEW `d`.v AS SELECT a, c FROM `d`.u", "ALTER TABLE `d`.v MODIFY QUERY SELECT a, c FROM `d`.u"],
)
def test_a_view_is_created_after_the_tables_that_it_reads(statement: str) -> None:
    other = TABLE.replace("`d`.t", "`d`.u")
    assert fold([TABLE, VIEW, other, statement]) == [
        TABLE,
        other,
        "CREATE VIEW IF NOT EXISTS `d`.v AS SELECT a, c FROM `d`.u",
    ]
