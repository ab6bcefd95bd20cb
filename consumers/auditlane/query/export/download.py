"""Send an export as a file: its headers, and a body that is cut off, never ended, when the result breaks off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from auditlane.query.export.download_pool import DownloadPool
from auditlane.query.export.exporter import Export
from auditlane.query.export.formats import Format
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.fair_share import current
from auditlane.runtime.log import get

ROWS_HEADER: Final = "Auditlane-Rows"

CountRows = Callable[[str, int], None]


class Download(StreamingResponse):
    """Streams an export; an error in it leaves the chunked body without its end, which every client notices.

    The query is closed and the place given back with the response, however that ends: also when the client has gone.
    """

    def __init__(
        self,
        export: Export,
        *,
        format_: Format,
        name: str,
        count_rows: CountRows,
        downloads: DownloadPool,
        place: ExitStack,
    ) -> None:
        """`place` is what `downloads.begin` gave."""
        self._export = export
        self._place = place
        self._format = format_
        self._count_rows = count_rows
        super().__init__(
            _pieces(export, downloads),
            media_type=format_.media_type,
            headers=headers_of(name, export.rows),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except AuditlaneError as error:
            # Returning now leaves the body without its end; the server then closes the connection.
            get("query").error("export.broken", code=error.code, problem=str(error), rows=self._export.written)
        finally:
            self._export.close()
            self._place.close()
            self._count_rows(self._format, self._export.written)


async def _pieces(export: Export, downloads: DownloadPool) -> AsyncIterator[bytes]:
    pieces = iter(export)
    while (piece := await downloads.run(lambda: next(pieces, None))) is not None:
        yield piece
        await current().pause()


def headers_of(name: str, rows: int) -> dict[str, str]:
    """What every file is sent with."""
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        ROWS_HEADER: str(rows),
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }


def file_name(tenant: str, format_: Format, now: datetime) -> str:
    """`audit-acme-20260131T134500Z.csv`; a tenant id has no character that a header or a file name would mind."""
    return f"audit-{tenant}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.{format_}"
