"""Reads a topic again and says of each offset what became of it: the shell around `reconcile`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver.client import Client

from auditlane.runtime.settings import Settings
from auditlane.store.client import store_errors
from auditlane.worker.arrow import pa
from auditlane.worker.buried import buried
from auditlane.worker.judge import Judge, RawRange
from auditlane.worker.positions import Positions
from auditlane.worker.reading import Chunk, LogReader
from auditlane.worker.reconcile import Compared, Fate, Origin, Tally, compare, strangers
from auditlane.worker.selection import Span
from auditlane.worker.stored_offsets import Offsets, StoredOffsets

ROWS: Final = 50_000
SIZE: Final = 32 << 20
LISTED: Final = 1_000
_COUNTED = ("messages", *(fate.name for fate in Fate), "doubled", "pending", "beyond_retention")
_NOT_STORED = "its event is not stored"
_IDS = 500  # identities in one query
_BUCKET_ROWS = 5_000_000  # ids that ClickHouse groups at once
_STRAYS = 2_000_000  # rows above the end of a partition that are looked at


@dataclass(slots=True)
class Result:
    """What was found in one span. `beyond_retention` are rows whose messages Kafka no longer holds, `pending` offsets
    that the workers have not completed, `stray` rows above the end of the partition."""

    span: Span
    tally: Tally
    messages: int = 0
    beyond_retention: int = 0
    stray: list[int] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        counts = {fate.name: count for fate, count in self.tally.counts.items()}
        counts["extra"] += len(self.stray)
        return {
            "messages": self.messages,
            **counts,
            "doubled": self.tally.doubled_count,
            "pending": self.span.pending,
            "beyond_retention": self.beyond_retention,
        }


@dataclass(frozen=True, slots=True)
class TwoTimes:
    """An event id that one tenant used with more than one occurred_at; the times are RFC 3339."""

    tenant: str
    event_id: str
    times: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole result. Origins are of rows that belong to no partition of the topics."""

    results: Sequence[Result]
    two_times: Sequence[TwoTimes]
    extra_origins: Sequence[Origin] = ()
    beyond_origins: Sequence[Origin] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Offsets by what became of them; `pending` are not completed by the workers."""
        total = Counter(dict.fromkeys(_COUNTED, 0))
        for result in self.results:
            total.update(result.counts)
        total["extra"] += sum(one.rows for one in self.extra_origins)
        total["beyond_retention"] += sum(one.rows for one in self.beyond_origins)
        return {**total, "two_times": len(self.two_times)}

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, extra or stored twice."""
        counts = self.counts
        return not (counts["missing"] or counts["extra"] or counts["doubled"])


