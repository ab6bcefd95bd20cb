"""What a replay of letters would do, decided without doing it: the value to send, or why the letter stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from auditlane.access.provenance_keys import ProvenanceKeys
from auditlane.contract.dead_letter import Letter
from auditlane.contract.provenance import TRAIL, Claim, verify
from auditlane.operations.dlq.upgrade import NotResolved, Revived, Reviver
from auditlane.worker.validation.batch import RawRange
from auditlane.worker.validation.validator import Judge


class Stays(StrEnum):
    """Why a letter stays, besides the codes of a refused message."""

    NOT_RESOLVED = "NOT_RESOLVED"  # the datum has no form in the tenant's latest contract
    TOPIC_GONE = "TOPIC_GONE"  # the original topic does not exist any more
    NOT_SENT = "NOT_SENT"  # Kafka refuses the message
    CUT_OFF = "CUT_OFF"  # the letter has only the beginning of its message


@dataclass(frozen=True, slots=True)
class Found:
    """A letter with its record: the refused message's own key and value."""

    letter: Letter
    key: bytes | None
    value: bytes | None
    signature: bytes | None = None  # of whoever vouches for the message, as it came with it

    @property
    def size(self) -> int:
        return len(self.key or b"") + len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Assessed:
    """`value` is what would be sent when `code` is empty, with `signature`; else code and reason say why the letter
    stays."""

    found: Found
    value: bytes | None
    dropped: tuple[str, ...] = ()
    code: str = ""
    reason: str = ""
    signature: bytes | None = None


class Assessor:
    """Judges as the worker does, under the contracts of now. `topics` are those that exist.

    With `keys` a message that was signed, and whose value changes, is signed anew: whoever vouched for it still does.
    """

    def __init__(
        self, reviver: Reviver, judge: Judge, topics: Collection[str], keys: ProvenanceKeys | None = None
    ) -> None:
        self._reviver, self._judge, self._topics, self._keys = reviver, judge, topics, keys

    def assess(self, letters: Sequence[Found], *, now_ms: int) -> list[Assessed]:
        """One answer for each letter, in their order. Raises RegistryUnavailable."""
        answers: dict[int, Assessed] = {}
        revived: defaultdict[str, list[tuple[int, Assessed]]] = defaultdict(list)
        for index, found in enumerate(letters):
            topic = found.letter.topic
            if found.letter.whole_bytes is not None:
                answers[index] = Assessed(found, None, code=Stays.CUT_OFF, reason=_cut_off(found.letter))
                continue
            if topic not in self._topics:
                gone = f"There is no topic {topic} any more."
                answers[index] = Assessed(found, None, code=Stays.TOPIC_GONE, reason=gone)
                continue
            claim = self._claim(found)
            try:
                # Our own trail knows the base event's schema alone.
                ours = claim is not None and claim.client_id == TRAIL
                made = Revived(found.value) if ours else self._reviver.revive(found.key, found.value)
            except NotResolved as error:
                answers[index] = Assessed(found, None, code=Stays.NOT_RESOLVED, reason=str(error))
            else:
                signature = self._signature(found, claim, made.value)
                revived[topic].append((index, Assessed(found, made.value, made.dropped, signature=signature)))
        for topic, group in revived.items():
            answers |= self._judged(topic, group, now_ms)
        return [answers[index] for index in range(len(letters))]

    def _claim(self, found: Found) -> Claim | None:
        if not (self._keys and found.signature and found.value):
            return None
        return verify(self._keys.secrets(), found.signature, found.key or b"", found.value)

    def _signature(self, found: Found, claim: Claim | None, value: bytes | None) -> bytes | None:
        if value is None or value == found.value:
            return found.signature
        if claim is None or self._keys is None:
            return None
        return self._keys.signer(claim.client_id, claim.filled)(found.key or b"", value)[1]

    def _judged(self, topic: str, group: list[tuple[int, Assessed]], now_ms: int) -> dict[int, Assessed]:
        raw = RawRange(
            topic,
            group[0][1].found.letter.identity.topic_id,
            0,
            offsets=range(len(group)),
            timestamps_ms=[now_ms] * len(group),  # Kafka will stamp it with the time of its append
            keys=[one.found.key for _, one in group],
            values=[one.value for _, one in group],
            signatures=[one.signature for _, one in group],
        )
        answers = dict(group)
        for rejection in self._judge.judge(raw, ingested_at_ms=now_ms).rejected:
            index, one = group[rejection.index]
            answers[index] = Assessed(one.found, None, one.dropped, rejection.code.value, rejection.message)
        return answers


def _cut_off(letter: Letter) -> str:
    return (
        f"The letter holds only the beginning of its message, which was too large for the dead-letter topic, so it "
        f"cannot be replayed: produce the message again from {letter.name} while Kafka still retains it "
        f"({letter.whole_bytes} bytes, SHA-256 {letter.sha256})."
    )
