"""Avro datums of one schema into Arrow columns: fast for all, exact where the fast decoder gives up.

The fast decoder (pyruhvro) raises for a whole batch, and accepts some bytes that are no datum in silence: what it has
read is looked over by `doubts`, for all schemas of a range together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyruhvro
from pyarrow import DataType

from auditlane.contract.tenant_contract import Field, TenantContract, base_fields
from auditlane.runtime._pyarrow import Column, pa
from auditlane.worker.validation import strict_decoder
from auditlane.worker.validation.encoded_size import ONE_BYTE
from auditlane.worker.validation.shape_scan import suspects

CHUNK_ROWS: Final = 4_096  # so many events fit a processor's cache on their way through the decoder

_ARROW: Final[dict[str, DataType]] = {
    "string": pa.string(),
    "enum": pa.string(),
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "timestamp": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "map": pa.map_(pa.string(), pa.string()),
}


def arrow_type(field: Field) -> DataType:
    """The type of a field's decoded column: ints and times are int64, enums are text."""
    return _ARROW[field.kind]


class Decoder:
    """Decodes what was written with one contract. Columns stand in the order of the contract's fields."""

    def __init__(self, contract: TenantContract) -> None:
        self.fields = contract.fields
        self.at = {one.name: index for index, one in enumerate(contract.fields)}
        self.own = contract.own
        self.own_at = [self.at[one.name] for one in self.own]
        self.ruled = tuple(one for one in contract.fields if one.rules or (one.kind == "timestamp" and one in self.own))
        self.tags = sum(one.union for one in contract.fields)  # bytes: a union says which of its types follows
        # Whether the base event's fields are encoded in as many bytes as by the base schema.
        self.regular = all(
            one.name in self.at and len(self.fields[self.at[one.name]].symbols) <= ONE_BYTE
            for one in base_fields().values()
        )
        self._reader_schema = contract.reader_schema()
        self.size = len(self._reader_schema)  # characters
        self._maps = [index for index, one in enumerate(contract.fields) if one.kind == "map"]

    def read(self, datums: list[bytes]) -> tuple[list[Column], dict[int, str]]:
        """(columns of the good datums in order, the others by index with the reason). Never raises for a datum."""
        columns = self._fast(datums)
        if columns is not None:
            return columns, {}
        malformed = self.malformed(datums, np.flatnonzero(suspects(self.fields, datums)).tolist())
        good = [index for index in range(len(datums)) if index not in malformed]
        if not malformed or not good:
            return self._exact(datums)
        columns, more = self.read([datums[index] for index in good])
        return columns, malformed | {good[index]: why for index, why in more.items()}

    def malformed(self, datums: Sequence[bytes], indexes: Sequence[int]) -> dict[int, str]:
        """Those of the datums that are none, read exactly, with the reason."""
        malformed: dict[int, str] = {}
        for index in indexes:
            try:
                strict_decoder.read(self.fields, datums[index])
            except strict_decoder.Malformed as error:
                malformed[index] = str(error)
        return malformed

    def _fast(self, datums: list[bytes]) -> list[Column] | None:
        try:
            columns: list[Column] = pyruhvro.deserialize_array(datums, self._reader_schema).columns
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # a panic of the decoder is no Exception
            return None
        for index in self._maps:  # Arrow's usual names for a map's children
            one = columns[index]
            columns[index] = pa.MapArray.from_arrays(one.offsets, one.keys, one.items)
        return columns

    def _exact(self, datums: list[bytes]) -> tuple[list[Column], dict[int, str]]:
        rows: list[dict[str, Any]] = []
        malformed: dict[int, str] = {}
        for index, datum in enumerate(datums):
            try:
                rows.append(strict_decoder.read(self.fields, datum))
            except strict_decoder.Malformed as error:
                malformed[index] = str(error)
        return [pa.array([row[one.name] for row in rows], arrow_type(one)) for one in self.fields], malformed
