"""Tests the service with Frontegg's own clients, which are unmodified except for the URL and the key."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from fixtures.frontegg import NODE_CLIENTS, PYTHON_CLIENTS, client_of
from fixtures.workers import wait_until, world_on
from serving import Served

SENT = [
    {"user": "ann@x.io", "resource": "Portal", "action": "Login", "severity": "Medium", "ip": "1.2.3.4"},
    {"user": "bob@x.io", "action": "Logout", "severity": "High", "ip": "", "nested": {"a": [1, None, "é"]}, "n": 7},
    {"email": "cy@x.io", "action": "Deleted", "severity": "Critical", "description": 'a "b"\n', "tags": ["x", "y"]},
]
TEXT = (Path(__file__).parents[2] / "docs" / "frontegg.md").read_text()
JS, PY = (re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL) for language in ("js", "python"))


@pytest.fixture(scope="module")
def served(kafka, registry, clickhouse, tmp_path_factory):
    """Serve with Kafka, the registry and ClickHouse, and a running worker."""
    folder = tmp_path_factory.mktemp("frontegg")
    world = world_on(kafka, registry, clickhouse, f"t{uuid4().hex[:12]}", folder)
    world.worker().ready()
    with Served(folder, **world.settings.model_dump(exclude_unset=True)) as served:
        served.world = world
        yield served
    world.close()


@pytest.fixture
def call(frontegg_client, served):
    """Provide a function that calls the client's `init` with a new key, and then makes the given calls."""

    def call(*calls):
        issued = served.client("vendor")
        first, *results = frontegg_client.call(served.url, ["init", issued.client.client_id, issued.secret], *calls)
        assert "value" in first, first
        return results

    return call


def values(results):
    assert all("value" in one for one in results), results
    return [one["value"] for one in results]


def test_a_wrong_key_is_an_error_of_the_client(frontegg_client, served):
    issued = served.client("vendor")
    tries = {"FRONTEGG_AUTHENTICATOR_NUMBER_OF_TRIES": "1"}
    [result] = frontegg_client.call(served.url, ["init", issued.client.client_id, "wrong"], **tries)
    assert "value" not in result


def test_sent_audits_are_stored_and_read(frontegg_client, call, served, unique):
    sent = [{"tenantId": unique, **audit} for audit in SENT]
    created = values(call(*(["send", audit] for audit in sent)))
    database = served.world.settings.clickhouse_database
    theirs = f"tenant_id = '{unique}' AND source != 'auditlane'"  # excludes auditlane's own events about reads
    query = f"SELECT event_id, action, metadata FROM `{database}`.log WHERE {theirs}"
    wait_until(lambda: len(served.world.client.query(query).result_rows) == 3, why="for the sent audits")
    stored = {row[1]: row for row in served.world.client.query(query).result_rows}
    assert json.loads(stored["Logout"][2]["nested"]) == SENT[1]["nested"]
    if frontegg_client.name.startswith("pypi"):  # the other clients do not return a value
        assert {one["frontegg_id"] for one in created} == {str(row[0]) for row in stored.values()}
        assert all(one | audit == one for one, audit in zip(created, sent, strict=True))

    viewed = served.request("/v1/events?source=" + sources(served, unique), served.viewer_token(unique)).json()["data"]
    assert {one["actor_name"] for one in viewed} == {"ann@x.io", "bob@x.io", "cy@x.io"}

    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    parameters = {"tenantId": unique, "sortBy": "user", "sortDirection": "asc", "offset": 0, "count": 50}
    python = frontegg_client.name.startswith("pypi")  # this client cannot send an object or a list
    range_ = {"createdAt[$gt]": since} if python else {"createdAt": {"$gt": since}}
    several = {"severity": ["High", "Critical"]}
    everything, high, late, some, text, page, other = values(
        call(
            ["read", parameters | {"filters": range_ | {"user[$contains]": "@x.io"}}],
            ["read", parameters | {"filters": {"severity": "High"}}],
            ["read", parameters | {"filters": {"createdAt[$lt]": since}}],
            ["read", parameters | {"filters": several}],
            ["read", parameters | {"filter": "DELETED"}],
            ["read", parameters | {"filters": {"user[$contains]": "@x.io"}, "count": 2, "offset": 1}],
            ["read", parameters | {"tenantId": f"{unique}-other"}],
        )
    )
    assert everything["total"] == 3
    for row, audit in zip(everything["data"], sent, strict=True):
        assert row | audit == row
        assert row["vendorId"].startswith("al_")
        assert not row.get("time", "GMT").endswith("Z")  # JavaScript's Date() text is returned unchanged
    assert [row["user"] for row in high["data"]] == ["bob@x.io"]
    assert late == {"data": [], "total": 0}
    assert [row["severity"] for row in some["data"]] == ["High", "Critical"]
    assert [row["action"] for row in text["data"]] == ["Deleted"]
    assert [row["user"] for row in page["data"]] == ["bob@x.io", "cy@x.io"]
    assert page["total"] == 3
    assert other == {"data": [], "total": 0}

    if frontegg_client.exports:
        columns = [{"name": "user", "displayName": "Who"}, {"name": "nested", "displayName": "More"}]
        chosen = {"tenantId": unique, "filters": {"severity": "High"}}
        csv, pdf = values(call(["csv", chosen, columns], ["pdf", chosen, columns]))
        assert csv == '"Who","More"\r\n"bob@x.io","{""a"": [1, null, ""é""]}"\r\n'
        assert pdf.startswith("%PDF-")  # the clients read the file as text, which corrupts the rest

    [stats] = values(call(["stats", {"tenantId": unique}]))
    assert stats["severeThisWeek"] == 2
    assert stats["totalToday"] >= 3 or datetime.now(UTC).hour == 0


