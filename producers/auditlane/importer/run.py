"""Runs an import: emits a file's events in batches, and saves a checkpoint after each acknowledged batch."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from typing import Final

from auditlane.importer.checkpoint import Checkpoint, Progress
from auditlane.importer.formats import Format
from auditlane.importer.sources import Item, Source
from auditlane.runtime.errors import InvalidEvent, InvalidInput
from auditlane.sdk import AuditClient

BATCH: Final = 1_000
_INTERRUPT_FLUSH_S: Final = 5.0
OnItem = Callable[[int, str], None]  # (item number, reason)


def run(
    source: Source,
    reading: Format,
    client: AuditClient,
    *,
    checkpoint: Checkpoint | None = None,
    known: Container[str] = frozenset(),
    on_refused: OnItem = lambda number, why: None,
    on_passed: OnItem = lambda number, why: None,
    on_batch: Callable[[Progress], None] = lambda progress: None,
    batch: int = BATCH,
) -> Progress:
    """Emit the items after the checkpoint whose event ids are not `known`. Returns the counts over all runs.

    The import continues after an invalid item, which is reported to `on_refused`, and after an item without an event,
    which is reported to `on_passed`. BufferFull, KafkaUnavailable, DeliveryFailed and RegistryUnavailable stop it. The
    next run resumes after the last acknowledged batch. Raises InvalidInput for a damaged file, once all events before
    the damage are acknowledged and `on_batch` has been called with their counts.
    """
    progress = checkpoint.load() if checkpoint else Progress()
    resume_after = progress.number
    settled = progress.number
    damage: list[InvalidInput] = []
    try:
        for item in _readable(reading.items(source), damage):
            if item.number <= resume_after:
                reading.skip(item)
                continue
            # Assigned only when the item is finished: an interruption may repeat an item, but never skips one.
            if item.note:
                on_passed(item.number, item.note)
                progress = replace(progress, number=item.number, passed=progress.passed + 1)
            else:
                progress = _emit(item, reading, client, known, progress, on_refused)
            if progress.number - settled >= batch:
                _settle(client, progress, checkpoint)
                settled = progress.number
                on_batch(progress)
        _settle(client, progress, checkpoint)
    except KeyboardInterrupt:
        if checkpoint and client.flush(_INTERRUPT_FLUSH_S):
            checkpoint.save(progress)
        raise
    on_batch(progress)
    if damage:
        raise damage[0]
    if checkpoint:
        checkpoint.clear()
    return progress


def _readable(items: Iterator[Item], damage: list[InvalidInput]) -> Iterator[Item]:
    """Yield the items. If the file is damaged, iteration ends there, and the error is appended to `damage` instead of
    raised.
    """
    try:
        yield from items
    except InvalidInput as error:
        damage.append(error)


def _emit(
    item: Item, reading: Format, client: AuditClient, known: Container[str], progress: Progress, on_refused: OnItem
) -> Progress:
    try:
        event = reading.event(item)
        if event.event_id in known:
            return replace(progress, number=item.number, known=progress.known + 1)
        client.emit(event)
    except InvalidEvent as error:
        on_refused(item.number, str(error))
        cut = progress.cut + item.more
        return replace(progress, number=item.number, refused=progress.refused + 1, cut=cut)
    return replace(progress, number=item.number, sent=progress.sent + 1)


def _settle(client: AuditClient, progress: Progress, checkpoint: Checkpoint | None) -> None:
    client.flush(client.config.delivery_timeout_ms / 1000 + 5).raise_for_failure()
    if checkpoint:
        checkpoint.save(progress)
