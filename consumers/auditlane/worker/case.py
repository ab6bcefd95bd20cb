"""A range of messages while it is judged: its frames, keys and tenants as columns, and what is refused so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from auditlane.contract.codes import RejectCode
from auditlane.contract.tenants import is_tenant, tenant_of_key
from auditlane.contract.wire import HEADER_BYTES
from auditlane.worker import checks
from auditlane.worker.arrow import pa
from auditlane.worker.decode import CHUNK_ROWS
from auditlane.worker.ranges import Columns, Partition

Indexes = npt.NDArray[np.int64]
_FRAME: Final = np.dtype([("magic", "u1"), ("id", ">u4")])


@dataclass(frozen=True, slots=True)
class RawRange:
    """One contiguous range of one partition, as columns of equal length, ordered by offset. `topic_id` is UUID text."""

    topic: str
    topic_id: str
    partition: int
    offsets: Sequence[int]
    timestamps_ms: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]

    @classmethod
    def of(cls, topic_id: str, partition: Partition, columns: Columns) -> RawRange:
        """These messages of a partition."""
        return cls(
            partition.topic,
            topic_id,
            partition.number,
            columns.offsets,
            columns.timestamps_ms,
            columns.keys,
            columns.values,
        )


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why the message at `index` of the range is refused. `tenant` and `schema_id` as far as they could be read."""

    index: int
    code: RejectCode
    message: str
    tenant: str | None
    schema_id: int | None


@dataclass(slots=True)
class Case:
    """A range while it is judged."""

    raw: RawRange
    values: Sequence[bytes]
    lengths: Indexes  # of the values, in bytes
    framed: checks.Mask
    schema_ids: npt.NDArray[np.uint32]
    timestamps_ms: Indexes
    unique_keys: list[bytes | None]
    key_codes: Indexes  # of each message, into unique_keys
    tenants: list[str | None]  # of each unique key; None where there is no legal tenant id
    refused: checks.Mask
    rejected: dict[int, Rejection] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)  # index -> the rule that its own fields break

    @classmethod
    def open(cls, raw: RawRange) -> Case:
        count = len(raw.values)
        values: Sequence[bytes] = (
            [value or b"" for value in raw.values] if None in raw.values else raw.values  # type: ignore[assignment]
        )
        lengths, header = _heads(values)
        keys = pa.array(raw.keys, pa.binary()).dictionary_encode(null_encoding="encode")
        unique_keys: list[bytes | None] = keys.dictionary.to_pylist()
        return cls(
            raw=raw,
            values=values,
            lengths=lengths,
            framed=(header["magic"] == 0) & (lengths >= HEADER_BYTES),
            schema_ids=header["id"].astype(np.uint32),
            timestamps_ms=np.asarray(raw.timestamps_ms, dtype=np.int64),
            unique_keys=unique_keys,
            key_codes=keys.indices.to_numpy().astype(np.int64),
            tenants=[_tenant(key) for key in unique_keys],
            refused=np.zeros(count, dtype=bool),
        )

    def tenant(self, index: int) -> str | None:
        return self.tenants[int(self.key_codes[index])]

    def key(self, index: int) -> bytes | None:
        key = self.unique_keys[int(self.key_codes[index])]
        return key[:120] if key else key

    def with_keys(self, which: checks.Mask) -> Indexes:
        """The messages whose key is one of these."""
        return np.flatnonzero(which[self.key_codes]) if which.any() else np.zeros(0, dtype=np.int64)

    def refuse(self, code: RejectCode, indexes: Indexes, why: Callable[[int], str]) -> None:
        """Refuse those of the messages that are not refused yet."""
        for index in indexes[~self.refused[indexes]].tolist():
            schema_id = int(self.schema_ids[index]) if self.framed[index] else None
            self.rejected[index] = Rejection(index, code, why(index), self.tenant(index), schema_id)
        self.refused[indexes] = True


def _heads(values: Sequence[bytes]) -> tuple[Indexes, npt.NDArray[np.void]]:
    """(the values' lengths, their frames). By chunks: the second look at a value then finds it in the cache."""
    lengths, heads = np.zeros(len(values), dtype=np.int64), []
    for first in range(0, len(values), CHUNK_ROWS):
        chunk = values[first : first + CHUNK_ROWS]
        sizes = lengths[first : first + CHUNK_ROWS] = np.fromiter(map(len, chunk), dtype=np.int64, count=len(chunk))
        cut = [value[:HEADER_BYTES] for value in chunk]
        if sizes.min() < HEADER_BYTES:
            cut = [one.ljust(HEADER_BYTES, b"\xff") for one in cut]
        heads.append(b"".join(cut))
    return lengths, np.frombuffer(b"".join(heads), dtype=_FRAME)


@lru_cache(maxsize=65_536)
def _tenant(key: bytes | None) -> str | None:
    try:
        tenant = tenant_of_key(key or b"")
    except UnicodeDecodeError:
        return None
    return tenant if is_tenant(tenant) else None
