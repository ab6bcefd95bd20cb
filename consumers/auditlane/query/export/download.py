"""Sends an export as a file. If the result is incomplete, the body is left unterminated."""

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
    """Streams an export. On an error, the chunked body is left unterminated, which every client detects.

    The query is closed and the slot released when the response ends for any reason, including a disconnect.
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
        on_complete: Callable[[], None] | None = None,
    ) -> None:
        """Stream `export`. `place` is the slot from `downloads.begin`.

        `on_complete` is called after the last byte, and may block.
        """
        self._downloads = downloads
        self._on_complete = on_complete
        self._complete = False
        self._export = export
        self._place = place
        self._format = format_
        self._count_rows = count_rows
        super().__init__(
            self._pieces(),
            media_type=format_.media_type,
            headers=headers_of(name, export.rows),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
            if self._complete and self._on_complete is not None:
                await self._downloads.run(self._on_complete)
        except AuditlaneError as error:
            # Returning here leaves the body incomplete, so the server closes the connection.
            get("query").error("export.broken", code=error.code, problem=str(error), rows=self._export.written)
        finally:
            self._export.close()
            self._place.close()
            self._count_rows(self._format, self._export.written)

    async def _pieces(self) -> AsyncIterator[bytes]:
        pieces = iter(self._export)
        while (piece := await self._downloads.run(lambda: next(pieces, None))) is not None:
            if piece:
                yield piece
            await current().pause()
        self._complete = True


def headers_of(name: str, rows: int) -> dict[str, str]:
    """Return the headers that every file has."""
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        ROWS_HEADER: str(rows),
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }


def file_name(tenant: str, format_: Format, now: datetime) -> str:
    """Return a name such as `audit-acme-20260131T134500Z.csv`. Tenant ids are safe in headers and file names."""
    return f"audit-{tenant}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.{format_.extension}"
