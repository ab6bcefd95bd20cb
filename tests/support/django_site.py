"""Creates a project with `django-admin startproject`, adds auditlane's two lines, and runs and uses it as a developer
would.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import urllib3
from fixtures.stack import Stack, until
from fixtures.workers import wait_until

APP = '    "auditlane.integrations.django",\n'
MIDDLEWARE = '    "auditlane.integrations.django.AuditMiddleware",\n'


def start_project(python: str, folder: Path, env: Mapping[str, str], settings: str) -> Path:
    """Create a project, add auditlane to INSTALLED_APPS and MIDDLEWARE, append `settings`, and run the migrations."""
    folder.mkdir()
    _run(python, "-m", "django", "startproject", "mysite", str(folder), cwd=folder, env=env)
    path = folder / "mysite" / "settings.py"
    text = path.read_text()
    for name, line in (("INSTALLED_APPS", APP), ("MIDDLEWARE", MIDDLEWARE)):
        text = text.replace(f"{name} = [\n", f"{name} = [\n{line}")
    path.write_text(text + settings)
    manage(python, folder, env, "migrate", "--verbosity", "0")
    return folder


def manage(python: str, folder: Path, env: Mapping[str, str], *arguments: str) -> str:
    return _run(python, "manage.py", *arguments, cwd=folder, env=env)


def _run(*command: str, cwd: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=dict(env), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def served(command: list[str], folder: Path, env: Mapping[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a web server, and yield once it accepts connections on the port. Afterwards, stop it with SIGTERM."""
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=dict(env), stdout=log, stderr=log)

    def listening() -> bool:
        assert process.poll() is None, (folder / "server.log").read_text()[-4_000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(listening, why=f"for {command[:4]}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Forms(HTMLParser):
    """Reads the fields of all forms on a page as a browser would submit them."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._select = ""
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        name = attributes.get("name") or ""
        if tag == "select":
            self._select = name
        elif tag == "textarea":
            self._area = name
            self.fields.setdefault(name, [""])
        elif tag == "option" and self._select and "selected" in attributes:
            self.fields.setdefault(self._select, []).append(attributes.get("value") or "")
        elif tag == "input" and name and attributes.get("type") not in ("submit", "checkbox", "radio", "file"):
            self.fields[name] = [attributes.get("value") or ""]
        elif tag == "input" and name and "checked" in attributes:
            self.fields.setdefault(name, []).append(attributes.get("value") or "on")

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] = [data.removeprefix("\n").removeprefix("\r\n")]

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


class Browser:
    """A minimal browser that keeps cookies and submits the forms on a page."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self.headers = headers
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> str:
        return self._send(urllib.request.Request(self.url + path, headers=self.headers))

    def submit(self, path: str, **fields: Any) -> str:
        """Open a page, and submit its form with these fields changed. A field is omitted if its value is None."""
        forms = _Forms()
        forms.feed(self.get(path))
        values = forms.fields | {
            name: value if isinstance(value, list) else [str(value)]
            for name, value in fields.items()
            if value is not None
        }
        pairs = [(name, item) for name, items in values.items() if fields.get(name, "") is not None for item in items]
        body = urllib.parse.urlencode(pairs).encode()
        headers = {**self.headers, "Referer": self.url + path}
        return self._send(urllib.request.Request(self.url + path, data=body, headers=headers))

    def _send(self, request: urllib.request.Request) -> str:
        with self._opener.open(request, timeout=60) as answer:
            text = answer.read().decode()
        problem = re.search(r'class="errorlist[^"]*"[^>]*>(.*?)</ul>', text, re.DOTALL)
        assert problem is None or "login" in request.full_url, f"{request.full_url}: {problem[1] if problem else ''}"
        return text


def environment(stack_env: Mapping[str, str], **more: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AUDITLANE_", "DJANGO_", "PYTHON"))
    }
    return kept | {name: value for name, value in stack_env.items() if name.startswith("AUDITLANE_")} | more


def read_events(stack: Stack, tenant: str, at_least: int) -> list[dict[str, Any]]:
    """Wait until the query API returns at least this many of the tenant's events. Returns them, oldest first."""
    key = json.loads(stack.run("keys", "create", "--role", "vendor", "--tenant", tenant, "--json").stdout)
    url = stack.env["AUDITLANE_SERVE_URL"]
    credentials = {"client_id": key["client_id"], "secret": key["secret"]}

    def read() -> list[dict[str, Any]]:
        token = urllib3.request("POST", f"{url}/v1/token", json=credentials).json()["access_token"]
        answer = urllib3.request("GET", f"{url}/v1/events?limit=100", headers={"authorization": f"Bearer {token}"})
        found = [event for event in answer.json()["data"] if event["source"] != "auditlane"]
        return found if len(found) >= at_least else []

    return sorted(until(read, 60, f"{at_least} events"), key=lambda event: str(event["occurred_at"]))
