"""One import: items in, events out, in batches; the checkpoint follows what Kafka acknowledged."""

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
Told = Callable[[int, str], None]  # (the item's number, why)


def run(
    source: Source,
    reading: Format,
    client: AuditClient,
    *,
    checkpoint: Checkpoint | None = None,
    known: Container[str] = frozenset(),
    on_refused: Told = lambda number, why: None,
    on_passed: Told = lambda number, why: None,
    on_batch: Callable[[Progress], None] = lambda progress: None,
    batch: int = BATCH,
) -> Progress:
    """Emit every item after the checkpoint's whose event id is not `known`; returns the counts over all runs.

    An item that is no valid event goes to `on_refused`, one that holds none to `on_passed`, and the rest goes on.
    Raises what stops an import: BufferFull, KafkaUnavailable, DeliveryFailed, RegistryUnavailable. Run again, it goes
    on after the last batch that was acknowledged. Raises InvalidInput for a damaged file, when everything before the
    damage is acknowledged and `on_batch` has the counts.
    """
    progress = checkpoint.load() if checkpoint else Progress()
    resume_after = progress.number
    settled = progress.number
    damage: list[InvalidInput] = []
    try:
        for item in _readable(reading.items(source), damage):
            if item.number <= resume_after:
                reading.pass_over(item)
                continue
            # Assigned only when it is done with: an interrupt in between repeats an item and never leaves one out.
            if item.note:
                on_passed(item.number, item.note)
                progress = replace(progress, number=item.number, passed=progress.passed + 1)
            else:
                progress = _taken(item, reading, client, known, progress, on_refused)
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
    """The items up to the damage of a file, if there is one."""
    try:
        yield from items
    except InvalidInput as error:
        damage.append(error)


def _taken(
    item: Item, reading: Format, client: AuditClient, known: Container[str], progress: Progress, on_refused: Told
) -> Progress:
    """Emit the item's event unless it is known; returns the progress behind it."""
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
