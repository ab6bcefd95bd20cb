"""Tests one-time links on the real engine. If several requests use a link concurrently, exactly one is admitted."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
from querying import Store, store
from serving import HOUR, Served

from auditlane.access.links import Page, mint_console_link, mint_link
from auditlane.access.permissions import VIEWER
from auditlane.access.tokens import Operator, Viewer
from auditlane.store.claims import StoredClaims
from auditlane.store.client import connect

THREADS = 8
PROCESSES = 3
LINKS = 10
CLAIMER = """
import json, sys
from datetime import UTC, datetime, timedelta
from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.claims import StoredClaims
given = json.loads(sys.argv[1])
settings = load(clickhouse_url=given["url"], clickhouse_database=given["database"])
client = connect(settings)
claims, now = StoredClaims(lambda: client, settings.clickhouse_database), datetime.now(UTC)
print("ready", flush=True)
sys.stdin.readline()
won = [jti for jti in given["links"] if claims.claim(jti, until=now + timedelta(minutes=5), now=now)]
print(json.dumps(won))
"""


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        yield made


def settings_of(filled: Store) -> dict[str, str]:
    return {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}


def links(count: int) -> list[str]:
    return [uuid.uuid4().hex for _ in range(count)]


def test_one_of_many_threads_claims_the_link(filled: Store) -> None:
    client = connect(filled.settings)
    # One instance per thread, as if each were a separate process.
    ledgers = [StoredClaims(lambda: client, filled.database) for _ in range(THREADS)]
    now = datetime.now(UTC)
    with ThreadPoolExecutor(THREADS) as pool:
        for jti in links(LINKS):
            start = threading.Barrier(THREADS)

            def claim(ledger: StoredClaims, jti: str = jti, start: threading.Barrier = start) -> bool:
                start.wait(60)
                return ledger.claim(jti, until=now + timedelta(minutes=5), now=now)

            assert sorted(pool.map(claim, ledgers)) == [False] * (THREADS - 1) + [True]
    client.close()


def test_one_of_many_processes_claims_the_link(filled: Store) -> None:
    wanted = links(LINKS)
    task = json.dumps({"url": filled.settings.clickhouse_url, "database": filled.database, "links": wanted})
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, task], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.flush()
    won = [json.loads(child.communicate(timeout=120)[0]) for child in children]
    assert sorted(itertools.chain(*won)) == sorted(wanted)


def test_a_link_opens_once_across_replicas(filled: Store, tmp_path: Path) -> None:
    with Served(tmp_path, **settings_of(filled)) as first, Served(tmp_path, **settings_of(filled)) as other:
        now = datetime.now(UTC)
        made = {
            Page.log: mint_link(first.signing, Viewer("acme", "jane", VIEWER), url="", now=now, session=HOUR),
            Page.console: mint_console_link(first.signing, Operator("ops"), url="", now=now, session=HOUR),
        }
        for page, path in made.items():
            assert [served.request(path).status for served in (first, other, first)] == [200, 200, 200]
            with ThreadPoolExecutor(8) as pool:
                requests = [pool.submit(served.request, path, method="POST") for served in [first, other] * 4]
                answers = [one.result() for one in requests]
            assert sorted(answer.status for answer in answers) == [303] + [401] * 7
            [opened] = [answer for answer in answers if answer.status == 303]
            assert opened.headers["location"] == page
            assert other.request(path, method="POST").status == 401


def test_a_link_stays_valid_while_clickhouse_is_unreachable(filled: Store, tmp_path: Path) -> None:
    away = {**settings_of(filled), "clickhouse_url": "http://127.0.0.1:1"}
    with Served(tmp_path, **away) as lonely, Served(tmp_path, **settings_of(filled)) as served:
        viewer = Viewer("acme", "jane", VIEWER)
        path = mint_link(served.signing, viewer, url="", now=datetime.now(UTC), session=HOUR)
        for _ in range(2):
            refused = lonely.request(path, method="POST")
            assert (refused.status, refused.json()["code"]) == (503, "STORE_UNAVAILABLE")
            assert "set-cookie" not in refused.headers
        assert served.request(path, method="POST").status == 303


def test_a_claim_whose_response_was_lost_is_claimed_again_by_one(filled: Store) -> None:
    """The insert was stored, but its response was lost. No request has been admitted yet, so exactly one retry
    succeeds.
    """
    client = connect(filled.settings)

    class Cut:
        """A client whose connection is cut after it has sent an insert."""

        def __init__(self) -> None:
            self.cuts = 1

        def query(self, *arguments, **named):
            return client.query(*arguments, **named)

        def insert(self, *arguments, **named):
            client.insert(*arguments, **named)
            if self.cuts:
                self.cuts -= 1
                raise urllib3.exceptions.ProtocolError("cut")

    cut = Cut()
    claims, now = StoredClaims(lambda: cut, filled.database), datetime.now(UTC)  # type: ignore[arg-type, return-value]
    until, [jti] = now + timedelta(minutes=5), links(1)
    with pytest.raises(Exception, match="cannot be reached"):
        claims.claim(jti, until=until, now=now)
    start = threading.Barrier(4)

    def claim(_: int) -> bool:
        start.wait(60)
        return claims.claim(jti, until=until, now=now)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(claim, range(4))) == [False, False, False, True]
    client.close()


def test_a_used_link_sent_repeatedly_queries_no_store(filled: Store, tmp_path: Path) -> None:
    queries: list[str] = []
    client = connect(filled.settings)
    ledger = StoredClaims(lambda: client, filled.database)

    class Counting:
        def claim(self, name: str, /, *, until: datetime, now: datetime) -> bool:
            queries.append(name)
            return ledger.claim(name, until=until, now=now)

    with Served(tmp_path, claims=Counting(), **settings_of(filled)) as served, ThreadPoolExecutor(THREADS) as pool:
        now = datetime.now(UTC)
        viewer = Viewer("acme", "jane", VIEWER, served.keys.create(roles=("vendor",), now=now).client.client_id)
        link = mint_link(served.signing, viewer, url=served.url, now=now, session=HOUR)
        path = link.removeprefix(served.url)
        found = [one.status for one in pool.map(lambda _: served.request(path, method="POST"), range(8 * THREADS))]
        assert found.count(303) == 1
        assert set(found) <= {303, 401, 429}
        assert len(queries) == 1
    client.close()
