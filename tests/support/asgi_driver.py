"""Calls an ASGI application as a server would, with control over when the client disconnects."""

from __future__ import annotations

import asyncio
from typing import Any


class Call:
    """One HTTP request. `sent` contains the response's messages."""

    def __init__(
        self, app: Any, method: str, path: str, *, headers: dict[str, str] | None = None, **scope: Any
    ) -> None:
        self.app = app
        self.sent: list[dict[str, Any]] = []
        self.gone = False  # whether the client has disconnected
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
            "client": ("192.0.2.7", 5000),
            "server": ("testserver", 80),
        } | scope
        self._asked = False

    async def receive(self) -> dict[str, Any]:
        if self.gone:
            return {"type": "http.disconnect"}
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()  # wait for the disconnect
        raise AssertionError

    async def send(self, message: dict[str, Any]) -> None:
        if self.gone:
            raise OSError("the client has left")
        self.sent.append(message)

    async def run(self) -> int:
        """Run the application, and return the response's status, or 0 if it did not respond."""
        await self.app(self.scope, self.receive, self.send)
        return self.status

    @property
    def status(self) -> int:
        return self.sent[0]["status"] if self.sent else 0


def call(app: Any, method: str, path: str, **options: Any) -> int:
    return asyncio.run(Call(app, method, path, **options).run())
