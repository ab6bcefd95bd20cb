"""Replays letters in chunks: read, assess, send, close. Bounded memory; a second run goes on where the first ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from auditlane.contract.dead_letter import Letter
from auditlane.contract.provenance import signature_of
from auditlane.contract.schema_guids import joined
from auditlane.operations.dlq.dry_run import DryRunner, DryRunResult, Found
from auditlane.operations.dlq.producer import ReplayProducer
from auditlane.operations.dlq.topic import LetterTopic

CHUNK_LETTERS: Final = 500  # as many events at most are sent again after a crash
CHUNK_BYTES: Final = 16 << 20
_KEPT: Final = 1_000


@dataclass(slots=True)
class Report:
    """What became of the letters. `stays` counts by code; `dropped` counts events by a field that they lose;
    `remaining` has the letters that stay, as many as are worth showing."""

    replayed: int = 0
    stays: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    remaining: list[DryRunResult] = field(default_factory=list)

    def add(self, answers: Iterable[DryRunResult]) -> None:
        for one in answers:
            if not one.code:
                self.replayed += 1
                self.dropped.update(one.dropped)
                continue
            self.stays[str(one.code)] += 1
            if len(self.remaining) < _KEPT:
                self.remaining.append(one)


def found(topic: LetterTopic, letters: Iterable[Letter]) -> Iterator[Found]:
    """The letters with their records, in the topic's order; a letter that Kafka no longer holds is left out."""
    for letter, message in topic.bodies(letters):
        headers: Any = message.headers() or []
        yield Found(letter, message.key(), joined(message.value(), headers), signature_of(headers))


def replay(
    letters: Iterable[Found],
    assessor: DryRunner,
    sender: ReplayProducer | None,
    *,
    on_progress: Callable[[int], None] = lambda _count: None,
    clock: Callable[[], float] = time.time,
) -> Report:
    """Replay; without a sender only say what would happen. Raises KafkaUnavailable and RegistryUnavailable."""
    report = Report()
    for chunk in chunks(letters):
        answers = assessor.dry_run(chunk, now_ms=int(clock() * 1_000))
        ready = [one for one in answers if not one.code]
        report.add(one for one in answers if one.code)
        report.add(sender.replay(ready) if sender is not None and ready else ready)
        on_progress(len(chunk))
    return report


def chunks(letters: Iterable[Found], count: int = CHUNK_LETTERS, size: int = CHUNK_BYTES) -> Iterator[list[Found]]:
    """Lists of at most `count` letters and about `size` bytes."""
    chunk: list[Found] = []
    held = 0
    for one in letters:
        chunk.append(one)
        held += one.size
        if len(chunk) >= count or held >= size:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
