"""Finds the messages by which judging a range fails, so that they alone are refused and their neighbours are judged.

No message is known to do this; a mistake of ours would. Without it one such message would stop its partition for every
tenant in it, also for whoever takes the partition over.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from auditlane.contract.reject_codes import RejectCode
from auditlane.runtime import log
from auditlane.runtime._pyarrow import pa
from auditlane.runtime.errors import Unavailable
from auditlane.worker.validation.batch import RawRange, Rejection, ValidationBatch, ValidationResult

TRIES: Final = 64  # failures of one tenant and schema in a range, after which the rest that fails is refused together
TRIES_OF_ALL: Final = 512
Kind = tuple[str | None, int]  # tenant and schema id


def isolated(raw: RawRange, validate: Callable[[RawRange], ValidationResult]) -> ValidationResult:
    """The verdict of `validate` on the range; what it raises is pinned on the messages that cause it.

    Raises what a part that is away raises, since that is nobody's fault: the range is judged again later.
    """
    try:
        return validate(raw)
    except Unavailable:
        raise
    except Exception as error:
        log.get("worker").error(
            "judge.failed",
            topic=raw.topic,
            partition=raw.partition,
            first=raw.offsets[0] if raw.offsets else None,
            messages=len(raw.offsets),
            fix="The messages that cause it become dead letters with the code NOT_JUDGED. Report this.",
            traceback="".join(traceback.format_exception(error))[-4_000:],
        )
        return _Search(raw, validate).verdict()


@dataclass(slots=True)
class _Search:
    """Bisects a range, the messages of one tenant and schema together."""

    raw: RawRange
    validate: Callable[[RawRange], ValidationResult]
    _kinds: list[Kind] = field(init=False)
    _failures: Counter[Kind] = field(default_factory=Counter)
    _all: int = 0
    _found: list[ValidationResult] = field(default_factory=list)

    def verdict(self) -> ValidationResult:
        self._kinds = _kinds(self.raw)
        indexes = sorted(range(len(self.raw.offsets)), key=lambda index: (str(self._kinds[index]), index))
        pending: list[Sequence[int]] = [indexes]
        while pending:
            part = pending.pop()
            try:
                self._found.append(_placed(self.validate(_part(self.raw, part)), part))
            except Unavailable:
                raise
            except Exception as error:
                pending += self._halves(part, error)
        return _merged(self._found)

    def _halves(self, part: Sequence[int], error: Exception) -> list[Sequence[int]]:
        """What to judge instead of a part that failed; nothing where all of it is refused."""
        kinds = sorted({self._kinds[index] for index in part}, key=str)
        self._all += 1
        if len(kinds) == 1:
            self._failures[kinds[0]] += 1
        if len(part) == 1 or self._all > TRIES_OF_ALL or (len(kinds) == 1 and self._failures[kinds[0]] > TRIES):
            self._refuse(part, error)
            return []
        middle = len(part) // 2
        if len(kinds) > 1:  # between two kinds, so that one that fails as a whole is soon alone
            second = set(kinds[len(kinds) // 2 :])
            middle = next(at for at, index in enumerate(part) if self._kinds[index] in second)
        return [part[:middle], part[middle:]]

    def _refuse(self, part: Sequence[int], error: Exception) -> None:
        text = f"Judging failed ({type(error).__name__}: {str(error)[:200]}); the worker's log has more."
        rejected, counts = [], Counter[str]()
        for index in part:
            tenant, schema_id = self._kinds[index]
            rejected.append(
                Rejection(index, RejectCode.NOT_JUDGED, text, tenant, schema_id if schema_id >= 0 else None)
            )
            counts[tenant or ""] += 1
        self._found.append(ValidationResult({}, rejected, {tenant: (count, count) for tenant, count in counts.items()}))


def _kinds(raw: RawRange) -> list[Kind]:
    """The tenant and schema id of each message; -1 where there is no frame, or where they cannot be told."""
    try:
        case = ValidationBatch.open(raw)
    except Exception:  # told apart by halves alone
        return [(None, -1)] * len(raw.offsets)
    return [
        (case.tenant(index), int(case.schema_ids[index]) if case.framed[index] else -1)
        for index in range(len(raw.offsets))
    ]


def _part(raw: RawRange, indexes: Sequence[int]) -> RawRange:
    """Some messages of a range, in order of offset."""
    of = sorted(indexes)
    return replace(
        raw,
        offsets=[raw.offsets[index] for index in of],
        timestamps_ms=[raw.timestamps_ms[index] for index in of],
        keys=[raw.keys[index] for index in of],
        values=[raw.values[index] for index in of],
        signatures=[raw.signatures[index] for index in of] if raw.signatures else (),
    )


def _placed(verdict: ValidationResult, indexes: Sequence[int]) -> ValidationResult:
    """The verdict of a part, its refusals at their places in the whole range."""
    of = sorted(indexes)
    return replace(verdict, rejected=[replace(one, index=of[one.index]) for one in verdict.rejected])


def _merged(verdicts: Sequence[ValidationResult]) -> ValidationResult:
    months = sorted({month for one in verdicts for month in one.rows})
    counts: dict[str, tuple[int, int]] = {}
    for one in verdicts:
        for tenant, (messages, refused) in one.by_tenant.items():
            before = counts.get(tenant, (0, 0))
            counts[tenant] = before[0] + messages, before[1] + refused
    return ValidationResult(
        {month: pa.concat_tables([one.rows[month] for one in verdicts if month in one.rows]) for month in months},
        sorted((one for found in verdicts for one in found.rejected), key=lambda one: one.index),
        counts,
    )
