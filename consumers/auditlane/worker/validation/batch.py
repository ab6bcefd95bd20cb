"""A range of messages during validation: columns of frames, keys, tenants and signatures, and the rejections so far."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
from pyarrow import Table

from auditlane.contract.message_columns import ByteColumn, Columns
from auditlane.contract.partition import Partition
from auditlane.contract.provenance import TRAIL, Claim, verify
from auditlane.contract.reject_codes import RejectCode
from auditlane.contract.schema_guids import MARK, PREFIX_BYTES, guid_of
from auditlane.contract.tenants import is_tenant, tenant_of_key
from auditlane.contract.wire import HEADER_BYTES, frame
from auditlane.runtime._pyarrow import Column, pa
from auditlane.worker.validation import checks

Indexes = npt.NDArray[np.int64]
_LONGEST_CACHED: Final = 256  # maximum size in bytes of a key whose tenant is cached
NO_ID: Final = (1 << 32) - 1  # an id that no registry assigns
UNKNOWN_GUIDS: Final = 32  # number of unknown GUIDs per tenant and range after which lookups stop
_CHUNK: Final = 4_096  # number of values copied at a time
Codes = npt.NDArray[np.int32]
_FRAME: Final = np.dtype([("magic", "u1"), ("id", ">u4")])


@dataclass(frozen=True, slots=True)
class RawRange:
    """One contiguous range of a partition as columns of equal length, ordered by offset. `topic_id` is UUID text."""

    topic: str
    topic_id: str
    partition: int
    offsets: Sequence[int]
    timestamps_ms: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    signatures: Sequence[bytes | None] = ()  # empty if no message is signed

    @classmethod
    def of(cls, topic_id: str, partition: Partition, columns: Columns) -> RawRange:
        """Build a range from the messages of a partition."""
        return cls(
            partition.topic,
            topic_id,
            partition.number,
            columns.offsets,
            columns.timestamps_ms,
            columns.keys,
            columns.values,
            columns.signatures,
        )


@dataclass(frozen=True, slots=True)
class Rejection:
    """The rejection of the message at `index`. `tenant` and `schema_id` are None if they cannot be read."""

    index: int
    code: RejectCode
    message: str
    tenant: str | None
    schema_id: int | None


@dataclass(frozen=True, slots=True)
class Vouched:
    """The verified signatures of a range.

    `codes` has a number for each message: 0 if it is unsigned, and otherwise 1 plus the index of its claim in `claims`.
    """

    codes: Codes
    claims: tuple[Claim, ...] = ()

    @property
    def trail(self) -> checks.Mask:
        """A mask of the messages that belong to auditlane's own audit trail."""
        ours = np.array([False, *(claim.client_id == TRAIL for claim in self.claims)])
        return np.asarray(ours[self.codes])


@dataclass(slots=True)
class ValidationBatch:
    """A range of messages while it is validated."""

    raw: RawRange
    values: ByteColumn
    lengths: Indexes  # size of each value in bytes
    framed: checks.Mask
    schema_ids: npt.NDArray[np.uint32]
    timestamps_ms: Indexes
    already_committed: checks.Mask  # messages below the group's committed offset, without a dead letter
    unique_keys: list[bytes | None]
    key_codes: Indexes  # index into unique_keys, per message
    tenants: list[str | None]  # tenant per unique key; None if the key does not contain a valid tenant id
    refused: checks.Mask
    vouched: Vouched
    rejected: dict[int, Rejection] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)  # index -> the rule that the message's custom fields break
    nameless: Mapping[int, UUID] = field(default_factory=dict)  # index -> a GUID unknown to the registry

    @classmethod
    def open(
        cls, raw: RawRange, already_committed: int = 0, secrets: Mapping[str, bytes] | None = None
    ) -> ValidationBatch:
        """Parse frames, keys, tenants and signatures. `secrets` maps key ids to the secrets of the provenance keys."""
        values = ByteColumn.of(raw.values)
        lengths = values.sizes()
        header = values.prefixes(HEADER_BYTES).view(_FRAME)[:, 0]
        keys = _binary(ByteColumn.of(raw.keys)).dictionary_encode(null_encoding="encode")
        unique_keys: list[bytes | None] = keys.dictionary.to_pylist()
        return cls(
            raw=raw,
            values=values,
            lengths=lengths,
            framed=(header["magic"] == 0) & (lengths >= HEADER_BYTES),
            schema_ids=header["id"].astype(np.uint32),
            timestamps_ms=np.asarray(raw.timestamps_ms, dtype=np.int64),
            already_committed=np.asarray(raw.offsets, dtype=np.int64) < already_committed,
            unique_keys=unique_keys,
            key_codes=keys.indices.to_numpy().astype(np.int64),
            tenants=[tenant_of_bytes(key) for key in unique_keys],
            refused=np.zeros(len(values), dtype=bool),
            vouched=vouched(raw.signatures, raw.keys, values, secrets or {}),
        )

    def tenant(self, index: int) -> str | None:
        """Return the tenant of a message, or None if its key does not contain a valid tenant id."""
        return self.tenants[int(self.key_codes[index])]

    def key(self, index: int) -> bytes | None:
        """Return the key of a message, truncated for error messages."""
        key = self.unique_keys[int(self.key_codes[index])]
        return key[:120] if key else key

    def by_tenant(self) -> dict[str, tuple[int, int]]:
        """Count all messages and the rejected ones by tenant. Keys without a valid tenant id are counted under the
        empty name.
        """
        keys = len(self.unique_keys)
        messages = np.bincount(self.key_codes, minlength=keys).tolist()
        refused = np.bincount(self.key_codes[self.refused], minlength=keys).tolist()
        counts: dict[str, tuple[int, int]] = {}
        for tenant, of, bad in zip(
            self.tenants, messages, refused, strict=True
        ):  # with sharding, a tenant has several keys
            before = counts.get(tenant or "", (0, 0))
            counts[tenant or ""] = before[0] + of, before[1] + bad
        return counts

    def with_keys(self, which: checks.Mask) -> Indexes:
        """Return the indexes of the messages whose keys are marked in `which`."""
        return np.flatnonzero(which[self.key_codes]) if which.any() else np.zeros(0, dtype=np.int64)

    def refuse(self, code: RejectCode, indexes: Indexes, why: Callable[[int], str]) -> None:
        """Reject the messages at `indexes`, except those already rejected. `why` returns the reason for an index."""
        for index in indexes[~self.refused[indexes]].tolist():
            named = self.framed[index] and index not in self.nameless
            schema_id = int(self.schema_ids[index]) if named else None
            self.rejected[index] = Rejection(index, code, why(index), self.tenant(index), schema_id)
        self.refused[indexes] = True

    def refuse_malformed(self, why: dict[int, str]) -> None:
        """Reject messages whose bytes are not a datum of their schema. `why` maps an index to the reason."""
        self.refuse(RejectCode.AVRO_MALFORMED, np.array(sorted(why), dtype=np.int64), why.__getitem__)


