"""Tests that every panel of the dashboards shows data, with a real Prometheus that scrapes a real stack under load."""

from __future__ import annotations

import functools
import json
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError

import pytest
from fixtures.prometheus import Prometheus
from fixtures.workers import World, wait_until
from serving import ServeProcess

from auditlane.access.tokens import mint_client_token

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "deploy" / "observe"))
import dashboards  # noqa: E402

pytestmark = pytest.mark.long
TENANT = "tenant0"


@contextmanager
def load(world: World, served: ServeProcess) -> Iterator[None]:
    """Emit, query, export and reject events for the duration of the block, over Kafka and HTTP."""
    client = served.keys.create(roles=["admin"], tenant=None, now=datetime.now(UTC)).client
    token = mint_client_token(served.signing, client, now=datetime.now(UTC), ttl=timedelta(hours=1)).text
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json", "auditlane-tenant": TENANT}
    event = {"tenant_id": TENANT, "action": "document.deleted", "actor_id": "u-1"}
    ended = threading.Event()

    def request(path: str, body: object = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        try:
            urllib.request.urlopen(urllib.request.Request(served.url + path, data, headers), timeout=30).read()
        except HTTPError as error:
            error.close()

    def run() -> None:
        while not ended.is_set():
            world.produce(50)
            world.send(b"not an event", partition=1)
            request("/v1/events", event)
            request("/v1/events", {"actor_id": "u-1"})  # no action
            request("/v1/events")
            request("/v1/facets?field=action")
            request("/v1/export?format=jsonl")
            ended.wait(0.5)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)


def test_every_panel_has_data(prometheus: Prometheus, world: World, tmp_path: Path) -> None:
    (keys := tmp_path / "serve").mkdir()
    settings = world.settings.model_dump(exclude_unset=True)
    with (
        ServeProcess(keys, roles="ingest,query", **settings) as served,
        load(world, served),
    ):
        prometheus.scrape({"auditlane-worker": [world.worker().ready()], "auditlane-serve": [served.url]})
        panels = [
            (board.name, panel.title, query["expr"])
            for board in dashboards.all_dashboards()
            for panels in board.rows.values()
            for panel in panels
            for query in panel.queries
        ]
        assert len(panels) > 60

        def empty() -> list[tuple[str, str, str]]:
            ranges = {"$__rate_interval": "20s", "$__range": "1m"}
            return [
                one
                for one in panels
                if not prometheus.query(
                    functools.reduce(lambda text, name: text.replace(name, ranges[name]), ranges, one[2])
                )
            ]

        wait_until(lambda: not empty(), why=lambda: f"these panels are empty: {empty()}", patience_s=120)


def test_every_statement_has_rows(world: World) -> None:
    world.produce(10)
    world.worker()
    world.stored(10)
    for board in dashboards.all_dashboards():
        for panel in (panel for panels in board.rows.values() for panel in panels if panel.sql):
            text = panel.sql.replace("${database}", world.settings.clickhouse_database)
            text = text.replace("$__timeFilter(ingested_at)", "ingested_at >= now() - INTERVAL 1 HOUR")
            assert "$" not in text, panel.title
            assert world.client.query(text).result_rows, panel.title
