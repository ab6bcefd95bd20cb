"""Reads spans of a topic again, and passes them to a target chunk by chunk. Resumes after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from auditlane.contract.tenants import tenant_of_key
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.replay.checkpoint import Checkpoint, Counts, Progress
from auditlane.operations.selection import Plan, Span
from auditlane.operations.span_reader import Chunk, SpanReader
from auditlane.operations.stored_offsets import Offsets
from auditlane.runtime.errors import Halted
from auditlane.runtime.settings import Settings

Announce = Callable[[], None]
OnProgress = Callable[[Span, int, Counts], None]
NOTHING: Final[Offsets] = np.zeros(0, dtype=np.int64)


class Target(Protocol):
    """The destination of replayed messages. `announce` must be called before a write that may succeed partially."""

    def begin(self, span: Span) -> None: ...
    def take(self, span: Span, chunk: Chunk, progress: Progress, announce: Announce) -> None: ...


class Replay:
    """One replay. A `guarded` replay writes to the workers' table, so it must stay below their committed offsets.

    `left_out` contains the dead-lettered offsets of each span, which `auditlane dlq` replays.
    """

    def __init__(
        self,
        settings: Settings,
        positions: KafkaOffsets,
        target: Target,
        *,
        tenants: frozenset[str],
        left_out: Mapping[Span, Offsets],
        guarded: bool,
    ) -> None:
        self._settings = settings
        self._positions = positions
        self._target = target
        self._tenants = tenants
        self._left_out = left_out
        self._guarded = guarded

    def run(self, plan: Plan, checkpoint: Checkpoint | None, on_progress: OnProgress) -> Progress:
        """Replay from the checkpoint to the end of the plan, and return the progress. Without a checkpoint, progress is
        not saved.

        Raises Halted if Kafka deleted messages in the meantime, and subclasses of Unavailable. The next run then
        continues at the same place.
        """
        progress = (checkpoint and checkpoint.load()) or Progress()
        reader = SpanReader(self._settings)
        try:
            # The chunk that may be partly stored comes first: no other may be announced until it is finished.
            pending = progress.pending and progress.pending[0]
            for span in sorted(plan.spans, key=lambda one: one.partition.number != pending):
                self._span(reader, span, progress, checkpoint, on_progress)
        finally:
            reader.close()
        if checkpoint:
            checkpoint.clear()
        return progress

    def _span(
        self, reader: SpanReader, span: Span, progress: Progress, checkpoint: Checkpoint | None, on_progress: OnProgress
    ) -> None:
        number = span.partition.number
        self._target.begin(span)
        for part, whole in resumed(span, progress):
            rows, size = (len(part), 1 << 62) if whole else (self._settings.range_rows, self._settings.range_bytes)
            for chunk in reader.chunks(part, rows=rows, size=size):
                if self._guarded:
                    self._check_completed(span, chunk.end)
                pending, counts = (number, chunk.first, chunk.end), deepcopy(progress.counts)
                announced = replace(progress, pending=pending, counts=counts)

                def announce(announced: Progress = announced) -> None:
                    if checkpoint:
                        checkpoint.save(announced)

                self._target.take(span, self._kept(span, chunk, progress.counts), progress, announce)
                progress.done[number], progress.pending = chunk.end, None
                if checkpoint:
                    checkpoint.save(progress)
                on_progress(span, chunk.end, progress.counts)

    def _check_completed(self, span: Span, end: int) -> None:
        """Raise Halted if the workers' offset was reset below `end`, since they will then write these messages too."""
        committed = self._positions.committed([span.partition])[span.partition]
        if committed is None or committed < end:
            raise Halted(
                f"{span.partition}: the workers' committed offset was reset to {committed} during the replay.",
                fix=f"Run the command again once the workers have passed offset {end}.",
            )

    def _kept(self, span: Span, chunk: Chunk, counts: Counts) -> Chunk:
        """Return the chunk without dead-lettered messages and without the messages of other tenants."""
        messages = chunk.messages
        counts.read += len(messages)
        if self._tenants:
            messages = [one for one in messages if tenant(one.key()) in self._tenants]
            counts.other_tenants += len(chunk.messages) - len(messages)
        letters = self._left_out.get(span, NOTHING)
        low, high = np.searchsorted(letters, [chunk.first, chunk.end])
        if low < high:
            out = set(letters[low:high].tolist())
            before = len(messages)
            messages = [one for one in messages if one.offset() not in out]
            counts.dead_lettered += before - len(messages)
        return Chunk(chunk.first, chunk.end, messages)


def resumed(span: Span, progress: Progress) -> list[tuple[Span, bool]]:
    """Return the remaining parts of a span, each with whether it is an announced chunk, whose bounds must not
    change.
    """
    number = span.partition.number
    first = min(span.end, max(span.first, progress.done.get(number, 0)))
    if progress.pending is None or progress.pending[0] != number:
        return [(_part(span, first, span.end), False)]
    _, begun, end = progress.pending
    if not first <= begun < end <= span.end:  # Kafka has deleted the chunk's start, so the rest counts as new work
        return [(_part(span, first, span.end), False)]
    return [(_part(span, begun, end), True), (_part(span, end, span.end), False)]


def _part(span: Span, first: int, end: int) -> Span:
    return replace(span, first=first, end=end, asked=first)


def tenant(key: bytes | None) -> str | None:
    """Return the tenant that a message key names, or None if the key is missing or invalid."""
    try:
        return tenant_of_key(key) if key else None
    except UnicodeDecodeError:
        return None