def sources(served, tenant: str) -> str:
    database = served.world.settings.clickhouse_database
    query = f"SELECT any(source) FROM `{database}`.log WHERE tenant_id = '{tenant}' AND source != 'auditlane'"
    return str(served.world.client.query(query).result_rows[0][0])


THEIRS = [
    {"name": "createdAt", "displayName": "When", "type": "Timestamp", "sortable": True, "filterable": True}
    | {"showInTable": True, "showInMoreInfo": "Always", "chosen": True},
    {"name": "email", "displayName": "Who", "type": "Email", "sortable": True, "filterable": True, "showInTable": True},
    {"name": "teamName", "displayName": "Team", "type": "AlphaNumeric", "showInTable": True},
]


def test_the_metadata_is_the_environments_structure(frontegg_client, call, served, unique):
    if not frontegg_client.describes:
        return
    document = {"entityName": "audits", "properties": THEIRS, "theme": {"name": unique}}
    before, saved, after = values(call(["metadata"], ["setMetadata", document], ["metadata"]))
    assert before["rows"][0]["entityName"] == "audits"
    assert {"createdAt", "action", "severity"} <= {one["name"] for one in before["rows"][0]["properties"]} or (
        before["rows"][0]["properties"] == THEIRS  # as if another client had saved it
    )
    assert after["rows"] == [saved]
    assert saved["properties"] == THEIRS
    assert saved["theme"] == {"name": unique}
    fields = served.request("/v1/structure", served.client_token("vendor")).json()["fields"]
    table = [(one["name"], one["displayName"]) for one in fields if one["showInTable"]]
    assert table == [("occurred_at", "When"), ("actor_name", "Who")]


def test_a_rejected_request_is_an_error_of_the_client(call, unique):
    wrong, missing = call(["send", {"tenantId": "a/b", "action": "x"}], ["send", {"tenantId": "", "action": "x"}])
    assert (wrong["status"], missing["status"]) == (400, 400)


def test_a_request_repeated_with_an_idempotency_key_is_one_event(served, unique):
    token = served.client_token("writer")

    def send(**audit):
        sent = {"frontegg_tenant_id": unique, "idempotency_key": "k1"}
        return served.request("/audits", token, method="POST", body={"action": "Login", **audit}, **sent)

    first, again = (send(time=datetime.now(UTC).replace(microsecond=0, second=0).isoformat()) for _ in range(2))
    assert first.json() == again.json()
    assert send().json()["field"] == send(time="soon").json()["field"] == "time"
    other = served.request("/audits", token, method="POST", body={"tenantId": "x"}, frontegg_tenant_id=unique)
    assert (other.status, other.json()["field"]) == (400, "tenantId")
    database = served.world.settings.clickhouse_database
    query = f"SELECT count() FROM `{database}`.log WHERE tenant_id = '{unique}'"
    wait_until(lambda: served.world.client.query(query).result_rows[0][0] == 1, why="for one event")


def test_the_examples_of_the_docs_run(request, served):
    issued = served.client("vendor")
    key = {"CLIENT_ID": issued.client.client_id, "API_KEY": issued.secret, "FRONTEGG_API_GATEWAY_URL": served.url}
    for name, option, snippets in (
        (f"npm-{NODE_CLIENTS[0]}", "-e", JS),
        (f"pypi-{PYTHON_CLIENTS[0]}", "-c", PY),
    ):
        client = client_of(request, name)
        [snippet] = snippets
        command = [client.command[0], option, snippet]
        if option == "-e":
            command.insert(1, "--input-type=commonjs")
        done = subprocess.run(
            command, cwd=client.folder, env=client.env | key, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
    database = served.world.settings.clickhouse_database
    query = f"SELECT count() FROM `{database}`.log WHERE tenant_id = 'acme' AND action = 'Login'"
    wait_until(lambda: served.world.client.query(query).result_rows[0][0] == 2, why="for both audits")
