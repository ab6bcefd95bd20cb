"""Replays letters in chunks of bounded size. Each chunk is read, validated, sent and closed. After an interruption, the
next run continues where it stopped.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from auditlane.contract.dead_letter import Letter
from auditlane.contract.provenance import signature_of
from auditlane.contract.schema_guids import prepend_guid
from auditlane.operations.dlq.dry_run import DryRunner, DryRunResult, Found
from auditlane.operations.dlq.producer import ReplayProducer
from auditlane.operations.dlq.topic import LetterTopic

CHUNK_LETTERS: Final = 500  # maximum number of events that are sent again after a crash
CHUNK_BYTES: Final = 16 << 20
_KEPT: Final = 1_000


@dataclass(slots=True)
class Report:
    """The result of a replay.

    `tenants` counts replayed letters by tenant. Letters without a tenant are counted under None. `stays` counts letters
    that were not replayed, by code, and `remaining` lists the first of them. `dropped` counts the events that lose a
    field, by field.
    """

    replayed: int = 0
    tenants: Counter[str | None] = field(default_factory=Counter)
    stays: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    remaining: list[DryRunResult] = field(default_factory=list)

    def add(self, results: Iterable[DryRunResult]) -> None:
        """Add a chunk's results to the counts."""
        for result in results:
            if not result.code:
                self.replayed += 1
                self.tenants[result.found.letter.tenant] += 1
                self.dropped.update(result.dropped)
                continue
            self.stays[str(result.code)] += 1
            if len(self.remaining) < _KEPT:
                self.remaining.append(result)


def found(topic: LetterTopic, letters: Iterable[Letter]) -> Iterator[Found]:
    """Yield the letters with their records, in the order of the topic. Letters that Kafka no longer holds are
    omitted.
    """
    for letter, message in topic.bodies(letters):
        headers: Any = message.headers() or []
        yield Found(letter, message.key(), prepend_guid(message.value(), headers), signature_of(headers))


def replay(
    letters: Iterable[Found],
    dry_runner: DryRunner,
    producer: ReplayProducer | None,
    *,
    report: Report | None = None,
    on_progress: Callable[[int], None] = lambda _count: None,
    clock: Callable[[], float] = time.time,
) -> Report:
    """Replay the letters. Without a producer, only report what would happen.

    Results are added to `report`. If the call is interrupted, it covers the chunks that are complete. Raises
    KafkaUnavailable and RegistryUnavailable.
    """
    report = Report() if report is None else report
    for chunk in chunks(letters):
        results = dry_runner.dry_run(chunk, now_ms=int(clock() * 1_000))
        ready = [result for result in results if not result.code]
        report.add(result for result in results if result.code)
        report.add(producer.replay(ready) if producer is not None and ready else ready)
        on_progress(len(chunk))
    return report


def chunks(letters: Iterable[Found], count: int = CHUNK_LETTERS, size: int = CHUNK_BYTES) -> Iterator[list[Found]]:
    """Split the letters into lists of at most `count` letters and roughly `size` bytes."""
    chunk: list[Found] = []
    held = 0
    for found in letters:
        chunk.append(found)
        held += found.size
        if len(chunk) >= count or held >= size:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