class Verifier:
    """Only reads. `table` is quoted. `judge` decides what an unstored message would have become."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        table: str,
        judge: Judge,
        positions: Positions,
        *,
        listed: int = LISTED,
    ) -> None:
        self._settings, self._client, self._table = settings, client, table
        self._judge, self._positions, self._listed = judge, positions, listed

    def report(
        self,
        spans: Sequence[Span],
        topics: Sequence[str],
        *,
        other_topics: bool,
        on_progress: Callable[[Span, int], None],
    ) -> Report:
        """Everything about the spans. For `topics`, also rows that are of none of their partitions, and with
        `other_topics` rows of topics that are not among them."""
        results = self.verify(spans, on_progress)
        extra, beyond = self.strangers(topics, every=other_topics) if topics else ([], [])
        return Report(results, self.two_times(spans), extra, beyond)

    def verify(self, spans: Sequence[Span], on_progress: Callable[[Span, int], None]) -> list[Result]:
        """Compare span by span; `on_progress` gets the offset reached. Raises Unavailable errors, Halted."""
        reader = LogReader(self._settings)
        try:
            letters = buried(self._settings, self._positions, reader, spans)
            return [self._span(reader, span, letters[span], on_progress) for span in spans]
        finally:
            reader.close()

    def _span(
        self, reader: LogReader, span: Span, letters: Offsets, on_progress: Callable[[Span, int], None]
    ) -> Result:
        stored = StoredOffsets(self._client, self._table, span)
        result = Result(span, Tally(self._listed))
        if span.asked < span.first:
            result.beyond_retention = stored.count(span.asked, span.first)
        for chunk in reader.chunks(span, rows=ROWS, size=SIZE):
            messages = np.fromiter((one.offset() for one in chunk.messages), dtype=np.int64, count=len(chunk.messages))
            low, high = np.searchsorted(letters, [chunk.first, chunk.end])
            compared = compare(messages, stored.between(chunk.first, chunk.end), letters[low:high])
            compared = self._without_dropped(compared, result)
            compared, reasons = self._explained(compared, span, chunk)
            result.messages += len(messages)
            result.tally.add(compared, reasons)
            on_progress(span, chunk.end)
        if span.whole:
            result.stray = self._above(stored, span)
        return result

    def _without_dropped(self, compared: Compared, result: Result) -> Compared:
        """Rows whose messages Kafka dropped since the plan was made are beyond retention, not extra."""
        extra = compared.of(Fate.extra)
        if len(extra) == 0:
            return compared
        partition = result.span.partition
        keep = compared.offsets >= self._positions.low([partition])[partition]
        keep |= compared.fates != Fate.extra
        result.beyond_retention += int((~keep).sum())
        return Compared(compared.offsets[keep], compared.fates[keep], compared.doubled)

    def _explained(self, compared: Compared, span: Span, chunk: Chunk) -> tuple[Compared, Mapping[int, str]]:
        """What is not stored: a duplicate of an event that is, or missing for a reason."""
        missing = compared.of(Fate.missing)
        if len(missing) == 0:
            return compared, {}
        wanted = set(missing.tolist())
        columns = chunk.columns([one.offset() in wanted for one in chunk.messages])
        raw = RawRange(
            span.partition.topic,
            span.topic_id,
            span.partition.number,
            columns.offsets,
            columns.timestamps_ms,
            columns.keys,
            columns.values,
        )
        verdict = self._judge.judge(raw, ingested_at_ms=time.time_ns() // 1_000_000)
        reasons = {columns.offsets[one.index]: f"{one.code}, without a dead letter" for one in verdict.rejected}
        duplicates: list[int] = []
        for rows in verdict.rows.values():
            duplicates += self._duplicates(rows)
        reasons |= dict.fromkeys(wanted - reasons.keys() - set(duplicates), _NOT_STORED)
        return compared.turned(np.array(sorted(duplicates), dtype=np.int64), Fate.duplicate), reasons

    def _duplicates(self, rows: pa.Table) -> list[int]:
        """The offsets of rows whose event the table holds, from whatever message."""
        found: list[int] = []
        for first in range(0, rows.num_rows, _IDS):
            part = rows.slice(first, _IDS)
            ids = list(
                zip(
                    part["tenant_id"].to_pylist(),
                    part["occurred_at"].cast(pa.int64()).to_pylist(),
                    part["event_id"].to_pylist(),
                    strict=True,
                )
            )
            asked = ", ".join(
                f"('{tenant}', fromUnixTimestamp64Micro({at}, 'UTC'), toUUID('{event}'))" for tenant, at, event in ids
            )
            query = (
                "SELECT DISTINCT tenant_id, toUnixTimestamp64Micro(occurred_at), toString(event_id) "  # noqa: S608 - our table
                f"FROM {self._table} WHERE (tenant_id, occurred_at, event_id) IN ({asked})"
            )
            with store_errors():
                known = {tuple(row) for row in self._client.query(query).result_rows}
            found += [offset for one, offset in zip(ids, part["kafka_offset"].to_pylist(), strict=True) if one in known]
        return found

    def _above(self, stored: StoredOffsets, span: Span) -> list[int]:
        """Rows above the end of the log, which is asked after the rows are: what is stored then was in it."""
        rows = stored.read(span.end + span.pending, limit=_STRAYS)
        if len(rows) == 0:
            return []
        end = self._positions.high([span.partition])[span.partition]
        return [int(one) for one in rows[rows >= end]]

    def strangers(self, topics: Sequence[str], *, every: bool) -> tuple[list[Origin], list[Origin]]:
        """(extra, beyond retention): rows of no partition of these topics; with `every`, also rows of other topics."""
        where = "1" if every else "kafka_topic IN ({topics:Array(String)})"
        with store_errors():
            rows = self._client.query(
                "SELECT kafka_topic, toString(kafka_topic_id), kafka_partition, count() "  # noqa: S608 - our table
                f"FROM {self._table} WHERE {where} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                parameters={"topics": list(topics)},
            ).result_rows
        known = {one: (self._positions.topic_id(one), len(self._positions.partitions(one))) for one in topics}
        return strangers([Origin(*row) for row in rows], known, self._positions.consumed)

    def two_times(self, spans: Sequence[Span], limit: int = LISTED) -> list[TwoTimes]:
        """Ids that a tenant used with several times, among the rows of the spans."""
        stored = [span for span in spans if len(span)]
        if not stored:
            return []
        where = " OR ".join(
            f"(kafka_topic_id = '{one.topic_id}' AND kafka_partition = {one.partition.number}"
            f" AND kafka_offset >= {one.first} AND kafka_offset < {one.end})"
            for one in stored
        )
        buckets = 1 + sum(map(len, stored)) // _BUCKET_ROWS
        found = [one for bucket in range(buckets) for one in self._two_times(where, bucket, buckets, limit)]
        return sorted(found, key=lambda one: (one.tenant, one.event_id))[:limit]

    def _two_times(self, where: str, bucket: int, buckets: int, limit: int) -> Iterator[TwoTimes]:
        query = (
            "SELECT tenant_id, toString(event_id), arraySort(groupUniqArray(10)(toString(occurred_at))) "  # noqa: S608 - our table
            f"FROM {self._table} WHERE ({where}) AND cityHash64(event_id) % {buckets} = {bucket} "
            f"GROUP BY tenant_id, event_id HAVING min(occurred_at) != max(occurred_at) LIMIT {limit}"
        )
        with store_errors():
            rows: Sequence[Sequence[Any]] = self._client.query(query).result_rows
        for tenant, event_id, times in rows:
            yield TwoTimes(tenant, event_id, tuple(f"{one.replace(' ', 'T')}Z" for one in times))