def _binary(blobs: ByteColumn) -> Column:
    offsets = np.zeros(len(blobs) + 1, dtype=np.int32)
    np.cumsum(blobs.sizes(), out=offsets[1:])
    missing = blobs.missing()
    valid = pa.array(~missing).buffers()[1] if missing.any() else None
    buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(b"".join(blobs.data))]
    return pa.Array.from_buffers(pa.binary(), len(blobs), buffers)


def tenant_of_bytes(key: bytes | None) -> str | None:
    """Return the tenant that a message key names, or None if the key is not a valid tenant id."""
    if key is None:
        return None
    # A key may be as large as a message, so only keys of reasonable size are cached.
    return _tenant_of(key) if len(key) <= _LONGEST_CACHED else _tenant_of.__wrapped__(key)


@lru_cache(maxsize=65_536)
def _tenant_of(key: bytes) -> str | None:
    try:
        tenant = tenant_of_key(key)
    except UnicodeDecodeError:
        return None
    return tenant if is_tenant(tenant) else None


def framed(raw: RawRange, id_of: Callable[[UUID, Collection[str]], int | None]) -> tuple[RawRange, dict[int, UUID]]:
    """Replace the GUID header of each value with the usual schema-id frame.

    Returns the range and, by message index, the GUIDs without a known id. Their frames contain NO_ID. A range without
    GUIDs is returned unchanged. Propagates errors from `id_of`.
    """
    values = ByteColumn.of(raw.values)
    maybe = np.flatnonzero(values.prefixes(1)[:, 0] == MARK[0]) if len(values) else np.zeros(0, dtype=np.int64)
    guids = {index: guid for index in maybe.tolist() if (guid := guid_of(values[index])) is not None}
    if not guids:
        return raw, {}
    replaced, nameless = list(values), dict[int, UUID]()
    ids = _ids(guids, raw.keys, id_of)
    for index, guid in guids.items():
        schema_id = ids.get(guid)
        if schema_id is None:
            nameless[index] = guid
        replaced[index] = frame(NO_ID if schema_id is None else schema_id, values[index][PREFIX_BYTES:])
    return replace(raw, values=replaced), nameless


def _ids(
    guids: dict[int, UUID], keys: Sequence[bytes | None], id_of: Callable[[UUID, Collection[str]], int | None]
) -> dict[UUID, int | None]:
    """Look up each GUID once.

    After many unknown GUIDs, lookups for a tenant stop, so that the tenant does not delay others.
    """
    ids: dict[UUID, int | None] = {}
    unknown: Counter[str] = Counter()
    named: defaultdict[UUID, set[str]] = defaultdict(set)
    for index, guid in guids.items():
        named[guid].add(tenant_of_bytes(keys[index]) or "")
    for index, guid in guids.items():
        tenant = tenant_of_bytes(keys[index]) or ""
        if guid in ids or unknown[tenant] >= UNKNOWN_GUIDS:
            continue
        ids[guid] = id_of(guid, named[guid])
        unknown[tenant] += ids[guid] is None
    return ids


def vouched(
    signatures: Sequence[bytes | None], keys: Sequence[bytes | None], values: ByteColumn, secrets: Mapping[str, bytes]
) -> Vouched:
    """Verify the messages that are signed, skipping the others quickly. The three columns cover all messages."""
    codes = np.zeros(len(values), dtype=np.int32)
    headers = ByteColumn.of(signatures)
    if not headers.size or not secrets:
        return Vouched(codes)
    claims: dict[Claim, int] = {}
    signed = np.flatnonzero(headers.sizes())
    for first in range(0, len(signed), _CHUNK):
        chunk = signed[first : first + _CHUNK]
        columns = (blobs.slices_after(chunk, 0) for blobs in (headers, ByteColumn.of(keys), values))
        for index, header, key, value in zip(chunk.tolist(), *columns, strict=True):
            claim = verify(secrets, header, key, value)
            if claim is not None:
                codes[index] = claims.setdefault(claim, len(claims) + 1)
    return Vouched(codes, tuple(claims))


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """The validation result of a range. Each message is a row in `rows` or an item of `rejected`, which is ordered by
    index.

    `rows` are grouped by period of the table's partitioning, in the columns of `event_columns.EVENTS`, and ordered by
    schema and offset. `by_tenant` counts messages and rejected messages. Keys without a valid tenant id are counted
    under the empty name.
    """

    rows: Mapping[int, Table]
    rejected: list[Rejection]
    by_tenant: Mapping[str, tuple[int, int]] = field(default_factory=dict)
