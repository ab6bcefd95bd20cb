"""Tests `AuditReader` with a real `auditlane serve`: pages, single events, resumed exports, and errors from the
service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from querying import START, Store, event, store
from serving import ServeProcess

from auditlane.access.keys import Client
from auditlane.access.permissions import Permission
from auditlane.access.tokens import mint_client_token
from auditlane.runtime.errors import (
    ConfigError,
    Conflict,
    Forbidden,
    InvalidFilter,
    InvalidInput,
    NotFound,
    TooManyExports,
    Unauthenticated,
    Unavailable,
)
from auditlane.sdk import AuditReader, ExportProgress

ROWS = 450
DOCS = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.add(
            [
                event(
                    number,
                    occurred_at=START + timedelta(seconds=number),
                    action=["user.login", "user.logout"][number % 2],
                    metadata={"region": ["eu", "us", "ap"][number % 3]},
                )
                for number in range(ROWS)
            ]
        )
        made.generate("big", 20_000)
        yield made


@pytest.fixture(scope="module")
def serve(filled: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    with ServeProcess(tmp_path_factory.mktemp("serve"), **settings, export_jobs_per_tenant=2) as made:
        yield made
        assert made.stop() == 0


@pytest.fixture
def reader(serve: ServeProcess) -> Iterator[AuditReader]:
    with AuditReader(serve.url, token=serve.viewer_token("acme")) as made:
        yield made


def test_groups_by_a_field(reader: AuditReader) -> None:
    half = START + timedelta(seconds=ROWS // 2)
    found = reader.groups(
        "metadata.region", {"metadata.region": ["eu", "us"]}, from_=half, to=half + timedelta(minutes=3), compare=True
    )
    assert {group.value: (group.events, group.before) for group in found.data} == {"eu": (60, 60), "us": (60, 60)}
    assert (found.events, found.before and found.before.events, found.others.events) == (120, 120, 0)
    few = reader.groups("actor_id", limit=2, buckets=4, zone="Europe/Berlin", action="user.login")
    assert (few.events, few.values, len(few.data), few.before, few.tz) == (
        ROWS // 2,
        ROWS // 2,
        2,
        None,
        "Europe/Berlin",
    )
    with pytest.raises(InvalidFilter) as refused:
        reader.groups("action", compare=True)
    assert refused.value.field == "compare"


def test_events_page_by_page(reader: AuditReader) -> None:
    assert [one.actor_id for one in reader.events()] == [f"u-{number}" for number in reversed(range(ROWS))]
    assert len([*reader.events(limit=210)]) == 210
    since = START + timedelta(seconds=440)
    assert [one.actor_id for one in reader.events(action="user.login", from_=since)] == [
        "u-448", "u-446", "u-444", "u-442", "u-440",
    ]  # fmt: skip
    assert [one.actor_id for one in reader.events(sort="occurred_at", limit=230)] == [f"u-{n}" for n in range(230)]
    some = [one.metadata["region"] for one in reader.events({"metadata.region": ["eu", "us"]})]
    assert (len(some), set(some)) == (300, {"eu", "us"})
    first = next(reader.events())
    assert reader.event(first.event_id).model_dump() == first.model_dump() | {"others": []}


def test_the_services_errors_become_exceptions(reader: AuditReader, serve: ServeProcess) -> None:
    with pytest.raises(InvalidFilter) as caught:
        next(reader.events(color="red"))
    assert caught.value.field == "color"
    assert "Known parameters" in caught.value.fix
    with pytest.raises(NotFound):
        reader.event("6f9619ff-8b86-4011-b42d-00c04fc964ff")
    with pytest.raises(InvalidInput):
        reader.event("no id")
    with AuditReader(serve.url, token="x") as nobody, pytest.raises(Unauthenticated):
        next(nobody.events())
    only_reads = serve.viewer_token("acme", Permission.read)
    with AuditReader(serve.url, token=only_reads) as reads, pytest.raises(Forbidden, match="audits:export"):
        reads.export("never.csv")
    assert not Path("never.csv").exists()
    with AuditReader("http://127.0.0.1:9", token="x") as away, pytest.raises(Unavailable):
        next(away.events())
    with pytest.raises(ConfigError, match="credential"):
        AuditReader(serve.url)
    with pytest.raises(ConfigError, match="URL"):
        AuditReader("nowhere", token="x")
    with pytest.raises(ConfigError, match="zone"):
        next(reader.events(from_=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_a_clients_token_is_fetched_and_renewed(serve: ServeProcess) -> None:
    issued = serve.keys.create(roles=("auditor",), tenant=None, now=datetime.now(UTC))
    key = {"client_id": issued.client.client_id, "secret": issued.secret}
    with AuditReader(serve.url, **key, tenant="acme") as reader:
        assert len([*reader.events()]) == ROWS
        reader._http._token = "ended"
        assert len([*reader.events()]) == ROWS
    with AuditReader(serve.url, **key) as nameless, pytest.raises(InvalidInput, match="does not name a tenant"):
        next(nameless.events())
    with AuditReader(serve.url, **key | {"secret": "wrong"}) as wrong, pytest.raises(Unauthenticated):
        next(wrong.events())


def test_an_interrupted_export_resumes(serve: ServeProcess, tmp_path: Path) -> None:
    path, seen = tmp_path / "log.jsonl", list[ExportProgress]()
    token = serve.viewer_token("big")
    direct = urllib3.request(
        "GET", f"{serve.url}/v1/export?format=jsonl", headers={"Authorization": f"Bearer {token}"}
    ).data

    def gives_up(now: ExportProgress) -> None:
        if now.what == "downloading" and now.done > 1 << 20:
            raise KeyboardInterrupt

    with AuditReader(serve.url, token=token) as reader:
        with pytest.raises(KeyboardInterrupt):
            reader.export(path, progress=gives_up)
        part = tmp_path / "log.jsonl.part"
        had = part.stat().st_size
        assert 1 << 20 < had < len(direct)
        assert not path.exists()
        assert reader.export(path, progress=seen.append) == 20_000
        downloading = [one for one in seen if one.what == "downloading"]
        assert downloading[0].done > had, "the download was resumed"
        assert downloading[-1].done == downloading[-1].total == len(direct)
        assert path.read_bytes() == direct
        assert [one.name for one in tmp_path.iterdir()] == ["log.jsonl"]
        # The service removes a finished job. A different request does not resume another request's partial file.
        part.write_bytes(b"of something else")
        options = {"format": "csv", "columns": ["event_id", "sentence"], "language": "de"}
        assert reader.export(path, action="login", **options) == 10_000
        header, line, _ = path.read_bytes().split(b"\r\n", 2)
        assert header == b'"Event ID","Sentence"'
        assert b" angemeldet" in line
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                reader.export(tmp_path / "more", resume=False, progress=gives_up)
        with pytest.raises(TooManyExports):
            reader.export(tmp_path / "yet more")


def test_a_withheld_file_is_exported_again(serve: ServeProcess, tmp_path: Path) -> None:
    """A column was made unavailable for download after the file had been created. The download is rejected once, and
    then a new job is requested.
    """
    path, admin = tmp_path / "log.csv", serve.keys.create(roles=("admin",), tenant=None, now=datetime.now(UTC)).client
    headers = {"if-match": "*", "authorization": f"Bearer {client_token(serve, admin)}"}

    def withdraws(now: ExportProgress) -> None:
        if now.what == "making" and now.done == now.total == ROWS:
            body = {"fields": [{"name": "actor_id", "downloadable": False}]}
            url = f"{serve.url}/v1/tenants/acme/structure"
            assert urllib3.request("PUT", url, json=body, headers=headers).status == 200

    with AuditReader(serve.url, token=serve.viewer_token("acme")) as reader:
        with pytest.raises(Conflict, match="actor_id"):
            reader.export(path, format="csv", progress=withdraws)
        assert reader.export(path, format="csv") == ROWS
    assert "u-1" not in path.read_text("utf-8")


def client_token(serve: ServeProcess, client: Client) -> str:
    return mint_client_token(serve.signing, client, now=datetime.now(UTC), ttl=timedelta(hours=1)).text


def test_the_snippet_in_the_docs_runs(serve: ServeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (snippet,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict[str, Any] = {"URL": serve.url, "TOKEN": serve.viewer_token("acme")}
    exec(snippet, names)
    assert (tmp_path / "logins.csv").read_bytes().count(b"\r\n") == ROWS // 2 + 1
