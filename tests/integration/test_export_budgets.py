"""Tests on the real engine that one tenant's exports do not take threads, processes, ClickHouse or disk space away from
other tenants.
"""

from __future__ import annotations

import io
import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pypdf
import pytest
import urllib3
from fixtures.stack import until
from querying import Store, event, store
from serving import Served, ServeProcess

ROWS = 120_000  # half a kilobyte each
PDF_ROWS = 1_500
TEXT = " ".join(f"{number:05x}" for number in range(160))
COLUMNS = "description,before,after,user_agent,actor_name,resource_id"


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.generate("acme", ROWS)
        texts = dict.fromkeys(COLUMNS.split(","), TEXT)
        for start in range(0, PDF_ROWS, 500):
            made.add([event(number, tenant="initech", **texts) for number in range(start, start + 500)])
        made.add([event(number, tenant="globex") for number in range(10)])
        yield made


def settings_of(filled: Store) -> dict[str, Any]:
    return {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}


@pytest.fixture
def served(filled: Store, tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, **settings_of(filled)) as made:
        yield made


@contextmanager
def begun(url: str, token: str, path: str) -> Iterator[socket.socket]:
    """Request a download without reading the response."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        yield connection


def status_of(connection: socket.socket) -> int:
    return int(connection.recv(16).split()[1])


def test_downloads_beyond_a_tenants_limit_are_refused(served: Served) -> None:
    most = served.settings.export_downloads_per_tenant
    token, other = served.viewer_token("acme"), served.viewer_token("globex")
    with ExitStack() as held:
        slow = [held.enter_context(begun(served.url, token, "/v1/export?format=jsonl")) for _ in range(most)]
        assert [status_of(one) for one in slow] == [200] * most
        for path in ("/v1/export?format=csv", "/v1/export?format=parquet", "/v1/export?format=csv&action=none"):
            refused = served.request(path, token)
            assert (refused.status, refused.json()["code"]) == (429, "RATE_LIMITED")
            assert int(refused.headers["retry-after"]) >= 1
            assert "AUDITLANE_EXPORT_DOWNLOADS_PER_TENANT" in refused.json()["fix"]
        request = {"method": "POST", "body": {"format": "csv"}}
        link = served.request("/v1/export-links", token, **request).json()["url"]
        assert urllib3.request("GET", link, retries=False).status == 429
        theirs = served.request("/audits/export/csv", token, method="POST", body={})
        assert theirs.status == 429
        # Other tenants' requests and this tenant's other reads are served.
        assert served.request("/v1/events?limit=1", other).status == 200
        assert served.request("/v1/export?format=csv", other).status == 200
        assert served.request("/v1/events?limit=1", token).status == 200
    until(lambda: served.request("/v1/export?format=csv&action=none", token).status == 200, 60, "the places")


def test_slow_exports_of_many_tenants_occupy_no_threads_of_lists(filled: Store, tmp_path: Path) -> None:
    with Served(tmp_path, **settings_of(filled), export_downloads_per_tenant=20) as served, ExitStack() as held:
        token = served.viewer_token("acme")
        for _ in range(20):  # one by one, since counting is also limited
            assert status_of(held.enter_context(begun(served.url, token, "/v1/export?format=jsonl"))) == 200
        for tenant in ("globex", "acme"):
            assert served.request("/v1/events?limit=1", served.viewer_token(tenant)).status == 200


@pytest.mark.long
def test_counts_use_the_tenants_query_slots(filled: Store, tmp_path: Path) -> None:
    """Sixty expensive exports and counts run at the same time. Some are rejected, and another tenant's lists are still
    served.
    """
    costly = urlencode({"format": "csv", "query": " OR ".join(f"zz{number:04d}q" for number in range(60))})
    with Served(tmp_path, **settings_of(filled), query_concurrency=2) as served:
        token, other = served.viewer_token("acme"), served.viewer_token("globex")
        codes: list[int] = []
        over = threading.Event()

        def ask(method: str) -> None:
            body = {"format": "csv", "filter": {"query": costly}} if method == "POST" else None
            path = "/v1/exports" if method == "POST" else f"/v1/export?{costly}"
            while not over.is_set():
                headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
                with suppress(urllib3.exceptions.HTTPError):
                    codes.append(
                        urllib3.request(
                            method,
                            served.url + path,
                            body=json.dumps(body),
                            headers=headers,
                            retries=False,
                            timeout=120,
                        ).status
                    )

        asking = [threading.Thread(target=ask, args=(method,), daemon=True) for method in ("GET", "HEAD", "POST") * 10]
        for thread in asking:
            thread.start()
        until(lambda: 429 in codes, 120, "a refusal")
        for _ in range(5):
            assert served.request("/v1/events?limit=1", other).status == 200
        over.set()
        for thread in asking:
            thread.join(180)


def children(pid: int) -> list[psutil.Process]:
    """Return the child processes that render PDFs."""
    found = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):
            if "auditlane.query.export.document_child" in child.cmdline():
                found.append(child)
    return found


def pdf(tenant_columns: str = COLUMNS) -> str:
    return f"/v1/export?format=pdf&columns={tenant_columns}"


@pytest.mark.long
def test_a_pdf_is_drawn_in_a_process_that_ends_with_its_client(filled: Store, tmp_path: Path) -> None:
    with ServeProcess(tmp_path, **settings_of(filled)) as process:
        token, other = process.viewer_token("initech"), process.viewer_token("globex")
        headers = {"authorization": f"Bearer {other}"}
        with begun(process.url, token, pdf()):
            [drawing] = until(lambda: children(process.process.pid), 60, "a process that draws")
            refused = urllib3.request("GET", process.url + pdf(), headers={"authorization": f"Bearer {token}"})
            assert (refused.status, refused.json()["code"]) == (429, "RATE_LIMITED")
            # Meanwhile, another tenant can render a PDF and read.
            assert urllib3.request("GET", f"{process.url}/v1/events", headers=headers, timeout=60).status == 200
            small = urllib3.request("GET", f"{process.url}/v1/export?format=pdf", headers=headers, timeout=120)
            assert (small.status, small.data[:4]) == (200, b"%PDF")
            assert drawing.is_running()
        # The client has disconnected.
        until(lambda: not psutil.pid_exists(drawing.pid), 60, "the end of the process that drew")
        assert children(process.process.pid) == []
        again = urllib3.request("GET", process.url + pdf(), headers={"authorization": f"Bearer {token}"}, timeout=300)
        assert len(pypdf.PdfReader(io.BytesIO(again.data)).pages) > 10
        assert children(process.process.pid) == []


def test_a_stop_leaves_no_process_behind(filled: Store, tmp_path: Path) -> None:
    with ServeProcess(tmp_path, **settings_of(filled), shutdown_timeout_s=1) as process:
        with begun(process.url, process.viewer_token("initech"), pdf()):
            [drawing] = until(lambda: children(process.process.pid), 60, "a process that draws")
            process.stop(signal.SIGTERM)
        until(lambda: not psutil.pid_exists(drawing.pid), 60, "the end of the process")


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"export_pdf_timeout_s": 1}, "time limit"),
        pytest.param({"export_pdf_memory_bytes": 256 << 20}, "memory", marks=pytest.mark.long),
    ],
)
def test_a_pdf_is_limited(filled: Store, tmp_path: Path, bounds: dict[str, int], message: str) -> None:
    with Served(tmp_path, **settings_of(filled), **bounds) as served:
        token = served.viewer_token("initech")
        body = {"format": "pdf", "columns": COLUMNS.split(",")}
        id_ = served.request("/v1/exports", token, method="POST", body=body).json()["id"]
        job = until(lambda: (one := served.request(f"/v1/exports/{id_}", token).json())["ended_at"] and one, 200, "it")
        if message == "memory" and job["state"] == "done":
            pytest.skip("this document stayed within the limit")
        assert (job["state"], job["error"]["code"]) == ("failed", "QUERY_TOO_LARGE")
        assert message in job["error"]["message"]


def under_way(served: Served, token: str, path: str, held: ExitStack) -> bool:
    """Request a slow export. Returns whether it got the tenant's only slot, which an earlier query may still occupy."""
    connection = held.enter_context(begun(served.url, token, path))
    connection.settimeout(1.0)
    with suppress(TimeoutError):
        assert status_of(connection) == 429
        return False
    return served.request("/v1/events?limit=1", token).status == 429


