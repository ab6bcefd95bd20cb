"""One tenant does the worst that the API allows. The requests and events of twenty other tenants are not rejected,
halted or lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from neighbours import KINDS, Installation, Times


@pytest.fixture(scope="module")
def installation(
    kafka: str, registry: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("installation")
    # A request must not time out merely because the machine is busy.
    slow = {"query_timeout_s": 300, "ingest_ack_timeout_ms": 60_000}
    made = Installation(kafka, registry, clickhouse, folder.name.replace("-", ""), folder, **slow)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    "kinds",
    [
        *(pytest.param([kind], marks=pytest.mark.long, id=kind) for kind in KINDS),
        pytest.param([*KINDS], id="all at once"),
    ],
)
def test_quiet_tenants_notice_nothing_but_latency(installation: Installation, kinds: list[str]) -> None:
    with installation.abused(kinds) as end:
        times = installation.rounds(1)
        answers = end()
    assert {one.partition(" ")[0] for one in answers} == set(kinds), answers  # each kind of abuse took place
    assert times.refused == []
    assert installation.halted == []
    later = Times()
    for tenant in installation.quiet:
        assert tenant.sent <= tenant.seen(200, later)
    assert later.refused == []
    assert urllib3.request("GET", f"{installation.serve.url}/health/ready").status == 200
    assert json.loads(installation.worker.get("/health/ready"))["status"] == "ready"
