"""Tests the HTTP service while ClickHouse hangs: it accepts connections, but never responds."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from fixtures.clickhouse import EngineProcess
from fixtures.workers import wait_until
from querying import Store, event
from serving import Served

from auditlane.access.permissions import Permission

PAGES = 60  # more requests than the server has threads


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    made = EngineProcess(tmp_path_factory.mktemp("clickhouse"))
    yield made
    made.process.send_signal(signal.SIGCONT)
    made.stop()


@pytest.fixture
def hung(engine: EngineProcess, unique: str) -> Iterator[tuple[EngineProcess, str]]:
    """Provide an engine with a migrated database. A test may suspend the engine, which is resumed afterwards."""
    store = Store(engine.url, unique)
    store.add([event(number) for number in range(3)])
    yield engine, unique
    engine.process.send_signal(signal.SIGCONT)
    store.drop()


def test_a_page_times_out(hung: tuple[EngineProcess, str], tmp_path: Path) -> None:
    """The client waits for 30 s, but the pages time out after one second."""
    engine, database = hung
    settings = {"clickhouse_url": engine.url, "clickhouse_database": database, "query_timeout_s": 1.0}
    with Served(tmp_path, **settings) as served:
        token = served.viewer_token("acme")
        engine.process.send_signal(signal.SIGSTOP)
        unconnected = served.request("/v1/events", token)
        engine.process.send_signal(signal.SIGCONT)
        recovered = wait_until(lambda: (answer := served.request("/v1/events", token)).status == 200 and answer)
        assert len(json.loads(recovered.data)["data"]) == 3
        engine.process.send_signal(signal.SIGSTOP)
        connected = [served.request(path, token) for path in ("/v1/events", "/v1/export?format=csv", "/plain")]
        for answer in (unconnected, *connected):
            assert answer.status == 503, answer.data
        for answer in (unconnected, *connected[:2]):
            assert json.loads(answer.data)["code"] == "STORE_UNAVAILABLE"
            assert "in time" in json.loads(answer.data)["detail"]


def test_hanging_pages_do_not_delay_the_probe(hung: tuple[EngineProcess, str], tmp_path: Path) -> None:
    engine, database = hung
    settings = {"clickhouse_url": engine.url, "clickhouse_database": database, "query_timeout_s": 30.0}
    settings["query_concurrency"] = PAGES  # otherwise, the tenant's requests would be throttled
    with Served(tmp_path, **settings) as served, ThreadPoolExecutor(PAGES + 1) as threads:
        token = served.viewer_token("acme", Permission.read)
        assert served.request("/v1/events", token).status == 200
        engine.process.send_signal(signal.SIGSTOP)
        pages = [threads.submit(served.request, "/v1/events", token) for _ in range(PAGES)]
        ready = threads.submit(served.request, "/health/ready")
        first, _ = wait([*pages, ready], return_when=FIRST_COMPLETED)
        assert first == {ready}, "the probe is answered while every page hangs"
        assert (ready.result().status, b"away" in ready.result().data) == (503, True)
        engine.process.send_signal(signal.SIGCONT)
        assert {page.result().status for page in pages} == {200}


@pytest.mark.long
def test_requests_without_a_header_use_their_own_tenants_slots(hung: tuple[EngineProcess, str], tmp_path: Path) -> None:
    """The plain page and download links name their tenant themselves. Other tenants keep their slots."""
    engine, database = hung
    settings = {"clickhouse_url": engine.url, "clickhouse_database": database, "query_timeout_s": 8.0}
    settings |= {"serve_requests_per_tenant": 2, "serve_max_concurrency": 8}
    with Served(tmp_path, **settings) as served, ThreadPoolExecutor(24) as threads:
        token, other = served.viewer_token("acme"), served.viewer_token("globex")
        for credential in (token, other):
            assert served.request("/v1/events", credential).status == 200
        request = {"method": "POST", "body": {"format": "csv"}}
        link = served.request("/v1/export-links", token, **request).json()["url"].removeprefix(served.url)
        engine.process.send_signal(signal.SIGSTOP)
        for path, method in (("/plain", "GET"), (link, "HEAD"), (link, "GET")):
            many = [threads.submit(served.request, path, token, method=method) for _ in range(10)]
            refused = [one.result().status for one in many]
            assert refused.count(429) >= 8 - (path == link), refused
            assert served.request("/v1/session", other).status == 200
        engine.process.send_signal(signal.SIGCONT)
