"""Serves HTTP/1.1 with uvicorn and httptools. Limits the size and duration of request heads, pipelined requests, and
connections.

httptools takes a quarter less CPU per small request than h11, but has none of these limits. A client may offer to
switch protocols (`Upgrade: h2c`, as sent by `curl --http2` and Java's client). The offer is ignored, and the response
uses HTTP/1.1.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from auditlane.runtime.client_address import NO_PROXIES, TrustedProxies
from auditlane.server.middleware.client_addresses import network_of

MAX_HEAD_BYTES: Final = 64 << 10  # maximum size of request line and headers; may be exceeded by one read of the socket
READ_BYTES: Final = 64 << 10  # bytes per read, which are buffered for each connection before authentication
MAX_PIPELINED: Final = 16  # maximum number of pipelined requests per connection
_OFFERED: Final = frozenset({b"upgrade", b"http2-settings"})  # offers to switch protocols, to be removed


@dataclass(slots=True)
class Connections:
    """Counts a process's connections in total and by address. Connections from `proxies` have no limit per address."""

    limit: int = 4_096
    address_limit: int = 2_048
    head_s: float = 20.0
    proxies: TrustedProxies = NO_PROXIES
    count: int = 0
    by_address: Counter[str] = field(default_factory=Counter)

    def enter(self, host: str) -> str | None:
        """Count a connection from this host. Returns the argument for `leave`, or None if a limit is reached."""
        address = "" if self.proxies.is_proxy(host) else network_of(host)
        if self.count >= self.limit or (address and self.by_address[address] >= self.address_limit):
            return None
        self.count += 1
        self.by_address[address] += 1
        return address

    def leave(self, address: str) -> None:
        """Stop counting a connection."""
        self.count -= 1
        self.by_address[address] -= 1
        if not self.by_address[address]:
            del self.by_address[address]


class Protocol(HttpToolsProtocol):
    """Responds to an oversized head with 400 and closes the connection. If a head takes too long, the connection is
    closed silently.

    httptools ends a message after a head that offers another protocol, and would parse its body as the next request.
    Such a head is therefore parsed again without the offer, followed by the remaining bytes. The app's
    `state.connections` contains the connection limits.
    """

    _head = 0  # size of the current request head, not counting the read that started it
    _within = False
    _began = False
    _address: str | None = None
    _timer: asyncio.TimerHandle | None = None
    _plain = b""  # the current head without its upgrade offer

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._connections: Connections = (
            getattr(getattr(config.app, "state", None), "connections", None) or Connections()
        )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]  # attribute of asyncio's transports; 256 KiB by default
        super().connection_made(transport)
        self._address = self._connections.enter(self.client[0] if self.client else "")
        if self._address is None:
            transport.abort()  # a response would keep the connection open
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        if self._address is not None:
            self._connections.leave(self._address)
            self._address = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._address is None:
            return
        self._began = False
        if self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()  # uvicorn's keep-alive timeout ends with the first byte
        self._feed(data)
        if not self._within or self._began or self.transport.is_closing():
            return
        self._head += len(data)
        if self._head > MAX_HEAD_BYTES:
            self.send_400_response("The request's headers are too large.")

    def on_message_begin(self) -> None:
        self._within, self._began, self._head = True, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._within = False
        self._cancel_timer()
        if len(self.pipeline) >= MAX_PIPELINED:
            self.transport.abort()
            raise ConnectionAbortedError("too many pipelined requests")
        if self.parser.should_upgrade():
            self._plain = without_offer(
                self.parser.get_method(), self.url, self.parser.get_http_version().encode(), self.headers
            )
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._plain:
            super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data, self._plain = self._plain + data[offer.args[0] :], b""
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as in uvicorn
                continue
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
            return

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self._connections.head_s, self.transport.close)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def without_offer(method: bytes, target: bytes, version: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a request's head without its offer to switch protocols. Pure.

    Raises ValueError for CONNECT, which has no equivalent without the offer, and for a header that spans lines.
    """
    if method == b"CONNECT":
        raise ValueError("CONNECT is not supported")
    lines = [b"%s %s HTTP/%s" % (method, target, version)]
    for name, value in headers:
        if b"\r" in value or b"\n" in value:
            raise ValueError("a header spans several lines")
        if name == b"connection":
            value = b", ".join(
                option for option in map(bytes.strip, value.split(b",")) if option.lower() not in _OFFERED
            )
        if value and name not in _OFFERED:
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
