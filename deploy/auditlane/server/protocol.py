"""HTTP on a connection, by uvicorn and httptools: a quarter less CPU a small request than with h11, and the bounds of a
connection that httptools has not: of its heads, of the time these take, of requests in advance, of connections.

It speaks HTTP/1.1 only. A client may offer to change the protocol (`Upgrade: h2c` of `curl --http2` and of Java's
client); the offer is not taken, and the request is answered as if it had not been made."""

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

from auditlane.server.middleware.client_networks import Network, network_of, within

MOST_HEAD: Final = 64 << 10  # bytes of request line and headers; a piece of what the socket gave may be beyond it
MOST_READ: Final = 64 << 10  # bytes taken from the socket at once: what many senders have in memory before any is asked
MOST_AHEAD: Final = 16  # requests that a client may send before it has the answer to an earlier one
_OFFERED: Final = frozenset({b"upgrade", b"http2-settings"})  # headers, and what `Connection` lists


@dataclass(slots=True)
class Connections:
    """The connections of a process, in all and by address; those of `proxies` carry everybody's requests."""

    most: int = 4_096
    most_of_address: int = 2_048
    head_s: float = 20.0
    proxies: tuple[Network, ...] = ()
    count: int = 0
    by_address: Counter[str] = field(default_factory=Counter)

    def enter(self, host: str) -> str | None:
        """Count a connection from this host; returns what `leave` takes, None when there are too many."""
        address = "" if within(host, self.proxies) else network_of(host)
        if self.count >= self.most or (address and self.by_address[address] >= self.most_of_address):
            return None
        self.count += 1
        self.by_address[address] += 1
        return address

    def leave(self, address: str) -> None:
        """A connection that was counted has ended."""
        self.count -= 1
        self.by_address[address] -= 1
        if not self.by_address[address]:
            del self.by_address[address]


class Protocol(HttpToolsProtocol):
    """A head that is too large is answered 400, and the connection closed; one that takes too long closes it.

    httptools ends a message behind a head that offers another protocol, and takes its body for the next request. So
    such a head is parsed once more without the offer, with what follows it.
    The app's `state.connections`, where it has them, says how many there may be.
    """

    _head = 0  # bytes of a head that has not ended yet, beyond the piece that it began in
    _within = False
    _began = False
    _address: str | None = None
    _timer: asyncio.TimerHandle | None = None
    _plain = b""  # a head without the offer that it had

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all: Connections = getattr(getattr(config.app, "state", None), "connections", None) or Connections()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.max_size = MOST_READ  # type: ignore[attr-defined]  # of asyncio's own transports; 256 KiB else
        super().connection_made(transport)
        self._address = self._all.enter(self.client[0] if self.client else "")
        if self._address is None:
            transport.abort()  # whoever waits for an answer would hold what others need
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        if self._address is not None:
            self._all.leave(self._address)
            self._address = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._address is None:
            return
        self._began = False
        if self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()  # uvicorn's own limit, of the pause between two requests, ends with the first byte
        self._feed(data)
        if not self._within or self._began or self.transport.is_closing():
            return
        self._head += len(data)
        if self._head > MOST_HEAD:
            self.send_400_response("The request's headers are too large.")

    def on_message_begin(self) -> None:
        self._within, self._began, self._head = True, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._within = False
        self._head_is_there()
        if len(self.pipeline) >= MOST_AHEAD:
            self.transport.abort()
            raise ConnectionAbortedError("too many requests in advance")
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
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
                continue
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
            return

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self._all.head_s, self.transport.close)

    def _head_is_there(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def without_offer(method: bytes, target: bytes, version: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A request's head without its offer to change the protocol. Pure.

    Raises ValueError for CONNECT, which asks for a tunnel and leaves no request, and for a header of several lines.
    """
    if method == b"CONNECT":
        raise ValueError("CONNECT asks for a tunnel")
    lines = [b"%s %s HTTP/%s" % (method, target, version)]
    for name, value in headers:
        if b"\r" in value or b"\n" in value:
            raise ValueError("a header of several lines")
        if name == b"connection":
            value = b", ".join(one for one in map(bytes.strip, value.split(b",")) if one.lower() not in _OFFERED)
        if value and name not in _OFFERED:
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