def test_the_query_of_a_disconnected_client_is_cancelled(filled: Store, tmp_path: Path) -> None:
    """The tenant's only slot becomes free long before the query would have finished."""
    slow = urlencode({"query": " OR ".join(f"zz{number:04d}q" for number in range(60))})
    with Served(tmp_path, **settings_of(filled), query_concurrency=1, query_timeout_s=120.0) as served:
        token = served.viewer_token("acme")
        for path in (f"/v1/histogram?{slow}", f"/v1/facets?field=action&{slow}", f"/v1/export?format=csv&{slow}"):
            with ExitStack() as held:
                until(lambda: under_way(served, token, path, held), 100, "the query")  # noqa: B023 - called at once
            until(lambda: served.request("/v1/events?limit=1", token).status == 200, 60, "its end")


def test_a_tenants_files_and_the_disk_are_bounded(filled: Store, tmp_path: Path) -> None:
    with Served(tmp_path / "one", **settings_of(filled), export_bytes_per_tenant=1 << 20) as served:
        token, other = served.viewer_token("acme"), served.viewer_token("globex")
        body = {"format": "jsonl"}
        id_ = served.request("/v1/exports", token, method="POST", body=body).json()["id"]
        job = until(lambda: (one := served.request(f"/v1/exports/{id_}", token).json())["ended_at"] and one, 100, "it")
        assert (job["state"], job["error"]["code"]) == ("failed", "TOO_MANY_EXPORTS")
        files = tmp_path / "one" / "exports" / "acme"
        until(lambda: not list(files.glob("*/output.*")), 60, "the removal of the partial file")
        small = served.request("/v1/exports", other, method="POST", body=body)
        assert small.status == 202
    with Served(tmp_path / "two", **settings_of(filled), export_disk_free_bytes=1 << 60) as served:
        refused = served.request("/v1/exports", served.viewer_token("acme"), method="POST", body=body)
        assert (refused.status, refused.json()["code"]) == (503, "UNAVAILABLE")
        assert "AUDITLANE_EXPORT_DISK_FREE_BYTES" in refused.json()["fix"]


