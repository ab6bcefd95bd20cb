from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.remedy import Remedy
from auditlane.store import preflight
from auditlane.store.event_insert import PINNED, EncodedBatch, Table, columns_to_send, statement, token
from auditlane.store.insert_failures import HALT, LOOK, SLOWER, WAIT, classify
from auditlane.store.partitioning import Partitioning
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.event_columns import EVENTS

TOPIC = "00000000-0000-0000-0000-000000000001"
RANGE = Range(
    Partition("t", 4), TOPIC, 10, 12, Columns([10, 12], [70, 60], [b"", b""], [b"", b""]), "d", assignment_epoch=1
)


def test_the_token_names_topic_partition_range_and_month_or_day() -> None:
    """Its text must not change: a window holds tokens of earlier versions."""
    assert token(RANGE, 202611) == f"{TOPIC}:4:10-12:202611"
    assert token(RANGE, 20261115) == f"{TOPIC}:4:10-12:20261115"


def test_the_guard_is_inside_the_statement_and_bounded_in_time() -> None:
    table = Table("audit", (("kafka_offset", "UInt64"), ("outcome", "Enum8('a\\'b' = 0)")), {}, Partitioning.MONTH)
    assert statement(table, RANGE, 202611) == (
        "INSERT INTO `audit`.`events` (`kafka_offset`, `outcome`) SELECT `kafka_offset`, `outcome` FROM "
        "input('`kafka_offset` UInt64, `outcome` Enum8(\\'a\\\\\\'b\\' = 0)') WHERE kafka_offset NOT IN ("
        f"SELECT kafka_offset FROM `audit`.`events` WHERE kafka_topic_id = '{TOPIC}' AND kafka_partition = 4"
        " AND kafka_offset BETWEEN 10 AND 12 AND kafka_timestamp BETWEEN fromUnixTimestamp64Milli(60)"
        " AND fromUnixTimestamp64Milli(70) AND toYYYYMM(occurred_at) = 202611) FORMAT ArrowStream"
    )


def test_the_guard_reads_the_period_of_the_tables_partitions() -> None:
    table = Table("audit", (("kafka_offset", "UInt64"),), {}, Partitioning.DAY)
    assert " AND toYYYYMMDD(occurred_at) = 20261115) FORMAT" in statement(table, RANGE, 20261115)
    with pytest.raises(ValueError, match="202611 is not a day"):
        statement(table, RANGE, 202611)
    with pytest.raises(ValueError, match="20261115 is not a month"):
        statement(replace(table, partitioning=Partitioning.MONTH), RANGE, 20261115)


def test_values_shared_by_a_ranges_rows_are_sent_once() -> None:
    names = ("kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset")
    table = Table("audit", tuple((name, "T") for name in names), {}, Partitioning.MONTH)
    assert statement(table, RANGE, 202611).startswith(
        "INSERT INTO `audit`.`events` (`kafka_topic`, `kafka_topic_id`, `kafka_partition`, `kafka_offset`) SELECT "
        f"toLowCardinality('t'), toUUID('{TOPIC}'), toUInt32(4), `kafka_offset` FROM input('`kafka_offset` T') WHERE"
    )
    strange = replace(
        RANGE, partition=Partition("it's \\ one", 4)
    )  # not a valid topic name in Kafka, but auditlane does not choose the names of copies
    assert r"toLowCardinality('it\'s \\ one')" in statement(table, strange, 202611)
    rows = pa.table({name: ["x"] for name in ("action", *names)})
    assert columns_to_send(rows, RANGE).column_names == ["action", "kafka_offset"]


