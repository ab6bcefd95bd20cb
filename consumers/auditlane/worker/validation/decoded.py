"""What was decoded of a range, all schemas together: the base event's columns once, the tenants' own by schema.

Looking at a column costs the same few microseconds for ten rows as for thousands, so what all schemas have is looked at
once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pyarrow import RecordBatch

from auditlane.contract.avro import base_schema
from auditlane.contract.tenant_contract import Field, base_fields
from auditlane.runtime._pyarrow import Column, pa
from auditlane.worker.validation.decoder import Decoder, arrow_type

Indexes = npt.NDArray[np.int64]
BASE: Final = pa.schema([pa.field(one.name, arrow_type(one)) for one in base_fields().values()])
_DEFAULTS: Final = {one["name"]: one.get("default") for one in base_schema()["fields"]}


@dataclass(frozen=True, slots=True)
class Read:
    """What a decoder read: chunks of columns in the order of its fields, and the rows' places in the range."""

    schema_id: int
    decoder: Decoder
    members: Indexes
    chunks: Sequence[Sequence[Column]]

    def base(self, name: str) -> list[Column]:
        """A base field by chunk; one that the contract lacks takes its default."""
        at = self.decoder.at.get(name)
        if at is not None:
            return [chunk[at] for chunk in self.chunks]
        default = [] if _DEFAULTS[name] == {} else _DEFAULTS[name]
        return [pa.array([default] * len(self.members), BASE.field(name).type)]


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one schema; `own` are the columns of the tenant's own fields."""

    schema_id: int
    decoder: Decoder
    span: slice  # of the range's rows
    own: list[Column]


@dataclass(frozen=True, slots=True)
class Decoded:
    """`base` are the rows in the columns of `BASE`, `rows` their places in the range: schema by schema."""

    base: RecordBatch
    rows: Indexes
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, reads: Sequence[Read]) -> Decoded:
        if not reads:
            return cls(pa.RecordBatch.from_pylist([], schema=BASE), np.zeros(0, dtype=np.int64), ())
        columns = [pa.concat_arrays([chunk for one in reads for chunk in one.base(name)]) for name in BASE.names]
        groups, first = [], 0
        for one in reads:
            own = [pa.concat_arrays([chunk[at] for chunk in one.chunks]) for at in one.decoder.own_at]
            groups.append(Group(one.schema_id, one.decoder, slice(first, first := first + len(one.members)), own))
        return cls(
            pa.RecordBatch.from_arrays(columns, schema=BASE),
            np.concatenate([one.members for one in reads]),
            tuple(groups),
        )

    def columns(self, group: Group, wanted: Sequence[Field]) -> Iterator[tuple[Field, Column]]:
        """The columns of some of a contract's fields."""
        own = dict(zip((one.name for one in group.decoder.own), group.own, strict=True))
        for field in wanted:
            yield field, own[field.name] if field.name in own else self.base.column(field.name)[group.span]

    def only(self, keep: npt.NDArray[np.bool_]) -> Decoded:
        """Without the rows that are not to be kept."""
        groups, first = [], 0
        for one in self.groups:
            kept = keep[one.span]
            own = [column.filter(pa.array(kept)) for column in one.own]
            groups.append(Group(one.schema_id, one.decoder, slice(first, first := first + int(kept.sum())), own))
        return Decoded(self.base.filter(pa.array(keep)), self.rows[keep], tuple(groups))
