"""What a replay of letters would do, decided without doing it: the value to send, or why the letter stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from auditlane.worker.judge import Judge, RawRange
from auditlane.worker.letters.record import Letter
from auditlane.worker.letters.revive import NotResolved, Reviver


class Stays(StrEnum):
    """Why a letter stays, besides the codes of a refused message."""

    NOT_RESOLVED = "NOT_RESOLVED"  # the datum has no form in the tenant's latest contract
    TOPIC_GONE = "TOPIC_GONE"  # the original topic does not exist any more
    NOT_SENT = "NOT_SENT"  # Kafka refuses the message


@dataclass(frozen=True, slots=True)
class Found:
    """A letter with its record: the refused message's own key and value."""

    letter: Letter
    key: bytes | None
    value: bytes | None

    @property
    def size(self) -> int:
        return len(self.key or b"") + len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Assessed:
    """`value` is what would be sent when `code` is empty; else code and reason say why the letter stays."""

    found: Found
    value: bytes | None
    dropped: tuple[str, ...] = ()
    code: str = ""
    reason: str = ""


class Assessor:
    """Judges as the worker does, under the contracts of now. `topics` are those that exist."""

    def __init__(self, reviver: Reviver, judge: Judge, topics: Collection[str]) -> None:
        self._reviver, self._judge, self._topics = reviver, judge, topics

    def assess(self, letters: Sequence[Found], *, now_ms: int) -> list[Assessed]:
        """One answer for each letter, in their order. Raises RegistryUnavailable."""
        answers: dict[int, Assessed] = {}
        revived: defaultdict[str, list[tuple[int, Assessed]]] = defaultdict(list)
        for index, found in enumerate(letters):
            topic = found.letter.topic
            if topic not in self._topics:
                gone = f"There is no topic {topic} any more."
                answers[index] = Assessed(found, None, code=Stays.TOPIC_GONE, reason=gone)
                continue
            try:
                made = self._reviver.revive(found.key, found.value)
            except NotResolved as error:
                answers[index] = Assessed(found, None, code=Stays.NOT_RESOLVED, reason=str(error))
            else:
                revived[topic].append((index, Assessed(found, made.value, made.dropped)))
        for topic, group in revived.items():
            answers |= self._judged(topic, group, now_ms)
        return [answers[index] for index in range(len(letters))]

    def _judged(self, topic: str, group: list[tuple[int, Assessed]], now_ms: int) -> dict[int, Assessed]:
        raw = RawRange(
            topic,
            group[0][1].found.letter.identity.topic_id,
            0,
            offsets=range(len(group)),
            timestamps_ms=[now_ms] * len(group),  # Kafka will stamp it with the time of its append
            keys=[one.found.key for _, one in group],
            values=[one.value for _, one in group],
        )
        answers = dict(group)
        for rejection in self._judge.judge(raw, ingested_at_ms=now_ms).rejected:
            index, one = group[rejection.index]
            answers[index] = Assessed(one.found, None, one.dropped, rejection.code.value, rejection.message)
        return answers