def test_the_body_is_one_batch_however_the_rows_were_built() -> None:
    rows = EncodedBatch(pa.concat_tables([pa.table({"kafka_offset": list(range(1_000))}) for _ in range(80)]))
    assert len(rows) == 80_000
    assert rows.offsets == list(range(1_000)) * 80
    for head in ("INSERT …", "INSERT other", "INSERT " + "x" * 100_000, "INSERT …"):  # one of them is repeated
        text, _, stream = bytes(rows.with_statement(head)).partition(b"\n")
        assert text.decode() == head
        assert [batch.num_rows for batch in pa.ipc.open_stream(io.BytesIO(stream))] == [80_000]


@pytest.mark.parametrize("count", [1, 3])
def test_the_body_of_a_few_rows_takes_little_memory_and_may_be_sent_again(count: int) -> None:
    rows = EncodedBatch(pa.table({"kafka_offset": list(range(count))}))
    for head in ("INSERT …", "INSERT other", "INSERT " + "x" * 100_000):
        text, _, stream = bytes(rows.with_statement(head)).partition(b"\n")
        assert text.decode() == head
        assert len(stream) < 2_000
        assert [batch.num_rows for batch in pa.ipc.open_stream(io.BytesIO(stream))] == [count]


def error(code: int | None) -> DatabaseError:
    return DatabaseError("Code: something. DB::Exception: what it says", code=code)


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        *((error(code), Remedy.halt) for code in HALT),
        *((error(code), Remedy.retry_slower) for code in SLOWER),
        (error(164), Remedy.retry),  # READONLY
        *((error(code), Remedy.wait) for code in WAIT),
        *((error(code), Remedy.look) for code in LOOK),
        (error(242), Remedy.retry_slower),  # TABLE_IS_READ_ONLY
        (error(244), Remedy.look),  # UNEXPECTED_ZOOKEEPER_ERROR
        (error(285), Remedy.retry_slower),  # TOO_FEW_LIVE_REPLICAS
        (error(286), Remedy.wait),  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        (error(319), Remedy.look),  # UNKNOWN_STATUS_OF_INSERT
        (error(243), Remedy.retry),  # NOT_ENOUGH_SPACE
        (error(60), Remedy.retry),  # UNKNOWN_TABLE: being migrated
        (error(999_999), Remedy.retry),  # an unknown code
        (error(None), Remedy.retry),
        (OperationalError("connection refused"), Remedy.retry),
        (ConnectionResetError("reset"), Remedy.retry),
    ],
)
def test_each_failure_has_its_remedy(failure: Exception, remedy: Remedy) -> None:
    assert classify(failure).remedy is remedy


_PLAIN: dict[str, Any] = {
    "engine": "ReplacingMergeTree",
    "definition": "ReplacingMergeTree(first_wins) PARTITION BY x",
    "window": 2_400,
}
_REPLICATED: dict[str, Any] = {
    "engine": "ReplicatedReplacingMergeTree",
    "definition": "ReplicatedReplacingMergeTree('/clickhouse/{shard}/events', '{replica}', first_wins) ORDER BY x",
    "window": 2_400,
    "window_s": 604_800,
}


@pytest.mark.parametrize(
    ("made", "because"),
    [
        ({"engine": "Distributed"}, "has the engine Distributed"),
        ({"engine": "Log"}, "has the engine Log"),
        ({"engine": "MergeTree"}, "has the engine MergeTree"),
        ({"engine": "SummingMergeTree"}, "has the engine SummingMergeTree"),
        ({"engine": "SharedReplacingMergeTree"}, "has the engine Shared"),
        (_PLAIN | {"definition": "ReplacingMergeTree PARTITION BY x"}, "keeps one by insertion order"),
        (_PLAIN | {"definition": "ReplacingMergeTree(ingested_at) ORDER BY x"}, "keeps one by ingested_at"),
        (_REPLICATED | {"definition": "ReplicatedReplacingMergeTree('/a', '{replica}')"}, "by insertion order, not by"),
        (_PLAIN | {"sorting": "tenant_id"}, r"is sorted by (tenant_id): rows with the same values in these columns"),
        (_PLAIN | {"partition_key": "toYYYYMMDD(ingested_at)"}, "is partitioned by 'toYYYYMMDD(ingested_at)'"),
        (_PLAIN | {"partition_key": ""}, "is partitioned by ''"),
        (_PLAIN | {"window": 0}, "remembers the tokens of 0 inserts"),
        (_REPLICATED | {"window": 2_399}, "up to 2400 in 600 s"),
        (_REPLICATED | {"window_s": 599}, "forgets the tokens of inserts after 599 s"),
    ],
)
def test_a_table_that_cannot_keep_the_promise_is_refused(made: dict[str, Any], because: str) -> None:
    with pytest.raises(ConfigError, match=r"audit\.events") as raised:
        preflight.check_table(
            preflight.TableDefinition("audit.events", **({"definition": ""} | made)), parts_per_second=4.0
        )
    assert because in raised.value.message
    assert raised.value.fix


