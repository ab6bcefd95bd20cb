"""One import: items in, events out, in batches; the checkpoint follows what Kafka acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import Final

from auditlane.importer.checkpoint import Checkpoint, Progress
from auditlane.importer.formats import Format
from auditlane.importer.sources import Source
from auditlane.runtime.errors import InvalidEvent
from auditlane.sdk import AuditClient

BATCH: Final = 1_000
_INTERRUPT_FLUSH_S: Final = 5.0
Refused = Callable[[int, str], None]  # (the item's number, why)


def run(
    source: Source,
    reading: Format,
    client: AuditClient,
    *,
    checkpoint: Checkpoint | None = None,
    known: Container[str] = frozenset(),
    on_refused: Refused = lambda number, why: None,
    on_batch: Callable[[Progress], None] = lambda progress: None,
    batch: int = BATCH,
) -> Progress:
    """Emit every item after the checkpoint's whose event id is not `known`; returns the counts over all runs.

    An item that is no valid event goes to `on_refused` and the rest goes on. Raises what stops an import: BufferFull,
    KafkaUnavailable, DeliveryFailed, RegistryUnavailable, or InvalidInput for a damaged file. Run again, it goes on
    after the last batch that was acknowledged.
    """
    progress = checkpoint.load() if checkpoint else Progress()
    resume_after = progress.number
    settled = progress.number
    try:
        for item in reading.items(source):
            if item.number <= resume_after:
                reading.pass_over(item)
                continue
            try:
                event = reading.event(item)
                if event.event_id in known:
                    after = replace(progress, number=item.number, known=progress.known + 1)
                else:
                    client.emit(event)
                    after = replace(progress, number=item.number, sent=progress.sent + 1)
            except InvalidEvent as error:
                after = replace(progress, number=item.number, refused=progress.refused + 1)
                on_refused(item.number, str(error))
            progress = after  # only now: an interrupt in between repeats an item and never leaves one out
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
    if checkpoint:
        checkpoint.clear()
    return progress


def _settle(client: AuditClient, progress: Progress, checkpoint: Checkpoint | None) -> None:
    client.flush(client.config.delivery_timeout_ms / 1000 + 5).raise_for_failure()
    if checkpoint:
        checkpoint.save(progress)
