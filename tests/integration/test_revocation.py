"""Tests on the real engine that access granted by a key ends with the key, for viewers, links, streams, downloads and
jobs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
import urllib3.exceptions
from fixtures.stack import until
from querying import Store, event, store
from serving import Served

ROWS = 300_000  # half a kilobyte each
FEW = 20
SMALL = {"action": "few"}
PERMISSIONS = ["audits:read", "audits:export", "audits:configure"]


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.generate("acme", ROWS)
        made.add([event(number, action="few") for number in range(FEW)])
        yield made


@pytest.fixture
def served(filled: Store, tmp_path: Path) -> Iterator[Served]:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    with Served(tmp_path, **settings) as made:
        yield made


class Key:
    """A vendor's key, its token, and a viewer token created with it. The key's entry in the keys file can be
    changed.
    """

    def __init__(self, served: Served, *, tenant: str | None = None, of: str = "acme") -> None:
        """Create a key that is bound to the tenant `tenant`, and with it a viewer token for the tenant `of`."""
        self.served, self.of = served, of
        issued = served.client("vendor", tenant=tenant)
        self.id = issued.client.client_id
        body = {"client_id": self.id, "secret": issued.secret}
        self.token: str = served.request("/v1/token", method="POST", body=body).json()["access_token"]
        self.viewer = self.vouch()["access_token"]

    def vouch(self, **more: Any) -> dict[str, Any]:
        body = {"tenant": self.of, "user": "jane", "permissions": PERMISSIONS, "ttl_s": 86_400} | more
        answer = self.served.request("/v1/viewer-tokens", self.token, method="POST", body=body)
        assert answer.status == 200, answer.data
        made: dict[str, Any] = answer.json()
        return made

    def change(self, **lines: Any) -> None:
        path = self.served.settings.keys_file
        assert path
        content = json.loads(path.read_text())
        for client in content["clients"]:
            if client["client_id"] == self.id:
                client.update(lines)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(content))
        new.replace(path)


def revoke(key: Key) -> None:
    key.change(revoked="2026-01-01T00:00:00Z")


def expire(key: Key) -> None:
    key.change(expires="2026-01-01T00:00:00Z")


def demote(key: Key) -> None:
    key.change(roles=["writer"])


def rebind(key: Key) -> None:
    key.change(roles=["vendor"], tenant="globex")


CHANGES = pytest.mark.parametrize("change", [revoke, expire, demote, rebind])
Change = Callable[[Key], None]


def finished(served: Served, token: str, **body: Any) -> dict[str, Any]:
    job = served.request("/v1/exports", token, method="POST", body=body)
    assert job.status == 202, job.data
    return ended(served, token, job.json()["id"])


def ended(served: Served, token: str, id_: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = served.request(f"/v1/exports/{id_}", token).json()
        return job if job.get("ended_at") else None

    job: dict[str, Any] = until(look, 60, "the job's end")
    return job


@CHANGES
def test_access_granted_by_a_key_ends_with_it(served: Served, change: Change) -> None:
    key = Key(served)
    other = served.viewer_token("acme")  # this viewer's token depends on an operator
    job = finished(served, key.viewer, format="csv", filter=SMALL)
    own_job = served.request(
        "/v1/exports", key.token, method="POST", body={"format": "csv", "filter": SMALL}, auditlane_tenant="acme"
    ).json()["id"]
    ended(served, other, own_job)
    export = "/v1/export?format=csv&action=few"
    asks = {"method": "POST", "body": {"format": "csv", "filter": SMALL}}
    links = [job["url"], served.request(f"/v1/exports/{own_job}", key.token, auditlane_tenant="acme").json()["url"]]
    links += [served.request("/v1/export-links", key.viewer, **asks).json()["url"]]
    links += [served.request("/v1/export-links", key.token, **asks, auditlane_tenant="acme").json()["url"]]
    for url in links:
        assert urllib3.request("GET", url, retries=False).status == 200
    change(key)

    for path in ("/v1/events", "/v1/session" if change is not demote else "/v1/stats", export, "/v1/exports"):
        assert served.request(path, key.viewer).status in (401, 403), path
        if change is not rebind or path != "/v1/session":
            assert served.request(path, key.token, auditlane_tenant="acme").status in (401, 403), path
    path = "/v1/tenants/acme/structure"
    refused = served.request(path, key.viewer, method="PUT", body={}, if_match="*")
    assert refused.status in (401, 403)
    for url in links:
        assert urllib3.request("GET", url, retries=False).status in (401, 403)
    # A finished file belongs to the tenant, so any valid credential of the tenant may download it.
    for id_ in (job["id"], own_job):
        assert served.request(f"/v1/exports/{id_}/file", key.viewer).status in (401, 403)
        assert served.request(f"/v1/exports/{id_}/file", other).status == 200
    assert served.request(export, other).status == 200


def test_a_viewer_keeps_the_permissions_that_its_key_keeps(served: Served) -> None:
    key = Key(served)
    key.change(roles=["auditor"])
    assert served.request("/v1/session", key.viewer).json()["permissions"] == ["audits:export", "audits:read"]
    assert served.request("/v1/events?action=few", key.viewer).status == 200
    assert served.request("/v1/export?format=csv&action=few", key.viewer).status == 200
    key.change(roles=["vendor"], tenant="acme")
    assert served.request("/v1/events?action=few", key.viewer).status == 200


def test_a_link_to_auditlanes_own_log_requires_an_admin(served: Served) -> None:
    """The client may still create links, but may no longer read that log."""
    key = Key(served)
    key.change(roles=["admin"])
    body = {"format": "csv"}
    url = served.request("/v1/export-links", key.token, method="POST", body=body, auditlane_tenant="_auditlane").json()[
        "url"
    ]
    assert urllib3.request("GET", url, retries=False).status == 200
    key.change(roles=["vendor"])
    assert urllib3.request("GET", url, retries=False).status == 403


@contextmanager
def opened(url: str, **headers: str) -> Iterator[urllib3.BaseHTTPResponse]:
    with urllib3.PoolManager(retries=False, timeout=60.0) as pool:
        answer = pool.request("GET", url, headers=headers, preload_content=False, redirect=False)
        try:
            assert answer.status == 200
            yield answer
        finally:
            answer.close()


def broken_off(answer: urllib3.BaseHTTPResponse, meanwhile: Callable[[], None]) -> int:
    """Read a little, call `meanwhile`, and continue to read. Returns the number of bytes received before the body was
    cut off.
    """
    got = len(answer.read(1 << 20))
    meanwhile()
    with pytest.raises((urllib3.exceptions.ProtocolError, urllib3.exceptions.IncompleteRead)):
        while piece := answer.read(1 << 20):
            got += len(piece)
    return got


@pytest.mark.parametrize(
    ("change", "format_"), [(revoke, "csv"), (expire, "jsonl"), (demote, "parquet"), (rebind, "jsonl")]
)
def test_a_download_ends_with_its_key(served: Served, change: Change, format_: str) -> None:
    key = Key(served)
    with opened(f"{served.url}/v1/export?format={format_}", Authorization=f"Bearer {key.viewer}") as answer:
        assert broken_off(answer, lambda: change(key)) < ROWS * (60 if format_ == "parquet" else 500)


@pytest.mark.parametrize("change", [revoke, rebind])
def test_the_download_of_a_jobs_file_ends_with_its_key(served: Served, change: Change) -> None:
    key = Key(served)
    job = finished(served, key.viewer, format="jsonl")
    for address, headers in (
        (f"{served.url}/v1/exports/{job['id']}/file", {"Authorization": f"Bearer {key.viewer}"}),
        (job["url"], {}),
    ):
        key.change(revoked=None, expires=None, roles=["vendor"], tenant=None)
        with opened(address, **headers) as answer:
            assert int(answer.headers["content-length"]) == job["bytes"]
            assert broken_off(answer, lambda: change(key)) < job["bytes"]


@pytest.mark.parametrize("change", [revoke, demote])
def test_a_running_job_ends_with_its_key(served: Served, change: Change) -> None:
    key, other = Key(served), served.viewer_token("acme")
    id_ = served.request("/v1/exports", key.viewer, method="POST", body={"format": "jsonl"}).json()["id"]
    until(lambda: served.request(f"/v1/exports/{id_}", other).json()["bytes"], 60, "the job's first bytes")
    change(key)
    job = ended(served, other, id_)
    assert job["state"] == "failed"
    assert job["error"]["code"] == ("FORBIDDEN" if change is demote else "UNAUTHENTICATED")


@pytest.mark.parametrize("change", [revoke, rebind])
def test_a_queued_job_is_not_started(filled: Store, tmp_path: Path, change: Change) -> None:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    with Served(tmp_path, **settings, export_concurrency=0) as served:
        key = Key(served)
        body = {"format": "csv", "filter": SMALL}
        id_ = served.request("/v1/exports", key.viewer, method="POST", body=body).json()["id"]
        change(key)
    with Served(tmp_path, **settings) as served:
        job = ended(served, served.viewer_token("acme"), id_)
        assert (job["state"], job["rows"]) == ("failed", 0)


@CHANGES
@pytest.mark.parametrize("who", ["viewer", "client", "bound client"])
def test_a_stream_ends_with_its_key(served: Served, change: Change, who: str) -> None:
    key = Key(served, tenant="quiet" if who == "bound client" else None, of="quiet")
    headers = {"Authorization": f"Bearer {key.viewer if who == 'viewer' else key.token}"}
    headers |= {"Auditlane-Tenant": "quiet"} if who == "client" else {}
    with opened(f"{served.url}/v1/events/stream", **headers) as answer:
        assert answer.read(1)
        change(key)
        last = answer.read().decode().split("event: end")[1]  # read up to the service's end event
    assert any(code in last for code in ("UNAUTHENTICATED", "FORBIDDEN", "TENANT_FORBIDDEN"))
