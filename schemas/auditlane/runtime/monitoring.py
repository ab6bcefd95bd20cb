"""A small HTTP server for `/metrics` and `/health`, for processes that serve nothing else.

On the loopback interface, requests from foreign origins or for foreign host names are rejected.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from auditlane.runtime.errors import PortInUse
from auditlane.runtime.foreign_requests import is_foreign
from auditlane.runtime.validators import is_loopback

IDLE_S: Final = 90.0  # time after which an idle connection is closed, since each has its own thread


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    content: bytes
    kind: str

    @classmethod
    def json(cls, status: int, content: Mapping[str, object]) -> Answer:
        return cls(status, json.dumps(content).encode(), "application/json")

    @classmethod
    def metrics(cls, content: bytes) -> Answer:
        """Respond with Prometheus' text format."""
        return cls(200, content, "text/plain; version=0.0.4; charset=utf-8")


Routes = Mapping[str, Callable[[], Answer]]
"""Path → function that answers a GET; called on a thread of its own."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        # `::` is every address, including IPv4
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), handler)


class MonitoringServer:
    """A server that runs in separate threads. Raises PortInUse with `fix` if it cannot listen."""

    def __init__(self, host: str, port: int, routes: Routes, *, fix: str, idle_s: float = IDLE_S) -> None:
        """Start to listen. Port 0 selects a free port. A connection without a request for `idle_s` seconds is
        closed.
        """
        try:
            self._server = _Server(host, port, _handler(routes, near=is_loopback(host), idle_s=idle_s))
        except OSError as error:
            raise PortInUse(f"Cannot listen on {host}:{port}: {error.strerror}.", fix=fix) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(routes: Routes, *, near: bool, idle_s: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = idle_s

        def do_GET(self) -> None:
            if near and is_foreign(self.headers.get_all("Host", []), self.headers.get_all("Origin", [])):
                self._send(Answer.json(403, {"status": "refused"}))
            elif route := routes.get(self.path):
                self._send(route())
            else:
                self._send(Answer.json(404, {"status": "not found"}))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Log nothing, since probes would flood the log."""

    return Handler
