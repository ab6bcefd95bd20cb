"""Follows the dead-letter topic. Each call continues where the previous one ended, so every record is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from auditlane.contract.reject_codes import RejectCode
from auditlane.operations.dlq.index import Count, Index, Selection
from auditlane.operations.dlq.topic import LetterTopic, Progress, Recreated
from auditlane.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenLetters:
    """The number of open dead letters by reject code. `oldest_ms` is the earliest Kafka timestamp of a rejected
    message.
    """

    by_code: dict[str, int]
    oldest_ms: int | None


def open_letters(counts: Iterable[Count]) -> OpenLetters:
    """Sum the counts of open letters. The result has every reject code. Unknown codes, from other releases, count as
    `other`.

    Pure.
    """
    by_code = Counter({code.value: 0 for code in RejectCode})
    oldest: list[int] = []
    for count in counts:
        by_code[count.code if count.code in by_code else "other"] += count.letters
        oldest.append(count.first_ms)
    return OpenLetters(dict(by_code), min(oldest, default=None))


class FollowedLetters:
    """An index of the dead letters that grows with each call. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self.index = Index()
        self._settings = settings
        self._positions: dict[int, int] = {}

    def follow(self, seconds: float) -> Progress:
        """Continue reading for at most `seconds` seconds. Raises KafkaUnavailable, and NotFound if the topic does not
        exist.
        """
        topic = LetterTopic(self._settings)
        try:
            return topic.follow(self.index, self._positions, seconds=seconds)
        except Recreated:
            self.close()
            self.index, self._positions = Index(), {}
            return topic.follow(self.index, self._positions, seconds=seconds)

    def open(self, seconds: float) -> OpenLetters | None:
        """Continue reading like `follow`, and return the open letters. Returns None until all records have been read
        once.
        """
        progress = self.follow(seconds)
        return open_letters(self.index.counts(Selection())) if progress.read >= progress.records else None

    def close(self) -> None:
        self.index.close()
