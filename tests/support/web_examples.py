"""Starts an example from docs/examples on a running stack, uses it over HTTP, and reads the log through the query
API.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3
from fixtures.stack import Stack, until

from auditlane.local import ports

AGENT = f"python-urllib3/{urllib3.__version__}"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@dataclass
class Example:
    """A running example. Its tenants may also have events from other tests, so only events sent since the example was
    started are read.
    """

    url: str
    process: subprocess.Popen[bytes]
    stack: Stack
    log: Path
    began: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(seconds=1))

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        """Send one request. The body, if any, is sent as JSON."""
        options = {} if body is None else {"json": body}
        return urllib3.request(method, self.url + path, headers=headers, retries=False, timeout=30, **options)

    def stop(self) -> int:
        """Stop the server with SIGTERM, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def events(self, tenant: str, count: int, agent: str | None = AGENT, **filters: str) -> list[dict[str, Any]]:
        """Wait until the tenant has at least `count` events since the start, and return them, oldest first.

        With `agent=None`, events without the user agent of `request` are included.
        """
        created = self.stack.run("keys", "create", "--role", "vendor", "--tenant", tenant, "--json")
        key = json.loads(created.stdout)
        url = self.stack.env["AUDITLANE_SERVE_URL"]
        body = {"client_id": key["client_id"], "secret": key["secret"]}

        def granted() -> Any:
            return urllib3.request("POST", f"{url}/v1/token", json=body).json().get("access_token")

        token = until(granted, 30, "the server to know the key")
        fields = {"from": self.began.isoformat(), "limit": "200", "sort": "occurred_at"} | filters

        def found() -> list[dict[str, Any]]:
            headers = {"authorization": f"Bearer {token}"}
            answer = urllib3.request("GET", f"{url}/v1/events", fields=fields, headers=headers)
            assert answer.status == 200, answer.data
            events = [event for event in answer.json()["data"] if agent in (None, event.get("user_agent"))]
            return events if len(events) >= count else []

        return list(until(found, 60, f"{count} events of {tenant}"))


@contextmanager
def running(stack: Stack, name: str, command: list[str], folder: Path) -> Iterator[Example]:
    """Run `python -m <command>` in the example's folder. `PORT` is replaced by a free port."""
    [port] = ports.free(1)
    arguments = [one.replace("PORT", str(port)) for one in command]
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=EXAMPLES / name, env=stack.env, stdout=out, stderr=out
        )
        example = Example(f"http://127.0.0.1:{port}", process, stack, log)
        try:
            until(lambda: _answers(example), 60, f"the example: {log.read_text()}")
            yield example
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def _answers(example: Example) -> bool:
    assert example.process.poll() is None, example.log.read_text()
    return example.request("GET", "/nothing").status == 404
