"""Cursors are opaque, signed positions in a list that clients pass back to get the next page.

A cursor is bound to the tenant, the base filter, the filter and the order for which it was created. The signature is
invalid if the cursor was altered or is used with another query. A cursor contains no secret. The signature only
prevents forged positions.
"""

from __future__ import annotations

import base64
import hmac
import struct
import uuid
from collections.abc import Callable
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.base_filter import digest
from auditlane.query.filters import Filter
from auditlane.query.sort import NEWEST, Position, Sort
from auditlane.runtime.errors import InvalidCursor

Mac = Callable[[str, bytes], bytes]  # (purpose, data) -> a signature of at least 16 bytes, the same on every replica

PURPOSE: Final = "cursor"
_VERSION: Final = 2
# Version and direction, microseconds, id, content hash: 41 bytes. With a 16-byte signature, this makes 57 bytes, which
# base64 encodes without padding.
_FORM: Final = struct.Struct(">Bq16s16s")
_MAC_BYTES: Final = 16
_CURSOR_CHARS: Final = 76


class Cursors:
    """Signs and verifies cursors with `mac`."""

    def __init__(self, mac: Mac) -> None:
        self._mac = mac

    def sign(self, scope: TenantScope, filter_: Filter, position: Position, sort: Sort = NEWEST) -> str:
        """Return the cursor for a position in the tenant's list with this filter and order."""
        id_, content = uuid.UUID(position.event_id).bytes, bytes.fromhex(position.content_hash)
        payload = _FORM.pack(_VERSION << 1 | position.newer, position.occurred_us, id_, content)
        return base64.urlsafe_b64encode(payload + self._signature(scope, filter_, sort, payload)).decode()

    def read(self, scope: TenantScope, filter_: Filter, cursor: str, sort: Sort = NEWEST) -> Position:
        """Return the position of a cursor. Raises InvalidCursor unless it was signed for the same tenant, filter and
        order.
        """
        try:
            raw = base64.b64decode(cursor.encode("ascii"), b"-_", validate=True)
        except ValueError:
            raise _invalid() from None
        if len(cursor) != _CURSOR_CHARS or len(raw) != _FORM.size + _MAC_BYTES:
            raise _invalid()
        payload, signature = raw[: _FORM.size], raw[_FORM.size :]
        if not hmac.compare_digest(signature, self._signature(scope, filter_, sort, payload)):
            raise _invalid()
        form, occurred_us, event_id, content = _FORM.unpack(payload)
        if form >> 1 != _VERSION:
            raise _invalid()
        return Position(occurred_us, str(uuid.UUID(bytes=event_id)), content.hex(), bool(form & 1))

    def _signature(self, scope: TenantScope, filter_: Filter, sort: Sort, payload: bytes) -> bytes:
        tenant = scope.tenant.encode()
        order = b"" if sort == NEWEST else str(sort).encode()
        data = payload + len(tenant).to_bytes(4, "big") + tenant + filter_.digest() + digest(scope) + order
        return self._mac(PURPOSE, data)[:_MAC_BYTES]


def _invalid() -> InvalidCursor:
    return InvalidCursor(
        "The cursor does not belong to this query.",
        field="cursor",
        fix="Repeat the query without a cursor. Keep the same filters and `sort` on every page, and pass `next`"
        " unchanged.",
    )
