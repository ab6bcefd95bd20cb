"""Tests on the real engine that every read route omits events about access to the log by default, and includes them on
request. The results are compared with those of SQL.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3
from fixtures.stack import until
from querying import Store, event, store
from serving import Served

from auditlane.access.permissions import Permission
from auditlane.contract.vocabulary import ACCESS_ACTIONS
from auditlane.sdk import AuditReader

NOW = datetime.now(UTC).replace(microsecond=0)
ACCESS = (
    "'audit_log.viewed', 'audit_log.viewed_as_tenant', 'audit_log.exported', 'export.requested', 'export.removed',"
    " 'saved_view.created', 'saved_view.changed', 'saved_view.deleted',"
    " 'viewer_token.issued', 'link.issued', 'link.opened'"
)
OF = {"": f"NOT (source = 'auditlane' AND action IN ({ACCESS}))", "include_access=true": "true"}
OTHERS = ("access.denied", "token.issued", "structure.changed")  # auditlane's own, but not about reading the log
BOTH = pytest.mark.parametrize("parameter", OF)
STREAMED = ("audit_log.viewed", "auditlane"), ("audit_log.viewed", "shop"), ("access.denied", "auditlane")


def row(number: int, tenant: str, action: str, source: str, **values: Any) -> dict[str, Any]:
    at = NOW - timedelta(minutes=number)
    return event(number, tenant, **{"occurred_at": at, "ingested_at": at, "action": action, "source": source} | values)


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    own = [(action, "auditlane") for action in sorted(ACCESS_ACTIONS) * 3]
    others = [(action, "auditlane") for action in OTHERS]
    customers = [(action, "shop") for action in ("audit_log.viewed", "link.opened", "order.paid")]
    with store(clickhouse) as made:
        mixed = sorted(own + others + customers * 4, key=lambda pair: hash(pair) % 7)
        made.add([row(number, "acme", *pair) for number, pair in enumerate(mixed)])
        made.add([row(number, "other", *pair) for number, pair in enumerate(own)])
        yield made


@pytest.fixture(scope="module")
def served(filled: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    with Served(tmp_path_factory.mktemp("served"), **settings, stream_poll_s=0.05) as made:
        yield made


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    return served.viewer_token("acme", Permission.read, Permission.export)


def stored(filled: Store, parameter: str, column: str = "toString(event_id)") -> list[Any]:
    found = filled.client.query(
        f"SELECT {column} FROM {filled.database}.log WHERE tenant_id = 'acme' AND {OF[parameter]}"
        " ORDER BY occurred_at DESC, event_id DESC"
    )
    return [values[0] for values in found.result_rows]


def read(served: Served, token: str, path: str, *parameters: str) -> Any:
    answer = served.request(f"{path}?{'&'.join(filter(None, parameters))}", token)
    assert answer.status == 200, answer.data
    return answer.json()


@BOTH
def test_the_list_and_its_pages(filled, served, token, parameter):
    wanted, found, page, back = stored(filled, parameter), [], None, []
    assert 0 < len(wanted) < 60
    while page is None or page["next"]:
        page = read(served, token, "/v1/events", parameter, "limit=7", f"cursor={page['next']}" if page else "")
        found += [one["event_id"] for one in page["data"]]
    assert found == wanted
    while page["prev"]:
        page = read(served, token, "/v1/events", parameter, "limit=7", f"cursor={page['prev']}")
        back = [one["event_id"] for one in page["data"]] + back
    assert back == wanted[: len(back)]
    assert len(back) >= 7
    ordered = read(served, token, "/v1/events", parameter, "limit=200", "sort=occurred_at")["data"]
    assert [one["event_id"] for one in ordered] == wanted[::-1]


def test_a_cursor_is_valid_only_with_the_same_parameter(served, token):
    cursor = read(served, token, "/v1/events", "limit=2")["next"]
    assert read(served, token, "/v1/events", "limit=2", "include_access=false", f"cursor={cursor}")["data"]
    refused = served.request(f"/v1/events?limit=2&include_access=true&cursor={cursor}", token)
    assert (refused.status, refused.json()["code"]) == (400, "CURSOR_INVALID")


@BOTH
def test_counts_and_summaries_omit_access_events_by_default(filled, served, token, parameter):
    actions = stored(filled, parameter, "action")
    facet = read(served, token, "/v1/facets", parameter, "field=action", "limit=100")["data"]
    assert {one["value"]: one["events"] for one in facet} == {one: actions.count(one) for one in actions}
    assert read(served, token, "/v1/histogram", parameter)["events"] == len(actions)
    stats = read(served, token, "/v1/stats", parameter)
    assert stats["events"] == len(actions)
    assert {one["value"] for one in stats["actions"]} <= set(actions)
    assert sum(one["events"] for one in stats["actors"]) <= len(actions)


@BOTH
def test_files_links_and_jobs(filled, served, token, parameter):
    wanted = stored(filled, parameter)
    direct = served.request(f"/v1/export?format=jsonl&columns=event_id&{parameter}", token)
    assert [json.loads(line)["event_id"] for line in direct.data.splitlines()] == wanted
    body = {"format": "jsonl", "columns": ["event_id"], "filter": {"include_access": "true"} if parameter else {}}
    link = served.request("/v1/export-links", token, method="POST", body=body).json()["url"]
    assert urllib3.request("GET", link, retries=False).data == direct.data
    job = served.request("/v1/exports", token, method="POST", body=body).json()
    assert (job["total"], job["include_access"]) == (len(wanted), bool(parameter))
    done = until(
        lambda: (found := read(served, token, f"/v1/exports/{job['id']}"))["ended_at"] and found, 60, "the job"
    )
    assert (done["state"], done["include_access"]) == ("done", bool(parameter))
    assert urllib3.request("GET", done["url"], retries=False).data == direct.data


@BOTH
def test_the_page_without_script(filled, served, parameter):
    page = served.request(f"/plain?{parameter}", cookie=served.session("acme")).data.decode()
    assert [id_ in page for id_ in stored(filled, parameter)[:50]] == [True] * len(stored(filled, parameter))
    assert ("viewer_token.issued" in page) == bool(parameter)
    assert ('name="include_access" value="true" checked>' in page) == bool(parameter)


@BOTH
def test_fronteggs_routes_omit_access_events_by_default(filled, served, parameter):
    def ask(path: str, *parameters: str) -> Any:
        query = "&".join(filter(None, (parameter, *parameters)))
        headers = {"x_access_token": served.client_token("vendor"), "frontegg_tenant_id": "acme"}
        return served.request(f"{path}?{query}", **headers).json()

    wanted = stored(filled, parameter)
    found = ask("/audits", "count=200")
    assert [one["frontegg_id"] for one in found["data"]] == wanted
    assert found["total"] == len(wanted)
    assert ask("/audits/stats")["totalToday"] == sum(
        stored(filled, parameter, "toDate(occurred_at) = toDate(now('UTC'))")
    )
    assert sum(ask("/audits/resources/metrics/v1")["auditsCounterByTime"].values()) == len(wanted)


@BOTH
def test_the_python_reader_omits_access_events_by_default(filled, served, token, parameter, tmp_path):
    more = {"include_access": True} if parameter else {}
    with AuditReader(served.url, token=token) as reader:
        assert [one.event_id for one in reader.events(**more)] == stored(filled, parameter)
        assert reader.export(tmp_path / "a.jsonl", poll_s=0.05, **more) == len(stored(filled, parameter))


@pytest.mark.parametrize("parameter", ["", "include_access=true", "query=action:audit_log.*"])
def test_the_live_stream_omits_access_events_by_default(filled, served, parameter):
    tenant = f"live{len(parameter)}"
    sent = urllib3.request(
        "GET",
        f"{served.url}/v1/events/stream?{parameter}",
        headers={"Authorization": f"Bearer {served.viewer_token(tenant)}"},
        preload_content=False,
        timeout=urllib3.Timeout(30),
    )
    chunks, text = sent.stream(1), b""
    while b"id: " not in text:
        text += next(chunks)
    topic = uuid.uuid5(uuid.NAMESPACE_OID, tenant)  # offsets of another tenant's topic count as seen
    now = {"occurred_at": NOW, "ingested_at": datetime.now(UTC), "kafka_topic_id": topic}
    filled.add([row(1_000 + number, tenant, *pair, **now) for number, pair in enumerate(STREAMED)])
    last = "audit_log.viewed" if parameter.startswith("query") else "access.denied"
    wanted = 3 if parameter == "include_access=true" else 2
    while text.count(b"\ndata: ") < wanted or not text.endswith(b"\n\n"):
        text += next(chunks)
    found = [json.loads(line[6:]) for line in text.splitlines() if line.startswith(b"data: ")]
    assert len(found) == wanted
    assert found[-1]["action"] == last
    assert ("auditlane" in {one["source"] for one in found if one["action"] == "audit_log.viewed"}) == bool(parameter)
    sent.close()


def test_a_filter_that_names_them_finds_them_on_every_route(filled, served, token):
    seen = filled.client.query(
        f"SELECT countIf(action = 'audit_log.viewed'), countIf(source = 'auditlane') FROM {filled.database}.log"
        " WHERE tenant_id = 'acme'"
    ).result_rows[0]
    for parameter, count in (("action=audit_log.viewed", seen[0]), ("query=source:auditlane", seen[1])):
        assert len(read(served, token, "/v1/events", parameter, "limit=200")["data"]) == count
        assert read(served, token, "/v1/histogram", parameter)["events"] == count
        assert read(served, token, "/v1/stats", parameter)["events"] == count
        assert int(served.request(f"/v1/export?format=jsonl&{parameter}", token).headers["auditlane-rows"]) == count


def test_an_event_in_conflict_with_a_hidden_one_is_marked(filled, served):
    token = served.viewer_token("forged", Permission.read)
    filled.add([row(2_000, "forged", "link.opened", "auditlane"), row(2_001, "forged", "order.paid", "shop")])
    [plain] = read(served, token, "/v1/events")["data"]
    filled.add([row(2_000, "forged", "order.paid", "shop", kafka_offset=2_002)])  # with the first event's time and id
    shown = {one["event_id"]: one["conflict"] for one in read(served, token, "/v1/events")["data"]}
    assert len(shown) == 2
    assert not shown.pop(plain["event_id"])
    assert list(shown.values()) == [True]


def test_one_hidden_event_is_read_by_its_id(filled, served, token):
    [hidden, *_] = set(stored(filled, "include_access=true")) - set(stored(filled, ""))
    assert read(served, token, f"/v1/events/{hidden}")["event_id"] == hidden
