"""The embedded registry in the test process, used through the real client. Paths and responses are real, but there is
no socket.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from auditlane.contract.registry import RegistryClient
from auditlane.local.registry.api import routes
from auditlane.local.registry.http import App
from auditlane.local.registry.service import Registry
from auditlane.local.registry.store import Store

_THREAD = ThreadPoolExecutor(1)  # SQLite connections are bound to one thread


class Answer:
    def __init__(self, status: int, data: bytes) -> None:
        self.status = status
        self.data = data


class InProcess(RegistryClient):
    """A registry client that calls the registry in this process. `before(method, path)` is called before each request,
    and may raise an error or send other requests.
    """

    def __init__(self, path: Path = Path(":memory:")) -> None:
        super().__init__("http://registry")
        self.store = _THREAD.submit(Store, path).result()
        self.app = App(routes(Registry(self.store)))
        self.before: Callable[[str, str], None] = lambda method, path: None

    def _send(self, method: str, path: str, content: bytes | None) -> Any:
        self.before(method, path)
        return _THREAD.submit(_called, self.app, method, path, content or b"").result()


def _called(app: App, method: str, path: str, body: bytes) -> Answer:
    url = urlsplit(f"/{path}")
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": url.path,
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "headers": [(b"content-type", b"application/json")],
    }
    running = app(scope, receive, send)
    try:
        running.send(None)  # type: ignore[attr-defined] - it waits for nothing, so one step is all of it
    except StopIteration:
        return Answer(sent[0]["status"], sent[1]["body"])
    raise AssertionError("the registry waits for something")
