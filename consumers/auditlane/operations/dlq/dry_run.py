"""Decides what a replay would do with a dead letter. The result is the value to send, or the reason why the letter
cannot be replayed.
"""

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
    """Reasons why a letter cannot be replayed, besides the reject codes."""

    NOT_RESOLVED = "NOT_RESOLVED"  # the datum cannot be expressed in the tenant's latest contract
    TOPIC_GONE = "TOPIC_GONE"  # the original topic no longer exists
    NOT_SENT = "NOT_SENT"  # Kafka rejects the message
    CUT_OFF = "CUT_OFF"  # the letter was truncated


@dataclass(frozen=True, slots=True)
class Found:
    """A letter with the key and value of its record, which are those of the rejected message."""

    letter: Letter
    key: bytes | None
    value: bytes | None
    signature: bytes | None = None  # the message's provenance header, unchanged

    @property
    def size(self) -> int:
        """The size of the key and the value in bytes."""
        return len(self.key or b"") + len(self.value or b"")


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """The result of a dry run for one letter. A replay would send `value` with `signature`, or leave the letter open
    because of `code` and `reason`.

    `dropped` lists fields that have a value but do not exist in the latest contract.
    """

    found: Found
    value: bytes | None
    dropped: tuple[str, ...] = ()
    code: str = ""
    reason: str = ""
    signature: bytes | None = None


class DryRunner:
    """Validates messages as the worker does, against the current contracts. `topics` lists the existing topics.

    If `keys` is given, a signed message whose value changes is signed again, so that it keeps its provenance.
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
        """Return one result for each letter, in order. Raises RegistryUnavailable if a contract cannot be fetched."""
        results: dict[int, DryRunResult] = {}
        upgraded: defaultdict[str, list[tuple[int, DryRunResult]]] = defaultdict(list)
        for index, found in enumerate(letters):
            topic = found.letter.topic
            if found.letter.whole_bytes is not None:
                results[index] = DryRunResult(found, None, code=NotReplayable.CUT_OFF, reason=_cut_off(found.letter))
                continue
            if topic not in self._topics:
                gone = f"The topic {topic} no longer exists."
                results[index] = DryRunResult(found, None, code=NotReplayable.TOPIC_GONE, reason=gone)
                continue
            claim = self._claim(found)
            try:
                # auditlane's own trail always has the base event's schema.
                ours = claim is not None and claim.client_id == TRAIL
                made = Upgraded(found.value) if ours else self._upgrader.upgrade(found.key, found.value)
            except NotResolved as error:
                results[index] = DryRunResult(found, None, code=NotReplayable.NOT_RESOLVED, reason=str(error))
            else:
                signature = self._signature(found, claim, made.value)
                upgraded[topic].append((index, DryRunResult(found, made.value, made.dropped, signature=signature)))
        for topic, group in upgraded.items():
            results |= self._validated(topic, group, now_ms)
        return [results[index] for index in range(len(letters))]

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
            timestamps_ms=[now_ms] * len(group),  # as Kafka sets it when the message is appended
            keys=[one.found.key for _, one in group],
            values=[one.value for _, one in group],
            signatures=[one.signature for _, one in group],
        )
        results = dict(group)
        for rejection in self._validator.validate(raw, ingested_at_ms=now_ms).rejected:
            index, one = group[rejection.index]
            results[index] = DryRunResult(one.found, None, one.dropped, rejection.code.value, rejection.message)
        return results


def _cut_off(letter: Letter) -> str:
    return (
        f"The letter holds only the beginning of its message, which was too large for the dead-letter topic, so it "
        f"cannot be replayed: produce the message again from {letter.name} while Kafka still retains it "
        f"({letter.whole_bytes} bytes, SHA-256 {letter.sha256})."
    )
