"""Reads a topic again and determines the status of each offset. The decisions are made in `reconcile`."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final

import numpy as np
from clickhouse_connect.driver.client import Client

from auditlane.contract.message_columns import Columns
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.selection import Span
from auditlane.operations.span_reader import Chunk, SpanReader
from auditlane.operations.stored_events import StoredEvents
from auditlane.operations.stored_offsets import Offsets, StoredOffsets
from auditlane.operations.verify.content import StoredContent
from auditlane.operations.verify.dead_lettered_offsets import dead_lettered
from auditlane.operations.verify.reconcile import Compared, OffsetStatus, SpanSummary, compare, orphaned_rows
from auditlane.operations.verify.report import Report, Result
from auditlane.runtime.settings import Settings
from auditlane.worker.validation.batch import RawRange, ValidationResult
from auditlane.worker.validation.validator import BatchValidator

ROWS: Final = 50_000
SIZE: Final = 32 << 20
LISTED: Final = 1_000
_NOT_STORED = "its event is not stored"
_STRAYS = 2_000_000  # maximum number of rows read above a partition's end


class Verifier:
    """Verifies spans without writing anything. `table` is quoted.

    `validator` determines the result for unstored messages and, with `content`, the expected values of every stored
    row.
    """

    def __init__(
        self,
        settings: Settings,
        client: Client,
        table: str,
        validator: BatchValidator,
        positions: KafkaOffsets,
        *,
        listed: int = LISTED,
        content: bool = False,
    ) -> None:
        self._settings = settings
        self._client = client
        self._table = table
        self._validator = validator
        self._positions = positions
        self._listed = listed
        self._content = content
        self._events = StoredEvents(client, table)

    def report(
        self,
        spans: Sequence[Span],
        topics: Sequence[str],
        *,
        other_topics: bool,
        on_progress: Callable[[Span, int], None],
    ) -> Report:
        """Verify the spans and return a report.

        With `topics`, the report also covers their rows that do not belong to an existing partition. With
        `other_topics`, it covers rows of any other topic. Raises Halted and subclasses of Unavailable.
        """
        results = self.verify(spans, on_progress)
        origins = self._events.origins(None if other_topics else topics) if topics else []
        # Read after the rows, so that topics and partitions created in the meantime are known.
        known = {one: (self._positions.topic_id(one), len(self._positions.partitions(one))) for one in topics}
        extra, beyond = orphaned_rows(origins, known, self._positions.consumed)
        # With `topics` the whole table is searched, otherwise only the spans.
        conflicts = self._events.conflicts(None if topics else spans, self._listed)
        return Report(results, self._events.two_times(spans, self._listed), extra, beyond, conflicts)

    def verify(self, spans: Sequence[Span], on_progress: Callable[[Span, int], None]) -> list[Result]:
        """Compare one span after another. `on_progress` is called with the offset reached.

        Raises Halted and subclasses of Unavailable.
        """
        reader = SpanReader(self._settings)
        try:
            letters = dead_lettered(self._settings, self._positions, reader, spans)
            return [self._span(reader, span, letters[span], on_progress) for span in spans]
        finally:
            reader.close()

    def _span(
        self, reader: SpanReader, span: Span, letters: Offsets, on_progress: Callable[[Span, int], None]
    ) -> Result:
        stored = StoredOffsets(self._client, self._table, span)
        result = Result(span, SpanSummary(self._listed))
        if span.asked < span.first:
            result.beyond_retention = stored.count(span.asked, span.first)
        for chunk in reader.chunks(span, rows=ROWS, size=SIZE):
            messages = np.fromiter((one.offset() for one in chunk.messages), dtype=np.int64, count=len(chunk.messages))
            low, high = np.searchsorted(letters, [chunk.first, chunk.end])
            compared = compare(messages, stored.between(chunk.first, chunk.end), letters[low:high])
            compared = self._without_dropped(compared, result)
            compared, reasons = self._explained(compared, result, chunk)
            if self._content:
                compared, differing = self._with_differing(compared, result, chunk)
                reasons = {**reasons, **differing}
            result.messages += len(messages)
            result.summary.add(compared, reasons)
            on_progress(span, chunk.end)
        if span.whole:
            result.stray = self._above(stored, span)
        return result

    def _without_dropped(self, compared: Compared, result: Result) -> Compared:
        """Count rows whose messages Kafka has deleted since the plan was made as beyond retention rather than as
        extra.
        """
        extra = compared.of(OffsetStatus.extra)
        if len(extra) == 0:
            return compared
        partition = result.span.partition
        keep = compared.offsets >= self._positions.low([partition])[partition]
        keep |= compared.statuses != OffsetStatus.extra
        result.beyond_retention += int((~keep).sum())
        return Compared(compared.offsets[keep], compared.statuses[keep], compared.doubled)

    def _explained(self, compared: Compared, result: Result, chunk: Chunk) -> tuple[Compared, Mapping[int, str]]:
        """Split the missing offsets into duplicates of stored events, and offsets that are missing for another
        reason.
        """
        missing = compared.of(OffsetStatus.missing)
        if len(missing) == 0:
            return compared, {}
        wanted = set(missing.tolist())
        columns, validation = self._validated(result.span, chunk, wanted)
        result.refused += len(validation.rejected)
        reasons = {columns.offsets[one.index]: f"{one.code}, without a dead letter" for one in validation.rejected}
        duplicates: list[int] = []
        for rows in validation.rows.values():
            duplicates += self._events.offsets_of_known(rows)
        reasons |= dict.fromkeys(wanted - reasons.keys() - set(duplicates), _NOT_STORED)
        return compared.with_status(np.array(sorted(duplicates), dtype=np.int64), OffsetStatus.duplicate), reasons

    def _with_differing(self, compared: Compared, result: Result, chunk: Chunk) -> tuple[Compared, Mapping[int, str]]:
        """Mark stored rows whose values differ from their messages, with the differing fields."""
        stored = set(compared.of(OffsetStatus.stored).tolist())
        if not stored:
            return compared, {}
        _, validation = self._validated(result.span, chunk, stored)
        result.uncompared += len(validation.rejected)
        content = StoredContent(self._client, self._table, result.span)
        differing = content.differing([*validation.rows.values()])
        return compared.with_status(np.array(sorted(differing), dtype=np.int64), OffsetStatus.differs), differing

    def _validated(self, span: Span, chunk: Chunk, wanted: Container[int | None]) -> tuple[Columns, ValidationResult]:
        """Validate the messages with these offsets as a worker would. Returns the messages and the result."""
        columns = chunk.columns([one.offset() in wanted for one in chunk.messages])
        raw = RawRange.of(span.topic_id, span.partition, columns)
        now_ms = time.time_ns() // 1_000_000
        return columns, self._validator.validate(
            raw, ingested_at_ms=now_ms, already_committed=span.already_committed or 0
        )

    def _above(self, stored: StoredOffsets, span: Span) -> list[int]:
        """Return the stored offsets beyond the end of the log. The end is read last, so that it covers the messages of
        all rows read before.
        """
        rows = stored.read(span.end + span.pending, limit=_STRAYS)
        if len(rows) == 0:
            return []
        end = self._positions.high([span.partition])[span.partition]
        return [int(one) for one in rows[rows >= end]]
