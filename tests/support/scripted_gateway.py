"""An HTTP server with scripted responses, standing in for the gateway or a proxy in front of it."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """A received request. `events` contains the events of an NDJSON body."""

    path: str
    headers: dict[str, str]
    body: bytes
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def actions(self) -> list[str]:
        return [event["action"] for event in self.events]


Reply = tuple[int, Any, dict[str, str]] | None  # (status, content, headers), or None to close the connection
Rule = Callable[[Request], Reply]


def accepted(request: Request) -> Reply:
    return settled(request, [202] * len(request.events))


def settled(request: Request, statuses: list[int], **headers: str) -> Reply:
    """Return the gateway's response to a request whose events have these statuses."""
    results: list[dict[str, Any]] = [
        {"index": index, "status": status, "event_id": event["event_id"]}
        | ({} if status == 202 else {"code": "EVENT_INVALID" if status == 400 else "UNAVAILABLE", "detail": "No."})
        for index, (status, event) in enumerate(zip(statuses, request.events, strict=True))
    ]
    count = statuses.count(202)
    content = {"accepted": count, "refused": len(statuses) - count, "results": results, "left_out": 0}
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    return (202 if count == len(statuses) else 207), content, sent


def problem(status: int, code: str, **headers: str) -> Reply:
    """Return the gateway's error response to a whole request."""
    content = {"type": f"urn:auditlane:problem:{code}", "code": code, "detail": "No.", "status": status}
    return status, content, {name.replace("_", "-"): text for name, text in headers.items()}


class ScriptedGateway:
    """Responds according to `rule`. `stored` lists the ids of accepted events, in order. Use it as a context
    manager.
    """

    def __init__(self, rule: Rule = accepted) -> None:
        self.rule = rule
        self.requests: list[Request] = []
        self.stored: list[str] = []
        handler = type("Handler", (_Handler,), {"gateway": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ScriptedGateway:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        reply = self.rule(request)
        if reply is not None and isinstance(reply[1], dict):
            self.stored += [one["event_id"] for one in reply[1].get("results", []) if one["status"] == 202]
        return reply


class _Handler(BaseHTTPRequestHandler):
    gateway: ScriptedGateway
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, body)
        if headers.get("content-type") == "application/x-ndjson":
            lines = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
            request.events = [json.loads(line) for line in lines.splitlines()]
        reply = self.gateway.reply(request)
        if reply is None:
            self.close_connection = True
            return
        status, content, sent = reply
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        kind = "text/html" if isinstance(content, bytes) else "application/json"
        self.send_response(status)
        for name, text in {"content-type": kind, "content-length": str(len(data)), **sent}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...
