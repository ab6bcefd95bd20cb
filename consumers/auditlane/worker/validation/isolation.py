"""Isolates messages that make validation itself fail, so that only these are rejected and not the whole range.

No message is known to do this, but a bug in auditlane could cause it. Without isolation, one such message would stop
its partition for all of its tenants, on every worker that takes the partition over.
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

# number of failures per tenant and schema in a range after which failing parts are rejected as a whole
TRIES: Final = 64
TRIES_OF_ALL: Final = 512
Kind = tuple[str | None, int]  # (tenant, schema id)


def isolated(raw: RawRange, validate: Callable[[RawRange], ValidationResult]) -> ValidationResult:
    """Return the result of `validate`. Messages that make it raise an error are rejected as NOT_JUDGED.

    Subclasses of Unavailable propagate, since no message is at fault, and the range is retried later.
    """
    try:
        return validate(raw)
    except Unavailable:
        raise
    except Exception as error:
        log.get("worker").error(
            "validation.failed",
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offsets[0] if raw.offsets else None,
            last_offset=raw.offsets[-1] if raw.offsets else None,
            messages=len(raw.offsets),
            fix="Report this bug. The messages that cause it become dead letters with the code NOT_JUDGED.",
            traceback="".join(traceback.format_exception(error))[-4_000:],
        )
        return _Search(raw, validate).result()


@dataclass(slots=True)
class _Search:
    """Bisects a range, but keeps the messages of one tenant and schema together."""

    raw: RawRange
    validate: Callable[[RawRange], ValidationResult]
    _kinds: list[Kind] = field(init=False)
    _failures: Counter[Kind] = field(default_factory=Counter)
    _all: int = 0
    _found: list[ValidationResult] = field(default_factory=list)

    def result(self) -> ValidationResult:
        """Validate smaller and smaller parts until each either succeeds or is rejected, and merge the results."""
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
        """Return the parts to validate in place of a part that failed. There are none if all of it was rejected."""
        kinds = sorted({self._kinds[index] for index in part}, key=str)
        self._all += 1
        if len(kinds) == 1:
            self._failures[kinds[0]] += 1
        if len(part) == 1 or self._all > TRIES_OF_ALL or (len(kinds) == 1 and self._failures[kinds[0]] > TRIES):
            self._refuse(part, error)
            return []
        middle = len(part) // 2
        if len(kinds) > 1:  # split between two kinds, so that a kind that always fails is isolated quickly
            second = set(kinds[len(kinds) // 2 :])
            middle = next(at for at, index in enumerate(part) if self._kinds[index] in second)
        return [part[:middle], part[middle:]]

    def _refuse(self, part: Sequence[int], error: Exception) -> None:
        text = f"Validation failed ({type(error).__name__}: {str(error)[:200]}); see the worker's log."
        rejected, counts = [], Counter[str]()
        for index in part:
            tenant, schema_id = self._kinds[index]
            rejected.append(
                Rejection(index, RejectCode.NOT_JUDGED, text, tenant, schema_id if schema_id >= 0 else None)
            )
            counts[tenant or ""] += 1
        self._found.append(ValidationResult({}, rejected, {tenant: (count, count) for tenant, count in counts.items()}))


def _kinds(raw: RawRange) -> list[Kind]:
    """Return the tenant and schema id of each message. The id is -1 if there is no frame or the id cannot be read."""
    try:
        batch = ValidationBatch.open(raw)
    except Exception:  # bisected without regard to kinds
        return [(None, -1)] * len(raw.offsets)
    return [
        (batch.tenant(index), int(batch.schema_ids[index]) if batch.framed[index] else -1)
        for index in range(len(raw.offsets))
    ]


def _part(raw: RawRange, indexes: Sequence[int]) -> RawRange:
    """Return the part of a range that consists of the messages at `indexes`, in order of offset."""
    of = sorted(indexes)
    return replace(
        raw,
        offsets=[raw.offsets[index] for index in of],
        timestamps_ms=[raw.timestamps_ms[index] for index in of],
        keys=[raw.keys[index] for index in of],
        values=[raw.values[index] for index in of],
        signatures=[raw.signatures[index] for index in of] if raw.signatures else (),
    )


def _placed(result: ValidationResult, indexes: Sequence[int]) -> ValidationResult:
    """Return the result of a part with the indexes of its rejections converted to indexes in the whole range."""
    of = sorted(indexes)
    return replace(result, rejected=[replace(one, index=of[one.index]) for one in result.rejected])


def _merged(results: Sequence[ValidationResult]) -> ValidationResult:
    periods = sorted({period for result in results for period in result.rows})
    counts: dict[str, tuple[int, int]] = {}
    for result in results:
        for tenant, (messages, refused) in result.by_tenant.items():
            before = counts.get(tenant, (0, 0))
            counts[tenant] = before[0] + messages, before[1] + refused
    return ValidationResult(
        {
            period: pa.concat_tables([result.rows[period] for result in results if period in result.rows])
            for period in periods
        },
        sorted((one for result in results for one in result.rejected), key=lambda one: one.index),
        counts,
    )
