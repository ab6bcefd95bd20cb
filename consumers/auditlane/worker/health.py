"""The worker's HTTP endpoints: `/metrics`, `/health/live`, `/health/ready`.

On the loopback interface, readiness includes the halted and failing partitions, and requests from foreign origins or
host names are rejected. On any other address, which is open to everyone on the network, readiness is the status alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from auditlane.runtime.errors import PortInUse
from auditlane.runtime.foreign_requests import is_foreign
from auditlane.runtime.validators import is_loopback

Reasons = Callable[[], dict[str, str]]
Failing = Callable[[], dict[str, dict[str, str]]]
KeyIds = Callable[[], Collection[str]]


class HealthServer:
    """Serves on its own thread. `ready` returns why it is not ready, by component; empty means ready.

    `halted` returns the halted partitions with the reason, and `failing` the partitions whose range has failed for a
    minute and is retried, each with `since` and the last `error`; the other partitions continue, so the worker stays
    ready. `verifies` returns the ids of its provenance keys. These three are shown on loopback only.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        metrics: Callable[[], bytes],
        ready: Reasons,
        halted: Reasons,
        failing: Failing,
        verifies: KeyIds,
    ) -> None:
        try:
            handler = _handler(metrics, ready, halted, failing, verifies, near=is_loopback(host))
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            raise PortInUse(
                f"The worker cannot listen on {host}:{port}: {error.strerror}.",
                fix="Set AUDITLANE_WORKER_PORT to a free port, or to 0.",
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(
    metrics: Callable[[], bytes], ready: Reasons, halted: Reasons, failing: Failing, verifies: KeyIds, *, near: bool
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if near and is_foreign(self.headers.get_all("Host", []), self.headers.get_all("Origin", [])):
                self._json(403, {"status": "refused"})
            elif self.path == "/metrics":
                self._answer(200, metrics(), "text/plain; version=0.0.4; charset=utf-8")
            elif self.path == "/health/live":
                self._json(200, {"status": "live"})
            elif self.path == "/health/ready":
                missing = ready()
                shown: dict[str, object] = {"status": "waiting" if missing else "ready"}
                if near:
                    shown |= {"missing": missing, "halted": halted(), "failing": failing()}
                    shown["provenance_keys"] = sorted(verifies())
                self._json(503 if missing else 200, shown)
            else:
                self._json(404, {"status": "not found"})

        def _json(self, status: int, answer: Mapping[str, object]) -> None:
            self._answer(status, json.dumps(answer).encode(), "application/json")

        def _answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Log nothing, since probes would fill the log."""

    return Handler
