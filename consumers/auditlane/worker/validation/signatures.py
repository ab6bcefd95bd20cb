"""Who vouches for each message of a range: the signatures verified, as a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from auditlane.contract.byte_columns import ByteColumn
from auditlane.contract.provenance import TRAIL, Claim, verify

_CHUNK: Final = 4_096  # so many values are held twice
Codes = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Vouched:
    """`codes` has an entry a message: 0 where nobody vouches for it, else the place in `claims`, counted from 1."""

    codes: Codes
    claims: tuple[Claim, ...] = ()

    @property
    def trail(self) -> Mask:
        """Which messages are of our own trail."""
        ours = np.array([False, *(claim.client_id == TRAIL for claim in self.claims)])
        return np.asarray(ours[self.codes])


def vouched(
    signatures: Sequence[bytes | None], keys: Sequence[bytes | None], values: ByteColumn, secrets: Mapping[str, bytes]
) -> Vouched:
    """Verify the messages that have a signature; the others cost nothing. `keys` and `values` are of all of them."""
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
