"""Sends the file of a finished job, whole or in ranges. An invalid `Range` is ignored, as RFC 9110 requires."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from auditlane.runtime.errors import AuditlaneError, RangeNotSatisfiable
from auditlane.runtime.log import get

CHECK_BYTES: Final = 1 << 20  # number of bytes sent between two checks
_RANGE: Final = re.compile(r"([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A request for a finished file, and the response's media type and headers, which include an ETag.

    The names in `request_headers` are in lower case. `check` is called for every MiB sent. If it raises an error, the
    body is cut off, so every client notices.
    """

    method: str
    request_headers: Mapping[str, str]
    media_type: str
    headers: Mapping[str, str]
    check: Callable[[], None]

    def range_of(self, size: int, *validators: str) -> str | None:
        """Return the requested part of a file of `size` bytes, or None for the whole file. `validators` are the values
        with which If-Range asks for a part of this file. Raises RangeNotSatisfiable.
        """
        header = self.request_headers.get("range")
        if header is None or self.method != "GET":
            return None
        same = self.request_headers.get("if-range") in (None, *validators)
        return satisfiable(header, size) if same else None


class RangedResponse(Response):
    """A response with a file, or with the part of it that `range` names, such as `bytes=0-99`."""

    range: str | None = None


class RangedFile(FileResponse, RangedResponse):
    """Sends the file at `path`, or only its headers for HEAD.

    Raises FileNotFoundError, and RangeNotSatisfiable if the requested ranges are outside the file.
    """

    def __init__(self, path: Path, download: Download) -> None:
        super().__init__(path, media_type=download.media_type, headers=download.headers, stat_result=path.stat())
        size = int(self.headers["content-length"])
        self.range = download.range_of(size, self.headers["etag"], self.headers["last-modified"])
        self._check = download.check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
        if self.range:
            headers.append((b"range", self.range.encode()))
        sent = 0

        async def checked(message: Message) -> None:
            nonlocal sent
            before, sent = sent, sent + len(message.get("body", b""))
            if before // CHECK_BYTES != sent // CHECK_BYTES:
                self._check()
            await send(message)

        try:
            await super().__call__({**scope, "headers": headers}, receive, checked)
        except AuditlaneError as error:
            # Returning here leaves the body incomplete, so the server closes the connection.
            get("query").error("export.broken", code=error.code, problem=str(error), sent=sent)


def satisfiable(header: str, size: int) -> str | None:
    """Return the part of a `Range` header that lies within `size` bytes, or None if the header must be ignored because
    it is invalid or its unit is not bytes.

    Raises RangeNotSatisfiable if all ranges lie outside the file.
    """
    unit, _, listed = header.partition("=")
    specs = [_RANGE.fullmatch(spec.strip(" \t")) for spec in listed.split(",") if spec.strip(" \t")]
    if unit.strip().lower() != "bytes" or not specs:
        return None
    found = []
    for spec in specs:
        if spec is None or (spec[2] and int(spec[2]) < int(spec[1])):
            return None
        first = int(spec[1]) if spec[1] else max(0, size - int(spec[3]))
        last = min(int(spec[2]), size - 1) if spec[2] else size - 1
        if first <= last:
            found.append(f"{first}-{last}")
    if not found:
        raise RangeNotSatisfiable(
            f"The requested range is outside the file, which is {size} bytes long.",
            field="Range",
            fix="Request bytes within the file, or omit the header.",
            size=size,
        )
    return f"bytes={','.join(found)}"
