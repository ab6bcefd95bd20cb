"""Messages that name their schema by its GUID in a header, as Confluent's newer serializers do.

While such a message is in memory the GUID stands before its value, so that it is counted, digested and judged with it;
where it leaves again, as a dead letter or a replayed one, the GUID is a header again. For judging, the GUID is replaced
by the schema's id, and what is before the datum is the usual frame.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import numpy as np

from auditlane.contract.wire import frame
from auditlane.worker.blobs import Blobs
from auditlane.worker.validation.batch import RawRange, tenant_of_bytes

HEADER: Final = "__value_schema_id"
NO_ID: Final = (1 << 32) - 1  # no registry gives it
UNKNOWN_GUIDS: Final = 32  # of one key's tenant in a range; further ones are not asked for
_VERSION: Final = b"\x01"  # of the header's form: this byte, then the GUID's sixteen
_MARK: Final = b"\xffguid"  # no frame begins so
_DATUM: Final = len(_MARK) + 16


def joined(value: bytes | None, headers: Iterable[tuple[str, Any]]) -> bytes | None:
    """The value as it is held in memory: with the GUID of its schema before it, where the last such header has one."""
    found = [content for name, content in headers if name == HEADER]
    if value is None or not found or not isinstance(found[-1], bytes):
        return value
    form, guid = found[-1][:1], found[-1][1:]
    return _MARK + guid + value if form == _VERSION and len(guid) == 16 else value


def parted(value: bytes | None) -> tuple[bytes | None, list[tuple[str, bytes]]]:
    """The value as it is in Kafka, and the header that belongs to it; the reverse of `joined`."""
    if value is None or _guid(value) is None:
        return value, []
    return value[_DATUM:], [(HEADER, _VERSION + value[len(_MARK) : _DATUM])]


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


def _guid(value: bytes | None) -> UUID | None:
    """The GUID that stands before the value."""
    if value is None or len(value) < _DATUM or not value.startswith(_MARK):
        return None
    return UUID(bytes=value[len(_MARK) : _DATUM])
