"""A vendor's product that embeds the audit log: a page with its own origin, and a backend that mints viewer tokens.

    eval "$(auditlane env)"                          # of a running `auditlane up`
    python docs/examples/embed/backend.py plain --tenant acme    # or: react, iframe

Start `auditlane up` with this origin allowed: AUDITLANE_CORS_ORIGINS=http://localhost:8100 (plain, react) or
AUDITLANE_FRAME_ANCESTORS=http://localhost:8100 (iframe). AUDITLANE_CLIENT_ID and AUDITLANE_SECRET are the backend's
key. Without them, it creates one that expires after a day.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import urllib.request
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
TOKEN_S = 900


class Auditlane:
    """The backend's client for the audit service."""

    def __init__(self, url: str, client_id: str, secret: str) -> None:
        self.url = url.rstrip("/")
        self._basic = "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()

    def viewer_token(self, tenant: str, user: str) -> str:
        """Return a viewer token, valid for 15 minutes, for a user whom the backend has authenticated."""
        own = self._post("/v1/token", self._basic)["access_token"]  # valid for a day: a real backend caches it
        request = {
            "tenant": tenant,
            "user": user,
            "permissions": ["audits:read", "audits:export", "audits:configure"],
            "ttl_s": TOKEN_S,
        }
        return str(self._post("/v1/viewer-tokens", f"Bearer {own}", request)["access_token"])

    def _post(self, path: str, authorization: str, body: object = None) -> dict[str, object]:
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        content = json.dumps(body).encode() if body else b""
        request = urllib.request.Request(self.url + path, content, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - the URL is a setting
            return dict(json.load(response))


def key() -> tuple[str, str]:
    """Return the backend's own client id and secret."""
    if "AUDITLANE_CLIENT_ID" in os.environ:
        return os.environ["AUDITLANE_CLIENT_ID"], os.environ["AUDITLANE_SECRET"]
    done = subprocess.run(
        ["auditlane", "keys", "create", "--role", "vendor", "--name", "embed example", "--expires", "1d", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    created = json.loads(done.stdout)
    return created["client_id"], created["secret"]


def build(folder: Path) -> None:
    """Build the React example with npm, unless already built."""
    if (folder / "package.json").exists() and not (folder / "app.js").exists():
        npm = shutil.which("npm") or "npm"
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=folder, check=True)
        subprocess.run([npm, "run", "build"], cwd=folder, check=True)


def policy(service: str) -> str:
    """Return a strict Content-Security-Policy that allows the viewer's modules and requests, or its frame."""
    return (
        f"default-src 'none'; script-src 'self' {service}; style-src 'self'; "
        f"connect-src 'self' {service}; frame-src {service}; img-src data:"
    )


def handler(folder: Path, service: Auditlane, tenant: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/audit-token":  # a real backend takes user and tenant from the session
                self._send(service.viewer_token(tenant, "jane").encode(), "text/plain", "no-store")
                return
            file = folder / (path.lstrip("/") or "index.html")
            if file.resolve().parent != folder.resolve() or file.suffix not in TYPES or not file.is_file():
                self.send_error(404)
                return
            text = file.read_text().replace("https://audit.example.com", service.url)
            self._send(text.encode(), TYPES[file.suffix], "no-cache")

        def _send(self, content: bytes, kind: str, caching: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", caching)
            self.send_header("Content-Security-Policy", policy(service.url))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a vendor's product that embeds the audit log.")
    parser.add_argument("example", choices=["plain", "react", "iframe"])
    parser.add_argument("--tenant", default="acme", help="tenant whose log is shown")
    parser.add_argument("--port", type=int, default=8100)
    arguments = parser.parse_args()
    folder = HERE / arguments.example
    build(folder)
    service = Auditlane(os.environ["AUDITLANE_SERVE_URL"], *key())
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), handler(folder, service, arguments.tenant))
    print(f"http://localhost:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
