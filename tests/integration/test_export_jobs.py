"""Tests export jobs on the real engine: the same file as a direct export, byte ranges, tenant isolation, expiry and
cancellation.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest
import urllib3
from fixtures.stack import until
from querying import START, Store, event, store
from serving import HOUR, Served
from workbook import sheets

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.access.tokens import Viewer, mint_client_token, mint_viewer_token
from auditlane.query.export.jobs.folder import FolderStorage
from auditlane.query.export.jobs.lease import Lease

ROWS = 3_000
MOST = 4


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.add([event(number, action=f"act-{number % 3}", description="=1") for number in range(ROWS)])
        yield made


@pytest.fixture
def served(filled: Store, tmp_path: Path) -> Iterator[Served]:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    with Served(tmp_path, **settings, export_jobs_per_tenant=MOST, export_lease_s=1.0) as made:
        yield made


@pytest.fixture
def token(served: Served) -> str:
    return served.viewer_token("acme", Permission.export)


def ask(served: Served, token: str, **body: Any) -> dict[str, Any]:
    answer = served.request("/v1/exports", token, method="POST", body=body)
    assert answer.status == 202, answer.data
    assert answer.headers["location"] == f"/v1/exports/{answer.json()['id']}"
    return answer.json()


def ended(served: Served, token: str, id_: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job = served.request(f"/v1/exports/{id_}", token).json()
        return job if job["ended_at"] else None

    return until(look, 60, "the job's end")


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet", "pdf", "ocsf", "xlsx"])
def test_a_job_makes_the_same_file_as_a_direct_export(served: Served, token: str, format_: str) -> None:
    columns = ["event_id", "action", "sentence"]
    requested = ask(served, token, format=format_, filter={"action": ["act-1", "act-2"]}, columns=columns)
    assert (requested["total"], requested["created_by"], requested["url"]) == (2_000, "jane", None)
    job = ended(served, token, requested["id"])
    assert (job["state"], job["rows"], job["error"]) == ("done", 2_000, None)
    assert job["expires_at"] > job["ended_at"]
    wanted = f"format={format_}&columns={','.join(columns)}&action=act-1&action=act-2"
    direct = served.request(f"/v1/export?{wanted}", token)
    got = urllib3.request("GET", job["url"], retries=False)
    assert got.status == direct.status == 200
    for name in ("auditlane-rows", "content-type"):
        assert got.headers[name] == direct.headers[name]
    assert got.headers["content-disposition"].startswith('attachment; filename="audit-acme-2')
    assert job["bytes"] == len(got.data)
    if format_ == "parquet":
        assert pq.read_table(io.BytesIO(got.data)).equals(pq.read_table(io.BytesIO(direct.data)))
    elif format_ == "pdf":
        assert got.data.startswith(b"%PDF")
    elif format_ == "xlsx":
        assert sheets(got.data) == sheets(direct.data)
    else:
        assert got.data == direct.data


def test_downloads_since_the_last_have_every_event_once(filled: Store, served: Served) -> None:
    jane, tenant = served.viewer_token("since", Permission.export), "since"

    def add(*numbers: int, **overrides: Any) -> None:
        now = datetime.now(UTC)
        filled.add([event(number, tenant, ingested_at=now, kafka_partition=9, **overrides) for number in numbers])

    def numbers(token: str, since: str, **more: str) -> list[int]:
        query = urlencode({"format": "jsonl", "columns": "actor_id", "since": since, **more})
        lines = served.request(f"/v1/export?{query}", token).data.decode().splitlines()
        return sorted(int(json.loads(line)["actor_id"].removeprefix("u-")) for line in lines)

    def last(**filters: str) -> dict[str, Any]:
        return served.request(f"/v1/last-download?{urlencode(filters)}", jane).json()

    add(*range(5), *range(6, 10))  # offset 5 is not visible yet
    assert last() == {"at": None, "events": 9}
    assert numbers(jane, "last") == [0, 1, 2, 3, 4, 6, 7, 8, 9], "there is no earlier download"
    until(lambda: last()["at"], 10, "the note of the download")
    assert last()["events"] == 0
    # A late insert below the highest offset, an old event, and another tenant's events.
    add(5)
    add(10, 12, occurred_at=START - timedelta(days=400))
    filled.add([event(11, "other", kafka_partition=9)])
    before = last()
    assert before["events"] == 3
    assert numbers(jane, "last") == [5, 10, 12]
    until(lambda: last()["at"] != before["at"], 10, "the note of the download")
    assert last()["events"] == 0
    assert numbers(jane, "last") == []
    add(13)
    assert last(action="login")["at"] is None, "another search"
    job = ended(served, jane, ask(served, jane, format="csv", since="last")["id"])
    assert (job["state"], job["rows"]) == ("done", 1)
    until(lambda: last()["events"] == 0, 10, "the note of the job")
    assert numbers(jane, "all") == [*range(11), 12, 13]
    john = mint_viewer_token(
        served.signing, Viewer(tenant, "john", frozenset({Permission.export})), now=datetime.now(UTC), ttl=HOUR
    ).text
    assert numbers(john, "last") == [*range(11), 12, 13]

    def kept() -> int:
        filled.client.command(f"OPTIMIZE TABLE {filled.settings.clickhouse_database}.leases FINAL")
        sql = "SELECT count() FROM {database:Identifier}.leases WHERE startsWith(name, 'download:')"
        parameters = {"database": filled.settings.clickhouse_database}
        return int(filled.client.query(sql, parameters=parameters).result_rows[0][0])

    until(lambda: kept() == 2, 10, "one row for each person's search")
    refused = served.request("/v1/export?format=csv&since=last&from=2026-01-01", jane)
    assert (refused.status, refused.json()["field"]) == (400, "since")


def test_an_interrupted_download_resumes(served: Served, token: str) -> None:
    job = ended(served, token, ask(served, token, format="jsonl")["id"])
    path = f"/v1/exports/{job['id']}/file"
    whole = served.request(path, token)
    assert (whole.status, whole.headers["accept-ranges"]) == (200, "bytes")
    half = len(whole.data) // 2
    again = {"range": f"bytes={half}-", "if_range": whole.headers["etag"]}
    rest = served.request(path, token, **again)
    assert (rest.status, rest.headers["content-range"]) == (
        206,
        f"bytes {half}-{len(whole.data) - 1}/{len(whole.data)}",
    )
    assert whole.data[:half] + rest.data == whole.data
    assert served.request(path, token, **again | {"if_range": '"another"'}).data == whole.data
    size, link = len(whole.data), job["url"]
    for beyond in (f"bytes={size}-", f"bytes={size}-{size + 9}", "bytes=-0", f"bytes={size}-,{size + 5}-"):
        refused = served.request(path, token, range=beyond)
        assert (refused.status, refused.json()["code"]) == (416, "RANGE_NOT_SATISFIABLE")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["content-range"] == f"bytes */{size}"
    for ignored in ("bytes=20-10", "bytes=a-b", "items=0-1", "bytes", "bytes=", "bytes=1", f"bytes={'9' * 400}-"):
        answer = served.request(path, token, range=ignored)
        assert (answer.status, answer.data == whole.data) == (200, True), ignored
    for partly, expected in ((f"bytes=0-{size * 2}", whole.data), (f"bytes=-7, {size}-", whole.data[-7:])):
        answer = served.request(path, token, range=partly)
        assert (answer.status, answer.data) == (206, expected)
    two = served.request(path, token, range="Bytes=0-4,10-14")
    assert (two.status, two.headers["content-type"].partition(";")[0]) == (206, "multipart/byteranges")
    assert served.request(path, token, range=f"bytes={size}-", if_range='"another"').data == whole.data
    for head in (served.request(path, token, method="HEAD", range="bytes=0-1"), urllib3.request("HEAD", link)):
        assert (head.status, head.data) == (200, b"")
        for name in ("content-length", "etag", "auditlane-rows", "accept-ranges", "content-disposition"):
            assert head.headers[name] == whole.headers[name], name


def test_head_on_a_link_describes_the_download(served: Served, token: str) -> None:
    url = served.request("/v1/export-links", token, method="POST", body={"format": "csv"}).json()["url"]
    head, whole = urllib3.request("HEAD", url), urllib3.request("GET", url)
    assert (head.status, head.data) == (200, b"")
    for name in ("auditlane-rows", "content-type", "cache-control"):
        assert head.headers[name] == whole.headers[name]
    assert "content-length" not in head.headers
    assert urllib3.request("HEAD", url[:-3] + "AAA").status == 401


def test_each_tenant_has_its_own_jobs(served: Served, token: str) -> None:
    job = ended(served, token, ask(served, token, format="csv")["id"])
    other = served.viewer_token("globex", Permission.export)
    reads = served.viewer_token("acme", Permission.read)
    assert [one["id"] for one in served.request("/v1/exports", token).json()["data"]] == [job["id"]]
    assert served.request("/v1/exports", other).json() == {"data": []}
    for method, path in (("GET", ""), ("GET", "/file"), ("DELETE", "")):
        assert served.request(f"/v1/exports/{job['id']}{path}", other, method=method).status == 404
        assert served.request(f"/v1/exports/{job['id']}{path}", reads, method=method).status == 403
    empty = ended(served, other, ask(served, other, format="csv")["id"])
    assert (empty["rows"], empty["state"]) == (0, "done")


def test_jobs_are_removed_and_bounded(served: Served, token: str, tmp_path: Path) -> None:
    ids = [ask(served, token, format="csv")["id"] for _ in range(MOST)]
    refused = served.request("/v1/exports", token, method="POST", body={"format": "csv"})
    assert (refused.status, refused.json()["code"]) == (409, "TOO_MANY_EXPORTS")
    assert ids[0] in refused.json()["fix"]
    for id_ in ids:
        ended(served, token, id_)
        assert served.request(f"/v1/exports/{id_}", token, method="DELETE").status == 204
        assert served.request(f"/v1/exports/{id_}/file", token).status == 404
    assert served.request("/v1/exports", token).json() == {"data": []}
    assert not list((tmp_path / "exports" / "acme").iterdir())
    bad = served.request("/v1/exports", token, method="POST", body={"format": "csv", "filter": {"color": "red"}})
    assert (bad.status, bad.json()["field"]) == (400, "color")


def test_a_job_of_a_dead_process_is_resumed_and_can_be_cancelled(filled: Store, tmp_path: Path) -> None:
    """The owner of the job died after a checkpoint of one row. The test marks the bytes of that row in order to
    recognize them.
    """
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    jobs, acme = FolderStorage(tmp_path / "exports"), TenantScope.for_operator("acme")
    with Served(tmp_path, **settings, export_concurrency=0) as takes:
        token = takes.viewer_token("acme", Permission.export)
        requested = ask(takes, token, format="jsonl", columns=["event_id", "occurred_at"])
        other = ask(takes, token, format="csv")
        assert takes.request(f"/v1/exports/{requested['id']}", token).json()["state"] == "queued"
        assert takes.request(f"/v1/exports/{requested['id']}/file", token).status == 409
        direct = takes.request("/v1/export?format=jsonl&columns=event_id,occurred_at", token).data
        first = direct.splitlines(keepends=True)[0]
        event_id = json.loads(first)["event_id"]
        content_hash = takes.request(f"/v1/events/{event_id}", takes.viewer_token("acme")).json()["content_hash"]
        assert takes.request(f"/v1/exports/{other['id']}", token, method="DELETE").status == 204
        assert takes.request(f"/v1/exports/{other['id']}", token).json()["state"] == "cancelled"
    folder, status = jobs.find(acme, requested["id"])
    dead = Lease.take(folder, status, "dead")
    assert dead is not None
    marked = first.replace(b"{", b"<", 1)
    folder.output(1).write_bytes(marked + b"not written down")
    at = (1772366400_000000, event_id, content_hash)  # START
    dead.save(file=1, size=len(marked), rows=1, position=at)
    with Served(tmp_path, **settings, export_lease_s=1.0) as goes_on:
        job = ended(goes_on, goes_on.viewer_token("acme", Permission.export), requested["id"])
        assert (job["state"], job["rows"]) == ("done", ROWS)
        got = urllib3.request("GET", job["url"]).data
    assert got == marked + direct[len(first) :]
    assert [one.name for one in folder.path.glob("output.*")] == ["output.2"]


@pytest.mark.parametrize("asks", ["the client", "a viewer that it vouches for"])
def test_links_end_with_the_key_behind_them(served: Served, asks: str) -> None:
    client, now = served.client("auditor").client, datetime.now(UTC)
    token = mint_client_token(served.signing, client, now=now, ttl=HOUR).text
    if asks != "the client":
        viewer = Viewer("acme", "jane", frozenset({Permission.export}), client.client_id)
        token = mint_viewer_token(served.signing, viewer, now=now, ttl=HOUR).text
    tenant = {"auditlane_tenant": "acme"}
    once = served.request("/v1/export-links", token, method="POST", body={"format": "csv"}, **tenant).json()["url"]
    job = served.request("/v1/exports", token, method="POST", body={"format": "csv"}, **tenant).json()
    link = until(lambda: served.request(f"/v1/exports/{job['id']}", token, **tenant).json()["url"], 60, "its link")
    others = ended(served, served.viewer_token("acme", Permission.export), job["id"])["url"]
    for url in (once, link):
        assert urllib3.request("GET", url).status == 200
    served.keys.revoke(client.client_id, now=datetime.now(UTC))
    for url in (once, link):
        refused = urllib3.request("GET", url)
        assert (refused.status, refused.json()["code"]) == (401, "UNAUTHENTICATED")
        assert "link is revoked" in refused.json()["detail"]
    assert urllib3.request("GET", others).status == 200
    for changed in (others[:-3] + "AAA", others.partition("=")[0], others.replace("code=", "code=x")):
        refused = urllib3.request("GET", changed).json()
        assert (refused["status"], refused["detail"]) == (401, "The link is not valid.")
        assert refused["fix"] == "Ask for a new link."
    page = urllib3.request("GET", once, headers={"accept": "text/html", "sec-fetch-mode": "navigate"})
    assert (page.status, "This link no longer works" in page.data.decode()) == (401, True)
    assert "where you got this link" in page.data.decode()


def test_a_finished_file_is_withheld_once_one_of_its_columns_may_not_be_downloaded(served: Served, token: str) -> None:
    with_it = ended(served, token, ask(served, token, format="csv", columns=["action", "actor_id"])["id"])
    without = ended(served, token, ask(served, token, format="csv", columns=["action", "event_id"])["id"])
    settings = served.client_token("admin")

    def may_be_downloaded(yes: bool) -> None:
        path = "/v1/tenants/acme/structure"
        body = {"fields": [] if yes else [{"name": "actor_id", "downloadable": False}]}
        done = served.request(path, settings, method="PUT", body=body, if_match="*")
        assert done.status == 200, done.data

    may_be_downloaded(False)
    try:
        for answer in (
            served.request(f"/v1/exports/{with_it['id']}/file", token),
            urllib3.request("GET", with_it["url"]),
        ):
            assert (answer.status, answer.json()["code"]) == (409, "CONFLICT")
            assert "'actor_id'" in answer.json()["detail"]
        assert urllib3.request("GET", without["url"]).status == 200
    finally:
        may_be_downloaded(True)
    assert urllib3.request("GET", with_it["url"]).status == 200
