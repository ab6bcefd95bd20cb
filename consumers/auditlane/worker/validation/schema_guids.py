"""Messages that name their schema by its GUID in a header, as Confluent's newer serializers do.

While such a message is in memory the GUID stands before its value, so that it is counted, digested and judged with it;
where it leaves again, as a dead letter or a replayed one, the GUID is a header again. For judging, the GUID is replaced
by the schema's id, and what is before the datum is the usual frame.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

import numpy as np

from auditlane.contract.byte_columns import Blobs
from auditlane.contract.schema_guids import _DATUM, _MARK, _guid
from auditlane.contract.wire import frame
from auditlane.worker.validation.batch import RawRange, tenant_of_bytes

NO_ID: Final = (1 << 32) - 1  # no registry gives it
UNKNOWN_GUIDS: Final = 32  # of one key's tenant in a range; further ones are not asked for


def framed(raw: RawRange, id_of: Callable[[UUID, Collection[str]], int | None]) -> tuple[RawRange, dict[int, UUID]]:
    """The range with an id in the place of every GUID; and by index the GUIDs that have none, whose id is NO_ID.

    Raises what `id_of` raises. A range without GUIDs is given back as it is.
    """
    values = Blobs.of(raw.values)
    maybe = np.flatnonzero(values.heads(1)[:, 0] == _MARK[0]) if len(values) else np.zeros(0, dtype=np.int64)
    guids = {index: guid for index in maybe.tolist() if (guid := _guid(values[index])) is not None}
    if not guids:
        return raw, {}
    made, nameless = list(values), dict[int, UUID]()
    ids = _ids(guids, raw.keys, id_of)
    for index, guid in guids.items():
        schema_id = ids.get(guid)
        if schema_id is None:
            nameless[index] = guid
        made[index] = frame(NO_ID if schema_id is None else schema_id, values[index][_DATUM:])
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
