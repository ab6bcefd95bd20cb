"""The HTTP server: one thread a connection, loopback only; what is ClickHouse's about it is in `service`."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from auditlane.local.engine import multipart
from auditlane.local.engine.answer import Answer
from auditlane.local.engine.body import Body
from auditlane.local.engine.compression import decoded
from auditlane.local.engine.errors import STD_EXCEPTION, EngineError
from auditlane.local.engine.request import read
from auditlane.local.engine.service import Service
from auditlane.runtime.errors import ConfigError, PortInUse

_IDLE_S = 600.0
_LINGER_S = 2.0
_LINGER_BYTES = 256 << 20


class Server(ThreadingHTTPServer):
    """Listens on the loopback; `drain` waits for the requests that are being answered."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, host: str, port: int, service: Service) -> None:
        """Listen. Raises ConfigError for an address that is not the loopback's, PortInUse."""
        if not _is_loopback(host):
            raise ConfigError(f"The engine has no passwords, so it listens on the loopback only, not on {host}.")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.service = service
        self._active = 0
        self._idle = threading.Condition()
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortInUse(
                f"Port {port} of {host} is in use.", fix="Give another with --port, or 0 for a free one."
            ) from None

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if self.address_family == socket.AF_INET6 else f"http://{host!s}:{port}"

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Counts a request while it is being answered."""
        with self._idle:
            self._active += 1
        try:
            yield
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until no request is being answered; False when some still is."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._active, timeout_s)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is the client's business; anything else was answered and logged by the handler."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    wbufsize = 0
    rbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._route()

    def do_HEAD(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_OPTIONS(self) -> None:
        self._plain(b"", 204)

    def _route(self) -> None:
        path, _, query = self.path.partition("?")
        if not self._from_here():
            self._turn_away(b"Requests from other sites and for other hosts are refused.\n", 403)
        elif path == "/" and (query or self.command == "POST"):
            with self.server.answering():
                self._serve(query)
        elif path in {"/", "/ping", "/replicas_status"}:
            self._plain(b"Ok.\n", 200)
        else:
            self._turn_away(b"There is no handle %s: the query goes to /.\n" % path.encode("latin-1", "replace"), 404)

    def _serve(self, query: str) -> None:
        answer = Answer(self._write, head_only=self.command == "HEAD", chunks=self.request_version != "HTTP/1.0")
        body = Body(
            self.rfile, length=self.headers.get("Content-Length"), transfer=self.headers.get("Transfer-Encoding")
        )
        try:
            pieces = decoded(body, self.headers.get("Content-Encoding") or "")
            edge = multipart.boundary(self.headers.get("Content-Type") or "")
            form = multipart.read(pieces, edge) if edge else None
            if form:
                pieces = iter(())
            request = read(query, {name.lower(): value for name, value in self.headers.items()}, form)
            client = self.connection
            self.server.service.serve(request, pieces, answer, read_only=self.command != "POST", client=client)
        except EngineError as error:
            self._fail(answer, body, error)
        except ConnectionError:
            answer.broken = True
        except Exception as error:
            self.log_error("%s", repr(error))
            self._fail(answer, body, EngineError(STD_EXCEPTION, repr(error)))
        self.close_connection |= answer.broken

    def _fail(self, answer: Answer, body: Body, error: EngineError) -> None:
        if not body.whole:  # its rest cannot be told from the next request
            answer.broken = True
            answer.headers["Connection"] = "close"
        with contextlib.suppress(ConnectionError):
            answer.fail(error)
        if not body.whole:
            self._linger()

    def _linger(self) -> None:
        """Let the client read the answer: closing with input unread would reset the connection under it."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_S)
            left = _LINGER_BYTES
            while left > 0 and (got := len(self.connection.recv(1 << 16))):
                left -= got

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)

    def _from_here(self) -> bool:
        """Whether the request was made for this machine, and not by a page of some site in a local browser."""
        origin = self.headers.get("Origin")
        hosts = [urlsplit(f"//{self.headers.get('Host') or 'localhost'}").hostname]
        if origin is not None:
            hosts.append(urlsplit(origin).hostname)
        return all(host is not None and _is_loopback(host) for host in hosts)

    def _turn_away(self, body: bytes, status: int) -> None:
        """Answer without reading what was sent, say that the connection ends with it, and let the answer be read."""
        self.close_connection = True
        self._plain(body, status)
        self._linger()

    def _plain(self, body: bytes, status: int) -> None:
        self.send_response(status)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Type", "text/html; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Requests are not logged; the engine's query_log has the queries."""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
