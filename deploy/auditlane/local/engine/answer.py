"""Answering: head, body plain or in chunks, compressed or not, and an error in whatever state the answer is in."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable

from auditlane.local.engine.compression import Compressor
from auditlane.local.engine.embedded import Result
from auditlane.local.engine.errors import EngineError

_TYPES = {
    "JSON": "application/json",
    "CSV": "text/csv",
    "TabSeparated": "text/tab-separated-values",
    "TSV": "text/tab-separated-values",
}
_BINARY = ("Native", "RowBinary", "Arrow", "Parquet", "ORC", "Avro", "Protobuf", "MsgPack", "BSON", "Npy")


def content_type(name: str) -> str:
    """The Content-Type of a format, as ClickHouse gives it."""
    if name.startswith("JSON"):
        lines = "EachRow" in name
        return "application/x-ndjson; charset=UTF-8" if lines else "application/json; charset=UTF-8"
    if name.startswith(_BINARY):
        return "application/octet-stream"
    for prefix, kind in _TYPES.items():
        if name.startswith(prefix):
            return f"{kind}; charset=UTF-8" + ("; header=present" if "WithNames" in name else "")
    return "text/plain; charset=UTF-8"


def summary(result: Result, elapsed_ns: int) -> str:
    """The X-ClickHouse-Summary header."""
    return json.dumps(
        {
            "read_rows": str(result.read_rows),
            "read_bytes": str(result.read_bytes),
            "written_rows": str(result.written_rows),
            "written_bytes": str(result.written_bytes),
            "total_rows_to_read": str(result.read_rows),
            "result_rows": str(result.result_rows),
            "result_bytes": str(result.result_bytes),
            "elapsed_ns": str(elapsed_ns),
        }
    )


class Answer:
    """One response over `write`; `headers` go out with the head.

    A body that fits is sent with its length. A longer one goes out in chunks; if the query fails then, the text of the
    error is written in ClickHouse's form and the connection is broken before the last chunk, so that no client that
    reads to the end can take the body for a whole one.
    """

    def __init__(self, write: Callable[[bytes], None], *, head_only: bool = False, chunks: bool = True) -> None:
        self._write = write
        self._head_only = head_only
        self._chunks = chunks
        self._compressor: Compressor | None = None
        self.headers: dict[str, str] = {}
        self.tag = secrets.token_hex(8)
        self.begun = False
        self.broken = False

    def whole(self, body: bytes, status: int = 200, reason: str = "OK") -> None:
        """Answer with a body that is all there."""
        self._head(status, reason, {"Content-Length": str(len(body))})
        if not self._head_only:
            self._write(body)

    def begin(self, compressor: Compressor | None) -> None:
        """Begin a body whose length is not known yet."""
        self._compressor = compressor
        framing = {"Transfer-Encoding": "chunked"} if self._chunks else {"Connection": "close"}
        self.broken = not self._chunks
        self._head(200, "OK", {**framing, "X-ClickHouse-Exception-Tag": self.tag})

    def send(self, data: bytes) -> None:
        """More of the body."""
        self._chunk(self._compressor.compress(data) if self._compressor else data)

    def end(self) -> None:
        """The body is whole."""
        if self._compressor:
            self._chunk(self._compressor.flush())
        if self._chunks and not self._head_only:
            self._write(b"0\r\n\r\n")

    def fail(self, error: EngineError) -> None:
        """The query failed: an error response, or the broken rest of a body that was begun."""
        text = error.text.encode("utf-8", "replace")
        if not self.begun:
            self.headers.pop("Content-Encoding", None)
            self.headers["Content-Type"] = "text/plain; charset=UTF-8"
            self.headers["X-ClickHouse-Exception-Code"] = str(error.code)
            self.whole(text + b"\n", error.status, error.name)
            return
        tag = self.tag.encode()
        text += b"\n"
        self.send(
            b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (tag, text, len(text), tag),
        )
        if self._compressor:
            self._chunk(self._compressor.flush())
        self.broken = True

    def _head(self, status: int, reason: str, extra: dict[str, str]) -> None:
        self.begun = True
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in (self.headers | extra).items())]
        self._write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))

    def _chunk(self, data: bytes) -> None:
        if not data or self._head_only:
            return
        self._write(b"%x\r\n%s\r\n" % (len(data), data) if self._chunks else data)
