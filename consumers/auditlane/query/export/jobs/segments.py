"""Sends the segments of a finished job's file from a bucket, as a whole or as one range."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from obstore.exceptions import BaseError
from obstore.store import S3Store
from starlette.types import Receive, Scope, Send

from auditlane.query.export.jobs.ranges import CHECK_BYTES, Download, RangedResponse
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.log import get

_PIECE: Final = CHECK_BYTES  # bytes of one request to the bucket


class RangedSegments(RangedResponse):
    """Sends segments, given as (key, size), one after the other.

    The response to a request for several ranges is the whole file, which RFC 9110 allows. Raises RangeNotSatisfiable.
    """

    def __init__(self, store: S3Store, segments: Sequence[tuple[str, int]], download: Download) -> None:
        super().__init__(media_type=download.media_type, headers=download.headers)
        size = sum(size for _, size in segments)
        found = download.range_of(size, self.headers["etag"])
        self.range = None if found is None or "," in found else found
        first, last = (0, size - 1) if self.range is None else map(int, self.range.removeprefix("bytes=").split("-"))
        self.headers["accept-ranges"] = "bytes"
        self.headers["content-length"] = str(last - first + 1)
        if self.range:
            self.status_code = 206
            self.headers["content-range"] = f"bytes {first}-{last}/{size}"
        self._store = store
        self._parts = [] if download.method == "HEAD" else list(parts(segments, first, last))
        self._check = download.check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sent = 0
        try:
            async for piece in self._pieces():
                before, sent = sent, sent + len(piece)
                if before // CHECK_BYTES != sent // CHECK_BYTES:
                    self._check()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except (AuditlaneError, BaseError, FileNotFoundError) as error:
            # Returning here leaves the body incomplete, so the server closes the connection.
            code = error.code if isinstance(error, AuditlaneError) else "UNAVAILABLE"
            get("query").error("export.broken", code=code, problem=str(error), sent=sent)
            return
        await send({"type": "http.response.body", "body": b""})

    async def _pieces(self) -> AsyncIterator[bytes]:
        # Each response is complete before it is sent on: the client's time limit would cut off a slow download.
        for key, start, end in self._parts:
            for at in range(start, end, _PIECE):
                yield bytes(await self._store.get_range_async(key, start=at, end=min(at + _PIECE, end)))


def parts(segments: Iterable[tuple[str, int]], first: int, last: int) -> Iterable[tuple[str, int, int]]:
    """Yield the parts of segments that cover the bytes from `first` to `last` inclusive: (key, start, end), where `end`
    is not included. Pure.
    """
    begin = 0
    for key, size in segments:
        start, end = max(first - begin, 0), min(last + 1 - begin, size)
        if start < end:
            yield key, start, end
        begin += size
