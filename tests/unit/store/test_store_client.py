"""Tests where ClickHouse requests are sent. The path of the URL is used as a prefix, and loopback addresses bypass the
proxy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from auditlane.query.clickhouse.cancellation import pool_for
from auditlane.runtime.errors import StoreRefused, StoreUnavailable
from auditlane.runtime.settings import load
from auditlane.store.client import connect, proxy_of

PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Refusing(BaseHTTPRequestHandler):
    """Rejects every request, and records its path."""

    requests: list[str]

    def do_POST(self) -> None:
        self.requests.append(self.path)
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    handler = type("Handler", (Refusing,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.requests
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("path", "requested"), [("", "/?"), ("/clickhouse", "/clickhouse?"), ("/a/b/", "/a/b?")])
def test_the_path_is_a_prefix(server: tuple[str, list[str]], path: str, requested: str) -> None:
    url, paths = server
    for options in ({}, {"pool_mgr": pool_for(load(clickhouse_url=url + path))}):
        with pytest.raises((StoreRefused, StoreUnavailable)):
            connect(load(clickhouse_url=url + path), **options)
    assert paths
    assert all(one.startswith(requested) for one in paths), paths


@pytest.mark.parametrize("variable", PROXIES)
def test_loopback_requests_bypass_proxies(
    server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    url, paths = server
    for host in ("127.0.0.1", "localhost"):
        before = len(paths)
        with pytest.raises((StoreRefused, StoreUnavailable)):
            connect(load(clickhouse_url=url.replace("127.0.0.1", host)))
        assert len(paths) > before
    assert proxy_of("https://[::1]:8443") is None
    assert not hasattr(pool_for(load(clickhouse_url=url)), "proxy_config") or (
        pool_for(load(clickhouse_url=url)).proxy is None
    )


def test_other_hosts_are_reached_through_the_configured_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert proxy_of("https://ch.example") == "http://proxy.example:3128"
    assert proxy_of("http://ch.example") is None
    monkeypatch.setenv("NO_PROXY", "ch.example")
    assert proxy_of("https://ch.example") is None
