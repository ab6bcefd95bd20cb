"""Replaces the GUID that stands before a value by the schema's id, so that the usual frame is before the datum."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

import numpy as np

from auditlane.contract.byte_columns import ByteColumn
from auditlane.contract.schema_guids import MARK, PREFIX_BYTES, guid_of
from auditlane.contract.wire import frame
from auditlane.worker.validation.batch import RawRange, tenant_of_bytes

NO_ID: Final = (1 << 32) - 1  # no registry gives it
UNKNOWN_GUIDS: Final = 32  # of one key's tenant in a range; further ones are not asked for


def framed(raw: RawRange, id_of: Callable[[UUID, Collection[str]], int | None]) -> tuple[RawRange, dict[int, UUID]]:
    """The range with an id in the place of every GUID; and by index the GUIDs that have none, whose id is NO_ID.

    Raises what `id_of` raises. A range without GUIDs is given back as it is.
    """
    values = ByteColumn.of(raw.values)
    maybe = np.flatnonzero(values.prefixes(1)[:, 0] == MARK[0]) if len(values) else np.zeros(0, dtype=np.int64)
    guids = {index: guid for index in maybe.tolist() if (guid := guid_of(values[index])) is not None}
    if not guids:
        return raw, {}
    made, nameless = list(values), dict[int, UUID]()
    ids = _ids(guids, raw.keys, id_of)
    for index, guid in guids.items():
        schema_id = ids.get(guid)
        if schema_id is None:
            nameless[index] = guid
        made[index] = frame(NO_ID if schema_id is None else schema_id, values[index][PREFIX_BYTES:])
    return replace(raw, values=made), nameless


def _ids(
    guids: dict[int, UUID], keys: Sequence[bytes | None], id_of: Callable[[UUID, Collection[str]], int | None]
) -> dict[UUID, int | None]:
    """Each GUID once. A tenant that names many unknown ones keeps nobody waiting for answers."""
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
