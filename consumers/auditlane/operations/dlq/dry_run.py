"""What a replay of letters would do, decided without doing it: the value to send, or why the letter stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from auditlane.access.provenance_keys import ProvenanceKeys
from auditlane.contract.dead_letter import Letter
from auditlane.contract.provenance import TRAIL, Claim, verify
from auditlane.operations.dlq.upgrade import NotResolved, SchemaUpgrader, Upgraded
from auditlane.worker.validation.batch import RawRange
from auditlane.worker.validation.validator import BatchValidator


class NotReplayable(StrEnum):
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
class DryRunResult:
    """`value` is what would be sent when `code` is empty, with `signature`; else code and reason say why the letter
    stays."""

    found: Found
    value: bytes | None
    dropped: tuple[str, ...] = ()
    code: str = ""
    reason: str = ""
    signature: bytes | None = None


class DryRunner:
    """Judges as the worker does, under the contracts of now. `topics` are those that exist.

    With `keys` a message that was signed, and whose value changes, is signed anew: whoever vouched for it still does.
    """

    def __init__(
        self,
        upgrader: SchemaUpgrader,
        validator: BatchValidator,
        topics: Collection[str],
        keys: ProvenanceKeys | None = None,
    ) -> None:
        self._upgrader = upgrader
        self._validator = validator
        self._topics = topics
        self._keys = keys

    def dry_run(self, letters: Sequence[Found], *, now_ms: int) -> list[DryRunResult]:
        """One answer for each letter, in their order. Raises RegistryUnavailable."""
        answers: dict[int, DryRunResult] = {}
        upgraded: defaultdict[str, list[tuple[int, DryRunResult]]] = defaultdict(list)
        for index, found in enumerate(letters):
            topic = found.letter.topic
            if found.letter.whole_bytes is not None:
                answers[index] = DryRunResult(found, None, code=NotReplayable.CUT_OFF, reason=_cut_off(found.letter))
                continue
            if topic not in self._topics:
                gone = f"There is no topic {topic} any more."
                answers[index] = DryRunResult(found, None, code=NotReplayable.TOPIC_GONE, reason=gone)
                continue
            claim = self._claim(found)
            try:
                # Our own trail knows the base event's schema alone.
                ours = claim is not None and claim.client_id == TRAIL
                made = Upgraded(found.value) if ours else self._upgrader.upgrade(found.key, found.value)
            except NotResolved as error:
                answers[index] = DryRunResult(found, None, code=NotReplayable.NOT_RESOLVED, reason=str(error))
            else:
                signature = self._signature(found, claim, made.value)
                upgraded[topic].append((index, DryRunResult(found, made.value, made.dropped, signature=signature)))
        for topic, group in upgraded.items():
            answers |= self._validated(topic, group, now_ms)
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

    def _validated(self, topic: str, group: list[tuple[int, DryRunResult]], now_ms: int) -> dict[int, DryRunResult]:
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
        for rejection in self._validator.validate(raw, ingested_at_ms=now_ms).rejected:
            index, one = group[rejection.index]
            answers[index] = DryRunResult(one.found, None, one.dropped, rejection.code.value, rejection.message)
        return answers


def _cut_off(letter: Letter) -> str:
    return (
        f"The letter holds only the beginning of its message, which was too large for the dead-letter topic, so it "
        f"cannot be replayed: produce the message again from {letter.name} while Kafka still retains it "
        f"({letter.whole_bytes} bytes, SHA-256 {letter.sha256})."
    )
