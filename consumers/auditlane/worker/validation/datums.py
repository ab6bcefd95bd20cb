"""From the messages of a range to its decoded rows, and the messages that are no datum of their schema refused."""

from __future__ import annotations

from auditlane.contract.wire import HEADER_BYTES
from auditlane.runtime._pyarrow import Column
from auditlane.worker.validation.batch import Case, Indexes
from auditlane.worker.validation.decoded import Decoded, Read
from auditlane.worker.validation.decoder import CHUNK_ROWS, Decoder
from auditlane.worker.validation.suspect_rows import doubtful


def read(case: Case, schema_id: int, decoder: Decoder, members: Indexes) -> Read:
    """Decode the members; refuses those that are found to be no datums."""
    chunks: list[list[Column]] = []
    malformed: dict[int, str] = {}
    for first in range(0, len(members), CHUNK_ROWS):
        chunk = members[first : first + CHUNK_ROWS]
        decoded, bad = decoder.read(case.values.tails(chunk, HEADER_BYTES))
        chunks.append(decoded)
        malformed |= {int(chunk[at]): why for at, why in bad.items()}
    case.refuse_malformed(malformed)
    return Read(schema_id, decoder, members[~case.refused[members]] if malformed else members, chunks)


def without_malformed(case: Case, decoded: Decoded) -> Decoded:
    """Read again what the fast decoder may have read wrongly; refuses what is no datum."""
    doubts = doubtful(decoded, case.lengths[decoded.rows] - HEADER_BYTES)
    if not doubts.any():
        return decoded
    malformed: dict[int, str] = {}
    for group in decoded.groups:
        members = decoded.rows[group.span][doubts[group.span]]
        bad = group.decoder.malformed(case.values.tails(members, HEADER_BYTES), range(len(members)))
        malformed |= {int(members[at]): why for at, why in bad.items()}
    case.refuse_malformed(malformed)
    return decoded.only(~case.refused[decoded.rows]) if malformed else decoded