def test_one_tenants_jobs_do_not_take_every_slot(filled: Store, tmp_path: Path) -> None:
    with Served(tmp_path, **settings_of(filled)) as served:
        token, other = served.viewer_token("acme"), served.viewer_token("globex")
        body = {"format": "jsonl"}
        ids = [served.request("/v1/exports", token, method="POST", body=body).json()["id"] for _ in range(4)]
        id_ = served.request("/v1/exports", other, method="POST", body=body).json()["id"]
        until(lambda: served.request(f"/v1/exports/{id_}", other).json()["state"] == "done", 100, "the other's job")
        states = [served.request(f"/v1/exports/{one}", token).json()["state"] for one in ids]
        assert states.count("running") <= 1
        assert "queued" in states


def test_one_user_does_not_take_every_stream_of_its_tenant(filled: Store, tmp_path: Path) -> None:
    with (
        Served(tmp_path, **settings_of(filled), streams_per_tenant=3, streams_per_user=2) as served,
        ExitStack() as held,
    ):
        jane, client = served.viewer_token("globex"), served.client_token("auditor", tenant="globex")
        path = "/v1/events/stream"
        for _ in range(2):
            assert status_of(held.enter_context(begun(served.url, jane, path))) == 200
        refused = served.request(path, jane)
        assert (refused.status, refused.json()["code"]) == (429, "RATE_LIMITED")
        assert "AUDITLANE_STREAMS_PER_USER" in refused.json()["fix"]
        with begun(served.url, client, path) as connection:
            assert status_of(connection) == 200