@pytest.mark.parametrize("partitioning", Partitioning)
@pytest.mark.parametrize("made", [_PLAIN, _REPLICATED])
def test_a_table_that_can_keep_the_promise_is_accepted(made: dict[str, Any], partitioning: Partitioning) -> None:
    table = preflight.TableDefinition("audit.events", partition_key=partitioning.expression, **made)
    assert preflight.check_table(table, parts_per_second=4.0) is partitioning


OURS = [(name, "T", "DEFAULT" if name == "provenance_id" else "") for name in EVENTS.names]


def test_an_insert_names_the_columns_that_the_worker_writes_and_no_others() -> None:
    """A newer auditlane has added columns, with and without defaults, between and after the columns of this version."""
    added = [("note", "String", "DEFAULT"), ("region", "Nullable(String)", "")]
    computed = [("content_hash", "T", "MATERIALIZED"), ("day", "Date", "ALIAS"), ("raw", "String", "EPHEMERAL")]
    table = [*added, *OURS[:5], *computed, *OURS[5:], ("last", "UInt8", "")]
    assert preflight.inserted("audit.events", table, EVENTS.names) == tuple((name, "T") for name in EVENTS.names)


def test_the_columns_are_named_in_the_tables_order() -> None:
    assert [name for name, _ in preflight.inserted("audit.events", OURS[::-1], EVENTS.names)] == EVENTS.names[::-1]


@pytest.mark.parametrize("gone", [["action"], ["defaulted", "provenance"]])
def test_a_table_that_lacks_a_column_of_ours_is_refused_by_name(gone: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"audit\.events lacks columns that this worker writes") as raised:
        preflight.inserted("audit.events", [one for one in OURS if one[0] not in gone], EVENTS.names)
    assert all(name in raised.value.message for name in gone)
    assert "auditlane init" in raised.value.fix


@pytest.mark.parametrize("kind", ["MATERIALIZED", "ALIAS", "EPHEMERAL"])
def test_a_column_of_ours_that_the_table_computes_is_refused(kind: str) -> None:
    table = [(name, of, kind if name == "source" else default) for name, of, default in OURS]
    with pytest.raises(ConfigError, match=rf"source \({kind}\)") as raised:
        preflight.inserted("audit.events", table, EVENTS.names)
    assert "MODIFY COLUMN" in raised.value.fix


def test_inserts_into_a_replicated_table_wait_for_a_quorum() -> None:
    assert preflight.settings_for("ReplacingMergeTree") == PINNED
    assert preflight.settings_for("ReplicatedReplacingMergeTree")["insert_quorum"] == "auto"
    assert PINNED["async_insert"] == PINNED["optimize_on_insert"] == 0


@pytest.mark.parametrize("spec", ["after_intent", "nowhere:kill", "after_intent:melt", "after_intent:kill:x"])
def test_an_unknown_failpoint_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="AUDITLANE_FAILPOINT"):
        Failpoints(spec)


def test_no_failpoint_does_nothing() -> None:
    Failpoints().hit("after_intent")
    Failpoints("after_intent:kill:2").hit("after_intent")
