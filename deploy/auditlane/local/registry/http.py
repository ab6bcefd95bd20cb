"""The registry's HTTP server, a plain ASGI app. It routes by decoded path segments, negotiates content types, and
limits bodies.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote

from auditlane.local.registry.errors import ApiError, store_failed
from auditlane.runtime.accept_header import by_preference

CONTENT_TYPES = ("application/vnd.schemaregistry.v1+json", "application/vnd.schemaregistry+json", "application/json")
_REQUEST_TYPES = frozenset({*CONTENT_TYPES, "application/octet-stream", ""})
MAX_BODY_BYTES = 4 << 20
# maximum number of bytes read and discarded, so that the client receives the error instead of a connection reset
_DRAIN_BYTES = 64 << 20
_Item = TypeVar("_Item")

_log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a handler, with the path's variables, the query and the JSON body."""

    values: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    lenient: bool = False  # whether the client asks to ignore unknown fields

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.query.get(name, default))
        except ValueError:
            raise ApiError(404, "HTTP 404 Not Found") from None  # as Jersey does

    def page(self, items: list[_Item]) -> list[_Item]:
        """Return the slice selected by `offset` and `limit`."""
        offset, limit = max(self.number("offset", 0), 0), self.number("limit", -1)
        return items[offset:] if limit <= 0 else items[offset : offset + limit]


Handler = Callable[[Call], Any]
CheckAccess = Callable[[Sequence[tuple[str, str]]], None]
# A pattern's segments, "*" for a variable, and its handlers by method.
Routes = dict[tuple[str, ...], dict[str, Handler]]


@dataclass(frozen=True, slots=True)
class Text:
    """A body that is already JSON."""

    text: str


class App:
    """Serves the routes over ASGI. Handlers run one at a time on the event loop's thread, which is acceptable because
    they block only on SQLite.
    """

    def __init__(self, routes: Routes, check_access: CheckAccess = lambda headers: None) -> None:
        """Create the app. `check_access` raises ApiError if a request with these headers (names in lower case) is not
        allowed.
        """
        self._routes = routes
        self._check_access = check_access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        lines = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = dict(lines)
        accept = _accepted(headers.get("accept", ""))
        try:
            self._check_access(lines)
            answer, status = await self._answer(scope, headers, accept, receive), 200
        except ApiError as api_error:
            answer, status = {"error_code": api_error.code, "message": api_error.message}, api_error.status
        except UnicodeEncodeError:
            answer, status = {"error_code": 400, "message": "The request contains half of a surrogate pair"}, 400
        except sqlite3.Error as error:
            failed = store_failed(str(error))
            answer, status = {"error_code": failed.code, "message": failed.message}, failed.status
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            answer, status = {"error_code": 500, "message": "Internal Server Error"}, 500
        text = (
            answer.text if isinstance(answer, Text) else json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        )
        await _respond(send, status, accept or CONTENT_TYPES[0], text.encode(errors="replace"))

    async def _answer(self, scope: Scope, headers: dict[str, str], accept: str | None, receive: Receive) -> Any:
        handlers, values = self._match(scope["raw_path"])
        handler = handlers.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if handler is None:
            raise ApiError(405, "HTTP 405 Method Not Allowed")
        if accept is None:
            raise ApiError(406, "HTTP 406 Not Acceptable")
        body = None
        if scope["method"] in ("POST", "PUT"):
            if headers.get("content-type", "").partition(";")[0].strip().lower() not in _REQUEST_TYPES:
                raise ApiError(415, "HTTP 415 Unsupported Media Type")
            body = _parse_body(await _read(receive))
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        lenient = headers.get("confluent-accept-unknown-properties", "").lower() == "true"
        return handler(Call(values, query, body, lenient))

    def _match(self, raw_path: bytes) -> tuple[dict[str, Handler], tuple[str, ...]]:
        # Split before decoding, since a subject may contain an encoded slash.
        path = [unquote(part) for part in raw_path.partition(b"?")[0].decode("latin-1").split("/")[1:]]
        if len(path) > 1 and path[-1] == "":
            path.pop()
        for pattern, handlers in self._routes.items():
            if len(pattern) == len(path) and all(want in ("*", have) for want, have in zip(pattern, path, strict=True)):
                values = tuple(have for want, have in zip(pattern, path, strict=True) if want == "*")
                if all(values):
                    return handlers, values
        raise ApiError(404, "HTTP 404 Not Found")


def _accepted(accept: str) -> str | None:
    for name in by_preference(accept):
        if name in ("", "*/*", "application/*"):
            return CONTENT_TYPES[0]
        if name in CONTENT_TYPES:
            return name
    return None


async def _read(receive: Receive) -> bytes:
    body, size = bytearray(), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError(400, "The request was interrupted")
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY_BYTES:
            body += part
        if size > _DRAIN_BYTES or not message.get("more_body", False):
            break
    if size > MAX_BODY_BYTES:
        raise ApiError(413, f"HTTP 413 Request Entity Too Large: the limit is {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _parse_body(body: bytes) -> Any:
    if not body.strip():
        raise ApiError(422, "The request has no body; a JSON object is expected")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The request's body is not JSON: {error}") from error


async def _respond(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="schema registry"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
